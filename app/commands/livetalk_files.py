"""`livetalk models … livetalk-1.3b`: the files of the performer that needs a GPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.terminal import table
from app.setup import livetalk
from app.setup.livetalk import NAME
from app.setup.pace import Pace, gigabytes, spoken_time
from app.setup.stop import Stop
from core.errors import LiveTalkError, Problem
from core.performer.livetalk.files import NAMES, find, own_folder
from core.settings import changed, load, save, settings_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from app.commands.terminal import Terminal
    from core.performer.livetalk.files import Found

_GONE_WELL = ("ready", "unchecked")


@dataclass(frozen=True)
class Listed:
    """One line among the built-in models, and the same for programs."""

    row: tuple[str, ...]
    document: Mapping[str, object]


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0 when all is here and well."""
    weights = _folder_named(options.weights)
    match options.action:
        case "fingerprint":
            return _fingerprint(find(weights), terminal)
        case "fetch":
            return _fetch(weights, terminal, accepted=options.accept_licence)
        case "verify":
            return _verify(weights, terminal)
        case _:
            return _tell(find(weights), terminal)


def listed() -> Listed:
    """What a list of all models says of this one."""
    found = find(load(settings_path()).avatar.weights)
    state = _state(found)
    row = (f"{NAME}: {livetalk.PURPOSE}", state, f"{livetalk.size() / 1e6:.1f} MB", livetalk.LICENCE)
    document = {
        "name": NAME,
        "state": state,
        "purpose": livetalk.PURPOSE,
        "licence": livetalk.LICENCE,
        "bytes": livetalk.size(),
        "bytes_left": livetalk.left(found),
        "files": {kind: str(path) for kind, path in found.paths.items()},
        "folder": str(own_folder()),
    }
    return Listed(row, document)


def _folder_named(named: str | None) -> str:
    """The folder on the command line, else the one in the settings; empty where there is none."""
    if named is None:
        return load(settings_path()).avatar.weights
    folder = Path(named).expanduser().resolve()
    if not folder.is_dir():
        raise LiveTalkError(Problem.MODEL_MISSING, f'There is no folder "{folder}".', "Name the folder with the files.")
    return str(folder)


def _state(found: Found) -> str:
    if livetalk.complete(found):
        return "ready"
    left = livetalk.left(found)
    return "missing" if left == livetalk.size() else f"{gigabytes(left)} missing"


def _tell(found: Found, terminal: Terminal) -> int:
    rows = [
        (NAMES[piece.kind], str(found.paths.get(piece.kind, "missing" if piece.needed else "missing (optional)")))
        for piece in livetalk.PIECES
    ]
    width = max(len(name) for name, _ in rows)
    for name, place in rows:
        terminal.say(f"{name.ljust(width)}  {place}")
    _tell_others(found, terminal)
    complete = livetalk.complete(found)
    if not complete:
        terminal.say(f"Bring it with: livetalk models fetch {NAME}")
    terminal.finish(_document(found))
    return 0 if complete else 1


def _tell_others(found: Found, terminal: Terminal) -> None:
    """What was seen and is of no use, where something is missing and somebody may wonder why."""
    if not livetalk.complete(found):
        for seen in found.others:
            terminal.say(f"{seen.path} {seen.what}.")


def _document(found: Found) -> dict[str, object]:
    return {
        "name": NAME,
        "ready": livetalk.complete(found),
        "folder": str(own_folder()),
        "bytes_left": livetalk.left(found),
        "files": {kind: str(path) for kind, path in found.paths.items()},
        "of_no_use": [{"path": str(seen.path), "what": seen.what} for seen in found.others],
    }


