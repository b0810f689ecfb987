"""What a recipe would need of each GPU, counted without any: models on the meta device, tensor by tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from core.performer.diffusion.attention import block_causal_mask
from core.performer.diffusion.sizes import FRAMES_PER_LATENT
from core.performer.diffusion.transformer import Transformer
from core.training.crew import spare_activations
from core.training.scene import Scene, flow_at_once

if TYPE_CHECKING:
    from core.performer.diffusion.sizes import Sizes

_WHOLE, _HALF = 4, 2


@dataclass(frozen=True)
class ClipSize:
    """Geometry of what is learned from: latent frames, their height and width, rows of text."""

    frames: int = 21
    height: int = 64
    width: int = 64
    rows: int = 512
    block: int = 3


@dataclass(frozen=True)
class Need:
    """Bytes of one process, by what they are for."""

    parts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


def needed(learning: dict[str, Sizes], frozen: dict[str, Sizes], clip: ClipSize, crew: int, *, causal: str) -> Need:
    """Memory of one of `crew` processes with one clip each.

    Learning networks: float32 shards of parameters, gradients, two moments and the moving average; frozen ones only
    their parameters. One layer at a time is gathered in bfloat16, and the next one ahead. Activations are those that
    autograd keeps in bfloat16 with every layer calculated again, counted on the meta device.

    Args:
        causal: the name of the learning network whose blocks see earlier ones only.
    """
    parts: dict[str, int] = {}
    layers: list[int] = []
    kept: list[int] = []
    for name, sizes in (*learning.items(), *frozen.items()):
        model = _empty(sizes)
        shard = -(-sum(value.numel() for value in model.parameters()) // crew)
        parts[f"{name}: parameters"] = shard * _WHOLE
        if name in learning:
            parts[f"{name}: gradients, moments, average"] = 4 * shard * _WHOLE
            kept.append(_activations(sizes, clip, causal=name == causal))
        layers.append(2 * sum(value.numel() for value in model.blocks[0].parameters()) * _HALF if crew > 1 else 0)
    parts["gathered layers"] = max(layers)
    parts["activations"] = max(kept)
    if frozen:
        parts["past of a roll-out"] = _past(learning[causal], clip)
    return Need(parts)


def _past(sizes: Sizes, clip: ClipSize) -> int:
    """Keys and values that each block of a roll-out keeps for its own way back, and the cache itself."""
    blocks = clip.frames // clip.block
    tokens = clip.block * (clip.height // sizes.patch[1]) * (clip.width // sizes.patch[2])
    seen = sum(range(1, blocks + 1)) + 2 * blocks  # nothing is forgotten within a clip; keys are kept twice
    return seen * tokens * sizes.layers * 2 * sizes.dim * _HALF


def _activations(sizes: Sizes, clip: ClipSize, *, causal: bool) -> int:
    """Kept for the way back by all layers that will be calculated again, and all that one layer keeps meanwhile."""
    shallow = _kept(_empty(sizes), sizes, clip, causal=causal, layers=1, spare=False)
    return shallow + _kept(_empty(sizes), sizes, clip, causal=causal, layers=sizes.layers, spare=True)


def _kept(model: Transformer, sizes: Sizes, clip: ClipSize, *, causal: bool, layers: int, spare: bool) -> int:
    """Bytes of distinct tensors, parameters apart, that autograd keeps of one pass through the first `layers`."""
    model.blocks = model.blocks[:layers]
    if spare:
        spare_activations(model)
    own = {id(value) for value in model.parameters()}
    seen: dict[int, int] = {}
    alive: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        if id(tensor) not in own and tensor.is_floating_point():
            storage = tensor.untyped_storage()
            if storage._cdata not in seen:  # pyright: ignore[reportPrivateUsage] - meta tensors have no address
                seen[storage._cdata] = tensor.numel() * tensor.element_size()  # pyright: ignore[reportPrivateUsage]
                alive.append(tensor)
        return tensor

    with torch.device("meta"):
        scene = Scene(
            torch.empty(1, sizes.latent_channels, clip.height, clip.width, dtype=torch.bfloat16),
            torch.empty(1, FRAMES_PER_LATENT * clip.frames, sizes.audio_dim, dtype=torch.bfloat16),
            *(torch.empty(1, clip.rows, sizes.text_dim, dtype=torch.bfloat16) for _ in range(2)),
        )
        noisy = torch.empty(1, clip.frames, sizes.latent_channels, clip.height, clip.width, dtype=torch.bfloat16)
        tokens = clip.block * (clip.height // sizes.patch[1]) * (clip.width // sizes.patch[2])
        mask = block_causal_mask(clip.frames // clip.block, tokens) if causal else None
        with saved_tensors_hooks(note, lambda tensor: tensor):
            flow_at_once(model.to(torch.bfloat16), scene, noisy, torch.empty(1, clip.frames), mask=mask)
    return sum(seen.values())


def _empty(sizes: Sizes) -> Transformer:
    with torch.device("meta"):
        return Transformer(sizes)
