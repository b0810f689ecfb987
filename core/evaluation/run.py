"""Which look is taken at what: `python -m core.evaluation COMMAND`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
from tqdm import tqdm

from core.errors import LiveTalkError
from core.evaluation import held_out, likeness, quiet, recorded, roll_out, sheet, strip, styles
from core.evaluation.acting import Actor
from core.evaluation.people import People
from core.evaluation.phones import PhoneFinder
from core.evaluation.plots import draw_lips, draw_minute, draw_spread
from core.evaluation.report import Look, table
from core.parts import shipped_portraits
from core.performer.portrait.identity import make_identity, read_picture
from core.performer.portrait.landmarks import FaceFinder
from core.performer.portrait.weights import SPEC
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parents[3] / "shared" / "data"
"""Where measured people lie beside a working copy, if anywhere."""
PARTS = ("voices", "people", "silence", "minute", "long", "picture")


@dataclass(frozen=True)
class Asked:
    """What `portrait` was asked for."""

    weights: Path
    people: Path
    faces: Path
    out: Path
    parts: tuple[str, ...]
    style: bool


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0 when everything that could be measured was, whatever the figures say."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    try:
        return options.run(options)
    except LiveTalkError as error:
        print(f"{error.title} {error.advice}")
        return 1


def portrait(asked: Asked) -> int:
    """All looks at the embedded avatar: a table, pictures in `out`, and one JSON document as the last line."""
    begun = time.perf_counter()
    actor = Actor(asked.weights)
    people = People.load(asked.people) if (asked.people / "index.csv").is_file() else None
    asked.out.mkdir(parents=True, exist_ok=True)
    with tqdm(total=_seconds(asked, people), unit="s", desc="acting", bar_format=_BAR) as bar:
        looks = list(_looks(actor, people, asked, bar.update))
    print(table(looks))
    print(f"\npictures in {asked.out}")
    print(json.dumps(_document(asked, looks, time.perf_counter() - begun)))
    return 0


_BAR = "{desc}: {percentage:3.0f}%|{bar:30}| {n:.0f}/{total:.0f} s of sound, {remaining} left"


def _seconds(asked: Asked, people: People | None) -> float:
    """Of sound that will be acted to."""
    spoken = sum(clip.seconds for clip in people.speaking()) if people else 0.0
    lengths = {
        "voices": held_out.SECONDS,
        "people": spoken,
        "silence": quiet.SECONDS,
        "minute": roll_out.MINUTE * len(roll_out.SEEDS) if people else 0.0,
        "long": roll_out.LONG if people else 0.0,
        "picture": likeness.SECONDS_EACH * 4 if people else 0.0,
    }
    return sum(lengths[part] for part in asked.parts) + (styles.SECONDS if asked.style and people else 0.0)


def _looks(actor: Actor, people: People | None, asked: Asked, done: Callable[[float], object]) -> list[Look]:
    looks: list[Look] = []
    if "voices" in asked.parts:
        looks.append(_voices(actor, done))
    if "people" in asked.parts:
        looks.extend(_people(actor, people, asked, done))
    if "silence" in asked.parts:
        looks.append(quiet.look(actor, people, done))
    for part, title, seconds, seeds in (
        ("minute", f"One minute, {len(roll_out.SEEDS)} times", roll_out.MINUTE, roll_out.SEEDS),
        ("long", "Ten minutes", roll_out.LONG, roll_out.SEEDS[:1]),
    ):
        if part in asked.parts:
            looks.append(_roll_out(actor, people, asked, part, title, seconds, seeds, done))
    if "picture" in asked.parts:
        looks.append(_picture(actor, people, asked, done))
    if asked.style:
        looks.append(styles.look(actor, people, done) if people else _no_people(styles.TITLE, asked))
    return looks


def _voices(actor: Actor, done: Callable[[float], object]) -> Look:
    if find_spec("espeakng_loader") is None:
        return Look(held_out.TITLE, missing="espeakng-loader is not installed; `pip install espeakng-loader`")
    if shutil.which("flite") is None:
        return Look(held_out.TITLE, missing="flite is not installed; `make test-packages`")
    return held_out.look(actor, done)


def _people(actor: Actor, people: People | None, asked: Asked, done: Callable[[float], object]) -> list[Look]:
    if people is None:
        return [_no_people(recorded.TITLE, asked), _no_people(recorded.CLOSING_TITLE, asked)]
    finder = PhoneFinder() if find_spec("pocketsphinx") else None
    spoken = recorded.speak(actor, people, asked.people, finder, done)
    draw_lips(spoken, asked.out / "lips.png")
    no_phones = Look(recorded.CLOSING_TITLE, missing="pocketsphinx is not installed; `pip install pocketsphinx`")
    return [recorded.look(spoken, people), recorded.closing_look(spoken) if finder else no_phones]


def _roll_out(
    actor: Actor,
    people: People | None,
    asked: Asked,
    part: str,
    title: str,
    seconds: float,
    seeds: tuple[int, ...],
    done: Callable[[float], object],
) -> Look:
    if people is None:
        return _no_people(title, asked)
    acts = [roll_out.perform(actor, people, seconds, seed, done) for seed in seeds]
    draw_spread(acts, people, asked.out / f"{part}-head.png")
    draw_minute(acts[0].part(0, int(roll_out.MINUTE * acts[0].fps)), asked.out / f"{part}.png")
    return roll_out.look(actor, title, acts, people)


def _picture(actor: Actor, people: People | None, asked: Asked, done: Callable[[float], object]) -> Look:
    if people is None:
        return _no_people(likeness.TITLE, asked)
    if not asked.faces.is_dir():
        return Look(likeness.TITLE, missing=f"no face models at {asked.faces}; run `make models`")
    shown = {one.key: read_picture(one.path) for one in shipped_portraits().values()}
    sound = roll_out.talk(people, likeness.SECONDS_EACH)[0]
    return likeness.look(actor, FaceFinder(asked.faces), shown, sound, done)


def _no_people(title: str, asked: Asked) -> Look:
    return Look(title, missing=f"no measured people at {asked.people}; say where with --people")


def _document(asked: Asked, looks: list[Look], seconds: float) -> dict[str, Any]:
    described = json.loads((asked.weights / SPEC).read_text("utf-8"))
    return {
        "looks": {look.title: look.plain() for look in looks},
        "weights": described["sha256"],
        "versions": {name: version(name) for name in ("torch", "numpy", "opencv-python-headless")}
        | {"python": platform.python_version()},
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "seeds": {
            "voices": held_out.VOICES.seed,
            "people": recorded.SEED,
            "silence": quiet.SEED,
            "minute": roll_out.SEEDS,
            "long": roll_out.SEEDS[:1],
            "picture": likeness.SEED,
            "style": styles.SEEDS,
        },
        "seconds": round(seconds, 1),
    }


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m core.evaluation", description="Measure LiveTalk's own models.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    portrait_options = commands.add_parser("portrait", help="figures of the embedded avatar, beside those of people")
    _portrait_options(portrait_options)
    _sheet_options(commands.add_parser("sheet", help="portraits in many moments, to be looked at"))
    _strip_options(commands.add_parser("strip", help="the shipped portraits while they speak (needs flite)"))
    return top


def _portrait_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--weights", type=Path, default=assets_folder() / "models" / "portrait", metavar="FOLDER")
    command.add_argument(
        "--people", type=Path, default=DATA / "motion", metavar="FOLDER", help="clips and figures of measured people"
    )
    command.add_argument("--faces", type=Path, default=models_folder() / "face", metavar="FOLDER")
    command.add_argument("--out", type=Path, default=Path("runs") / "evaluation", metavar="FOLDER", help="for pictures")
    command.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    command.add_argument("--style", action="store_true", help="also what the words of style change")
    command.set_defaults(run=_portrait)


def _sheet_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "portraits", nargs="*", type=Path, metavar="PICTURE", help="default: the shipped, and the data's"
    )
    command.add_argument("--weights", type=Path, default=assets_folder() / "models" / "portrait", metavar="FOLDER")
    command.add_argument("--faces", type=Path, default=models_folder() / "face", metavar="FOLDER")
    command.add_argument("--side", type=int, default=256, metavar="PX", help="of one picture")
    command.add_argument("--out", type=Path, default=Path("runs") / "evaluation" / "sheet.png", metavar="FILE.png")
    command.set_defaults(run=_sheet)


def _strip_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--weights", type=Path, default=assets_folder() / "models" / "portrait", metavar="FOLDER")
    command.add_argument("--faces", type=Path, default=models_folder() / "face", metavar="FOLDER")
    command.add_argument("--width", type=int, default=1600, metavar="PX")
    command.add_argument("--out", type=Path, default=Path("docs") / "portrait-strip.png", metavar="FILE.png")
    command.set_defaults(run=_strip)


def _sheet(options: argparse.Namespace) -> int:
    """Every portrait in every moment, as one picture; what was refused is said."""
    known = [one.path for one in shipped_portraits().values()] + sorted((DATA / "portraits").glob("*.jpg"))
    paths: list[Path] = options.portraits or known
    actor, finder = Actor(options.weights), FaceFinder(options.faces)
    with tqdm(total=len(paths), unit="portrait", desc="painting") as bar:
        rows = sheet.rows_of(paths, finder, actor.model.codec.basis, bar.update)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.drawn(rows, options.side).save(options.out)
    for row in rows:
        print(f"{row.name:24s} {row.refusal or 'painted'}")
    print(f"\n{options.out}")
    print(json.dumps({row.name: row.refusal or "painted" for row in rows}))
    return 0


def _strip(options: argparse.Namespace) -> int:
    """The shipped portraits while they speak, as one picture."""
    actor, finder = Actor(options.weights), FaceFinder(options.faces)
    shipped = shipped_portraits().values()
    speakers = [strip.Speaker(make_identity(read_picture(one.path), finder), one.voice) for one in shipped]
    strip.strip(actor, speakers, options.width).save(options.out, optimize=True)
    print(options.out)
    return 0


def _portrait(options: argparse.Namespace) -> int:
    return portrait(
        Asked(
            options.weights,
            options.people,
            options.faces,
            options.out,
            tuple(options.only),
            options.style,
        )
    )
