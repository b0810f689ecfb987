"""Rotary positions on three axes: latent frame, token row, token column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence


def axis_split(head_dim: int) -> tuple[int, int, int]:
    """Channels of a head given to time, height and width, as Wan splits them (128 -> 44, 42, 42).

    Raises:
        ValueError: an axis would get an odd number of channels, which cannot be rotated in pairs.
    """
    side = head_dim // 3
    split = (head_dim - 2 * side, side, side)
    if any(channels % 2 for channels in split):
        raise ValueError(f"head size {head_dim} splits into {split}; every axis needs an even number of channels")
    return split


@dataclass(frozen=True, eq=False)
class Rotation:
    """cos and sin of every token's angles, each [tokens, head_dim / 2], float32."""

    cos: Tensor
    sin: Tensor

    def apply(self, x: Tensor, heads: int) -> Tensor:
        """Rotate adjacent pairs of each head: [batch, tokens, heads * head_dim] -> the same shape."""
        pairs = x.float().unflatten(-1, (heads, -1, 2))
        if torch.compiler.is_compiling():  # inductor joins real numbers with what is around them, and no complex ones
            (one, other), cos, sin = pairs.unbind(-1), self.cos[:, None], self.sin[:, None]
            turned = torch.stack((one * cos - other * sin, one * sin + other * cos), -1)
        else:
            turned = torch.view_as_real(torch.view_as_complex(pairs) * torch.complex(self.cos, self.sin)[:, None])
        return turned.flatten(2).to(x.dtype)


class Rope:
    """Angles for any list of latent frames on a fixed token grid.

    Angles are made in float64 from whole positions, so there is no table to run out of; float32 cosines of them
    reproduce the released model to 2e-6.
    """

    def __init__(
        self, head_dim: int, rows: int, columns: int, device: torch.device | None = None, theta: float = 10_000.0
    ) -> None:
        time, height, width = axis_split(head_dim)
        self.tokens_per_frame = rows * columns
        self._device = device
        self._time_frequencies = _frequencies(time, theta).to(device)
        row_angles = torch.outer(torch.arange(rows, dtype=torch.float64), _frequencies(height, theta))
        column_angles = torch.outer(torch.arange(columns, dtype=torch.float64), _frequencies(width, theta))
        plane = (
            row_angles[:, None].expand(-1, columns, -1).flatten(0, 1),
            column_angles[None].expand(rows, -1, -1).flatten(0, 1),
        )
        self._plane = torch.cat(plane, dim=-1).to(device)  # [rows * columns, pairs of height and width]

    def rotation(self, frames: Sequence[int]) -> Rotation:
        """Angles of all tokens of these latent frames, in the order given, frame-major."""
        where = torch.tensor(list(frames), dtype=torch.float64, device=self._device)
        time = torch.outer(where, self._time_frequencies)[:, None].expand(-1, self.tokens_per_frame, -1)
        plane = self._plane[None].expand(len(frames), -1, -1)
        angles = torch.cat((time, plane), dim=-1).flatten(0, 1)
        return Rotation(angles.cos().float(), angles.sin().float())

    def place(self, rotation: Rotation, first: int, frames: int) -> None:
        """Turn all tokens of `rotation` into those of consecutive frames from `first` on, in place.

        Nothing comes from the host but an integer, so that nobody waits for a device.
        """
        where = torch.arange(first, first + frames, dtype=torch.float64, device=self._device)
        angles = torch.outer(where, self._time_frequencies)
        pairs = angles.shape[1]
        for table, values in ((rotation.cos, angles.cos()), (rotation.sin, angles.sin())):
            table[:, :pairs].unflatten(0, (frames, -1)).copy_(values[:, None])


def _frequencies(channels: int, theta: float) -> Tensor:
    return theta ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
