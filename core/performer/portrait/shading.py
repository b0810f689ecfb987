"""Shading: the soft shadows that come with a dropping jaw, in the cheeks and on the neck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.performer.portrait.imaging import darken, grey, resized, sampled
from core.performer.portrait.mesh import CHIN, JAW

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.imaging import Floats

CHEEKS = ((207, 0.05, 0.11), (427, 0.05, 0.11))
"""A landmark in each cheek, and the spread across and down of the hollow beside it, in face heights."""
FULL_DROP = 0.09
"""Drop of the jaw, in face heights, at which the shadows are deepest."""
DEEPEST = 0.15
STEP = 4
"""px between the points at which the shadow is known."""
LEAST = 0.004
FLAT = 1.0
"""Spread of a cheek's brightness below which the picture knows no shading: a flat drawing."""


class Shading:
    """The shadows of one portrait. Renderer thread only."""

    def __init__(self, identity: PortraitIdentity) -> None:
        points, scale = identity.landmarks, identity.pose.scale
        side = identity.picture.shape[0]
        self._scale = scale
        axis = np.arange(side // STEP, dtype=np.float32) * STEP + (STEP - 1) / 2
        x, y = axis[None], axis[:, None]
        shadow = np.zeros((len(axis), len(axis)), np.float32)
        for landmark, across, down in CHEEKS:
            away = ((x - points[landmark, 0]) / (across * scale)) ** 2 + (
                (y - points[landmark, 1]) / (down * scale)
            ) ** 2
            shadow += 0.6 * np.exp(-away)
        below = (y - points[CHIN, 1]) / scale
        throat = np.exp(-(((x - points[CHIN, 0]) / (0.26 * scale)) ** 2)) * np.exp(-(((below - 0.05) / 0.05) ** 2))
        self._shadow = (shadow + throat).astype(np.float32)
        self._deepest = 0.0 if _flat(identity) else DEEPEST

    def paint(self, part: Pixels, source: Floats, flesh: Floats) -> None:
        """Darken a part of the frame, in place.

        Args:
            part: [STEP * h, STEP * w, 3].
            source: [h, w, 2] where it comes from in the resting picture, in steps of the shadow's own grid.
            flesh: [468, 2] px, how far the face's points went.
        """
        drop = float(np.clip(flesh[list(JAW), 1].mean() / self._scale / FULL_DROP, 0, 1))
        depth = self._deepest * drop
        if depth < LEAST:
            return
        shadow = sampled(self._shadow, source)
        left, top, width, height = cv2.boundingRect((shadow > 0.02).astype(np.uint8))
        if width == 0:
            return
        nodes = np.s_[top : top + height, left : left + width]
        dark = part[STEP * top : STEP * (top + height), STEP * left : STEP * (left + width)]
        darken(dark, resized(shadow[nodes], (dark.shape[1], dark.shape[0])), depth)


def _flat(identity: PortraitIdentity) -> bool:
    bright, reach = grey(identity.picture), max(2, round(0.06 * identity.pose.scale))
    patches = [
        bright[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        for x, y in (np.round(identity.landmarks[cheek, :2]).astype(int) for cheek, _, _ in CHEEKS)
    ]
    return max(float(patch.std()) for patch in patches) < FLAT
