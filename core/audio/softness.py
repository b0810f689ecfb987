"""Softness: how much softer than itself the avatar's voice is played, as a line over time without steps."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.media import Samples

_KEPT = 64


class Softness:
    """A gain for every position of one clock: level, with a slope where it changed. One thread."""

    def __init__(self, gain: float = 1.0) -> None:
        self._corners: deque[tuple[float, float]] = deque([(0.0, gain)], maxlen=_KEPT)

    def turn(self, start: float, end: float, gain: float) -> None:
        """From `start` on the gain runs straight to `gain`, reached at `end`; what was planned from there is void."""
        before = float(self.over(start, 1)[0])
        while self._corners and self._corners[-1][0] >= start:
            self._corners.pop()
        self._corners.append((start, before))
        self._corners.append((max(end, start + 1), gain))

    def over(self, start: float, count: int) -> Samples:
        """The gain at `count` positions from `start` on."""
        where, gains = zip(*self._corners, strict=True)
        return np.interp(start + np.arange(count), where, gains).astype(np.float32)
