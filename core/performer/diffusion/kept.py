"""What a cache keeps of every layer, in the device's numbers or in eight bits, with one block set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_LARGEST = torch.finfo(torch.float8_e4m3fn).max


@dataclass(frozen=True)
class Room:
    """How much is kept: `tokens` for every layer, and `spare_tokens` of a block that was overwritten."""

    layers: int
    batch: int
    tokens: int
    spare_tokens: int
    heads: int
    width: int
    dtype: torch.dtype
    device: torch.device | None


class Kept(Protocol):
    """Rows of [batch, tokens, width] for every layer, allocated once and written in place."""

    def write(self, layer: int, index: Tensor, rows: Tensor) -> None:
        """Put rows [batch, n, width] where `index` [n] says; the index lives on the device."""
        ...

    def read(self, layer: int, start: int, end: int) -> Tensor:
        """Rows of a layer in the numbers that are calculated with; not to be written."""
        ...

    def set_aside(self, start: int) -> None:
        """Remember the block of tokens that begins there, for all layers."""
        ...

    def bring_back(self, start: int) -> None: ...


def keep(room: Room, *, fp8: bool) -> Kept:
    return KeptInEightBits(room) if fp8 else KeptWhole(room)


class KeptWhole:
    """In the numbers that are calculated with."""

    def __init__(self, room: Room) -> None:
        self._rows = _WithSpare(room, room.width, room.dtype)

    def write(self, layer: int, index: Tensor, rows: Tensor) -> None:
        self._rows.kept[layer].index_copy_(1, index, rows)

    def read(self, layer: int, start: int, end: int) -> Tensor:
        return self._rows.kept[layer, :, start:end]

    def set_aside(self, start: int) -> None:
        self._rows.set_aside(start)

    def bring_back(self, start: int) -> None:
        self._rows.bring_back(start)


class KeptInEightBits:
    """e4m3 with one scale for every token and head: half the memory, about 3 % of error in a single number."""

    def __init__(self, room: Room) -> None:
        self._heads, self._dtype = room.heads, room.dtype
        self._bits = _WithSpare(room, room.width, torch.uint8)  # index_copy_ does not know float8
        self._scales = _WithSpare(room, room.heads, torch.float32)

    def write(self, layer: int, index: Tensor, rows: Tensor) -> None:
        by_head = rows.float().unflatten(-1, (self._heads, -1))
        scales = by_head.abs().amax(-1).clamp_min(1e-12) / _LARGEST
        bits = (by_head / scales[..., None]).to(torch.float8_e4m3fn).view(torch.uint8).flatten(2)
        self._bits.kept[layer].index_copy_(1, index, bits)
        self._scales.kept[layer].index_copy_(1, index, scales)

    def read(self, layer: int, start: int, end: int) -> Tensor:
        bits = self._bits.kept[layer, :, start:end].view(torch.float8_e4m3fn)
        scales = self._scales.kept[layer, :, start:end].to(self._dtype)
        return (bits.to(self._dtype).unflatten(-1, (self._heads, -1)) * scales[..., None]).flatten(2)

    def set_aside(self, start: int) -> None:
        self._bits.set_aside(start)
        self._scales.set_aside(start)

    def bring_back(self, start: int) -> None:
        self._bits.bring_back(start)
        self._scales.bring_back(start)


class _WithSpare:
    """One buffer [layers, batch, tokens, width], and a block of it that was overwritten."""

    def __init__(self, room: Room, width: int, dtype: torch.dtype) -> None:
        self.kept = torch.zeros((room.layers, room.batch, room.tokens, width), dtype=dtype, device=room.device)
        spare = (room.layers, room.batch, room.spare_tokens, width)
        self._spare = torch.zeros(spare, dtype=dtype, device=room.device)

    def set_aside(self, start: int) -> None:
        self._spare.copy_(self.kept[:, :, start : start + self._spare.shape[2]])

    def bring_back(self, start: int) -> None:
        self.kept[:, :, start : start + self._spare.shape[2]] = self._spare
