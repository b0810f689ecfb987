"""Pictures: the frames a view draws, and how far one avatar has followed another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from app.floating import lasting
from app.picture import Edges, differ, edges_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import Pixels, TimedFrame

CROSS_FADE_MS = 300
_EXPECTED_FOR_S = 10.0
"""How long after a change of avatar the first frame of the new one may take."""
_SETTLED_AFTER_S = 0.6
"""Frames of two avatars may run into each other for as long as this."""


class Pictures:
    """The frames a view draws: the newest one, and while one avatar follows another, the last of the one before.

    Args:
        now: seconds that never go back.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._frame: TimedFrame | None = None
        self._old: Pixels | None = None
        self._expected_until = -1.0
        self._arrived_at = -1.0
        self._settles_at = -1.0
        self.current: Pixels | None = None
        self.before: Pixels | None = None
        self.edges = Edges()

    def take(self, frame: TimedFrame | None) -> bool:
        """Make `frame` the current one; False when it is already, or when there is none."""
        if frame is None or frame is self._frame:
            return False
        self._frame = frame
        last, self.current = self.current, frame.pixels
        now = self._now()
        if last is None:
            self.edges = edges_of(frame.pixels)
        elif self._old is not None and now < self._expected_until and differ(self._old, frame.pixels):
            self._old = None
            self.before = last
            self.edges = edges_of(frame.pixels)
            self._arrived_at = now
            self._settles_at = now + _SETTLED_AFTER_S
        elif 0 <= self._settles_at <= now:
            self.edges = edges_of(frame.pixels)
            self._settles_at = -1.0
        return True

    def expect_another(self) -> None:
        """The avatar changed: the first frame that is not like those before fades in over them. The engine may have it
        come in several steps, each of them small."""
        self._old = self.current
        self._expected_until = self._now() + _EXPECTED_FOR_S

    @property
    def arrived(self) -> float:
        """How far the cross-fade is, 1 when there is none."""
        if self.before is None:
            return 1.0
        duration = lasting(CROSS_FADE_MS) / 1000
        part = (self._now() - self._arrived_at) / duration if duration else 1.0
        if part >= 1:
            self.before = None
            return 1.0
        return part

    @property
    def aspect(self) -> float:
        return 1.0 if self.current is None else self.current.shape[1] / self.current.shape[0]
