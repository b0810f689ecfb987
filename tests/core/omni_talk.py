"""Talking to a scripted endpoint: a listener that keeps what it is given, and one-line turns."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from core.dialogue.client import Patience
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Message, Verdict
from core.errors import LiveTalkError, ServerError
from core.media import AudioChunk, Turn
from tests.core.omni_server import (
    DONE,
    USAGE,
    Event,
    Head,
    OmniServer,
    Script,
    Step,
    chunk,
    in_turn,
    tone,
    vllm_sound,
    vllm_words,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.dialogue.services import Local, Services
    from core.dialogue.verdicts import Verdicts
    from core.media import Samples

PCM = tone(0.5)
IMPATIENT = Patience(connect_s=1.0, sign_s=0.4, stall_s=0.7, loading_s=0.7, first_s=1.0, gap_s=0.4, turn_s=5.0)
FINISH = Event(chunk({"content": ""}, "stop"))
HELLO: tuple[Step, ...] = (Head(), vllm_words("Hello."), vllm_sound(wav(PCM)), FINISH, Event(USAGE), DONE)
KEY = "sk-a-very-secret-key"


class Heard:
    """A `Reply` that keeps what it is given and lets the test wait for the end."""

    def __init__(self, speech: AudioChunk | str | None = "Hi.", number: int = 1) -> None:
        self.turn = Turn(number, speech)
        self.said = ""
        self.text = ""
        self.samples: list[Samples] = []
        self.restarts = 0
        self.told: list[LiveTalkError] = []
        self.asides: list[tuple[str, Samples]] = []
        self.verdict: Verdict | None = None
        self.error: LiveTalkError | None = None
        self._ended = threading.Event()
        self.began = threading.Event()
        self.understood = threading.Event()
        self.interjected = threading.Event()

    def worded(self) -> None:
        pass

    def user_said(self, text: str) -> None:
        self.said = text
        self.understood.set()

    def speak(self, samples: Samples, text: str) -> bool:
        self.samples.append(samples)
        self.text += text
        if samples.size:
            self.began.set()
        return not self.turn.cancelled

    def aside(self, samples: Samples, text: str) -> bool:
        assert self.verdict is None
        assert self.error is None
        assert not any(piece.size for piece in self.samples)
        self.asides.append((text, samples))
        self.interjected.set()
        return not self.turn.cancelled

    def anew(self) -> None:
        assert not any(samples.size for samples in self.samples)
        self.text = ""
        self.restarts += 1

    def tell(self, error: LiveTalkError) -> None:
        self.told.append(error)

    def finish(self, verdict: Verdict = Verdict.OK) -> None:
        self.verdict = verdict
        self._ended.set()

    def fail(self, error: LiveTalkError) -> None:
        self.error = error
        self._ended.set()

    def wait(self) -> Heard:
        assert self._ended.wait(10)
        return self

    @property
    def pcm(self) -> bytes:
        joined = np.concatenate([*self.samples, np.zeros(0, np.float32)])
        assert joined.dtype == np.float32
        return (joined * 32768).astype("<i2").tobytes()


@contextmanager
def talking(
    script: Script,
    patience: Patience | None = None,
    models: Any = (("m", "vllm"),),
    *,
    local: Local | None = None,
    services: Services | None = None,
    verdicts: Verdicts | None = None,
    ask_for_words: bool = False,
    ears: Script | None = None,
    voice_of: Script | None = None,
    **endpoint: Any,
) -> Iterator[tuple[OmniServer, OmniDialogue]]:
    with OmniServer(script, models, ears, voice_of) as server:
        dialogue = OmniDialogue(
            Endpoint(**{"url": server.url, **endpoint}),
            patience,
            local=local,
            services=services,
            verdicts=verdicts,
            ask_for_words=ask_for_words,
        )
        try:
            assert not patience or server.wait_until(lambda: bool(server.asked))
            yield server, dialogue
        finally:
            dialogue.close()


def ask(dialogue: OmniDialogue, reply: Heard | None = None, history: Sequence[Message] = ()) -> Heard:
    reply = reply or Heard()
    dialogue.start(reply.turn, history, reply)
    return reply.wait()


def failure(
    *scripts: Sequence[Step], patience: Patience | None = None, **endpoint: Any
) -> tuple[ServerError, Heard, int]:
    """The error that scripts end in, what was heard before it, and how many requests were made."""
    with talking(in_turn(*scripts), patience, **endpoint) as (server, dialogue):
        reply = ask(dialogue)
        assert isinstance(reply.error, ServerError)
        return reply.error, reply, len(server.turns)


def spoken(seconds: float = 0.1) -> AudioChunk:
    return AudioChunk(np.sin(np.arange(round(16_000 * seconds)) / 10).astype(np.float32), 0)


def refused(status: int, message: str = "no", headers: tuple[tuple[str, str], ...] = (), **body: object) -> list[Step]:
    return [Head(status, headers, {"error": {"message": message, **body}})]
