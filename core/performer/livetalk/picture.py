"""A portrait as the model looks at it: scaled to cover the frame, cut around its face, -1 to 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import PerformerError, Problem

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.livetalk.whereabouts import Point

_LEAST_SIDE = 64
"""Pixels under which a portrait shows no face that anything could be made of."""
_FACE_LINE = 0.42
"""Where the middle of a face comes to lie, from the top of the frame: room above the hair, shoulders below."""


def overhangs(image: Pixels, height: int, width: int) -> bool:
    """Whether a part of the picture falls off the frame that it covers, by a pixel or more."""
    size = _covering(image, height, width)
    return size != (height, width)


def framed(image: Pixels, height: int, width: int, face: Point | None = None) -> Tensor:
    """RGB of any size -> [3, height, width] in float32, -1 to 1: bilinear with antialiasing, then what fits of it
    around the middle of its `face`; without one the middle of the picture, as released.

    Sizes are rounded, where the released code cuts them off and leaves a black line on some pictures.
    """
    rows, columns = image.shape[:2]
    size = _covering(image, height, width)
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255.0
    if size != (rows, columns):
        pixels = F.interpolate(pixels, size, mode="bilinear", align_corners=False, antialias=True)
    top, left = math.ceil((size[0] - height) / 2), math.ceil((size[1] - width) / 2)
    if face is not None:
        top = _start(face[1] * size[0] / rows - _FACE_LINE * height, size[0] - height)
        left = _start(face[0] * size[1] / columns - width / 2, size[1] - width)
    return pixels[0, :, top : top + height, left : left + width] * 2.0 - 1.0


def _covering(image: Pixels, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the picture where it just covers the frame."""
    rows, columns = image.shape[:2]
    scale = max(height / rows, width / columns)
    return max(height, round(rows * scale)), max(width, round(columns * scale))


def _start(wanted: float, last: int) -> int:
    return min(max(0, round(wanted)), last)


def refuse_too_small(image: Pixels) -> None:
    """Raises: PerformerError (`PICTURE_REFUSED`): there are too few pixels to see a face in."""
    rows, columns = image.shape[:2]
    if min(rows, columns) < _LEAST_SIDE:
        raise PerformerError(
            Problem.PICTURE_REFUSED,
            f"This picture can't be used: it is only {columns} by {rows} pixels.",
            "Use a larger picture of the same person.",
        )
