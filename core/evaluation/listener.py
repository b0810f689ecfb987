"""Listener: the product's ear in a scene that is faster than time, with answers as late as on a busy machine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.channel import TimedOut
from core.dialogue.recognizer import Recognizer
from core.hearing import Hearing
from core.intrusion import Intrusion
from core.listening.finished import Words
from core.listening.judge import Judge, Judged, Overheard
from core.listening.turns import Floor, TurnRules, TurnTaker
from core.media import CAPTURE_RATE
from core.settings import models_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.errors import LiveTalkError
    from core.listening.vad import Vad
    from core.media import AudioChunk

log = logging.getLogger(__name__)
ANSWER_S = 0.06
"""From a question to the recogniser to its answer: 20 ms on an idle core."""


class Listener:
    """Voice detector, rules of the turn, and the judge of what is said into a reply. One thread."""

    def __init__(self, vad: Vad, soften: Callable[[bool], None]) -> None:
        vad.reset()
        self._recognizer = Recognizer(models_folder() / "moonshine")
        self._hearing = Hearing(vad, TurnTaker(TurnRules()))
        self._judge = Judge(lambda: lambda _: 0.5, self._understand, self._report, self._trouble)
        self._judge.open()
        self._intrusion = Intrusion(self._hearing, self._judge, soften)
        self._answers: list[tuple[int, Overheard]] = []

    @property
    def position(self) -> int:
        """Capture samples heard so far."""
        return self._hearing.position

    def hear(self, chunk: AudioChunk, *, avatar_speaks: bool) -> list[Floor]:
        """What changed with this piece of sound; a word that turned out to be a turn is SPEAKING, for it ends the
        reply as well."""
        changes = [self._hearing.hear(chunk, avatar_speaks=avatar_speaks), *self._answered()]
        match changes[0]:
            case Floor.INTRUDING:
                self._intrusion.begins()
            case Floor.WITHDREW:
                self._intrusion.withdrew()
            case Floor.SPEAKING:
                self._intrusion.ends()
            case _:
                pass
        self._intrusion.follow()
        self._ask()
        return [change for change in changes if change is not Floor.NOTHING]

    def _answered(self) -> list[Floor]:
        due = [answer for at, answer in self._answers if at <= self.position]
        self._answers = [(at, answer) for at, answer in self._answers if at > self.position]
        changes = [self._intrusion.overheard(answer) for answer in due]
        return [Floor.SPEAKING for change in changes if change is not Floor.NOTHING]

    def _ask(self) -> None:
        try:
            self._judge.step(0.0)
        except TimedOut:
            return

    def _trouble(self, error: LiveTalkError) -> None:
        log.warning("%s %s", error, error.detail)

    def _report(self, answer: Judged | Overheard) -> None:
        if isinstance(answer, Overheard):
            self._answers = [(self.position + int(ANSWER_S * CAPTURE_RATE), answer)]

    def _understand(self, speech: AudioChunk, wanted: Callable[[], bool]) -> Words:
        heard = self._recognizer(speech.samples, wanted)
        return Words(heard.text, heard.confidence, heard.closing, heard.states)
