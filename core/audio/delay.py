"""DelayMeter: how late the microphone hears what the loudspeaker plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from core.media import Samples

LONGEST_S = 0.6
_SPAN = 2 * CAPTURE_RATE
_BAND_HZ = (200, 5000)
_LEAST_FAR, _LEAST_NEAR = 0.003, 0.0015
_CLEAR = 12.0
"""Times the typical height by which a peak stands out when there is an echo; chance gives about 5."""
_KEPT = 0.5


class DelayMeter:
    """Correlates two seconds of both directions at a time, every frequency weighing the same (PHAT, Knapp and Carter
    1976), so that reverberation and the voice's own pitch make no peaks. Owned by one thread.

    `seconds` is the newest measurement; None until the loudspeaker was clearly heard.
    """

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._far: list[Samples] = []
        self._near: list[Samples] = []
        self._held = 0
        self._mean = np.zeros(int(LONGEST_S * CAPTURE_RATE), np.float32)

    def look(self, far: Samples, near: Samples) -> None:
        """The next samples as played and as heard, equally many, at `CAPTURE_RATE`."""
        self._far.append(far)
        self._near.append(near)
        self._held += len(far)
        if self._held >= _SPAN:
            self._correlate(np.concatenate(self._far)[:_SPAN], np.concatenate(self._near)[:_SPAN])
            self._far, self._near, self._held = [], [], 0

    def _correlate(self, far: Samples, near: Samples) -> None:
        if far.std() < _LEAST_FAR or near.std() < _LEAST_NEAR:
            return
        size = _SPAN + len(self._mean)
        cross = np.asarray(fft.rfft(near, size)) * np.conj(np.asarray(fft.rfft(far, size)))
        hertz = fft.rfftfreq(size, 1 / CAPTURE_RATE)
        cross[(hertz < _BAND_HZ[0]) | (hertz > _BAND_HZ[1])] = 0
        found = np.abs(np.asarray(fft.irfft(cross / (np.abs(cross) + 1e-9), size)))[: len(self._mean)]
        self._mean = _KEPT * self._mean + (1 - _KEPT) * found.astype(np.float32)
        peak = int(self._mean.argmax())
        if self._mean[peak] > _CLEAR * float(np.median(self._mean)):
            self.seconds = peak / CAPTURE_RATE
