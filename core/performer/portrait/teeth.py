"""OwnTeeth: the teeth that a portrait with parted lips shows, as a layer behind the lips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.performer.portrait.imaging import blurred, laid, sampled
from core.performer.portrait.mesh import LOWER_LIP, UPPER_LIP
from core.performer.portrait.seam import paleness

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.imaging import Floats

CROWN = 0.045
"""Face heights of tooth drawn above what the resting lip shows; beyond is gum, which the drawn inside has."""
SMOOTH = 0.014
"""Face heights over which the colour of the crowns is averaged, along the row of teeth."""
FIRST = 3.0
"""px above the lip's edge after which a crown has that colour alone; before, it goes on as the picture ends."""
BLEND = 3.0
"""px by which the lips have parted further when only the teeth of the picture are left of what was between them."""


class OwnTeeth:
    """What lies between the resting lips; moves with the skull. Renderer thread only."""

    def __init__(self, identity: PortraitIdentity) -> None:
        points, picture = identity.landmarks, identity.picture
        upper, lower = points[list(UPPER_LIP), :2], points[list(LOWER_LIP), :2]
        side = picture.shape[0]
        x = np.arange(side, dtype=np.float32)[None]
        y = np.arange(side, dtype=np.float32)[:, None]
        top = np.interp(x, upper[:, 0], upper[:, 1]).astype(np.float32)
        bottom = np.interp(x, lower[:, 0], lower[:, 1]).astype(np.float32)
        within = ((x > upper[0, 0]) & (x < upper[-1, 0])).astype(np.float32)
        self._between = np.clip(np.minimum(y - top, bottom - y) + 1.5, 0, 1) * within
        pale = paleness(picture, points)
        high = np.clip(
            1.4 - 2 * (y - top) / np.maximum(bottom - top, 1), 0, 1
        )  # gum and shadow stay with the skull too
        solid = np.maximum(pale, high) * np.clip(np.minimum(y - top - 0.5, bottom - y - 1.0) + 0.5, 0, 1) * within
        held = np.maximum(y, top + np.minimum(2.0, 0.5 * (bottom - top)))  # above the lip's edge as at the edge
        at = np.dstack([np.broadcast_to(x, (side, side)), held])
        self._picture = _with_crowns(sampled(picture, at), picture, solid * pale, top - y, identity.pose.scale)
        crown = np.clip((y - top) / (CROWN * identity.pose.scale) + 1, 0, 1) ** 0.5
        carried = blurred(sampled(solid, at), SMOOTH * identity.pose.scale) * crown
        self._teeth = np.where(y < held, carried, solid).astype(np.float32)
        self._exact = picture
        sure = (pale > 0.7) & (self._between > 0.9)
        self.light = np.median(picture[sure], axis=0).astype(np.float32) if int(sure.sum()) > 30 else None

    def moved(self, matrix: Floats, size: tuple[int, int], parted: float) -> tuple[Floats, Floats]:
        """The layer [h, w, 3] and its cover [h, w] under an affine map [2, 3] from the resting picture.

        Args:
            matrix: resting px to px of the part that is drawn.
            size: width and height of that part.
            parted: px by which the mouth differs from its rest.
        """
        share = min(1.0, parted / BLEND)
        held = laid(self._picture, matrix, size).astype(np.float32)
        cover = laid(self._teeth, matrix, size)
        if share < 1:
            rest = laid(self._exact, matrix, size, cubic=True).astype(np.float32)
            between = laid(self._between, matrix, size)
            held = rest + (held - rest) * share
            cover = between + (cover - between) * share
        return held, cover


def _with_crowns(held: Pixels, picture: Pixels, teeth: Floats, above: Floats, face_height: float) -> Pixels:
    """`held` with the hidden part of the teeth in the colour that the row of `teeth` (0..1) has there.

    A pixel of the lip's edge that is merely carried on gives a streak.
    """
    weight = teeth.sum(0, keepdims=True)[..., None]
    colour = (picture * teeth[..., None]).sum(0, keepdims=True)
    sigma = SMOOTH * face_height
    total = blurred(np.repeat(weight, 3, axis=2).astype(np.float32), sigma)
    mean = blurred(colour.astype(np.float32), sigma) / np.maximum(total, 1e-3)
    share = np.clip(above / FIRST, 0, 1) * np.clip(total[..., 0], 0, 1)
    return (held + (mean - held) * share[..., None] + 0.5).astype(np.uint8)
