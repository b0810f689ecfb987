"""Opening a small neural network of the ear: one thread of arithmetic, and errors that name the command that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import LiveTalkError, Problem

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
    if not path.is_file():
        raise LiveTalkError(
            Problem.MODEL_MISSING,
            f"The model that {hears} is missing.",
            f"Run `make models` to fetch it. {without}",
            detail=str(path),
        )
    import onnxruntime  # a native library of 60 MB: only for those who listen
    from onnxruntime.capi import (  # its errors have no common base
        onnxruntime_pybind11_state as failures,  # pyright: ignore[reportAttributeAccessIssue] - a compiled module
    )

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (failures.Fail, failures.InvalidArgument, failures.InvalidGraph, failures.InvalidProtobuf) as error:
        raise LiveTalkError(
            Problem.MODEL_DAMAGED,
            f"The model that {hears} is damaged.",
            f"Run `make models` to fetch it again. {without}",
            detail=f"{path}: {error}",
        ) from error
