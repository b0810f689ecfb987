"""What the tests of the built-in companion share: where the models are, a reply that keeps what it is told, a voice."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from core.dialogue.protocol import Message, Verdict
from core.dialogue.voice import Flite
from core.media import AudioChunk, Turn
from core.settings import models_folder

if TYPE_CHECKING:
    from core.dialogue.embedded import EmbeddedDialogue
    from core.errors import LiveTalkError
    from core.media import Samples

NOON = datetime(2026, 11, 21, 12, 34)
LIMIT_S = 60.0

needs_models = pytest.mark.skipif(
    not all((models_folder() / name).is_dir() for name in ("moonshine", "smollm2")),
    reason="the models are not here: make models",
)
needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


@dataclass
class KeptReply:
    """A `Reply` that keeps everything in order. `cancel_after` pieces the turn is cancelled, as by a barge-in."""

    turn: Turn
    cancel_after: int | None = None
    calls: list[str] = field(default_factory=list[str])
    words: str = ""
    text: str = ""
    samples: int = 0
    verdict: Verdict | None = None
    error: LiveTalkError | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def worded(self) -> None:
        pass

    def anew(self) -> None:
        pass

    def tell(self, error: LiveTalkError) -> None:
        pass

    def aside(self, samples: Samples, text: str) -> bool:
        return True

    def user_said(self, text: str) -> None:
        self.calls.append("user_said")
        self.words = text

    def speak(self, samples: Samples, text: str) -> bool:
        self.calls.append("speak")
        self.text += text
        self.samples += len(samples)
        if self.calls.count("speak") == self.cancel_after:
            self.turn.cancel()
            self.over.set()
        return not self.turn.cancelled

    def finish(self, verdict: Verdict = Verdict.OK) -> None:
        self.calls.append("finish")
        self.verdict = verdict
        self.over.set()

    def fail(self, error: LiveTalkError) -> None:
        self.calls.append("fail")
        self.error = error
        self.over.set()


def exchange(
    dialogue: EmbeddedDialogue, speech: AudioChunk | str | None, history: list[Message] | None = None, **kept: int
) -> KeptReply:
    """One turn, to its end."""
    reply = KeptReply(Turn(1, speech), **kept)
    dialogue.start(reply.turn, history or [], reply)
    assert reply.over.wait(LIMIT_S), "the companion did not answer"
    return reply


def spoken(text: str, start: int = 0) -> AudioChunk:
    """Somebody else's voice saying `text` into the microphone."""
    said = Flite("slt").say(text)
    return AudioChunk(said.samples, start)
