"""The command line: which command is meant, with what, and how trouble is told."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app import VERSION
from app.commands.terminal import Terminal
from core.errors import LiveTalkError

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY = "The key of an endpoint is read from the system's keyring or from LIVETALK_API_KEY."
INTERRUPTED = 130
"""Exit status after Ctrl+C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; without one, the window. Returns the exit status: 0 well, 1 trouble, 2 wrong arguments."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    terminal = Terminal(sys.stdout, sys.stderr, as_json=getattr(options, "json", False), verbose=options.verbose)
    try:
        return options.run(options, terminal)
    except LiveTalkError as error:
        terminal.trouble(error)
        return 1
    except KeyboardInterrupt:
        terminal.interrupted()
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = argparse.ArgumentParser(
        prog="livetalk",
        description="Talk with a living avatar. Without a command the window opens.",
        epilog=_KEY,
    )
    top.add_argument("--version", action="version", version=f"LiveTalk {VERSION}")
    top.add_argument("--verbose", action="store_true", help="say more about what happens, and why something failed")
    top.set_defaults(run=_window)
    _conversation_options(top)
    top.add_argument("--record", action="store_true", help="record from the start")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    _render_options(commands.add_parser("render", help="a picture and a recording become a film"))
    converse = "hold a conversation without a window, into a film"
    _converse_options(
        commands.add_parser("converse", help=converse, description=converse.capitalize() + ".", epilog=_KEY)
    )
    _doctor_options(commands.add_parser("doctor", help="look at what LiveTalk needs on this computer"))
    _bench_options(commands.add_parser("bench", help="measure the engine and a conversation on this computer"))
    _models_options(commands.add_parser("models", help="the models that LiveTalk brings"))
    return top


def _conversation_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--avatar", metavar="IMAGE", help="a picture, or the name of a shipped portrait")
    command.add_argument("--endpoint", metavar="URL", help="a Qwen3-Omni endpoint; without one the companion answers")
    command.add_argument("--model", metavar="NAME", help="the endpoint's model")
    command.add_argument("--dialect", metavar="KIND", help="the endpoint's kind, if it is not to be found out")
    command.add_argument("--performer", metavar="NAME", help="what draws the picture (portrait, livetalk)")
    _weights_option(command)
    _preset_option(command)


def _preset_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--preset",
        metavar="NAME",
        type=_preset,
        help="livetalk: the best picture (quality), a small decoder (fast), weights in 8 bits too (fastest), the least "
        "memory (low); auto takes the best that the GPU has room for",
    )


def _weights_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--weights", metavar="DIR", help="where the performer's files lie, if not with the models")


def _json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON document as the last line")
    command.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _render_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--avatar", metavar="IMAGE", required=True, help="a picture, or a shipped portrait's name")
    command.add_argument("--audio", metavar="FILE", type=Path, required=True, help="speech: wav, flac, ogg or mp3")
    command.add_argument("--out", metavar="FILE.mp4", type=Path, required=True)
    command.add_argument("--performer", metavar="NAME", default="portrait", help="portrait or livetalk")
    _weights_option(command)
    _preset_option(command)
    command.add_argument("--seed", metavar="N", type=int, default=0, help="the same seed gives the same film")
    _json_option(command)
    command.set_defaults(run=_render)


def _converse_options(command: argparse.ArgumentParser) -> None:
    _conversation_options(command)
    command.add_argument("--out", metavar="FILE.mp4", type=Path, required=True, help="the film that is made of it")
    command.add_argument(
        "--say", metavar="TEXT", dest="turns", action=_Turn, help="a typed turn; may be given several times"
    )
    command.add_argument(
        "--audio", metavar="FILE", dest="turns", action=_Turn, help="a spoken turn; mixes with --say in the order given"
    )
    _json_option(command)
    command.set_defaults(run=_converse, turns=())


def _doctor_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--probe", choices=("screen", "sound"), help=argparse.SUPPRESS)
    _json_option(command)
    command.set_defaults(run=_doctor)


