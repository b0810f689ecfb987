"""Resampler: from one sample rate to another, piece by piece, with a short and constant delay.

soxr's streams hold back 4 to 38 ms, a different amount for each piece, which a live loop would have to buffer away;
these windowed-sinc phases hold back `WIDTH` samples of the slower rate and nothing else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.media import Samples

WIDTH = 24
"""Zero crossings of the filter on each side."""
_KAISER_BETA = 9.0
_PASSBAND = 0.94


class Resampler:
    """A stream of mono samples; owned by one thread.

    Output sample n stands for the input at n * source / target exactly, so positions map without an offset. What comes
    out does not depend on how the input was cut into pieces.
    """

    def __init__(self, source: int, target: int) -> None:
        common = math.gcd(source, target)
        self._up, self._down = target // common, source // common
        self._reach = math.ceil(WIDTH * max(1.0, source / target))
        cutoff = min(1.0, target / source) * _PASSBAND
        self._phases = _filters(np.arange(self._up) / self._up, self._reach, cutoff)
        self._plain = source == target
        self.reset()

    def reset(self) -> None:
        """Forget the stream: the next input is its first."""
        self._kept = np.zeros(self._reach - 1, np.float32)
        self._kept_from = 1 - self._reach
        self._next = 0

    @property
    def held(self) -> int:
        """Input samples on each side that one output sample depends on."""
        return 0 if self._plain else self._reach

    def __call__(self, samples: Samples) -> Samples:
        if self._plain:
            return samples
        known = np.concatenate([self._kept, samples])
        end = self._kept_from + len(known)
        last = ((end - self._reach) * self._up - 1) // self._down
        wanted = np.arange(self._next, max(self._next, last + 1))
        base, phase = np.divmod(wanted * self._down, self._up)
        first = base - self._reach + 1 - self._kept_from
        if len(wanted):
            windows = np.lib.stride_tricks.sliding_window_view(known, 2 * self._reach)
            made = np.einsum("nk,nk->n", windows[first], self._phases[phase])
        else:
            made = np.zeros(0, np.float32)
        self._next += len(wanted)
        keep_from = (self._next * self._down) // self._up - self._reach + 1
        self._kept = known[keep_from - self._kept_from :].copy()
        self._kept_from = keep_from
        return made


class Between:
    """Sound between its samples: the band-limited curve through them, at any place. Keeps nothing."""

    REACH = WIDTH
    """Samples on each side of a place that its value depends on."""
    _PLACES = 64
    """Filters for each sample; between two of them a straight line is right to 75 dB."""

    def __init__(self) -> None:
        self._filters = _filters(np.arange(self._PLACES + 1) / self._PLACES, self.REACH, 1.0)

    def __call__(self, samples: Samples, where: np.ndarray) -> Samples:
        """The values of `samples` at the positions `where` [n], each from `REACH` - 1 up to `REACH` samples before the
        end of `samples`. At whole positions these are the samples themselves."""
        base = np.floor(where).astype(int)
        place = (where - base) * self._PLACES
        below = place.astype(int)
        share = (place - below)[:, None].astype(np.float32)
        filters = (1 - share) * self._filters[below] + share * self._filters[below + 1]
        windows = np.lib.stride_tricks.sliding_window_view(samples, 2 * self.REACH)
        return np.einsum("nk,nk->n", windows[base - self.REACH + 1], filters)


def _filters(places: np.ndarray, reach: int, cutoff: float) -> Samples:
    """One filter for each place [n] between two input samples: [n, 2 * reach], each summing to 1."""
    taps = np.arange(-reach + 1, reach + 1)[None, :] - places[:, None]
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (taps / reach) ** 2, 0, None))) / np.i0(_KAISER_BETA)
    filters = cutoff * np.sinc(cutoff * taps) * window
    return (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
