"""The fakes the architecture names: a model that paints its audio, a scripted dialogue, a device cranked by hand."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.dialogue.protocol import Verdict
from core.media import MediaFormat
from core.performer.protocol import UNSAID, LatentBlock, PerformerSpec, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from core.dialogue.protocol import Message, Reply
    from core.errors import LiveTalkError
    from core.media import AudioChunk, Pixels, Samples, SpeechBlock, Turn

RATE, FPS = 24_000, 25
PER_FRAME = RATE // FPS

SPEC = PerformerSpec.plain("painting", MediaFormat(RATE, FPS), 64, 12)


def level_of(samples: Samples) -> int:
    """The grey value that stands for the loudness of one frame's samples."""
    return round(min(1.0, float(np.sqrt(np.mean(np.square(samples)))) * np.sqrt(2)) * 200) + 20


@dataclass(frozen=True)
class HostFrames:
    pixels: Pixels
    ready: bool = True

    def pieces(self) -> Iterator[Pixels]:
        """A third at a time, like a performer that shows the first frames sooner."""
        for start in range(0, len(self.pixels), 4):
            yield self.pixels[start : start + 4]

    def wait(self) -> Pixels:
        return self.pixels


@dataclass(frozen=True)
class PaintedIdentity:
    key: str
    picture: Pixels


class PaintingPerformance:
    """Each frame shows the level of the audio it was made for; `fail_on` raises at those block numbers."""

    def __init__(
        self,
        size: int,
        fail_on: Sequence[int] = (),
        work: Callable[[], None] = lambda: None,
        rejoins: bool = False,
    ) -> None:
        self._size = size
        self._index = 0
        self._fail_on = tuple(fail_on)
        self._work = work
        self._rejoins = rejoins
        self.unshown: list[int] = []
        self.rewound = 0
        self.closed = False

    next_frames = 12

    def imagine(self, block: SpeechBlock) -> LatentBlock:
        if self._index in self._fail_on:
            raise RuntimeError("a kernel that does not exist")
        latents = LatentBlock(self._index, None, block)
        self._index += 1
        return latents

    def draw(self, latents: LatentBlock) -> HostFrames:
        self._work()
        levels = [level_of(frame) for frame in latents.speech.samples.reshape(-1, PER_FRAME)]
        frames = np.empty((len(levels), self._size, self._size, 3), np.uint8)
        frames[:] = np.array(levels, np.uint8)[:, None, None, None]
        return HostFrames(frames)

    def rejoin(self, unshown: int) -> bool:
        self.unshown.append(unshown)
        return self._rejoins

    def rewind(self) -> None:
        self._index -= 1
        self.rewound += 1

    def close(self) -> None:
        self.closed = True


class PaintingPerformer:
    spec = SPEC

    def __init__(
        self,
        size: int = 64,
        fail_on: Sequence[int] = (),
        work: Callable[[], None] = lambda: None,
        rejoins: bool = False,
    ) -> None:
        self._size = size
        self._fail_on = list(fail_on)
        self._work = work
        self._rejoins = rejoins
        self.performances: list[PaintingPerformance] = []
        self.directed: list[tuple[str, float]] = []

    def prepare(self, image: Pixels, said: Said = UNSAID) -> PaintedIdentity:
        return PaintedIdentity(str(image.shape), np.full((self._size, self._size, 3), 20, np.uint8))

    def direct(self, style: str, motion_amount: float) -> None:
        self.directed.append((style, motion_amount))

    def open(self, identity: PaintedIdentity, seed: int) -> PaintingPerformance:
        fail_on, self._fail_on = self._fail_on, []
        self.performances.append(PaintingPerformance(self._size, fail_on, self._work, self._rejoins))
        return self.performances[-1]


@dataclass
class ScriptedDialogue:
    """Answers every turn with the same pieces (text, seconds of tone), or fails after them. On the caller's thread."""

    pieces: Sequence[tuple[str, float]] = (("Hello there. ", 1.0), ("How are you?", 1.0))
    error: LiveTalkError | None = None
    hears: str = "what was said"
    level: float = 0.5
    started: list[Turn] = field(default_factory=list)
    histories: list[list[Message]] = field(default_factory=list)
    cancelled: list[Turn] = field(default_factory=list)
    told_heard: list[tuple[int, str, float]] = field(default_factory=list)
    anticipated: list[AudioChunk] = field(default_factory=list)
    hold: bool = False
    replies: list[Reply] = field(default_factory=list)
    drafted: list[Turn] = field(default_factory=list)
    released: list[Turn] = field(default_factory=list)
    forgotten: int = 0
    closed: bool = False

    def anticipate(self, speech: AudioChunk) -> None:
        self.anticipated.append(speech)

    def start(self, turn: Turn, history: Sequence[Message], reply: Reply, *, draft: bool = False) -> None:
        self.started.append(turn)
        if draft:
            self.drafted.append(turn)
        self.histories.append(list(history))
        self.replies.append(reply)
        if turn.speech is not None and not isinstance(turn.speech, str):
            reply.user_said(self.hears)
        if not self.hold:
            self.play(reply)

    def release(self, turn: Turn) -> None:
        assert turn in self.drafted
        self.released.append(turn)

    def play(self, reply: Reply) -> None:
        for text, seconds in self.pieces:
            reply.speak(tone(seconds, self.level), text)
        if self.error:
            reply.fail(self.error)
        else:
            reply.finish(Verdict.OK)

    def cancel(self, turn: Turn) -> None:
        self.cancelled.append(turn)

    def heard(self, turn: Turn, text: str, seconds: float) -> None:
        assert turn in self.cancelled
        self.told_heard.append((turn.number, text, seconds))

    def forget(self) -> None:
        self.forgotten += 1

    def close(self) -> None:
        self.closed = True


def tone(seconds: float, level: float = 0.5, rate: int = RATE, hz: float = 400.0) -> Samples:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


class Events:
    """Collects what was emitted; `wait_for` waits for one that fits."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self._changed = threading.Condition()

    def __call__(self, event: object) -> None:
        with self._changed:
            self.seen.append(event)
            self._changed.notify_all()

    def of(self, kind: type) -> list[object]:
        with self._changed:
            return [event for event in self.seen if isinstance(event, kind)]

    def wait_for(self, kind: type, fits: Callable[[object], bool] = lambda _: True, limit_s: float = 20.0) -> object:
        def found() -> object | None:
            return next((event for event in self.seen if isinstance(event, kind) and fits(event)), None)

        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, limit_s):
                raise AssertionError(f"no {kind.__name__} within {limit_s} s; seen: {self.seen}")
            return found()


def until(holds: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Wait until `holds`, looking every few milliseconds."""
    look = threading.Event()
    for _ in range(int(limit_s / 0.005)):
        if holds():
            return
        look.wait(0.005)
    raise AssertionError(f"did not come true within {limit_s} s")
