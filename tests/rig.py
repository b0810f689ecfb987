"""A whole conversation stepped by hand in one thread: the test owns time, so nothing sleeps and nothing is luck."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.audio.software import SoftwareSound
from core.channel import TimedOut
from core.commands import Appear
from core.listening.finished import Words
from core.media import CAPTURE_RATE, AudioChunk, MediaFormat
from core.scribe import no_words
from core.session import Session
from core.session_parts import Parts
from core.settings import Settings, changed
from tests.fakes import PER_FRAME, RATE, Events, PaintingPerformer, ScriptedDialogue

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.dialogue.history import History
    from core.media import Samples, Turn

TICK_S = 0.01


class ScriptedEar:
    """What the models of the ear would say: the same of every pause and of every word into a reply."""

    def __init__(self, finished: float = 0.5, text: str = "", closing: float = 0.0, sure: float = 0.0) -> None:
        self.finished = finished
        self.words = Words(text, sure if text == "" else sure or 0.9, closing)

    def ending(self, samples: Samples) -> float:
        return self.finished

    def understand(self, speech: AudioChunk, wanted: Callable[[], bool]) -> Words:
        return self.words


class LoudnessVad:
    """Loud is speech: the scripted microphone says tones."""

    def __call__(self, chunk: AudioChunk) -> float:
        return 1.0 if float(np.abs(chunk.samples).max()) > 0.05 else 0.0

    def reset(self) -> None:
        pass


class ConversationRig:
    """Session whose threads are never started: `crank` runs sound, conversation and renderer by turns."""

    def __init__(
        self,
        dialogue: ScriptedDialogue | None = None,
        settings: Settings | None = None,
        history: History | None = None,
        question: Turn | None = None,
        ear: ScriptedEar | None = None,
        drafts: bool = False,
    ) -> None:
        self.time = 0.0
        self.dialogue = dialogue or ScriptedDialogue()
        self.here = ScriptedDialogue(pieces=(("I answer from here.", 0.5),))
        self.events = Events()
        self.performer = PaintingPerformer()
        self.heard: list[Samples] = []
        self.device = SoftwareSound(lambda: self.time, self.heard.append)
        self.session = Session(
            changed(settings or Settings(), "audio", echo="off"),
            self.events,
            Parts(
                performer=lambda _: self.performer,
                picture=lambda _: np.zeros((64, 64, 3), np.uint8),
                portrait_name=lambda key: Path(key).stem.title(),
                dialogue=lambda *_: self.dialogue,
                built_in=lambda *_: self.here,
                introduce=lambda *_: None,
                device=lambda _: self.device,
                media=lambda _: MediaFormat(),
                vad=LoudnessVad,
                transcribe=no_words,
                ending=(lambda: ear.ending) if ear else None,
                understand=ear.understand if ear else None,
                drafts=lambda _: drafts,
                now=lambda: self.time,
            ),
            greet=False,
            history=history,
            question=question,
        )
        self.session.renderer.performer.set_result(self.performer)
        self.performance = self.performer.open(self.performer.prepare(np.zeros((64, 64, 3), np.uint8)), 0)
        self.session.conversation.tell(Appear(greet=False))
        self.judge = self.session.judge
        if self.judge:
            self.judge.open()

    def crank(self, seconds: float) -> None:
        session = self.session
        for _ in range(round(seconds / TICK_S)):
            self.time += TICK_S
            session.sound.step()
            if self.judge:
                with suppress(TimedOut):
                    self.judge.step(0.0)
            for _ in range(8):
                session.conversation.step(0.0)
            while session.player.stock < 12 * PER_FRAME and (
                session.track.speech_ready or session.player.stock <= session.track.lead
            ):
                session.renderer.step(self.performance)
            session.frame_due()

    def speak(self, seconds: float) -> None:
        """The person speaks for `seconds`, beginning now; the time is cranked."""
        count = round(seconds * CAPTURE_RATE)
        voice = (0.5 * np.sin(2 * np.pi * 200 * np.arange(count) / CAPTURE_RATE)).astype(np.float32)
        self.device.play_into_microphone(voice)
        self.crank(seconds)

    @property
    def sound(self) -> Samples:
        """Everything the loudspeaker played, at `RATE`."""
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.float32)

    def loud(self, since_s: float, until_s: float) -> bool:
        return bool(np.abs(self.sound[int(since_s * RATE) : int(until_s * RATE)]).max(initial=0) > 0.05)
