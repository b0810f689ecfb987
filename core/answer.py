"""Answer: where the dialogue's thread puts a reply, and what the conversation learns of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.channel import Closed
from core.dialogue.protocol import Verdict
from core.marks import Step
from core.media import SpeechSegment

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.errors import LiveTalkError
    from core.marks import Marks
    from core.media import Samples, Turn


@dataclass(frozen=True, eq=False)
class UserWords:
    turn: Turn
    text: str


@dataclass(frozen=True, eq=False)
class Spoke:
    turn: Turn
    text: str
    samples: int


@dataclass(frozen=True, eq=False)
class Aside:
    """Something is said while the answer is awaited; `turn` is its own. Without samples it is only shown."""

    turn: Turn
    text: str
    samples: int


@dataclass(frozen=True, eq=False)
class Ended:
    turn: Turn
    verdict: Verdict
    error: LiveTalkError | None


@dataclass(frozen=True, eq=False)
class Anew:
    turn: Turn


@dataclass(frozen=True, eq=False)
class Told:
    """Something about whoever answers that the person should know; the answer goes on."""

    turn: Turn
    error: LiveTalkError


Report = UserWords | Spoke | Aside | Anew | Told | Ended


@dataclass(frozen=True)
class Sounding:
    """The pieces of the current reply, for captions. Replaced, never changed. `written`: nobody says them."""

    turn: Turn
    pieces: tuple[tuple[str, int], ...]
    written: bool = False


class Sink(Protocol):
    """Where the speech of an answer goes."""

    def put(self, segment: SpeechSegment) -> bool: ...


class Output(Sink, Protocol):
    """What the conversation asks of the playback and the sound: where a turn's sound has got to, and silence now."""

    def drop(self, turn: Turn) -> None: ...

    def pending(self, turn: Turn) -> bool: ...

    def heard(self, turn: Turn) -> int: ...

    def shown(self, turn: Turn) -> bool: ...

    def soften(self, soft: bool) -> None:
        """The avatar's voice is softer until it is known who has the floor, or loud again."""
        ...

    def silence(self, turn: Turn) -> int:
        """Cut the turn's sound at once; returns how many of its samples were heard."""
        ...


class Answer:
    """Where the dialogue's thread puts an answer (`core.dialogue.protocol.Reply`)."""

    def __init__(self, turn: Turn, report: Callable[[Report], None], sink: Sink, marks: Marks) -> None:
        self.turn = turn
        self._report = report
        self._sink = sink
        self._marks = marks

    def user_said(self, text: str) -> None:
        if Step.FIRST_TEXT not in self._marks.steps(self.turn.number):  # later, nobody waited for it
            self._marks.mark(self.turn.number, Step.RECOGNISED)
        self._report(UserWords(self.turn, text))

    def worded(self) -> None:
        self._marks.mark(self.turn.number, Step.FIRST_TEXT)

    def speak(self, samples: Samples, text: str) -> bool:
        if self.turn.cancelled:
            return False
        if text:
            self._marks.mark(self.turn.number, Step.FIRST_TEXT)
        if len(samples):
            self._marks.mark(self.turn.number, Step.FIRST_SOUND)
        self._report(Spoke(self.turn, text, len(samples)))
        return self._put(SpeechSegment(self.turn, samples, text))

    def aside(self, samples: Samples, text: str) -> bool:
        turn = self.turn.aside()
        if turn.cancelled or (len(samples) and not self._put(SpeechSegment(turn, samples, text, last=True))):
            return False
        self._report(Aside(turn, text, len(samples)))
        return True

    def anew(self) -> None:
        self._report(Anew(self.turn))

    def tell(self, error: LiveTalkError) -> None:
        self._report(Told(self.turn, error))

    def finish(self, verdict: Verdict = Verdict.OK) -> None:
        self._end(Ended(self.turn, verdict, None))

    def fail(self, error: LiveTalkError) -> None:
        self._end(Ended(self.turn, Verdict.CUT, error))

    def _end(self, ended: Ended) -> None:
        if self.turn.cancelled:
            return
        self._put(SpeechSegment(self.turn, np.zeros(0, np.float32), "", last=True))
        self._report(ended)

    def _put(self, segment: SpeechSegment) -> bool:
        """A conversation that has ended wants nothing any more."""
        try:
            return self._sink.put(segment)
        except Closed:
            return False
