"""Where the picture lies on the stage, and the colours it runs out into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF

if TYPE_CHECKING:
    from core.media import Pixels

FALLS_OFF = 0.15
"""The most of the picture's height that may fall off the bottom when it fills the stage's width."""
TALLER_IN_WIDE = 1.06
"""Height of the picture against the stage where it does not fill the width."""
FEATHER = 0.10
"""Of the picture's width, on each side, where it runs into the surround."""
_EDGE_WIDTH = 1 / 16
_EDGE_HEIGHT = 0.7


def picture_rect(width: float, height: float, aspect: float = 1.0) -> QRectF:
    """Place a picture of `aspect` (width by height) on a stage: never stretched, the top never cut.

    It fills the width where no more than `FALLS_OFF` of it falls off the bottom; otherwise it stands in the middle,
    and what is wider than the stage falls off both sides.
    """
    filling = width / aspect
    if height <= filling <= height / (1 - FALLS_OFF):
        tall = filling
    elif filling < height:
        tall = height
    else:
        tall = height * TALLER_IN_WIDE
    wide = tall * aspect
    return QRectF((width - wide) / 2, 0.0, wide, tall)


def features_rect(place: QRectF) -> QRectF:
    """From the brows to the lower lip of a portrait that lies at `place`: what nothing may cover."""
    left, top = place.x() + _FACE_LEFT * place.width(), place.y() + _EYES_TOP * place.height()
    right, bottom = place.x() + _FACE_RIGHT * place.width(), place.y() + _LIPS_BOTTOM * place.height()
    return QRectF(left, top, right - left, bottom - top)


_FACE_LEFT, _FACE_RIGHT = 0.28, 0.73
_EYES_TOP, _LIPS_BOTTOM = 0.34, 0.63
"""Where portraits that were cropped to head and shoulders have their face, of their width and height."""


@dataclass(frozen=True)
class Edges:
    """The picture's own colours at its left and right edge, RGB 0..1."""

    left: tuple[float, float, float] = (0.05, 0.055, 0.067)
    right: tuple[float, float, float] = (0.05, 0.055, 0.067)


def edges_of(pixels: Pixels) -> Edges:
    """Mean of the outermost sixteenth on each side, of the upper 70 %; `pixels` is RGB [h, w, 3]."""
    tall = max(1, round(pixels.shape[0] * _EDGE_HEIGHT))
    wide = max(1, round(pixels.shape[1] * _EDGE_WIDTH))
    left = pixels[:tall, :wide].reshape(-1, 3).mean(0) / 255
    right = pixels[:tall, -wide:].reshape(-1, 3).mean(0) / 255
    return Edges((float(left[0]), float(left[1]), float(left[2])), (float(right[0]), float(right[1]), float(right[2])))


def differ(one: Pixels, other: Pixels) -> bool:
    """Whether two frames show different people rather than one who moved (compared on a coarse grid)."""
    if one.shape != other.shape:
        return True
    step = max(1, one.shape[0] // 24)
    apart = abs(one[::step, ::step].astype("int16") - other[::step, ::step].astype("int16"))
    return float(apart.mean()) > _ANOTHER_PERSON


_ANOTHER_PERSON = 14.0
"""Mean difference of 0..255; a talking head stays under 5, two portraits are over 20 apart."""
