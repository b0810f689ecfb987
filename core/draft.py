"""Draft: an answer asked for while the person pauses, held back until it is known that they have finished."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from core.answer import Answer, Aside, Spoke
from core.media import SpeechSegment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.answer import Report, Sink
    from core.dialogue.protocol import Dialogue, Message
    from core.marks import Marks
    from core.media import Turn


class Draft:
    """Asks `dialogue` to answer `turn` at once; what comes waits for `release`, or is lost with `withdraw`. Both are
    called by the conversation."""

    def __init__(
        self,
        turn: Turn,
        messages: Sequence[Message],
        dialogue: Dialogue,
        report: Callable[[Report], None],
        sink: Sink,
        marks: Marks,
    ) -> None:
        self.turn = turn
        self.dialogue = dialogue
        self._report = report
        self._sink = sink
        self._kept: deque[Report | SpeechSegment] = deque()
        self._released = False
        self._lock = threading.Lock()
        dialogue.start(turn, messages, Answer(turn, self._tell, self, marks), draft=True)

    def put(self, segment: SpeechSegment) -> bool:
        """Any thread: as `core.answer.Sink`, never waiting before the release."""
        with self._lock:
            if not self._released:
                self._kept.append(segment)
                return not self.turn.cancelled
        return self._sink.put(segment)

    def release(self) -> None:
        """The person has finished: the answer goes where answers go."""
        self.dialogue.release(self.turn)
        with self._lock:
            answered = any(isinstance(kept, Spoke) for kept in self._kept)
            while self._kept:
                kept = self._kept.popleft()
                if answered and (isinstance(kept, Aside) or (kept.turn is not self.turn)):
                    continue  # nobody had to wait for the answer
                if isinstance(kept, SpeechSegment):
                    self._sink.put(kept)
                else:
                    self._report(kept)
            self._released = True

    def withdraw(self) -> None:
        """The person went on: nobody will hear of it."""
        self.turn.cancel()
        self.dialogue.cancel(self.turn)
        with self._lock:
            self._kept.clear()

    def _tell(self, report: Report) -> None:
        with self._lock:
            if not self._released:
                self._kept.append(report)
                return
        self._report(report)
