"""Person: what somebody does with their voice, and what the conversation has to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.intrusion import Intrusion
from core.listening.turns import Floor
from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.hearing import Hearing
    from core.listening.judge import Judge, Judged, Overheard
    from core.listening.turns import TurnRules
    from core.media import Turn
    from core.memory import Spoken
    from core.scribe import Glimpsed, Scribe

_GLIMPSE_EVERY = int(0.8 * CAPTURE_RATE)
_STILL_THE_SAME = 3 * CAPTURE_RATE
"""Silence after which what is said next is a new turn, though the answer to the last one has not begun to sound."""
_LONGEST_CONTINUED = 30 * CAPTURE_RATE
"""What was said before is asked again together with what follows it up to this length; else a voice without end, a
television's, would never be answered."""
_LONGEST_SEAM = int(0.4 * CAPTURE_RATE)


class Answerer(Protocol):
    """What a person's voice makes a conversation do."""

    def interrupt(self, *, unfinished: bool = False) -> None:
        """Whatever is being said, or prepared, ends; `unfinished`: the question it answers was not over."""
        ...

    def prepare(self, speech: AudioChunk) -> None:
        """They paused after `speech` and may have finished."""
        ...

    def draft(self, speech: AudioChunk, again: Turn | None) -> None:
        """They probably have: ask already, and keep the answer to yourself. `again` as for `answer`."""
        ...

    def go_on(self) -> None:
        """They have not: forget what was prepared."""
        ...

    def answer(self, speech: AudioChunk, silence_s: float, again: Turn | None) -> None:
        """They have finished, that long ago. `again` is the turn whose question this completes."""
        ...


class Person:
    """Conversation thread only; `words`, what they say at this moment, may be read from any thread."""

    def __init__(
        self,
        hearing: Hearing,
        scribe: Scribe,
        judge: Judge | None,
        answerer: Answerer,
        soften: Callable[[bool], None],
    ) -> None:
        self._hearing = hearing
        self._scribe = scribe
        self._judge = judge
        self._answerer = answerer
        self._intrusion = Intrusion(hearing, judge, soften)
        self._unfinished: Turn | None = None
        self._glimpsed = 0
        self.words = ""

    @property
    def speaking(self) -> bool:
        """They have the floor."""
        return self._hearing.speaking

    def listen(self, chunk: AudioChunk, reply: Spoken | None, *, aside: bool = False) -> None:
        """The next sound of the microphone, while `reply` is being given or prepared; `aside`: the avatar speaks, and
        it is not the reply."""
        change = self._hearing.hear(chunk, avatar_speaks=aside or (reply is not None and reply.sounding))
        match change:
            case Floor.INTRUDING:
                self._intrusion.begins()
            case Floor.WITHDREW:
                self._intrusion.withdrew()
            case Floor.SPEAKING:
                self._take_floor(reply)
            case Floor.PAUSED:
                self._pause()
            case Floor.RESUMED:
                self._go_on()
            case Floor.QUIET:
                self._end()
            case Floor.NOTHING:
                self._write_down()
        self._intrusion.follow()

    def judged(self, message: Judged) -> None:
        """Somebody told whether they have finished."""
        if self._hearing.judge(message.at, message.finished) is Floor.QUIET:
            self._end()
        elif message.finished is not None and self._hearing.probably_over(message.at, message.finished):
            self._answerer.draft(self._whole(self._hearing.so_far()), self._unfinished)

    def overheard(self, message: Overheard) -> None:
        """Somebody understood what they said into the reply."""
        change = self._intrusion.overheard(message)
        if change is Floor.QUIET:
            self._answerer.interrupt()
            self._end()
        elif change is Floor.SPEAKING:
            self._take_floor(None)

    def glimpsed(self, message: Glimpsed) -> None:
        """Somebody wrote down what they say."""
        if self._hearing.speaking and message.start == self._hearing.begin:
            self.words = message.text

    def hold(self, pressed: bool) -> None:
        """The talk key went down or up."""
        if pressed:
            self._answerer.interrupt()
            self._intrusion.ends()
            self._unfinished = None
            self._hearing.press()
            self._glimpsed, self.words = self._hearing.position, ""
        elif self._hearing.release() is Floor.QUIET:
            self._end()

    def follow(self, rules: TurnRules, hold_to_talk: bool) -> None:
        """Decide by these rules from here on."""
        self._hearing.follow(rules, hold_to_talk)

    def fall_silent(self) -> None:
        """The microphone was switched off, or another conversation begins: what they were saying is forgotten."""
        self._scribe.rest()
        self._go_on()
        self._intrusion.ends()
        self._hearing.forget()
        self._unfinished = None
        self.words = ""

    def reply_over(self) -> None:
        """There is no reply to speak into any more."""
        self._intrusion.ends()

    def _take_floor(self, reply: Spoken | None) -> None:
        self._unfinished = reply.turn if reply is not None and self._completes(reply) else None
        self._answerer.interrupt(unfinished=self._unfinished is not None)
        self._intrusion.ends()
        self._glimpsed, self.words = self._hearing.position, ""

    def _completes(self, reply: Spoken) -> bool:
        """What they begin to say belongs to the question that `reply`, of which nothing sounds yet, would answer."""
        speech = reply.turn.speech
        if reply.sounding or not isinstance(speech, AudioChunk) or len(speech.samples) > _LONGEST_CONTINUED:
            return False
        return self._hearing.begin - (speech.start + len(speech.samples)) < _STILL_THE_SAME

    def _pause(self) -> None:
        self._scribe.rest()
        speech = self._whole(self._hearing.so_far())
        if self._judge:
            self._judge.pause(self._hearing.position, speech)
        self._answerer.prepare(speech)

    def _go_on(self) -> None:
        if self._judge:
            self._judge.give_up()
        self._answerer.go_on()

    def _end(self) -> None:
        self._scribe.rest()
        if self._judge:
            self._judge.give_up()
        said, silence_s = self._hearing.speech()
        speech, again, self._unfinished = self._whole(said), self._unfinished, None
        if len(said.samples):
            self._answerer.answer(speech, silence_s, again)

    def _whole(self, speech: AudioChunk) -> AudioChunk:
        """`speech`, and before it the part of the question that was taken for the whole."""
        before = self._unfinished.speech if self._unfinished else None
        if not isinstance(before, AudioChunk):
            return speech
        seam = min(_LONGEST_SEAM, max(0, speech.start - before.start - len(before.samples)))
        return AudioChunk(
            np.concatenate([before.samples, np.zeros(seam, np.float32), speech.samples]),
            before.start,
        )

    def _write_down(self) -> None:
        """What they say is shown while they say it."""
        if self._hearing.speaking and self._hearing.position - self._glimpsed >= _GLIMPSE_EVERY:
            self._glimpsed = self._hearing.position
            self._scribe.listen(self._hearing.so_far())
