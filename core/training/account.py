"""What a recipe would need of each GPU, counted without any: models on the meta device, tensor by tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from core.performer.diffusion.sizes import FRAMES_PER_LATENT
from core.performer.diffusion.transformer import Transformer
from core.training.crew import kept_whole, spare_activations
from core.training.scene import Scene, flow_at_once

if TYPE_CHECKING:
    from collections.abc import Set

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


def needed(
    learning: dict[str, Sizes],
    frozen: dict[str, Sizes],
    clip: ClipSize,
    crew: int,
    *,
    causal: str,
    averaged: Set[str] = frozenset(),
) -> Need:
    """Memory of one of `crew` processes with one clip at a time.

    Learning networks: float32 shards of parameters, gradients and two moments, and of the moving average where there
    is one; frozen ones only their parameters, in bfloat16. What no layer owns is gathered in bfloat16 while a network
    works; of the layers one, and the next one ahead, and on the way back one layer's gradients before they are shared
    out. Activations are those that autograd keeps of a whole clip when every layer is calculated again and attention is
    fused, and those of one layer of the largest network; counted on the meta device, in the numbers of autocast. Not
    counted: what kernels and the network between GPUs need for themselves.

    Args:
        causal: the name of the learning network whose blocks see earlier ones only.
        averaged: those that have a moving average.
    """
    parts: dict[str, int] = {}
    gathered: list[int] = []
    kept: list[int] = []
    shallow: list[int] = []
    for name, sizes in (*learning.items(), *frozen.items()):
        model = _empty(sizes)
        whole, layer = (sum(value.numel() for value in part.parameters()) for part in (model, model.blocks[0]))
        shard = -(-whole // crew)
        parts[f"{name}: parameters"] = shard * (_WHOLE if name in learning else _HALF)
        rest = whole - sizes.layers * layer
        on_the_way = rest + 2 * layer
        if name in learning:
            parts[f"{name}: gradients, moments"] = 3 * shard * _WHOLE
            kept.append(_kept(sizes, clip, layers=sizes.layers, spare=True))
        if name in averaged:
            parts[f"{name}: moving average"] = shard * _WHOLE
        back = layer * (_HALF + _WHOLE) if name in learning else 0
        shallow.append(_kept(sizes, clip, layers=1, spare=False))
        gathered.append(on_the_way * _HALF + back if crew > 1 else 0)
    parts["gathered for a while"] = max(gathered)
    parts["activations"] = max(kept) + max(shallow)
    if frozen:
        parts["past of a roll-out"] = _past(learning[causal], clip)
    else:
        parts["mask of the whole clip"] = _tokens(clip.frames, clip, learning[causal]) ** 2 * (1 + _HALF)
    return Need(parts)


def _past(sizes: Sizes, clip: ClipSize) -> int:
    """The cache that a roll-out looks at: keys and values of all blocks, and of one more that was set aside."""
    return _tokens(clip.frames + clip.block, clip, sizes) * sizes.layers * 2 * sizes.dim * _HALF


def _tokens(frames: int, clip: ClipSize, sizes: Sizes) -> int:
    return frames * (clip.height // sizes.patch[1]) * (clip.width // sizes.patch[2])


def _kept(sizes: Sizes, clip: ClipSize, *, layers: int, spare: bool) -> int:
    """Bytes of distinct tensors, parameters apart, that autograd keeps of one pass through the first `layers`."""
    model = _empty(sizes)
    model.blocks = model.blocks[:layers]
    if spare:
        spare_activations(model)
    model.to(torch.bfloat16)
    for modulation in kept_whole(model):
        modulation.data = modulation.data.float()
    own = {value.untyped_storage()._cdata for value in model.parameters()}  # pyright: ignore[reportPrivateUsage] - meta tensors have no address
    seen: dict[int, int] = {}
    alive: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if tensor.is_floating_point() and storage._cdata not in own | seen.keys():  # pyright: ignore[reportPrivateUsage] - as above
            seen[storage._cdata] = storage.nbytes()  # pyright: ignore[reportPrivateUsage] - as above
            alive.append(tensor)
        return tensor

    with torch.device("meta"):
        scene = Scene(
            torch.empty(1, sizes.latent_channels, clip.height, clip.width),
            torch.empty(1, FRAMES_PER_LATENT * clip.frames, sizes.audio_dim),
            *(torch.empty(1, clip.rows, sizes.text_dim) for _ in range(2)),
        )
        noisy = torch.empty(1, clip.frames, sizes.latent_channels, clip.height, clip.width)
        with _Autocast(), saved_tensors_hooks(note, lambda tensor: tensor):
            flow_at_once(model, scene, noisy, torch.empty(1, clip.frames))
    return sum(seen.values())


def _fused(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention as a GPU does it: no matrix of all tokens squared is kept. A mask is counted apart."""
    return torch.ops.aten._scaled_dot_product_flash_attention(*(rows.bfloat16() for rows in (q, k, v)))[0]


class _Autocast(TorchFunctionMode):
    """What autocast does on a GPU, where there is only the meta device, which it does not know: products in bfloat16,
    normalisation in float32, everything else in the widest of what it is given."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        numbers = {
            F.linear: torch.bfloat16,
            F.conv3d: torch.bfloat16,
            F.layer_norm: torch.float32,
            F.rms_norm: torch.float32,
        }.get(func)
        if numbers:
            args = tuple(given.to(numbers) if isinstance(given, Tensor) else given for given in args)
        return func(*args, **(kwargs or {}))


def _empty(sizes: Sizes) -> Transformer:
    with torch.device("meta"):
        return Transformer(sizes, _fused)
