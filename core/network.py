"""Opening a neural network kept in the ONNX format, to be run on one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime


def open_network(path: Path) -> onnxruntime.InferenceSession:
    """The network in `path`, `.onnx` or onnxruntime's own `.ort`, ready to run. It has one thread: on few cores pools
    that spin cost more than they give.

    Raises:
        OSError: the file is not there or cannot be read.
        ValueError: it holds no network.
    """
    import onnxruntime  # a native library of 60 MB: only for those who need one

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    file = path.read_bytes()
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds have no common parent
        raise ValueError(f"{path.name} cannot be loaded: {error}") from error
