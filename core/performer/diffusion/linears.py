"""A transformer's blocks as they run fastest: one product for q, k and v, weights in eight bits, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from core.performer.diffusion.transformer import Attention, Transformer

_LARGEST = torch.finfo(torch.float8_e4m3fn).max


def fuse(model: Transformer) -> Transformer:
    """Join q, k and v of every self-attention, in place; the model no longer has the checkpoint's names."""
    for block in model.blocks:
        block.self_attn = FusedAttention(block.self_attn)  # type: ignore[arg-type]  # ModuleList forgets the class
    return model


def to_fp8(model: Transformer, *, native: bool) -> Transformer:
    """Store the weights of every block's linear layers in eight bits, in place; 97 % of the 1.3B model.

    Args:
        native: multiply in eight bits, inputs with one scale a token; otherwise the same weights are widened first,
            for devices that know no such product.
    """
    for block in model.blocks:
        for parent in list(block.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(parent, name, Fp8Linear(child, native=native))
    return model


def compile_blocks(model: Transformer, backend: str = "inductor") -> Transformer:
    """Have everything of a block that is not attention over the past compiled, in place: norms, gates, rotations.

    All blocks share one compilation, made in the first pass; it takes the backend's compiler (inductor on a GPU:
    Triton and a C compiler) and most of a minute. What it gives differs in the last bits.
    """
    for block in model.blocks:
        for part in ("ask", "answer"):
            setattr(block, part, torch.compile(getattr(block, part), backend=backend, fullgraph=True, dynamic=False))
    return model


class FusedAttention(nn.Module):
    """Self-attention whose queries, keys and values come from one product."""

    def __init__(self, apart: Attention) -> None:
        super().__init__()
        self.heads, self.kernel = apart.heads, apart.kernel
        parts = (apart.q, apart.k, apart.v)
        self.qkv = nn.Linear(apart.q.in_features, 3 * apart.q.out_features, device="meta")
        self.qkv.weight = nn.Parameter(torch.cat([part.weight for part in parts]), requires_grad=False)
        self.qkv.bias = nn.Parameter(torch.cat([part.bias for part in parts]), requires_grad=False)
        self.o, self.norm_q, self.norm_k = apart.o, apart.norm_q, apart.norm_k

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values of the same tokens."""
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.norm_q(q), self.norm_k(k), v

    def keys(self, x: Tensor) -> tuple[Tensor, Tensor]:
        _, k, v = self.qkv(x).chunk(3, -1)
        return self.norm_k(k), v


class Fp8Linear(nn.Module):
    """A linear layer whose weight is e4m3 with one scale an output channel; the bias stays as it was."""

    bits: Tensor
    scales: Tensor

    def __init__(self, whole: nn.Linear, *, native: bool) -> None:
        super().__init__()
        weight = whole.weight.detach().float()
        scales = weight.abs().amax(1, keepdim=True).clamp_min(1e-12) / _LARGEST  # [out, 1]
        self.register_buffer("bits", (weight / scales).to(torch.float8_e4m3fn))
        self.register_buffer("scales", scales)
        self.bias = whole.bias
        self._multiply = self._in_eight_bits if native else self._widened

    def forward(self, x: Tensor) -> Tensor:
        return self._multiply(x)

    def _widened(self, x: Tensor) -> Tensor:
        return F.linear(x, (self.bits.to(x.dtype) * self.scales.to(x.dtype)), self.bias)

    def _in_eight_bits(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, -2)
        scales = rows.abs().amax(1, keepdim=True).float().clamp_min(1e-12) / _LARGEST  # [rows, 1]
        bits = (rows / scales).to(torch.float8_e4m3fn)  # in float32, as the scales are
        product = F.scaled_mm(
            bits,
            self.bits.t(),
            scales,
            F.ScalingType.RowWise,
            self.scales.t(),
            F.ScalingType.RowWise,
            bias=self.bias,
            output_dtype=x.dtype,
            use_fast_accum=True,
        )
        return product.unflatten(0, x.shape[:-1])
