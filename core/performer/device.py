"""The one seam between CPU and CUDA: streams, marks, copies to the host, number format, steady calls.

Both classes have the same methods, so that the loop above them is the same. Nothing else says `torch.cuda`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Work = Literal["imagine", "draw"]
    Call = Callable[..., Tensor]


class Mark(Protocol):
    """A point in the order of a stream's work."""

    @property
    def ready(self) -> bool:
        """Whether everything before it is done."""
        ...

    def wait(self) -> None:
        """The work that is queued from here on, on the current stream, happens after it."""
        ...


class HostCopy(Protocol):
    """A tensor on its way to host memory."""

    @property
    def ready(self) -> bool: ...

    def wait(self) -> npt.NDArray[np.generic]:
        """The array, once it has arrived."""
        ...


class Device(Protocol):
    """What the renderer thread may ask of a machine."""

    torch_device: torch.device
    dtype: torch.dtype
    dtype_reason: str

    def stream(self, work: Work) -> AbstractContextManager[object]:
        """Queue what is inside on that work's stream."""
        ...

    def mark(self) -> Mark:
        """The current stream's work so far."""
        ...

    def to_host(self, tensor: Tensor) -> HostCopy:
        """Begin to copy; the tensor must not be written before the copy is ready."""
        ...

    def steady(self, call: Call) -> Call:
        """`call`, which always gets tensors of the same shapes and always does the same, made as fast as it can be.

        What it returns may be overwritten by the next call.
        """
        ...


def choose_device() -> Device:
    """CUDA where there is a GPU, else the CPU."""
    return CudaDevice() if torch.cuda.is_available() else CpuDevice()


@dataclass(frozen=True)
class _Done:
    ready: bool = True

    def wait(self) -> None:
        pass


@dataclass(frozen=True, eq=False)
class _HostArray:
    array: npt.NDArray[np.generic]
    ready: bool = True

    def wait(self) -> npt.NDArray[np.generic]:
        return self.array


class CpuDevice:
    """Everything happens at once, in the order it is written."""

    def __init__(self) -> None:
        self.torch_device = torch.device("cpu")
        self.dtype = torch.float32
        self.dtype_reason = "few CPUs are faster in half precision, and some fail"

    def stream(self, work: Work) -> AbstractContextManager[object]:
        return nullcontext()

    def mark(self) -> Mark:
        return _Done()

    def to_host(self, tensor: Tensor) -> HostCopy:
        return _HostArray(tensor.numpy())

    def steady(self, call: Call) -> Call:
        return call


@dataclass(frozen=True, eq=False)
class _CudaMark:
    event: torch.cuda.Event

    @property
    def ready(self) -> bool:
        return self.event.query()

    def wait(self) -> None:
        torch.cuda.current_stream().wait_event(self.event)


@dataclass(frozen=True, eq=False)
class _PinnedCopy:
    host: Tensor
    event: torch.cuda.Event

    @property
    def ready(self) -> bool:
        return self.event.query()

    def wait(self) -> npt.NDArray[np.generic]:
        self.event.synchronize()
        return self.host.numpy()


class CudaDevice:
    """One GPU with a stream for each half of the work, so that drawing runs beside the next imagining."""

    def __init__(self, index: int = 0) -> None:
        self.torch_device = torch.device("cuda", index)
        half = torch.cuda.is_bf16_supported()
        self.dtype = torch.bfloat16 if half else torch.float16
        self.dtype_reason = "the released weights run in bf16" if half else "this GPU has no bf16"
        self._streams = {work: torch.cuda.Stream(self.torch_device) for work in ("imagine", "draw")}

    def stream(self, work: Work) -> AbstractContextManager[object]:
        return torch.cuda.stream(self._streams[work])

    def mark(self) -> Mark:
        event = torch.cuda.Event()
        event.record()
        return _CudaMark(event)

    def to_host(self, tensor: Tensor) -> HostCopy:
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        tensor.record_stream(torch.cuda.current_stream())
        event = torch.cuda.Event()
        event.record()
        return _PinnedCopy(host, event)

    def steady(self, call: Call) -> Call:
        return _Replayed(call)


class _Replayed:
    """Runs a call twice to settle it, captures it, and from then on replays the capture on copied inputs."""

    _SETTLING_CALLS = 2

    def __init__(self, call: Call) -> None:
        self._call = call
        self._calls = 0
        self._inputs: tuple[Tensor, ...] = ()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._output: Tensor | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        self._calls += 1
        if self._calls <= self._SETTLING_CALLS:
            return self._call(*inputs)
        if self._graph is None:
            self._inputs = tuple(tensor.clone() for tensor in inputs)
            self._graph = torch.cuda.CUDAGraph()
            torch.cuda.current_stream().synchronize()
            with torch.cuda.graph(self._graph, stream=torch.cuda.current_stream()):
                self._output = self._call(*self._inputs)
        for kept, given in zip(self._inputs, inputs, strict=True):
            if kept.shape != given.shape:
                raise ValueError(f"a steady call was captured for {tuple(kept.shape)} and got {tuple(given.shape)}")
            kept.copy_(given)
        self._graph.replay()
        assert self._output is not None
        return self._output
