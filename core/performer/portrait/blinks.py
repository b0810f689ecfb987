"""When the avatar blinks: a seeded clock, because a few denoising steps sit near the mean and lose so rare an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

# how people blink, from 452 blinks in 20.8 minutes: rate, spread of the pauses, and the three parts of one blink
_PER_MINUTE = 18.0
_PAUSE_LOG_SD = 0.75
_LEAST_PAUSE_S = 0.5
_CLOSING_S, _SHUT_S, _OPENING_S = 0.08, 0.04, 0.14


class BlinkClock:
    """Blinks of one performance, in frames that follow each other. Renderer thread only."""

    def __init__(self, seed: int, fps: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._fps = fps
        self._frame = 0
        self._blink = self._next(0.0)

    def closing(self, frames: int) -> Floats:
        """How far the lids are shut in the next frames, 0 to 1: [frames]."""
        times = (self._frame + np.arange(frames) + 0.5) / self._fps
        self._frame += frames
        shut = np.zeros(frames)
        while self._blink[0] <= times[-1]:
            shut = np.maximum(shut, np.interp(times, self._blink, (0.0, 1.0, 1.0, 0.0)))
            if self._blink[-1] > times[-1]:
                break
            self._blink = self._next(self._blink[-1])
        return shut.astype(np.float32)

    def _next(self, after_s: float) -> tuple[float, float, float, float]:
        """The corners of the next blink: begins to close, shut, begins to open, open."""
        mean = 60.0 / _PER_MINUTE - (_CLOSING_S + _SHUT_S + _OPENING_S)
        pause = self._rng.lognormal(np.log(mean) - _PAUSE_LOG_SD**2 / 2, _PAUSE_LOG_SD)
        start = after_s + max(_LEAST_PAUSE_S, pause)
        slow = self._rng.uniform(0.85, 1.35)
        shut = start + _CLOSING_S * slow
        opens = shut + _SHUT_S * slow
        return start, shut, opens, opens + _OPENING_S * slow
