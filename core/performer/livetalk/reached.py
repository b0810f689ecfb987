"""How fast a device is at the products that the model is made of, each by itself: what its kernels leave to gain."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.performer.diffusion.attention import attend, eight_bit_kernel, fast_kernel
from core.performer.diffusion.installed import eight_bit_kernel_is_here
from core.performer.diffusion.linears import Fp8Linear
from core.performer.livetalk.measure import matrix_peak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from core.performer.device import Device
    from core.performer.livetalk.spec import LiveTalkSpec

_SETTLING, _CALLS = 3, 10
_BACKENDS = {
    "cuDNN's": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
}


@torch.inference_mode()
def reached(spec: LiveTalkSpec, device: Device, now: Callable[[], float]) -> dict[str, float | str]:
    """TFLOP/s by what was multiplied, or in words why it could not be."""
    figures: dict[str, float | str] = {}
    for name, operations, make in _products(spec, device):
        try:
            call = make()
            for _ in range(_SETTLING):
                call()
            device.mark().reach()
            started = now()
            for _ in range(_CALLS):
                call()
            device.mark().reach()
            figures[name] = operations * _CALLS / (now() - started) / 1e12
        except RuntimeError as error:  # a kernel that does not know this device or these shapes
            figures[name] = str(error).splitlines()[0]
    return {"one large matrix product": matrix_peak(device, now) / 1e12, **figures}


def _products(spec: LiveTalkSpec, device: Device) -> Iterator[tuple[str, float, Callable[[], Callable[[], Tensor]]]]:
    """Name, floating-point operations, and what makes the call."""
    sizes, tokens = spec.transformer, spec.block_latents * spec.tokens_per_frame
    place, dtype = device.torch_device, device.dtype
    operations = 2.0 * tokens * sizes.dim * sizes.ffn_dim
    yield "the feed-forward's linear layer", operations, partial(_linear, spec, device, eight_bits=False)
    if device.eight_bits:
        yield "the same in 8 bits", operations, partial(_linear, spec, device, eight_bits=True)
    keys = spec.window.slots * tokens
    q = torch.randn(1, tokens, sizes.dim, device=place, dtype=dtype)
    k, v = (torch.randn(1, keys, sizes.dim, device=place, dtype=dtype) for _ in range(2))
    operations = 4.0 * tokens * keys * sizes.dim

    def looking(kernel: Callable[..., Tensor]) -> Callable[[], Callable[[], Tensor]]:
        return lambda: lambda: attend(q, k, v, sizes.heads, kernel=kernel)

    yield "attention to a full window, as chosen", operations, looking(fast_kernel)
    for name, backend in _BACKENDS.items():
        yield f"attention, {name}", operations, looking(partial(_by, backend))
    if eight_bit_kernel_is_here() and place.type == "cuda":
        yield "attention in 8 bits", operations, looking(eight_bit_kernel())


def _linear(spec: LiveTalkSpec, device: Device, *, eight_bits: bool) -> Callable[[], Tensor]:
    sizes, tokens = spec.transformer, spec.block_latents * spec.tokens_per_frame
    whole = nn.Linear(sizes.dim, sizes.ffn_dim, device=device.torch_device, dtype=device.dtype)
    x = torch.randn(1, tokens, sizes.dim, device=device.torch_device, dtype=device.dtype)
    layer: nn.Module = Fp8Linear(whole, native=True) if eight_bits else whole
    return lambda: layer(x)


def _by(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    with sdpa_kernel([backend]):
        return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
