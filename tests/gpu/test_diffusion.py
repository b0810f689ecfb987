"""The bricks on a GPU: every kernel gives what the plain one gives; skipped where there is no GPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.performer.device import CudaDevice
from core.performer.diffusion.attention import attend, choose_kernel, standard_kernel
from core.performer.diffusion.kept import Room, keep
from core.performer.diffusion.linears import Fp8Linear
from core.performer.diffusion.rope import Rope

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def close(one: torch.Tensor, other: torch.Tensor, part: float) -> bool:
    """Within a part of the other's spread."""
    return bool((one.float() - other.float()).abs().max() < part * other.float().std())


@pytest.mark.parametrize(("eight_bits", "part"), [(False, 0.05), (True, 0.3)])
def test_the_chosen_attention_is_the_plain_one(eight_bits: bool, part: float) -> None:
    device = CudaDevice()
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, n, 1536, device=device.torch_device, dtype=device.dtype) for n in (3072, 15_360, 15_360))
    fast = attend(q, k, v, 12, kernel=choose_kernel(device.torch_device, eight_bits=eight_bits))
    plain = attend(q.cpu().float()[:, :64], k.cpu().float(), v.cpu().float(), 12, kernel=standard_kernel)
    assert close(fast[:, :64].cpu(), plain, part)


def test_a_product_in_eight_bits_is_that_of_the_same_weights() -> None:
    device = CudaDevice()
    if not device.eight_bits:
        pytest.skip("this GPU does not multiply in eight bits")
    torch.manual_seed(0)
    whole = nn.Linear(1536, 8960, device=device.torch_device, dtype=torch.bfloat16)
    x = torch.randn(1, 3072, 1536, device=device.torch_device, dtype=torch.bfloat16)
    native, widened = (Fp8Linear(whole, native=native)(x) for native in (True, False))
    assert native.shape == (1, 3072, 8960)
    assert close(native, widened, 0.25)
    assert (native.float() - widened.float()).square().mean().sqrt() < 0.05 * widened.float().std()


@pytest.mark.parametrize("fp8", [False, True])
def test_a_cache_on_a_gpu_keeps_what_one_on_the_processor_keeps(fp8: bool) -> None:
    rows, index = torch.randn(1, 8, 64), torch.arange(8, 16)
    kept: list[torch.Tensor] = []
    for place in (torch.device("cpu"), CudaDevice().torch_device):
        held = keep(Room(2, 1, 24, 8, 4, 64, torch.float32, place), fp8=fp8)
        held.write(1, index.to(place), rows.to(place))
        held.set_aside(8)
        held.write(1, index.to(place), torch.zeros_like(rows).to(place))
        held.bring_back(8)
        kept.append(held.read(1, 0, 24).cpu())
    assert torch.equal(*kept)


def test_positions_placed_on_a_gpu_are_those_of_the_processor() -> None:
    places: list[torch.Tensor] = []
    for place in (torch.device("cpu"), CudaDevice().torch_device):
        rope = Rope(128, 4, 6, place)
        rotation = rope.rotation(range(3))
        rope.place(rotation, 100_000, 3)
        places.append(rotation.cos.cpu())
    assert (places[0] - places[1]).abs().max() < 1e-6
