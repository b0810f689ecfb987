"""DriftMeter: how much faster the microphone's clock runs than the loudspeaker's."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from core.media import Samples

FASTEST = 500e-6
"""Crystals differ by no more."""
_BEFORE, _AFTER = 40, 400
"""Samples around the loudest place of the echo that are compared."""
_FURTHEST = 16
"""Samples by which it may have moved from one look to the next."""
_FINE = 8
_ALIKE = 0.5
"""Correlation of two looks from which on they show the same room."""
_KEPT = 21


class _Look(NamedTuple):
    echo: Samples
    heard: float
    moved: float


class DriftMeter:
    """Watches by how much the echo moves from one look at it to the next, which clocks that differ make all of it do.

    Counting the samples that devices take and give says the same, but in pieces of 10 ms and more: after a minute that
    is off by a hundred parts in a million. The echo shows a hundredth of a sample. Somebody who moves in the room moves
    it as well, but back and forth or seldom: the median of the newest measurements is `drift`. Owned by one thread.

    Args:
        drift: as far as it is known.
    """

    def __init__(self, drift: float | None = None) -> None:
        self.drift = drift
        """1e-4: the microphone gives a ten-thousandth more samples than the loudspeaker takes; None while unknown."""
        self._found: deque[float] = deque([] if drift is None else [drift], maxlen=_KEPT)
        self._last: _Look | None = None

    def look(self, echo: Samples, heard: float, moved: float) -> None:
        """How the loudspeaker was heard (`DelayMeter.look`) about the time when `heard` samples had been heard, and
        what was played was read `moved` samples further on than at the microphone's pace."""
        last, self._last = self._last, _Look(echo, heard, moved)
        if last is None:
            return
        later = _later(last.echo, echo)
        if later is None:
            return
        drift = (later - (moved - last.moved)) / (heard - last.heard)
        if abs(drift) < FASTEST:
            self._found.append(drift)
            self.drift = float(np.median(self._found))


def _later(before: Samples, after: Samples) -> float | None:
    """By how many samples the echo `after` comes later than `before`; None when it is another echo."""
    peak = int(np.abs(before).argmax())
    around = slice(max(0, peak - _BEFORE), peak + _AFTER)
    first, second = before[around], after[around]
    size = 1 << (len(first) + _FURTHEST).bit_length()
    cross = np.asarray(fft.rfft(second, size)) * np.conj(np.asarray(fft.rfft(first, size)))
    likeness = _FINE * np.asarray(fft.irfft(cross, size * _FINE))
    likeness = np.roll(likeness, _FURTHEST * _FINE)[: 2 * _FURTHEST * _FINE + 1]
    best = int(likeness.argmax())
    if not 0 < best < len(likeness) - 1:
        return None
    if likeness[best] < _ALIKE * float(np.linalg.norm(first) * np.linalg.norm(second)):
        return None
    left, top, right = (float(value) for value in likeness[best - 1 : best + 2])
    return (best + 0.5 * (left - right) / (left - 2 * top + right)) / _FINE - _FURTHEST