def _fetch(weights: str, terminal: Terminal, *, accepted: bool) -> int:
    found = find(weights)
    if weights:
        _remember(weights, found)
    if livetalk.complete(found) and livetalk.remove_damaged(livetalk.verify(found, _progress(terminal), Stop())):
        found = find(weights)
    left = livetalk.left(found)
    if not left:
        return _tell(found, terminal)
    livetalk.ask_for_room(found)
    _tell_others(found, terminal)
    if not _terms_accepted(left, terminal, accepted=accepted):
        terminal.say("Nothing was downloaded.")
        terminal.finish(_document(found))
        return 0 if livetalk.complete(found) else 1
    try:
        troubles = livetalk.fetch(weights, _progress(terminal), Stop())
    except KeyboardInterrupt:
        terminal.say(f"What has arrived is kept. To go on: livetalk models fetch {NAME}")
        raise
    for trouble in troubles:
        terminal.warn(trouble)
    return _tell(find(weights), terminal)


def _terms_accepted(left: int, terminal: Terminal, *, accepted: bool) -> bool:
    if livetalk.accepted():
        return True
    terminal.say(livetalk.TERMS)
    if not accepted and not terminal.agrees(f"Accept these terms, and download {gigabytes(left)}?"):
        terminal.say("To accept the terms without being asked, add --accept-licence.")
        return False
    livetalk.accept()
    return True


def _progress(terminal: Terminal) -> Callable[[int, int], None]:
    pace: Pace | None = None

    def report(done: int, total: int) -> None:
        nonlocal pace
        pace = pace or Pace(total, time.monotonic)
        if step := pace.step(done):
            words = f"{gigabytes(step.done)} of {gigabytes(step.total)}"
            if step.left_s is not None and step.done < step.total:
                words += f", {step.rate / 1e6:.1f} MB/s, {spoken_time(step.left_s)} left"
            terminal.progress(NAME, step.done, step.total, words)

    return report


def _remember(weights: str, found: Found) -> None:
    """The folder that was named is used from now on, if there is anything in it."""
    if not any(path.is_relative_to(weights) for path in found.paths.values()):
        raise LiveTalkError(
            Problem.MODEL_MISSING,
            f'"{weights}" has no file of LiveTalk 1.3B.',
            " ".join(f"{seen.path.name} {seen.what}." for seen in found.others[:3])
            or "Name the folder with the files.",
        )
    settings = load(settings_path())
    save(changed(settings, "avatar", weights=weights), settings_path())


def _verify(weights: str, terminal: Terminal) -> int:
    found = find(weights)
    verdicts = livetalk.verify(found, _progress(terminal), Stop())
    for line in table([(NAMES[verdict.piece.kind], verdict.state) for verdict in verdicts]):
        terminal.say(line)
    _tell_others(found, terminal)
    well = all(verdict.state in _GONE_WELL for verdict in verdicts if verdict.piece.needed or verdict.path)
    if not well:
        terminal.say(f"Bring it with: livetalk models fetch {NAME}")
    told = [
        {"piece": verdict.piece.kind, "state": verdict.state, "path": str(verdict.path or "")} for verdict in verdicts
    ]
    terminal.finish({**_document(found), "verified": told, "ready": well})
    return 0 if well else 1


def _fingerprint(found: Found, terminal: Terminal) -> int:
    """What the models built here would be known by, beside the published ones; then every file that was seen."""
    from core.performer.livetalk.fingerprint import fingerprint_of, fingerprints

    built = fingerprints()
    rows = [(model.name, f"{model.tensors} tensors", model.md5, _agrees(model.matches)) for model in built]
    for line in table([("Model", "", "built here", "published"), *rows]):
        terminal.say(line)
    files = [path for path in (*found.paths.values(), *(seen.path for seen in found.others)) if path.is_file()]
    what = {seen.path: seen.what for seen in found.others} | {
        path: f"is {NAMES[kind]}" for kind, path in found.paths.items()
    }
    seen = [(str(path), fingerprint_of(path), what[path]) for path in files if what[path] != "is damaged or cut short"]
    for path, md5, words in seen:
        terminal.say(f"{md5}  {path} {words}")
    terminal.finish(
        {
            "models": [{**model._asdict(), "matches": model.matches} for model in built],
            "files": [{"path": path, "md5": md5, "what": words} for path, md5, words in seen],
        }
    )
    return 0 if all(model.matches for model in built) else 1


def _agrees(matches: bool) -> str:
    return "the same" if matches else "ANOTHER"
