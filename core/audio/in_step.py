"""InStep: what was played, in step with the microphone though their clocks differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.audio.resample import Between

if TYPE_CHECKING:
    from core.media import Samples


class InStep:
    """A queue of samples that is read at the microphone's pace: for each sample that was heard, `pace` samples of what
    was played, to a fraction of a sample. Owned by one thread.

    Args:
        frame: samples of each `take`.
        limit: no more than this many wait longer than they must: they would come after their echo.
    """

    RESERVE = 320
    """Samples of silence put before the first (20 ms), so that pieces that come late are seldom missed."""
    _SETTLES = 200
    """Frames over which its lead is averaged: devices take and give in pieces."""
    _WATCHES = 200
    """Frames in which none is short of anything before what was too much for all of them is dropped."""
    _STALLED = 50
    """Frames that wait at most, whatever the microphone does."""

    def __init__(self, frame: int, limit: int, pace: float = 1.0) -> None:
        self.pace = pace
        self.moved = 0.0
        """Samples by which the reading is further than if it had read one for each that was heard."""
        self.lead = 0.0
        """Samples by which what was played is ahead of what is read for the microphone now, on average."""
        self.jumps = 0
        """How often something was short or too much, and the echo is elsewhere since."""
        self._frame = frame
        self._limit = limit
        self._between = Between()
        self._at = float(Between.REACH)
        self._waiting = np.zeros(Between.REACH + self.RESERVE, np.float32)
        self._taken = 0
        """Frames since the lead jumped."""
        self._watched = 0
        self._least = 0.0

    def put(self, samples: Samples) -> None:
        """More was played."""
        self._waiting = np.concatenate([self._waiting, samples])

    def take(self, heard: int) -> Samples:
        """The next frame, silence where it was not played yet; `heard` samples of the microphone wait for theirs."""
        where = self._at + self.pace * np.arange(self._frame)
        spare = len(self._waiting) - Between.REACH - 1 - where[-1]
        self._watch(spare)
        if spare < 0:
            self.moved -= self._frame
            self.jumps += 1
            self._taken = 0
            return np.zeros(self._frame, np.float32)
        self._taken += 1
        self.lead += (len(self._waiting) - self._at - heard - self.lead) / min(self._SETTLES, self._taken)
        frame = self._between(self._waiting, where)
        self.moved += (self.pace - 1) * self._frame
        self._go_to(self._at + self.pace * self._frame)
        return frame

    def drop(self) -> list[Samples]:
        """Whole frames that no microphone will be compared with in time: beyond the limit though none was short of
        anything for a while."""
        excess = len(self._waiting) - self._at - self._STALLED * self._frame
        if self._watched >= self._WATCHES:
            excess = max(excess, self._least - self._limit)
            self._watched = 0
        frames: list[Samples] = []
        for _ in range(int(excess) // self._frame):
            at = int(self._at)
            frames.append(self._waiting[at : at + self._frame])
            self.moved += self._frame
            self.lead -= self._frame
            self.jumps += 1
            self._go_to(self._at + self._frame)
        return frames

    def _watch(self, spare: float) -> None:
        self._least = min(self._least, spare) if self._watched else spare
        self._watched += 1

    def _go_to(self, at: float) -> None:
        """Read on from there; what is too far behind is forgotten."""
        behind = int(at) - Between.REACH
        self._waiting = self._waiting[behind:]
        self._at = at - behind
