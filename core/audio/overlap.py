"""Overlap: somebody who speaks at the same time as the avatar, without what the canceller would take of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.audio.echo_path import EchoPath

if TYPE_CHECKING:
    from core.media import Samples

STIRS_DB = 10.0
"""By so much the canceller lets more through than it usually does when there is somebody."""
_STIRS_FOR = 25
_REST_DB = -10.0
"""So loud, against the echo, is what subtraction leaves when there is somebody."""
_GOOD_DB = -14.0
"""So soft it mostly is where subtraction works: not with a loudspeaker that rattles, nor just after the start."""
_MOVED = -0.35
"""Correlation of the echo that was expected with what subtraction leaves from which on the echo is another than
expected: somebody moved. A voice has none."""
_MOVED_FOR = 10
_MEMORY = 0.8
_SETTLES_DB = 0.05
_SILENT_DB = -75.0
_FAINT_DB, _VOICED_DB = -60.0, -45.0


class Overlap:
    """A canceller takes away what subtraction leaves of the echo by turning everything down, and swallows the first
    quarter of a second of those who speak into it. So it is only asked whether somebody may be there; what they say
    comes from `EchoPath`, which turns nothing down. One frame at a time; owned by one thread.

    Somebody is there when within the last `_STIRS_FOR` frames the canceller has let through more than usual, and what
    subtraction leaves is loud against the echo and not like it. Each alone is wrong too often: every movement in the
    room makes a little of the first and much of the second.
    """

    def __init__(self, frame: int) -> None:
        self.left = 0.0
        """RMS of what subtraction left of the newest frame."""
        self._path = EchoPath(frame)
        self._usual_db = -75.0
        self._mostly_db = 0.0
        self._rest_db = 0.0
        self._since_stir = _STIRS_FOR
        self._since_move = 0
        self._products = np.zeros(3)
        self._share = 0.0

    def __call__(self, far: Samples, near: Samples, clean: Samples) -> Samples:
        """The person's voice, from a frame as played, as heard and as the canceller left it."""
        rest = self._path(far, near)
        self.left = float(np.sqrt(np.mean(np.square(rest))))
        share = float(self._somebody(rest, near - rest, clean))
        line = np.linspace(self._share, share, len(clean), dtype=np.float32)
        self._share = share
        return (line * rest + (1 - line) * clean).astype(np.float32)

    def _somebody(self, rest: Samples, echo: Samples, clean: Samples) -> bool:
        echo_db, clean_db, before_db = _db(echo), _db(clean), self._rest_db
        self._rest_db = _db(rest) - max(echo_db, _FAINT_DB)
        if echo_db > _VOICED_DB:
            self._mostly_db += _SETTLES_DB if self._rest_db > self._mostly_db else -_SETTLES_DB
        self._since_stir += 1
        if clean_db > self._usual_db + STIRS_DB:
            self._since_stir = 0
        self._get_used_to(clean_db)
        self._watch_the_room(rest, echo)
        stirs = self._since_stir < _STIRS_FOR and self._since_move >= _MOVED_FOR
        return stirs and max(self._rest_db, before_db) > _REST_DB and self._mostly_db < _GOOD_DB

    def _watch_the_room(self, rest: Samples, echo: Samples) -> None:
        """Of an echo that is not where it was expected, what was expected is left with the opposite sign."""
        self._products = _MEMORY * self._products + (np.dot(rest, echo), np.dot(rest, rest), np.dot(echo, echo))
        together, left, expected = (float(product) for product in self._products)
        self._since_move += 1
        if left > 0.1 * expected and together < _MOVED * (left * expected) ** 0.5:
            self._since_move = 0

    def _get_used_to(self, clean_db: float) -> None:
        """The level of what the canceller leaves of nobody: down quickly, up slowly, and hardly by a voice."""
        if clean_db < self._usual_db:
            self._usual_db += 0.05 * (max(clean_db, _SILENT_DB) - self._usual_db)
        else:
            self._usual_db += 0.02 if clean_db < self._usual_db + STIRS_DB else 0.005


def _db(samples: Samples) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples)) + 1e-10))
