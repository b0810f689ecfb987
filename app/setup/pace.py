"""Pace: how fast something arrives and how long the rest will take, told a few times a second."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERY_S = 0.25
_REMEMBERED_S = 20.0
_TRUSTED_AFTER_S = 2.0
"""A rate measured over less says little."""


@dataclass(frozen=True)
class Progress:
    """Bytes that are here and that there are to be, bytes a second, and the seconds that the rest will take: None while
    nobody can tell."""

    done: int
    total: int
    rate: float
    left_s: float | None


class Pace:
    """One download's. `now` gives seconds of any clock that goes on while the computer waits."""

    def __init__(self, total: int, now: Callable[[], float]) -> None:
        self._total = total
        self._now = now
        self._seen: deque[tuple[float, int]] = deque()

    def step(self, done: int) -> Progress | None:
        """So much is here; None where the last telling was just now and this is not the end."""
        now = self._now()
        if self._seen and now - self._seen[-1][0] < _EVERY_S and done < self._total:
            return None
        self._seen.append((now, done))
        while now - self._seen[0][0] > _REMEMBERED_S:
            self._seen.popleft()
        began, before = self._seen[0]
        passed = now - began
        rate = (done - before) / passed if passed >= _TRUSTED_AFTER_S else 0.0
        return Progress(done, self._total, rate, (self._total - done) / rate if rate > 0 else None)


def gigabytes(count: float) -> str:
    """ "18.0 GB"."""
    return f"{count / 1e9:.1f} GB"


def spoken_time(seconds: float) -> str:
    """ "1 h 5 min", "12 min", "40 s"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
