"""The one seam between CPU and CUDA: streams, marks, copies, memory, number format, steady calls.

Both classes have the same methods, so that the loop above them is the same. Nothing else says `torch.cuda`.
"""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import psutil
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np
    import numpy.typing as npt

    Work = Literal["imagine", "draw"]
    Call = Callable[..., Tensor]

DeviceFailure = torch.AcceleratorError
"""A GPU stopped in the middle of its work; nothing more can be done on it in this process."""
OutOfMemory = torch.OutOfMemoryError
"""A GPU has no room for a tensor; what was there before is still good."""

_EIGHT_BITS_SINCE = (8, 9)
"""Compute capability of Ada, the first generation that multiplies e4m3."""


class Mark(Protocol):
    """A point in the order of a stream's work."""

    @property
    def ready(self) -> bool:
        """Whether everything before it is done."""
        ...

    def wait(self) -> None:
        """The work that is queued from here on, on the current stream, happens after it. The caller goes on."""
        ...

    def reach(self) -> None:
        """Return when everything before it is done."""
        ...


class HostCopy(Protocol):
    """A tensor on its way to host memory."""

    @property
    def ready(self) -> bool: ...

    def wait(self) -> npt.NDArray[np.generic]:
        """The array, once it has arrived; the caller owns it."""
        ...


@dataclass(frozen=True)
class MemoryUse:
    """Bytes on the device: what this process holds in tensors, the most it ever held, and what there is."""

    held: int
    peak: int
    total: int


class Device(Protocol):
    """What the renderer thread may ask of a machine."""

    torch_device: torch.device
    name: str
    dtype: torch.dtype
    dtype_reason: str
    eight_bits: bool
    """Whether it multiplies matrices of eight-bit numbers by itself."""
    settling_calls: int
    """How often a steady call is made before it is as fast as it gets."""

    def stream(self, work: Work) -> AbstractContextManager[object]:
        """Queue what is inside on that work's stream."""
        ...

    def mark(self) -> Mark:
        """The current stream's work so far."""
        ...

    def to_host(self, tensor: Tensor) -> HostCopy:
        """Begin to copy; the tensor must not be written before the copy is ready."""
        ...

    def to_device(self, array: npt.NDArray[Any]) -> Tensor:
        """The array on the device, without waiting for it; the array must not be written afterwards."""
        ...

    def steady(self, call: Call, work: Work) -> Call:
        """`call`, which always gets tensors of the same shapes and always does the same, made as fast as it can be.

        What it returns may be overwritten by the next steady call of the same work.
        """
        ...

    def watched(self) -> AbstractContextManager[object]:
        """Inside, whatever makes the host wait for the device raises RuntimeError, where the device can tell."""
        ...

    def memory(self) -> MemoryUse: ...

    def release(self) -> None:
        """Give back what no tensor holds any more. It waits for the device; for when something large was forgotten."""
        ...


@dataclass(frozen=True)
class Gpu:
    """The GPU that this torch would use; memory in bytes."""

    name: str
    capability: tuple[int, int]
    memory: int
    free: int


def describe() -> Gpu | None:
    """What `choose_device` would find; None where there is no GPU that this torch can use."""
    if not torch.cuda.is_available():
        return None
    found = torch.cuda.get_device_properties(0)
    free, total = torch.cuda.mem_get_info(0)
    return Gpu(found.name, (found.major, found.minor), total, free)


def cuda_build() -> str:
    """The CUDA version that this torch was built for, as "12.8"; empty where it was built without."""
    return torch.version.cuda or ""


def choose_device(*, captures: bool = True) -> Device:
    """CUDA where there is a GPU, else the CPU. Without `captures` steady calls are made anew each time."""
    return CudaDevice(captures=captures) if torch.cuda.is_available() else CpuDevice()


@dataclass(frozen=True)
class _Done:
    ready: bool = True

    def wait(self) -> None:
        pass

    def reach(self) -> None:
        pass


@dataclass(frozen=True, eq=False)
class _HostArray:
    array: npt.NDArray[np.generic]
    ready: bool = True

    def wait(self) -> npt.NDArray[np.generic]:
        return self.array


