"""Intrusion: somebody speaks into the reply. The voice grows soft at once; who keeps the floor is seen then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.listening.turns import Floor
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.hearing import Hearing
    from core.listening.judge import Judge, Overheard

_LONGEST_DOUBT = CAPTURE_RATE
"""Samples after which the voice is loud again, whoever has not answered by then."""


class Intrusion:
    """Conversation thread only.

    Args:
        judge: tells "mm-hm" from "stop"; without one only the time tells.
        soften: makes the avatar's voice softer, or loud again.
    """

    def __init__(self, hearing: Hearing, judge: Judge | None, soften: Callable[[bool], None]) -> None:
        self._hearing = hearing
        self._judge = judge
        self._soften = soften
        self._soft = False
        self._doubt_until: int | None = None

    def begins(self) -> None:
        """They speak, and have not taken the floor yet."""
        self._turn_down(True)
        self._doubt_until = None
        self._ask(over=False)

    def withdrew(self) -> None:
        """They fell silent again: it was nothing, or a word worth answering."""
        self._doubt_until = self._hearing.position + _LONGEST_DOUBT if self._judge else self._hearing.position
        self._ask(over=True)

    def overheard(self, message: Overheard) -> Floor:
        """What they said is understood; QUIET when it was a turn of its own."""
        if not message.over:
            if message.sign:
                self._hearing.spare()
            return Floor.NOTHING
        change = self._hearing.accept() if message.sign is False else Floor.NOTHING
        self.ends()
        return change

    def ends(self) -> None:
        """They have the floor, or the reply is over."""
        self._doubt_until = None
        self._turn_down(False)

    def follow(self) -> None:
        """Time went by."""
        if self._doubt_until is not None and self._hearing.position >= self._doubt_until:
            self.ends()

    def _ask(self, *, over: bool) -> None:
        if self._judge:
            self._judge.overhear(self._hearing.position, self._hearing.intrusion(), over=over)

    def _turn_down(self, soft: bool) -> None:
        if soft != self._soft:
            self._soft = soft
            self._soften(soft)
