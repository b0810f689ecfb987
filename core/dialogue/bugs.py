"""Bugs: what becomes of an exception nobody expected while a dialogue worked; it costs its turn and no more."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from core.channel import Closed
from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    import asyncio

log = logging.getLogger(__name__)
_GIVEN_UP_AFTER = 3


class Bug(Exception):
    """Stands in the log for an exception, whose own text may hold what the person said."""


class Bugs:
    """Counts the turns that a bug ended since the last good one. Belongs to one thread.

    Args:
        who: cannot answer, when there are too many.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._in_a_row = 0

    def note(self, error: Exception) -> None:
        """Log `error` with its traceback."""
        bug = Bug(type(error).__name__).with_traceback(error.__traceback__)
        log.error("%s met a bug", self._who, exc_info=bug)

    def watch(self, task: asyncio.Task[None]) -> None:
        """`task` is done: log what ended it, where that is a bug."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception) and not isinstance(error, Closed):
            self.note(error)

    def ended_a_turn(self, error: Exception) -> LiveTalkError:
        """Log `error`; returns what the person is told."""
        self.note(error)
        self._in_a_row += 1
        detail = f"{type(error).__name__} in {_place(error)}"
        if self._in_a_row < _GIVEN_UP_AFTER:
            return LiveTalkError(
                Problem.UNEXPECTED,
                "Something went wrong while answering.",
                "Your question is kept. Ask it again.",
                detail=detail,
            )
        return LiveTalkError(
            Problem.UNEXPECTED,
            f"{self._who} can't answer.",
            "Your question is kept. Start LiveTalk again, or choose in Settings who answers.",
            detail=detail,
        )

    def all_well(self) -> None:
        """A turn came to its end."""
        self._in_a_row = 0


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return frames[-1].name if frames else "no frame"
