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
_ASKED_EVERY = CAPTURE_RATE // 20
"""Samples more of which the words are asked for again: half a word says nothing."""


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
        self._asked_at: int | None = None
        self._claimed = False

    def begins(self) -> None:
        """They speak, and have not taken the floor yet."""
        self._turn_down(True)
        self._doubt_until = None
        self._claimed = False
        self._ask(over=False)

    def withdrew(self) -> None:
        """They fell silent again: it was nothing, or a word worth answering."""
        self._doubt_until = self._hearing.position + _LONGEST_DOUBT if self._judge else self._hearing.position
        self._ask(over=True)

    def overheard(self, message: Overheard) -> Floor:
        """What they said is understood; QUIET when it was a turn of its own, SPEAKING when they want the floor."""
        if not message.over:
            return self._understand(message)
        change = self._hearing.accept() if message.sign is False else Floor.NOTHING
        self.ends()
        return change

    def ends(self) -> None:
        """They have the floor, or the reply is over."""
        self._doubt_until = self._asked_at = None
        self._turn_down(False)

    def follow(self) -> None:
        """Time went by."""
        if self._asked_at is not None and self._hearing.position - self._asked_at >= _ASKED_EVERY:
            self._ask(over=False)
        if self._doubt_until is not None and self._hearing.position >= self._doubt_until:
            self.ends()

    def _understand(self, message: Overheard) -> Floor:
        """The beginning of what they say; the next question is asked when this one is answered. Half of "okay" may
        sound like "no", so only two answers in a row are a claim, or one that is sure."""
        if self._doubt_until is not None or not self._soft:
            return Floor.NOTHING
        claimed, self._claimed = self._claimed, message.claims
        if message.surely or (claimed and message.claims):
            self.ends()
            return self._hearing.claim()
        self._hearing.spare(message.sign)
        self._asked_at = message.at
        return Floor.NOTHING

    def _ask(self, *, over: bool) -> None:
        self._asked_at = None
        if self._judge:
            said, before_s = self._hearing.intrusion()
            self._judge.overhear(self._hearing.position, said, before_s=before_s, over=over)

    def _turn_down(self, soft: bool) -> None:
        if soft != self._soft:
            self._soft = soft
            self._soften(soft)
