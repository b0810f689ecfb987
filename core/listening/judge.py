"""Judge: asks the models whether somebody who paused has finished, and whether words into a reply were meant for it."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.channel import Channel
from core.errors import LiveTalkError
from core.listening.claims import Leaning, claims_surely, claims_the_floor, is_sign_so_far, was_sign
from core.listening.finished import Finished
from core.media import CAPTURE_RATE, AudioChunk
from core.settings import assets_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.listening.finished import Words
    from core.media import Samples

log = logging.getLogger(__name__)
STILLNESS = np.zeros(CAPTURE_RATE // 5, np.float32)
"""Both models are surer of an end that silence follows; nobody has to wait for silence that can be made."""


def is_padded(judged: Samples, speech: Samples) -> bool:
    """Whether `judged` is what the judge made of `speech`, give or take the silence at the end of either."""
    shorter = len(judged) - len(speech)
    same = min(len(judged) - len(STILLNESS), len(speech))
    return CAPTURE_RATE // 20 <= shorter <= CAPTURE_RATE // 4 and np.array_equal(judged[:same], speech[:same])


class Understand(Protocol):
    """The words of `speech`; returns early, with what it has, once `wanted` is false.

    Raises:
        LiveTalkError: there is no model to understand with.
    """

    def __call__(self, speech: AudioChunk, wanted: Callable[[], bool]) -> Words: ...


@dataclass(frozen=True)
class Judged:
    """The turn that paused at the capture position `at` is finished with this probability; None: nobody can tell."""

    at: int
    finished: float | None


@dataclass(frozen=True)
class Overheard:
    """What was said into the reply, as asked for at the position `at`: a sign of listening or not; None: nobody can
    tell. `over`: they had fallen silent. `claims`: it began as people begin who want the reply to stop; `surely`: there
    is no need to ask twice."""

    at: int
    sign: bool | None
    over: bool
    claims: bool = False
    surely: bool = False


class Judge:
    """Runs on the thread "judge"; the other methods may be called from any thread and return at once. The newest
    question counts: one that waits is forgotten, one under way is given up.

    Args:
        load: makes what gives the probability that a turn is over by its sound (`TurnEnding`), on the judge's thread.
        understand: the words of it.
        report: told every answer, on the judge's thread.
        trouble: told what is missing, once each.
    """

    def __init__(
        self,
        load: Callable[[], Callable[[Samples], float]],
        understand: Understand,
        report: Callable[[Judged | Overheard], None],
        trouble: Callable[[LiveTalkError], None],
    ) -> None:
        self._load = load
        self._ending: Callable[[Samples], float] | None = None
        self._weigh: Finished | None = None
        self._leaning: Leaning | None = None
        self._understand: Understand | None = understand
        self._report = report
        self._trouble = trouble
        self._inbox: Channel[_Question] = Channel(4)
        self._newest: _Question | None = None

    def pause(self, at: int, speech: AudioChunk) -> None:
        """Has the person finished, who said `speech` and fell silent? Ends in `Judged`."""
        self._ask(_Question(at, speech, None))

    def overhear(self, at: int, speech: AudioChunk, *, before_s: float, over: bool) -> None:
        """Was `speech`, said into the reply, meant for the avatar? The voice in it begins after `before_s`. Ends in
        `Overheard`."""
        self._ask(_Question(at, speech, over, before_s))

    def give_up(self) -> None:
        """Nobody waits for an answer any more."""
        self._inbox.drop(lambda _: True)
        if newest := self._newest:
            newest.void.set()

    def run(self) -> None:
        """Until stopped.

        Raises:
            Closed: `stop` was called.
        """
        self.open()
        while True:
            self.step()

    def open(self) -> None:
        """Load what can be loaded, and use it once so that the first pause finds it warm; what is missing is told."""
        still = _Question(0, AudioChunk(STILLNESS, 0), None)
        try:
            self._weigh = Finished.read(assets_folder() / "models" / "turns")
        except LiveTalkError as error:
            self._trouble(error)
        try:
            self._leaning = Leaning.read(assets_folder() / "models" / "intrusion")
        except LiveTalkError as error:
            self._trouble(error)
        try:
            self._ending = self._load()
        except LiveTalkError as error:
            self._trouble(error)
        self._finished(still)

    def step(self, timeout_s: float | None = None) -> None:
        """Answer one question.

        Raises:
            Closed: `stop` was called.
            TimedOut: there was none in time.
        """
        question = self._inbox.take(timeout_s)
        if question.over is None:
            answer = Judged(question.at, self._finished(question))
        else:
            answer = self._overheard(question.at, question.over, question)
        if question.wanted():
            self._report(answer)

    def stop(self) -> None:
        self.give_up()
        self._inbox.close()

    def _ask(self, question: _Question) -> None:
        self.give_up()
        self._newest = question
        self._inbox.offer(question)

    def _finished(self, question: _Question) -> float | None:
        whole = np.concatenate([question.speech.samples, STILLNESS])
        words = self._words(question, AudioChunk(whole, question.speech.start))  # first: whoever answers wants them too
        tone = self._ending(whole) if self._ending and question.wanted() else None
        return self._weigh(tone, words) if self._weigh else tone

    def _overheard(self, at: int, over: bool, question: _Question) -> Overheard:
        words = self._words(question, question.speech)
        if words is None:
            return Overheard(at, None if over else False, over)
        leaning = self._lean(question, words)
        if over:
            return Overheard(at, was_sign(words, leaning), over)
        claims = claims_the_floor(words, leaning)
        return Overheard(at, is_sign_so_far(words, leaning), over, claims, surely=claims_surely(leaning))

    def _lean(self, question: _Question, words: Words) -> float | None:
        if self._leaning is None or words.states is None:
            return None
        voice_s = len(question.speech.samples) / CAPTURE_RATE - question.before_s
        return self._leaning(words.states, question.before_s, voice_s)

    def _words(self, question: _Question, speech: AudioChunk) -> Words | None:
        if self._understand is None or not question.wanted():
            return None
        try:
            return self._understand(speech, question.wanted)
        except LiveTalkError as error:
            log.info("turns are judged without their words: %s", error.problem)
            self._understand = None
            return None


@dataclass(frozen=True, eq=False)
class _Question:
    """`over` is None for a pause in a turn."""

    at: int
    speech: AudioChunk
    over: bool | None
    before_s: float = 0.0
    void: threading.Event = field(default_factory=threading.Event)

    def wanted(self) -> bool:
        return not self.void.is_set()
