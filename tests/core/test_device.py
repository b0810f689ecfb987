"""The seam between CPU and CUDA: on the CPU everything has happened when the call returns."""

from __future__ import annotations

import numpy as np
import torch

from core.performer.device import CpuDevice, CudaDevice, choose_device, cuda_build, describe


def test_on_the_cpu_work_is_done_when_it_is_written() -> None:
    device = CpuDevice()
    with device.stream("imagine"):
        made = torch.arange(3.0)
        mark = device.mark()
    with device.stream("draw"):
        mark.wait()
        copy = device.to_host(made * 2)
    assert mark.ready
    mark.reach()
    assert copy.ready
    assert copy.wait().tolist() == [0.0, 2.0, 4.0]


def test_a_copy_on_the_host_is_the_callers_own() -> None:
    device = CpuDevice()
    made = torch.arange(3.0)
    copy = device.to_host(made)
    made.zero_()
    assert copy.wait().tolist() == [0.0, 1.0, 2.0]


def test_an_array_goes_to_the_device_and_back_unchanged() -> None:
    device = choose_device()
    array = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    there = device.to_device(array.copy())
    assert there.device.type == device.torch_device.type
    assert np.array_equal(device.to_host(there).wait(), array)


def test_on_the_cpu_a_steady_call_is_the_call_itself() -> None:
    device = CpuDevice()
    assert device.steady(torch.sin, "imagine") is torch.sin
    assert device.settling_calls == 0


def test_every_device_says_what_it_is_and_why_it_chose_its_number_format() -> None:
    device = choose_device()
    assert device.name
    assert device.dtype_reason
    assert device.torch_device.type == ("cuda" if isinstance(device, CudaDevice) else "cpu")


def test_memory_in_use_is_some_and_less_than_there_is() -> None:
    memory = choose_device().memory()
    assert 0 <= memory.held <= memory.peak < memory.total


def test_a_gpu_is_described_where_torch_can_use_one() -> None:
    gpu = describe()
    assert (gpu is not None) == torch.cuda.is_available()
    if gpu is not None:
        assert 0 < gpu.free <= gpu.memory
        assert gpu.capability > (1, 0)
        assert cuda_build()
