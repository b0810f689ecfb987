"""A portrait as the model looks at it: scaled to cover the frame, cut to its middle, -1 to 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import PerformerError, Problem

if TYPE_CHECKING:
    from core.media import Pixels

_LEAST_SIDE = 64
"""Pixels under which a portrait shows no face that anything could be made of."""


def framed(image: Pixels, height: int, width: int) -> Tensor:
    """RGB of any size -> [3, height, width] in float32, -1 to 1: bilinear with antialiasing, then the middle.

    Sizes are rounded, where the released code cuts them off and leaves a black line on some pictures.
    """
    rows, columns = image.shape[:2]
    scale = max(height / rows, width / columns)
    size = (max(height, round(rows * scale)), max(width, round(columns * scale)))
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255.0
    if size != (rows, columns):
        pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
    top, left = math.ceil((size[0] - height) / 2), math.ceil((size[1] - width) / 2)
    return pixels[0, :, top : top + height, left : left + width] * 2.0 - 1.0


def refuse_too_small(image: Pixels) -> None:
    """Raises: PerformerError (`PICTURE_REFUSED`): there are too few pixels to see a face in."""
    rows, columns = image.shape[:2]
    if min(rows, columns) < _LEAST_SIDE:
        raise PerformerError(
            Problem.PICTURE_REFUSED,
            f"This picture can't be used: it is only {columns} by {rows} pixels.",
            "Use a larger picture of the same person.",
        )
