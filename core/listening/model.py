"""Opening a small neural network of the ear, with errors that name the command that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import LiveTalkError, Problem
from core.network import open_network

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime


def open_model(path: Path, hears: str, without: str) -> onnxruntime.InferenceSession:
    """The ONNX file at `path`, ready to run.

    Args:
        path: the file.
        hears: what the model does, after "The model that ".
        without: one sentence on what happens as long as it is not there.

    Raises:
        LiveTalkError: `MODEL_MISSING` or `MODEL_DAMAGED`.
    """
    try:
        return open_network(path)
    except OSError as error:
        raise LiveTalkError(
            Problem.MODEL_MISSING,
            f"The model that {hears} is missing.",
            f"Run `make models` to fetch it. {without}",
            detail=str(path),
        ) from error
    except ValueError as error:
        raise LiveTalkError(
            Problem.MODEL_DAMAGED,
            f"The model that {hears} is damaged.",
            f"Run `make models` to fetch it again. {without}",
            detail=f"{path}: {error}",
        ) from error
