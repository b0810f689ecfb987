"""The seam between CPU and CUDA: on the CPU everything has happened when the call returns."""

from __future__ import annotations

import torch

from core.performer.device import CpuDevice, CudaDevice, choose_device


def test_on_the_cpu_work_is_done_when_it_is_written() -> None:
    device = CpuDevice()
    with device.stream("imagine"):
        made = torch.arange(3.0)
        mark = device.mark()
    with device.stream("draw"):
        mark.wait()
        copy = device.to_host(made * 2)
    assert mark.ready
    assert copy.ready
    assert copy.wait().tolist() == [0.0, 2.0, 4.0]


def test_on_the_cpu_a_steady_call_is_the_call_itself() -> None:
    assert CpuDevice().steady(torch.sin) is torch.sin


def test_every_device_says_why_it_chose_its_number_format() -> None:
    device = choose_device()
    assert device.dtype_reason
    assert device.torch_device.type == ("cuda" if isinstance(device, CudaDevice) else "cpu")
