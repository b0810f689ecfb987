"""Whether sound and picture are in step, and how soon an interruption is silent, measured where they leave."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from app.commands.painting import FPS, LEVELS, PaintingPerformer, level_heard, level_seen, levelled
from app.commands.talk import LOOK_S, Talk
from core.audio.software import SoftwareSound
from core.events import Interrupted
from core.media import MEDIA_RATE, MediaFormat
from core.scribe import no_words
from core.session import Session
from core.session_parts import Parts
from core.settings import Settings, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.commands.terminal import Terminal
    from core.dialogue.protocol import Message, Reply
    from core.events import SessionEvent
    from core.media import AudioChunk, Samples, Turn

STEP_S = 20.0
INTERRUPTIONS = 5
_CUT_AFTER_S = 1.5
_CUT_WATCHED_S = 1.0
_PER_FRAME = MEDIA_RATE // FPS
_EDGE = _PER_FRAME // 5
"""The first level rises from silence."""
_IN_STEP_MS = 40.0
_AMBIGUOUS_S = LEVELS / FPS / 2
"""Levels return: a sound further away than this belongs to another picture."""


def measure_step(terminal: Terminal) -> dict[str, float]:
    """Milliseconds by which each picture follows its sound (negative: comes before), and of interruptions."""
    tape = Tape()
    sound = SoftwareSound(time.perf_counter, tape.take)
    tape.began = time.perf_counter()
    events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    with Session(silent_settings(), events.put, levels_parts(sound, STEP_S), private=True, greet=False) as session:
        talk = Talk(session, sound, events, terminal.say, time.perf_counter)
        talk.begin()
        seen = watch(session, talk, STEP_S, lambda part: terminal.progress("Step", part, 1))
        step = in_step(tape, seen)
        before = session.statistics()
        cuts = [_interrupt(session, talk, tape) for _ in range(INTERRUPTIONS)]
    total = before.shown + before.dropped
    return {
        **step.figures(),
        "drift_ms": float(np.median(step.lags[-50:]) - np.median(step.lags[:50])) if step.lags else float("nan"),
        "late_percent": 100 * before.late / total,
        "dropped": before.dropped,
        "underruns": before.underruns,
        "barge_in_silent_worst_ms": max(cut.silent_ms for cut in cuts),
        "barge_in_listening_worst_ms": max(cut.listening_ms for cut in cuts),
    }


@dataclass(frozen=True)
class InStep:
    """Pictures of speech compared with their sound.

    Args:
        lags: milliseconds by which each picture follows its sound.
        faults: pictures whose sound was not heard, or more than a second away.
    """

    lags: list[float]
    faults: int

    def figures(self) -> dict[str, float]:
        """Percentiles in milliseconds; without a picture that belongs to a sound only the counts."""
        counts: dict[str, float] = {"frames_matched": len(self.lags), "faults": self.faults}
        if not self.lags:
            return counts
        within = float(np.mean(np.abs(self.lags) <= _IN_STEP_MS)) * len(self.lags) / (len(self.lags) + self.faults)
        return counts | {
            "lag_p50_ms": float(np.percentile(self.lags, 50)),
            "lag_p95_ms": float(np.percentile(self.lags, 95)),
            "lag_worst_ms": float(max(self.lags, key=abs)),
            "within_40_ms_percent": 100 * within,
        }


@dataclass
class Tape:
    """What left the loudspeaker, addressed by device samples. Written on the sound thread, read on another."""

    began: float = 0.0
    pieces: list[Samples] = field(default_factory=lambda: list[np.ndarray]())
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, samples: Samples) -> None:
        with self._lock:
            self.pieces.append(samples)

    def forget(self) -> None:
        """Let go of the sound so far; moments stay what they were."""
        with self._lock:
            self.began += sum(map(len, self.pieces)) / MEDIA_RATE
            self.pieces.clear()

    def sound(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *tuple(self.pieces)])

    def when(self, sample: int) -> float:
        """The moment at which this sample was audible: the device is paced by the clock."""
        return self.began + sample / MEDIA_RATE


@dataclass(frozen=True)
class Seen:
    level: int
    at: float


@dataclass(frozen=True)
class _Cut:
    silent_ms: float
    listening_ms: float


class _Recital:
    """Answers every turn with the same levelled sound."""

    def __init__(self, seconds: float) -> None:
        self._samples = levelled(round(seconds * FPS))

    def anticipate(self, speech: AudioChunk) -> None:
        pass

    def start(self, turn: Turn, history: Sequence[Message], reply: Reply, *, draft: bool = False) -> None:
        reply.speak(self._samples, "levels")
        reply.finish()

    def release(self, turn: Turn) -> None:
        pass

    def cancel(self, turn: Turn) -> None:
        pass

    def heard(self, turn: Turn, text: str, seconds: float) -> None:
        pass

    def forget(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Deaf:
    def __call__(self, chunk: AudioChunk) -> float:
        return 0.0

    def reset(self) -> None:
        pass


def silent_settings() -> Settings:
    """For a device whose microphone hears nothing."""
    return changed(Settings(), "audio", echo="off")


def levels_parts(sound: SoftwareSound, seconds: float) -> Parts:
    """A conversation whose every answer is so many seconds of levels, painted."""
    recital = _Recital(seconds)
    return Parts(
        performer=lambda _: PaintingPerformer(),
        picture=lambda _: np.zeros((1, 1, 3), np.uint8),
        portrait_name=str,
        dialogue=lambda *_: recital,
        built_in=lambda *_: recital,
        introduce=lambda *_: None,
        device=lambda _: sound,
        media=lambda _: MediaFormat(),
        vad=_Deaf,
        transcribe=no_words,
    )


def watch(session: Session, talk: Talk, seconds: float, tell: Callable[[float], None] = lambda _: None) -> list[Seen]:
    """Say something and note when each picture of the answer, `seconds` long, is first shown; `tell` how far it is."""
    session.say("levels")
    seen: list[Seen] = []
    last = None
    started = time.perf_counter()
    while (now := time.perf_counter()) < started + seconds + 1.0:
        talk.look(LOOK_S / 4)
        frame = session.frame_due()
        if frame is not None and frame is not last:
            last = frame
            seen.append(Seen(level_seen(frame.pixels), time.perf_counter()))
        tell((now - started) / (seconds + 1.0))
    return seen


def in_step(tape: Tape, seen: Sequence[Seen]) -> InStep:
    """Each picture of speech with its sound: the nearest of the same level."""
    sound = tape.sound()
    quantised = np.rint(np.abs(sound) * 100).astype(np.int32)
    starts = np.flatnonzero(np.diff(quantised, prepend=0) != 0)
    moments: dict[int, list[float]] = {}
    for start in starts:
        piece = sound[start + _EDGE : start + _EDGE + _PER_FRAME // 2]
        if len(piece) == _PER_FRAME // 2 and np.ptp(piece) < 1e-3 and (level := level_heard(piece)):
            moments.setdefault(level, []).append(tape.when(int(start)))
    spoken = [picture for picture in seen if picture.level]
    nearest = [
        min((picture.at - moment for moment in moments.get(picture.level, ())), key=abs, default=_AMBIGUOUS_S)
        for picture in spoken
    ]
    lags = [1000 * lag for lag in nearest if abs(lag) < _AMBIGUOUS_S]
    return InStep(lags, len(spoken) - len(lags))


def _interrupt(session: Session, talk: Talk, tape: Tape) -> _Cut:
    """Interrupt a reply and find when the last of it was audible and the first idle picture was shown."""
    session.say("levels")
    started = time.perf_counter()
    while time.perf_counter() < started + _CUT_AFTER_S:
        talk.look()
    decided = time.perf_counter()
    session.interrupt()
    listening = float("inf")
    while time.perf_counter() < decided + _CUT_WATCHED_S:
        event = talk.look(LOOK_S / 4)
        frame = session.frame_due()
        if frame is not None and frame.turn is None:
            listening = min(listening, time.perf_counter())
        if isinstance(event, Interrupted):
            assert event.heard_s > 0, "the reply was cut before any of it was heard"
    audible = np.flatnonzero(np.abs(tape.sound()) > 1e-4)
    return _Cut(1000 * max(0.0, tape.when(int(audible[-1]) + 1) - decided), 1000 * (listening - decided))
