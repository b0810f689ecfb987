"""Whether sound and picture are in step, and how soon an interruption is silent, measured where they leave."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from app.commands.painting import FPS, LEVELS, PaintingPerformer, level_heard, level_seen, levelled
from app.commands.talk import LOOK_S, Talk
from core.audio.software import SoftwareSound
from core.events import Interrupted
from core.media import MEDIA_RATE
from core.session import Parts, Session
from core.settings import Settings, changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.commands.terminal import Terminal
    from core.dialogue.protocol import Message, Reply
    from core.events import SessionEvent
    from core.media import AudioChunk, Samples, Turn

STEP_S = 20.0
INTERRUPTIONS = 5
_CUT_AFTER_S = 1.5
_CUT_WATCHED_S = 1.0
_PER_FRAME = MEDIA_RATE // FPS
_IN_STEP_MS = 40.0
_AMBIGUOUS_S = LEVELS / FPS / 2
"""Levels return: a sound further away than this belongs to another picture."""


def measure_step(terminal: Terminal) -> dict[str, float]:
    """Milliseconds by which each picture follows its sound (negative: comes before), and of interruptions."""
    tape = _Tape()
    sound = SoftwareSound(time.perf_counter, tape.take)
    tape.began = time.perf_counter()
    events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    with Session(_settings(), events.put, _parts(sound), private=True, greet=False) as session:
        talk = Talk(session, sound, events, terminal.say, time.perf_counter)
        talk.begin()
        seen = _watch(session, talk, STEP_S, terminal)
        lags = _lags(tape, seen)
        before = session.statistics()
        cuts = [_interrupt(session, talk, tape) for _ in range(INTERRUPTIONS)]
    total = before.shown + before.dropped
    return {
        "frames_matched": len(lags),
        "lag_p50_ms": float(np.percentile(lags, 50)),
        "lag_p95_ms": float(np.percentile(lags, 95)),
        "lag_worst_ms": float(max(lags, key=abs)),
        "within_40_ms_percent": 100 * float(np.mean(np.abs(lags) <= _IN_STEP_MS)),
        "drift_ms": float(np.median(lags[-50:]) - np.median(lags[:50])),
        "late_percent": 100 * before.late / total,
        "dropped": before.dropped,
        "underruns": before.underruns,
        "barge_in_silent_worst_ms": max(cut.silent_ms for cut in cuts),
        "barge_in_listening_worst_ms": max(cut.listening_ms for cut in cuts),
    }


@dataclass
class _Tape:
    """What left the loudspeaker, addressed by device samples. Written on the sound thread, read after."""

    began: float = 0.0
    pieces: list[Samples] = field(default_factory=lambda: list[np.ndarray]())

    def take(self, samples: Samples) -> None:
        self.pieces.append(samples)

    def sound(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *tuple(self.pieces)])

    def when(self, sample: int) -> float:
        """The moment at which this sample was audible: the device is paced by the clock."""
        return self.began + sample / MEDIA_RATE


@dataclass(frozen=True)
class _Seen:
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

    def start(self, turn: Turn, history: Sequence[Message], reply: Reply) -> None:
        reply.speak(self._samples, "levels")
        reply.finish()

    def cancel(self, turn: Turn) -> None:
        pass

    def close(self) -> None:
        pass


class _Deaf:
    def __call__(self, chunk: AudioChunk) -> float:
        return 0.0

    def reset(self) -> None:
        pass


def _settings() -> Settings:
    return changed(Settings(), "audio", echo="off")


def _parts(sound: SoftwareSound) -> Parts:
    recital = _Recital(STEP_S)
    return Parts(
        performer=lambda _: PaintingPerformer(),
        picture=lambda _: np.zeros((1, 1, 3), np.uint8),
        portrait_name=str,
        dialogue=lambda *_: recital,
        built_in=lambda *_: recital,
        introduce=lambda *_: None,
        device=lambda _: sound,
        vad=_Deaf,
    )


def _watch(session: Session, talk: Talk, seconds: float, terminal: Terminal) -> list[_Seen]:
    """Say something and note when each picture of the answer is first shown."""
    session.say("levels")
    seen: list[_Seen] = []
    last = None
    started = time.perf_counter()
    while (now := time.perf_counter()) < started + seconds + 1.0:
        talk.look(LOOK_S / 4)
        frame = session.frame_due()
        if frame is not None and frame is not last:
            last = frame
            seen.append(_Seen(level_seen(frame.pixels), time.perf_counter()))
        terminal.progress("Step", now - started, seconds + 1.0)
    return seen


def _lags(tape: _Tape, seen: Sequence[_Seen]) -> list[float]:
    """Milliseconds from the sound of each level to its picture; a picture belongs to the nearest sound of its level."""
    sound = tape.sound()
    quantised = np.rint(np.abs(sound) * 100).astype(np.int32)
    starts = np.flatnonzero(np.diff(quantised, prepend=0) != 0)
    moments: dict[int, list[float]] = {}
    for start in starts:
        piece = sound[start : start + _PER_FRAME // 2]
        if len(piece) == _PER_FRAME // 2 and np.ptp(piece) < 1e-3 and (level := level_heard(piece)):
            moments.setdefault(level, []).append(tape.when(int(start)))
    nearest = [
        min((picture.at - moment for moment in moments[picture.level]), key=abs)
        for picture in seen
        if picture.level in moments
    ]
    return [1000 * lag for lag in nearest if abs(lag) < _AMBIGUOUS_S]


def _interrupt(session: Session, talk: Talk, tape: _Tape) -> _Cut:
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
