"""Weights on disk: half precision in one file, everything else about them in a spec beside it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
        PerformerError: a file is missing or cannot be read, or is not the one that the spec knows; the advice has the
            command.
    """
    try:
        described = msgspec.convert(json.loads((folder / SPEC).read_text("utf-8")), _Described)
        stored = (folder / WEIGHTS).read_bytes()
    except FileNotFoundError as missing:
        raise _missing(missing) from missing
    except (OSError, ValueError, msgspec.ValidationError) as broken:
        raise _damaged(f"{folder / SPEC}: {broken}") from broken
    seen = hashlib.sha256(stored).hexdigest()
    if seen != described.sha256:
        raise _damaged(f"{folder / WEIGHTS} has sha256 {seen}, the spec says {described.sha256}")
    return _filled(described.motion, stored, folder), described.motion


@dataclass(frozen=True)
class _Described:
    """What stands in the spec beside the weights."""

    motion: MotionSpec
    sha256: str


def _filled(spec: MotionSpec, stored: bytes, folder: Path) -> MotionModel:
    weights = {name: tensor.to(torch.float32) for name, tensor in load(stored).items()}
    model = MotionModel(spec.sizes)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if wanted != {name: tensor.shape for name, tensor in weights.items()}:
        raise _damaged(f"{folder / SPEC} has other sizes than {WEIGHTS}")
    model.load_state_dict(weights)
    return model.requires_grad_(False).eval()


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
