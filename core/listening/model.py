"""The files of the ear: opening a small neural network, and what is told where one is missing or damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import LiveTalkError, Problem
from core.network import open_network

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime


def not_whole(title: str, until_then: str, path: Path, error: Exception) -> LiveTalkError:
    """For a file that came with LiveTalk and is missing or damaged; `until_then` is how it is without."""
    advice = f"Install LiveTalk again. Until then, {until_then}"
    return LiveTalkError(Problem.MODEL_DAMAGED, title, advice, detail=f"{path}: {error}")


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
