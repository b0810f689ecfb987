"""Weights on disk: half precision in one file, everything else about them in a spec beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from safetensors.torch import load, save

from core.errors import PerformerError, Problem
from core.performer.portrait.motion import MotionModel, MotionSpec

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS, SPEC = "model.safetensors", "spec.json"
REPAIR = "git checkout assets/models/portrait"


def save_weights(model: MotionModel, spec: MotionSpec, folder: Path) -> None:
    """Write both files; the spec knows the weights by their hash."""
    folder.mkdir(parents=True, exist_ok=True)
    half = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    stored = save(half)
    (folder / WEIGHTS).write_bytes(stored)
    described = {"motion": dataclasses.asdict(spec), "sha256": hashlib.sha256(stored).hexdigest()}
    (folder / SPEC).write_text(json.dumps(described, indent=2) + "\n")


def load_weights(folder: Path) -> tuple[MotionModel, MotionSpec]:
    """The model, in float32 and ready to run.

    Raises:
        PerformerError: a file is missing, or is not the one that the spec knows; the advice has the command.
    """
    try:
        described: dict[str, Any] = json.loads((folder / SPEC).read_text())
        stored = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as missing:
        raise _missing(missing) from missing
    except ValueError as broken:
        raise _damaged(f"{folder / SPEC}: {broken}") from broken
    seen = hashlib.sha256(stored).hexdigest()
    if seen != described.get("sha256"):
        raise _damaged(f"{folder / WEIGHTS} has sha256 {seen}, the spec says {described.get('sha256')}")
    spec = msgspec.convert(described["motion"], MotionSpec)
    model = MotionModel(spec.sizes)
    model.load_state_dict({name: tensor.to(torch.float32) for name, tensor in load(stored).items()})
    return model.requires_grad_(False).eval(), spec


def _missing(error: FileNotFoundError) -> PerformerError:
    return PerformerError(
        Problem.MODEL_MISSING,
        "The avatar's motion model is not here.",
        f"Bring it back with “{REPAIR}”, or run “make models”.",
        detail=str(error),
    )


def _damaged(detail: str) -> PerformerError:
    return PerformerError(
        Problem.MODEL_DAMAGED,
        "The avatar's motion model is damaged.",
        f"Bring it back with “{REPAIR}”, or run “make models”.",
        detail=detail,
    )