def _bench_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--performer", metavar="NAME", default="portrait", help="portrait or livetalk")
    command.add_argument(
        "--weights", metavar="DIR", default="", help="livetalk: where its files lie, or “random” to do without"
    )
    command.add_argument("--size", choices=("1.3b", "tiny"), default="1.3b", help="livetalk: of random weights")
    command.add_argument(
        "--preset",
        metavar="NAME",
        dest="ways",
        action="append",
        help="livetalk: only this way, such as “quality” or “quality, compiled”; may be repeated",
    )
    command.add_argument("--blocks", metavar="N", type=_count, default=12, help="livetalk: blocks to time (12)")
    command.add_argument(
        "--budget", metavar="MINUTES", type=float, default=7.5, help="livetalk: what does not fit is left out (7.5)"
    )
    command.add_argument(
        "--out",
        metavar="FILE.json",
        type=Path,
        default=Path("livetalk-bench.json"),
        help="livetalk: where figures are kept as they come (livetalk-bench.json)",
    )
    command.add_argument("--part", default="", help=argparse.SUPPRESS)
    command.add_argument("--avatar", metavar="IMAGE", help="a picture, or the name of a shipped portrait")
    command.add_argument("--turns", metavar="N", type=int, default=5, help="turns of the measured conversation (5)")
    parts = command.add_mutually_exclusive_group()
    parts.add_argument("--only", choices=("engine", "conversation", "window"), help="measure only this part")
    parts.add_argument(
        "--long",
        metavar="MINUTES",
        type=_count,
        default=0,
        help="measure instead whether sound and picture stay in step for so long",
    )
    parts.add_argument(
        "--memory",
        metavar="MINUTES",
        type=_count,
        default=0,
        help="measure instead whether the memory of the whole program stays what it was in so long a conversation",
    )
    command.add_argument("--probe", choices=("raster", "opengl"), help=argparse.SUPPRESS)
    _json_option(command)
    command.set_defaults(run=_bench)


def _models_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=("list", "fetch", "verify", "where", "fingerprint"))
    command.add_argument(
        "model", metavar="MODEL", nargs="?", default="", help="livetalk-1.3b; without a name, the built-in ones"
    )
    command.add_argument("--from", metavar="FOLDER", dest="weights", help="where files of livetalk-1.3b lie already")
    command.add_argument(
        "--accept-licence", action="store_true", help="the terms of livetalk-1.3b were read and are accepted"
    )
    _json_option(command)
    command.set_defaults(run=_models)


def _preset(name: str) -> str:
    from core.settings import PRESETS

    if name not in PRESETS:
        raise argparse.ArgumentTypeError(f"there is no preset called “{name}”; there are {', '.join(PRESETS)}")
    return name


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise ValueError(text)
    return count


class _Turn(argparse.Action):
    """Keeps typed and spoken turns in the order in which they were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        turn = str(values) if option_string == "--say" else Path(str(values))
        setattr(namespace, self.dest, (*getattr(namespace, self.dest), turn))


# Each command is imported when it is asked for: `livetalk --help` needs neither Qt nor torch.


def _window(options: argparse.Namespace, _: Terminal) -> int:
    from app import main as window

    return window.main(options)


def _render(options: argparse.Namespace, terminal: Terminal) -> int:
    from app.commands import render

    return render.run(options, terminal)


def _converse(options: argparse.Namespace, terminal: Terminal) -> int:
    from app.commands import converse

    return converse.run(options, terminal)


def _doctor(options: argparse.Namespace, terminal: Terminal) -> int:
    from app.commands import doctor

    return doctor.run(options, terminal)


def _bench(options: argparse.Namespace, terminal: Terminal) -> int:
    if options.performer == "livetalk":
        from app.commands import bench_livetalk

        return bench_livetalk.run(options, terminal)
    from app.commands import bench

    return bench.run(options, terminal)


def _models(options: argparse.Namespace, terminal: Terminal) -> int:
    from app.commands import models

    return models.run(options, terminal)
