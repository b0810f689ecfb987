"""EchoPath: what the microphone hears beside the loudspeaker, by subtraction alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

if TYPE_CHECKING:
    from core.media import Samples

_SPAN_FRAMES = 44
_KEEPS = 0.9995
"""How little the room changes from one frame to the next."""
_TOO_SOFT = 1e-6


class EchoPath:
    """The way from the loudspeaker to the microphone as a filter of `_SPAN_FRAMES` frames, learned while it is used:
    a Kalman filter for every frequency of every frame of it (Enzner and Vary 2006, "Frequency-domain adaptive Kalman
    filter for acoustic echo control"; in parts as by Kuech, Mabande and Enzner 2014). It doubts the microphone as much
    as it fails to explain it, so it learns little while somebody else speaks. Owned by one thread.

    Args:
        frame: samples of each call.
    """

    def __init__(self, frame: int) -> None:
        shape = (_SPAN_FRAMES, frame + 1)
        self._frame = frame
        self._before = np.zeros(frame, np.float32)
        self._played = np.zeros(shape, np.complex64)
        self._filter = np.zeros(shape, np.complex64)
        self._doubt = np.ones(shape, np.float32)
        self._unexplained = np.full(frame + 1, 1e-2, np.float32)

    def __call__(self, far: Samples, near: Samples) -> Samples:
        """`near` without the echo of what was played up to `far`."""
        frame = self._frame
        self._played = np.roll(self._played, 1, axis=0)
        self._played[0] = np.asarray(fft.rfft(np.concatenate([self._before, far])))
        self._before = far
        echo = np.asarray(fft.irfft((self._played * self._filter).sum(0), 2 * frame))[frame:]
        rest = (near - echo).astype(np.float32)
        self._learn(np.asarray(fft.rfft(np.concatenate([np.zeros(frame, np.float32), rest]))))
        return rest

    def _learn(self, rest: np.ndarray) -> None:
        power = np.square(np.abs(self._played))
        self._unexplained = 0.5 * (self._unexplained + np.square(np.abs(rest)))
        gain = self._doubt / (0.5 * (power * self._doubt).sum(0) + self._unexplained + _TOO_SOFT)
        step = np.asarray(fft.irfft(gain * np.conj(self._played) * rest, axis=1))
        step[:, self._frame :] = 0
        self._filter += np.asarray(fft.rfft(step, axis=1))
        left = np.maximum(1 - 0.5 * gain * power, 0)
        wanders = (1 - _KEEPS**2) * np.square(np.abs(self._filter))
        self._doubt = (_KEEPS**2 * left * self._doubt + wanders).astype(np.float32)
