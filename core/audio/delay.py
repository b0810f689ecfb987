"""DelayMeter: how late the microphone hears what the loudspeaker plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from core.media import Samples

LONGEST_S = 0.6
SPAN = CAPTURE_RATE
_BAND_HZ = (200, 5000)
_LEAST_FAR, _LEAST_NEAR = 0.003, 0.0015
_CLEAR = 12.0
"""Times the typical height by which a peak stands out when there is an echo; chance gives about 5."""
_KEPT = 0.7


class DelayMeter:
    """Correlates a second of both directions at a time, every frequency weighing the same (PHAT, Knapp and Carter
    1976), so that reverberation and the voice's own pitch make no peaks. Owned by one thread.

    Args:
        seconds: the delay as far as it is known.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        """The newest measurement; None until the loudspeaker was clearly heard."""
        self._far: list[Samples] = []
        self._near: list[Samples] = []
        self._held = 0
        self._mean = np.zeros(int(LONGEST_S * CAPTURE_RATE), np.float32)

    def look(self, far: Samples, near: Samples) -> Samples | None:
        """The next samples as played and as heard, equally many, at `CAPTURE_RATE`.

        Returns, at the end of each `SPAN` in which the loudspeaker was clearly heard, how it was heard over
        `LONGEST_S`: the correlation for each sample of delay.
        """
        self._far.append(far)
        self._near.append(near)
        self._held += len(far)
        if self._held < SPAN:
            return None
        heard = self._correlate(np.concatenate(self._far)[:SPAN], np.concatenate(self._near)[:SPAN])
        self._far, self._near, self._held = [], [], 0
        return heard

    def _correlate(self, far: Samples, near: Samples) -> Samples | None:
        if far.std() < _LEAST_FAR or near.std() < _LEAST_NEAR:
            return None
        size = SPAN + len(self._mean)
        cross = np.asarray(fft.rfft(near, size)) * np.conj(np.asarray(fft.rfft(far, size)))
        hertz = fft.rfftfreq(size, 1 / CAPTURE_RATE)
        cross[(hertz < _BAND_HZ[0]) | (hertz > _BAND_HZ[1])] = 0
        found = np.asarray(fft.irfft(cross / (np.abs(cross) + 1e-9), size), np.float32)[: len(self._mean)]
        if not np.isfinite(
            found
        ).all():  # one sample that is no number spoils its second, and would spoil the mean for good
            return None
        self._mean = _KEPT * self._mean + (1 - _KEPT) * np.abs(found)
        peak = int(self._mean.argmax())
        if not self._mean[peak] > _CLEAR * float(np.median(self._mean)):
            return None
        self.seconds = peak / CAPTURE_RATE
        return found
