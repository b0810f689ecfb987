"""InStep: what was played, in step with the microphone though their clocks differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.media import Samples


class InStep:
    """A queue of samples of which `take` stretches or shortens a frame by a sample now and then, so that on average it
    stays as far ahead of the microphone as it was at first. Without that, clocks 100 parts in a million apart move the
    echo by a whole frame every 100 s, and the canceller loses it. Owned by one thread.

    Args:
        frame: samples of each `take`.
        limit: more than this many never wait: they would come after their echo.
    """

    _SETTLES = 200
    """Frames over which its lead is averaged: devices take and give in pieces."""
    _ASIDE = 4.0
    """Samples by which it may be off before anything is done about it."""
    _STRETCHES = 8
    """Samples that a frame may be short of without a gap."""
    RESERVE = 32
    """Samples of silence (2 ms) put before the first, so that a clock that runs slow can be waited for."""

    def __init__(self, frame: int, limit: int) -> None:
        self._frame = frame
        self._limit = limit
        self._waiting = np.zeros(self.RESERVE, np.float32)
        self._begin()

    def put(self, samples: Samples) -> None:
        """More was played."""
        self._waiting = np.concatenate([self._waiting, samples])

    def take(self, heard: int) -> Samples:
        """The next frame, silence where nothing waits; `heard` samples of the microphone wait for theirs."""
        waiting = len(self._waiting)
        self._mean += (waiting - heard - self._mean) / min(self._SETTLES, self._taken + 1)
        self._taken += 1
        if self._taken == self._SETTLES:
            self._usual = self._mean
        off = 0 if self._usual is None else _towards(self._mean - self._usual, self._ASIDE)
        if waiting < self._frame + off:
            off = waiting - self._frame
        if off < -self._STRETCHES:
            self._begin()
            frame = np.pad(self._waiting, (0, self._frame))[: self._frame]
            self._waiting = np.zeros(self.RESERVE, np.float32)
            return frame
        taken, self._waiting = self._waiting[: self._frame + off], self._waiting[self._frame + off :]
        self._mean -= off
        return _resized(taken, self._frame) if off else taken

    def drop(self) -> list[Samples]:
        """Whole frames beyond the limit, which no microphone will be compared with in time."""
        frames: list[Samples] = []
        while len(self._waiting) >= self._limit + self._frame:
            frames.append(self._waiting[: self._frame])
            self._waiting = self._waiting[self._frame :]
        if frames:
            self._begin()
        return frames

    def _begin(self) -> None:
        self._mean = 0.0
        self._usual: float | None = None
        self._taken = 0


def _towards(difference: float, aside: float) -> int:
    return 0 if abs(difference) < aside else int(np.sign(difference))


def _resized(samples: Samples, count: int) -> Samples:
    where = np.linspace(0, len(samples) - 1, count)
    return np.interp(where, np.arange(len(samples)), samples).astype(np.float32)
