"""Scribe: writes down what the person says while they say it, as far as it is understood."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from core.channel import Channel
from core.errors import LiveTalkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import AudioChunk

log = logging.getLogger(__name__)


class Transcribe(Protocol):
    """The words in recorded speech, empty when none can be made out; returns early once `wanted` is false.

    Raises:
        LiveTalkError: there is no model to hear with.
    """

    def __call__(self, speech: AudioChunk, wanted: Callable[[], bool]) -> str: ...


def no_words(speech: AudioChunk, wanted: Callable[[], bool]) -> str:
    """Nothing is written down."""
    return ""


@dataclass(frozen=True, eq=False)
class Glimpsed:
    """The first words of a turn that is still being spoken; `start` is the capture sample it began at."""

    start: int
    text: str


class Scribe:
    """Runs on the thread "scribe". `listen` and `rest` may be called from any thread and return at once.

    Args:
        report: told what was understood, on the scribe's thread.
    """

    def __init__(self, transcribe: Transcribe, report: Callable[[Glimpsed], None]) -> None:
        self._transcribe = transcribe
        self._report = report
        self._inbox: Channel[AudioChunk] = Channel(2)
        self._resting = threading.Event()
        self._deaf = False

    def listen(self, speech: AudioChunk) -> None:
        """Write down `speech`, all of the turn so far; what waits to be written down is forgotten."""
        self._resting.clear()
        self._inbox.drop(lambda _: True)
        self._inbox.offer(speech)

    def rest(self) -> None:
        """The person paused: whoever answers needs the processor. What is under way is given up."""
        self._resting.set()
        self._inbox.drop(lambda _: True)

    def run(self) -> None:
        """Until stopped.

        Raises:
            Closed: `stop` was called.
        """
        while True:
            self.step()

    def step(self) -> None:
        """Write down one piece of speech."""
        speech = self._inbox.take()
        if self._deaf:
            return
        try:
            words = self._transcribe(speech, lambda: not self._resting.is_set())
        except LiveTalkError as error:
            log.info("the person's words are not shown while they speak: %s", error.problem)
            self._deaf = True
            return
        if words and not self._resting.is_set():
            self._report(Glimpsed(speech.start, words))

    def stop(self) -> None:
        self._resting.set()
        self._inbox.close()
