"""Attention over a bounded past: one kernel, and the two places keys come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from core.performer.diffusion.rope import Rope, Rotation
    from core.performer.diffusion.window import Window


def attend(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Softmax attention of [batch, tokens, width] queries over [batch, keys, width]; scale 1 / sqrt(head size).

    `mask` is boolean [queries, keys], True where a query may look.
    """
    split = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(*split, attn_mask=mask).transpose(1, 2).flatten(2)


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


class SinkCache:
    """Keys and values of one stream, for all layers. Renderer thread only.

    Keys are kept before rotation and rotated on the way out, so that a position may change while the key stays.
    A block is opened once; every pass overwrites its slot. The slot's former content is kept until the next block is
    opened, which is what makes `rewind` possible. Which slot, and what is seen, are integers on the host.
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
    ) -> None:
        self.block = -1
        """The open block, counted from the beginning of the stream; -1 before the first."""
        self.mask = None
        self._window, self._rope, self._heads = window, rope, heads
        self._block_tokens = window.block_frames * rope.tokens_per_frame
        shape = (layers, batch, window.slots * self._block_tokens, width)
        self._keys = torch.zeros(shape, dtype=dtype, device=device)
        self._values = torch.zeros(shape, dtype=dtype, device=device)
        spare = (layers, batch, self._block_tokens, width)
        self._spare_keys = torch.zeros(spare, dtype=dtype, device=device)
        self._spare_values = torch.zeros(spare, dtype=dtype, device=device)
        self._key_positions = rope.rotation([0] * (window.slots * window.block_frames))
        self._query_positions = rope.rotation([0] * window.block_frames)
        self._slot_tokens = torch.arange(self._block_tokens, device=device)
        self._filled = 0

    @property
    def queries(self) -> Rotation:
        return self._query_positions

    def open_block(self) -> None:
        """Make room for the next block; the oldest that is no sink leaves when the window is full."""
        self.block += 1
        start = self._window.slot(self.block) * self._block_tokens
        self._spare_keys.copy_(self._keys[:, :, start : start + self._block_tokens])
        self._spare_values.copy_(self._values[:, :, start : start + self._block_tokens])
        self._place()

    def rewind(self) -> None:
        """Forget the open block and bring back what its slot held; once for each `open_block`."""
        start = self._window.slot(self.block) * self._block_tokens
        self._keys[:, :, start : start + self._block_tokens] = self._spare_keys
        self._values[:, :, start : start + self._block_tokens] = self._spare_values
        self.block -= 1

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = self._keys[layer], self._values[layer]
        keys.index_copy_(1, self._slot_tokens, k.detach().to(keys.dtype))
        values.index_copy_(1, self._slot_tokens, v.detach().to(values.dtype))
        keys, values = keys[:, : self._filled], values[:, : self._filled]
        if k.requires_grad:  # the past is a constant, the open block is not
            keys = keys.index_copy(1, self._slot_tokens, k.to(keys.dtype))
            values = values.index_copy(1, self._slot_tokens, v.to(values.dtype))
        positions = self._key_positions.first(self._filled)
        return positions.apply(keys, self._heads), values

    def _place(self) -> None:
        """Positions of every slot and of the open block, written where the passes read them."""
        window = self._window
        seen = window.visible(self.block)
        first = {block: block if window.absolute else rank for rank, block in enumerate(seen)}
        by_slot = sorted(seen, key=window.slot)
        frames = [first[b] * window.block_frames + i for b in by_slot for i in range(window.block_frames)]
        own = first[self.block] * window.block_frames
        self._filled = len(seen) * self._block_tokens
        self._key_positions.first(self._filled).copy_(self._rope.rotation(frames))
        self._query_positions.copy_(self._rope.rotation(range(own, own + window.block_frames)))
        start = window.slot(self.block) * self._block_tokens
        self._slot_tokens.copy_(torch.arange(start, start + self._block_tokens))


def block_causal_mask(blocks: int, block_tokens: int, *, local_blocks: int | None = None) -> Tensor:
    """True where a token may look: its own block and earlier ones, or only the latest `local_blocks` of these."""
    index = torch.arange(blocks * block_tokens) // block_tokens
    age = index[:, None] - index[None, :]
    return (age >= 0) if local_blocks is None else (age >= 0) & (age < local_blocks)


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
