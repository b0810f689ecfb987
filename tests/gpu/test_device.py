"""The CUDA half of the seam; skipped where there is no GPU."""

from __future__ import annotations

import pytest
import torch

from core.performer.device import CudaDevice

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def test_a_captured_call_answers_every_input_as_the_call_does() -> None:
    device = CudaDevice()
    weight = torch.randn(8, 8, device=device.torch_device)

    def call(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x @ weight)

    steady = device.steady(call, "imagine")
    with device.stream("imagine"):
        for _ in range(6):
            x = torch.randn(4, 8, device=device.torch_device)
            assert torch.allclose(steady(x), call(x), atol=1e-5)


def test_a_captured_call_that_gets_another_shape_says_so() -> None:
    device = CudaDevice()
    steady = device.steady(torch.sin, "draw")
    with device.stream("draw"):
        for _ in range(device.settling_calls + 1):
            steady(torch.zeros(3, device=device.torch_device))
        with pytest.raises(ValueError, match="captured for"):
            steady(torch.zeros(4, device=device.torch_device))


def test_two_captured_calls_of_one_work_share_memory_and_keep_apart() -> None:
    device = CudaDevice()
    one = device.steady(lambda x: x + 1.0, "imagine")
    other = device.steady(lambda x: x * 3.0, "imagine")
    with device.stream("imagine"):
        x = torch.arange(5.0, device=device.torch_device)
        for _ in range(device.settling_calls + 2):
            first = one(x).clone()
            second = other(x).clone()
        assert first.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert second.tolist() == [0.0, 3.0, 6.0, 9.0, 12.0]


def test_a_wait_for_the_gpu_is_seen_while_it_is_watched_and_only_then() -> None:
    device = CudaDevice()
    x = torch.ones(3, device=device.torch_device)
    with device.watched(), pytest.raises(RuntimeError, match="synchroniz"):
        x.sum().item()
    assert x.sum().item() == 3.0


def test_without_captures_a_steady_call_is_made_anew() -> None:
    device, calls = CudaDevice(captures=False), list[int]()
    steady = device.steady(lambda x: x + len(calls), "draw")
    x = torch.zeros(2, device=device.torch_device)
    for call in range(device.settling_calls + 2):
        assert steady(x).tolist() == [call, call]
        calls.append(call)


def test_drawing_waits_for_what_was_imagined() -> None:
    device = CudaDevice()
    with device.stream("imagine"):
        made = torch.ones(2048, 2048, device=device.torch_device) @ torch.ones(2048, 2048, device=device.torch_device)
        mark = device.mark()
    with device.stream("draw"):
        mark.wait()
        copy = device.to_host(made[0, :2])
    assert copy.wait().tolist() == [2048.0, 2048.0]
    assert copy.ready