class CpuDevice:
    """Everything happens at once, in the order it is written."""

    settling_calls = 0
    eight_bits = False

    def __init__(self) -> None:
        self.torch_device = torch.device("cpu")
        self.name = platform.processor() or platform.machine()
        self.dtype = torch.float32
        self.dtype_reason = "few CPUs are faster in half precision, and some fail"

    def stream(self, work: Work) -> AbstractContextManager[object]:
        return nullcontext()

    def mark(self) -> Mark:
        return _Done()

    def to_host(self, tensor: Tensor) -> HostCopy:
        return _HostArray(tensor.numpy().copy())

    def to_device(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(array)

    def steady(self, call: Call, work: Work) -> Call:
        return call

    def watched(self) -> AbstractContextManager[object]:
        return nullcontext()

    def memory(self) -> MemoryUse:
        """Of the whole process: tensors have no memory of their own here, and its peak is not kept."""
        held = psutil.Process().memory_info().rss
        return MemoryUse(held, held, psutil.virtual_memory().total)

    def release(self) -> None:
        """The allocator does so by itself."""


@dataclass(frozen=True, eq=False)
class _CudaMark:
    event: torch.cuda.Event

    @property
    def ready(self) -> bool:
        return self.event.query()

    def wait(self) -> None:
        torch.cuda.current_stream().wait_event(self.event)

    def reach(self) -> None:
        self.event.synchronize()


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

    settling_calls = 3

    def __init__(self, index: int = 0, *, captures: bool = True) -> None:
        self.torch_device = torch.device("cuda", index)
        self._captures = captures
        self.name = torch.cuda.get_device_name(self.torch_device)
        half = torch.cuda.is_bf16_supported(including_emulation=False)
        torch.backends.cudnn.benchmark = True  # convolutions here have few shapes, and meet them thousands of times
        self.dtype = torch.bfloat16 if half else torch.float16
        self.dtype_reason = "the released weights run in bf16" if half else "this GPU has no bf16"
        self.eight_bits = torch.cuda.get_device_capability(self.torch_device) >= _EIGHT_BITS_SINCE
        self._streams: dict[Work, torch.cuda.Stream] = {
            work: torch.cuda.Stream(self.torch_device) for work in ("imagine", "draw")
        }
        self._pools: dict[Work, Any] = {work: torch.cuda.graph_pool_handle() for work in ("imagine", "draw")}

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

    def to_device(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).pin_memory().to(self.torch_device, non_blocking=True)

    def steady(self, call: Call, work: Work) -> Call:
        return _Replayed(call, self._pools[work], self.settling_calls) if self._captures else call

    @contextmanager
    def watched(self) -> Generator[None]:
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)

    def memory(self) -> MemoryUse:
        held = torch.cuda.memory_reserved(self.torch_device)
        peak = torch.cuda.max_memory_reserved(self.torch_device)
        return MemoryUse(held, peak, torch.cuda.get_device_properties(self.torch_device).total_memory)

    def release(self) -> None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.torch_device)


class _Replayed:
    """Runs a call a few times to settle it, captures it, and from then on replays the capture on copied inputs.

    Captures of one work share a pool of memory: they run one after the other, never side by side.
    """

    def __init__(self, call: Call, pool: Any, settling_calls: int) -> None:
        self._call = call
        self._pool = pool
        self._left = settling_calls - 1
        self._inputs: tuple[Tensor, ...] = ()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._output: Tensor | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        if self._left:
            self._left -= 1
            return self._call(*inputs)
        if self._graph is None:
            self._graph = self._captured(*inputs)
        for kept, given in zip(self._inputs, inputs, strict=True):
            if kept.shape != given.shape:
                raise ValueError(f"a steady call was captured for {tuple(kept.shape)} and got {tuple(given.shape)}")
            kept.copy_(given)
        self._graph.replay()
        assert self._output is not None
        return self._output

    def _captured(self, *inputs: Tensor) -> torch.cuda.CUDAGraph:
        self._inputs = tuple(tensor.clone() for tensor in inputs)
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        stream.synchronize()
        # other threads (a portrait being looked at) may go on using the GPU while this one records
        with torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"):
            self._output = self._call(*self._inputs)
        return graph
