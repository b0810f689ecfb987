"""Attention over a bounded past: one kernel, and the two places keys come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.performer.diffusion.installed import EIGHT_BIT_KERNEL, eight_bit_kernel_is_here
from core.performer.diffusion.kept import Kept, Room, keep

if TYPE_CHECKING:
    from core.performer.diffusion.rope import Rope, Rotation
    from core.performer.diffusion.window import Window


Kernel = Callable[[Tensor, Tensor, Tensor, "Tensor | None"], Tensor]
"""Softmax attention of [batch, heads, tokens, head size] queries over any number of keys, with a mask or none."""


_SAGE_HEADS = (64, 96, 128)
_SAGE_KEYS = 1024
"""Fewer keys than that, such as a text's, are not worth the rounding."""


def standard_kernel(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Whatever PyTorch takes by itself."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def fast_kernel(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """cuDNN's first, which is the fastest on Hopper; PyTorch's other ones where it cannot serve."""
    order = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    with sdpa_kernel(order, set_priority=True):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def choose_kernel(device: torch.device, *, eight_bits: bool = False) -> Kernel:
    """The one place that decides; called once, when a model is loaded.

    Args:
        eight_bits: take SageAttention's kernel where that package is installed, for models that are run in eight bits.
    """
    if device.type != "cuda":
        return standard_kernel
    return eight_bit_kernel() if eight_bits and eight_bit_kernel_is_here() else fast_kernel


def eight_bit_kernel() -> Kernel:
    """SageAttention's: scores of eight-bit integers, values in FP8 on Ada and Hopper, for the head sizes it knows."""
    sage: Any = import_module(EIGHT_BIT_KERNEL)

    def kernel(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None or q.shape[-1] not in _SAGE_HEADS or k.shape[-2] < _SAGE_KEYS:
            return fast_kernel(q, k, v, mask)
        return sage.sageattn(q, k, v, tensor_layout="HND", is_causal=False)

    return kernel


def attend(
    q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None, kernel: Kernel = standard_kernel
) -> Tensor:
    """Softmax attention of [batch, tokens, width] queries over [batch, keys, width]; scale 1 / sqrt(head size).

    `mask` is boolean [queries, keys], True where a query may look.
    """
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    return kernel(q, k, v, mask).transpose(1, 2).flatten(2)


class Memory(Protocol):
    """Where self-attention finds its keys."""

    @property
    def queries(self) -> Rotation:
        """Positions of the tokens that ask."""
        ...

    @property
    def mask(self) -> Tensor | None: ...

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add this pass's un-rotated keys and values; return everything to attend to, keys rotated."""
        ...


@dataclass(frozen=True, eq=False)
class Clip:
    """All tokens at once, as in training: no past but what the mask allows."""

    queries: Rotation
    heads: int
    mask: Tensor | None = None

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return self.queries.apply(k, self.heads), v


@dataclass(frozen=True, eq=False)
class Frozen:
    """One block's past, which never changes; the block's own keys are put where the cache would put them.

    `slot_tokens` are their places in the past of each layer, which is (keys, values) [batch, tokens, width].
    """

    queries: Rotation
    slot_tokens: Tensor
    heads: int
    past: list[tuple[Tensor, Tensor]]
    mask: Tensor | None = None

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = self.past[layer]
        k = self.queries.apply(k.to(keys.dtype), self.heads)
        return keys.index_copy(1, self.slot_tokens, k), values.index_copy(1, self.slot_tokens, v.to(values.dtype))


class SinkCache:
    """Keys and values of one stream, for all layers. Renderer thread only.

    A block is opened once; every pass overwrites its slot. The slot's former content is kept until the next block is
    opened, which is what makes `rewind` possible. Which slot, what is seen and where it is placed are integers on the
    host; the device is told by kernels' arguments, so that nobody waits for it.

    Keys are kept rotated, as attention wants them. Where positions are counted inside the window, a block that rolls
    takes another place each time the oldest leaves: its keys are kept before rotation too, and are rotated afresh when
    a block is opened. Sinks never move.

    Args:
        fp8: keep everything in eight bits with scales: half the memory.
    """

    def __init__(
        self,
        window: Window,
        rope: Rope,
        *,
        layers: int,
        heads: int,
        width: int,
        batch: int = 1,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
        fp8: bool = False,
    ) -> None:
        self.block = -1
        """The open block, counted from the beginning of the stream; -1 before the first."""
        self.mask = None
        self._window, self._rope, self._heads, self._layers, self._dtype = window, rope, heads, layers, dtype
        tokens = self._block_tokens = window.block_frames * rope.tokens_per_frame

        def kept(slots: int, *, spare: bool) -> Kept:
            room = Room(layers, batch, slots * tokens, tokens if spare else 0, heads, width, dtype, device)
            return keep(room, fp8=fp8)

        self._keys = kept(window.slots, spare=window.absolute)
        self._values = kept(window.slots, spare=True)
        self._moving = None if window.absolute else kept(window.slots - window.sinks, spare=True)
        """Keys before rotation, of the slots that roll."""
        self._placed: list[int | None] = [None] * window.slots
        """The position that each slot's keys are rotated to, in blocks."""
        self._placed_before: int | None = None
        self._own, self._moved = (rope.rotation(range(window.block_frames)) for _ in range(2))
        self._tokens = torch.arange(tokens, device=device)
        self._slot_tokens, self._moving_tokens = self._tokens.clone(), self._tokens.clone()
        self._filled = 0

    @property
    def queries(self) -> Rotation:
        return self._own

    @property
    def steady(self) -> bool:
        """Whether the open block sees as many keys as every later one will."""
        return self.block >= self._window.slots - 1

    def restart(self) -> None:
        """Forget everything: the next block is the first of another stream."""
        self.block = -1
        self._placed = [None] * self._window.slots

    def open_block(self) -> None:
        """Make room for the next block; the oldest that is no sink leaves when the window is full."""
        self.block += 1
        slot = self._window.slot(self.block)
        for kept, start in self._overwritten(slot):
            kept.set_aside(start)
        self._placed_before = self._placed[slot]
        self._place()

    def rewind(self) -> None:
        """Forget the open block and bring back what its slot held; once for each `open_block`."""
        slot = self._window.slot(self.block)
        for kept, start in self._overwritten(slot):
            kept.bring_back(start)
        # keys that are kept before rotation too are rotated afresh when the next block is opened
        self._placed[slot] = self._placed_before if self._moving is None else None
        self.block -= 1

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        plain, v = k.to(self._dtype), v.to(self._dtype)
        k = self._own.apply(plain, self._heads)
        self._keys.write(layer, self._slot_tokens, k.detach())
        self._values.write(layer, self._slot_tokens, v.detach())
        if self._moving is not None and self.block >= self._window.sinks:
            self._moving.write(layer, self._moving_tokens, plain.detach())
        return self._keys.read(layer, 0, self._filled), self._values.read(layer, 0, self._filled)

    def frozen(self, *, lasting: bool = False) -> Frozen:
        """What the open block sees, as constants: for a pass whose gradient is wanted, and which may be repeated on
        the way back when this cache has gone on.

        Args:
            lasting: earlier blocks will neither leave nor move until then, so that nothing has to be copied.
        """

        def seen(kept: Kept, layer: int) -> Tensor:
            rows = kept.read(layer, 0, self._filled)
            return rows if lasting else rows.clone()

        past = [(seen(self._keys, layer), seen(self._values, layer)) for layer in range(self._layers)]
        return Frozen(self._own, self._slot_tokens, self._heads, past)

    def _overwritten(self, slot: int) -> list[tuple[Kept, int]]:
        """What opening a slot destroys, and where it begins there; a sink's slot is empty until it is filled."""
        if slot < self._window.sinks:
            return []
        place = slot * self._block_tokens
        if self._moving is None:
            return [(self._keys, place), (self._values, place)]
        return [(self._moving, place - self._window.sinks * self._block_tokens), (self._values, place)]

    def _place(self) -> None:
        """Give the open block its place, and the others theirs where these have changed."""
        window, frames = self._window, self._window.block_frames
        if torch.is_grad_enabled():  # the way back goes through what earlier blocks asked with
            self._own, self._slot_tokens = self._rope.rotation(range(frames)), self._slot_tokens.clone()
        seen = window.visible(self.block)
        for rank, block in enumerate(seen):
            slot, position = window.slot(block), block if window.absolute else rank
            if block < self.block and self._placed[slot] != position:
                self._move(slot, position)
            self._placed[slot] = position
        slot = window.slot(self.block)
        own = self._placed[slot]
        assert own is not None
        self._rope.place(self._own, own * frames, frames)
        torch.add(self._tokens, slot * self._block_tokens, out=self._slot_tokens)
        if slot >= window.sinks:
            torch.add(self._tokens, (slot - window.sinks) * self._block_tokens, out=self._moving_tokens)
        self._filled = len(seen) * self._block_tokens

    def _move(self, slot: int, position: int) -> None:
        """Rotate a slot's keys afresh, for a new position."""
        assert self._moving is not None, "absolute positions never change"
        frames, tokens = self._window.block_frames, self._block_tokens
        self._rope.place(self._moved, position * frames, frames)
        start = (slot - self._window.sinks) * tokens
        index = self._tokens + slot * tokens
        for layer in range(self._layers):
            plain = self._moving.read(layer, start, start + tokens)
            self._keys.write(layer, index, self._moved.apply(plain, self._heads))


def block_causal_mask(blocks: int, block_tokens: int, *, local_blocks: int | None = None) -> Tensor:
    """True where a token may look: its own block and earlier ones, or only the latest `local_blocks` of these."""
    index = torch.arange(blocks * block_tokens) // block_tokens
    seen = index[:, None] >= index[None, :]  # a mask of 21,504 tokens squared: no whole numbers of that size
    return seen if local_blocks is None else seen & (index[:, None] - local_blocks < index[None, :])


def teacher_forcing_mask(blocks: int, block_tokens: int, copies: int = 1) -> Tensor:
    """Mask for a clean clip followed by `copies` noisy ones: [(1 + copies) * tokens] squared.

    Clean tokens look at clean blocks up to their own; noisy ones at the clean blocks before theirs, and at their own
    noisy block.
    """
    index = torch.arange(blocks * block_tokens) // block_tokens
    own = index[:, None] == index[None, :]
    before = index[:, None] > index[None, :]
    nothing = torch.zeros_like(own)
    clean = torch.cat([before | own, *[nothing] * copies], dim=1)
    noisy = [
        torch.cat([before, *[own if other == copy else nothing for other in range(copies)]], dim=1)
        for copy in range(copies)
    ]
    return torch.cat([clean, *noisy])
