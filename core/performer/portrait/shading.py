"""Shading: the soft shadows that come with a dropping jaw, in the cheeks and on the neck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.performer.portrait.imaging import resized, sampled
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

    def paint(self, frame: Pixels, source: Floats, flesh: Floats) -> None:
        """Darken `frame`, in place. `source` [side / STEP, side / STEP, 2] tells where its points come from in the
        resting picture, `flesh` [468, 2] how far the face's points went, both in px."""
        drop = float(np.clip(flesh[list(JAW), 1].mean() / self._scale / FULL_DROP, 0, 1))
        depth = DEEPEST * drop
        if depth < LEAST:
            return
        shadow = sampled(self._shadow, (source - (STEP - 1) / 2) / STEP)
        rows, columns = np.nonzero(shadow > 0.02)
        if len(rows) == 0:
            return
        nodes = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        part = frame[tuple(slice(STEP * bound.start, STEP * bound.stop) for bound in nodes)]
        light = 1 - depth * resized(shadow[nodes], (part.shape[1], part.shape[0]))
        part[:] = (part * light[..., None] + 0.5).astype(np.uint8)
