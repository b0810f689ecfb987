"""Player: frames travel with their sound; what is due is decided by samples, never by a wall clock."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.channel import Closed
from core.media import FrameBlock, TimedFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.clock import SampleClock
    from core.media import MediaFormat, Pixels, Samples, Turn

_LATE_SHARE = 0.75
_KEPT_SPANS = 400
_KEPT_COMING_S = 4


@dataclass(frozen=True, eq=False)
class Played:
    """What left for the loudspeaker, for the recorder: samples, and the frames that began within them."""

    samples: Samples
    frames: tuple[tuple[int, Pixels], ...]
    """(offset into `samples`, picture)."""
    turn: Turn | None
    start: int = 0
    """The media position of the first sample."""


@dataclass(frozen=True)
class PictureCounts:
    """Frames since the start: shown, shown late, never shown because a newer one was due."""

    shown: int = 0
    late: int = 0
    dropped: int = 0


@dataclass
class _Head:
    """A block that waits or is being played, and how far. `before` frames were put before it."""

    block: FrameBlock
    before: int
    played: int = 0


@dataclass(frozen=True)
class _Begun:
    """The frame that was put as number `number`, from 1, and when it is due."""

    number: int
    frame: TimedFrame


@dataclass(frozen=True)
class _Span:
    """Media samples [start, end) belonged to this turn."""

    turn: Turn
    start: int
    end: int


class Player:
    """Between the renderer, which puts blocks, and the sound thread, which pulls samples.

    Every method may be called from any thread; one lock guards it all. `moved` is called, outside the lock, whenever
    the stock shrank, so that whoever renders just in time can look again.
    """

    def __init__(self, media: MediaFormat, clock: SampleClock, capacity_s: float = 0.96) -> None:
        self._media = media
        self._clock = clock
        self._capacity = round(capacity_s * media.sample_rate)
        self._queue: deque[_Head] = deque()
        self._coming: deque[_Begun] = deque()
        self._spans: deque[_Span] = deque(maxlen=_KEPT_SPANS)
        self._position = 0
        self._put = 0
        self._begun: _Begun | None = None
        self._shown: _Begun | None = None
        self._counts = PictureCounts()
        self._closed = False
        self._changed = threading.Condition()
        self._tap: Callable[[Played], None] | None = None
        self._unconfirmed: deque[tuple[int, Played]] = deque()
        self.moved: Callable[[], None] = lambda: None

    # -- the renderer's side

    def make_way(self, turn: Turn | None) -> int:
        """Before a block of `turn`: drop the idle frames that wait, which a reply need not wait for. How many of the
        frames put last will never be shown: these, and what was refused, cut or flushed."""
        with self._changed:
            if turn is not None and not turn.cancelled:
                self._keep(lambda head: head.block.turn is not None)
            return self._put - self._last_number()

    def put(self, block: FrameBlock, fade: int = 0) -> bool:
        """Queue a block; waits for room. False when its turn was cancelled, looked at after the wait.

        `fade` asks for that many frames of cross-fade from the picture before.

        Raises:
            Closed: the player was closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or _stale(block) or self._has_room(block))
            if self._closed:
                raise Closed
            before = self._put
            self._put += len(block.frames)
            if _stale(block):
                return False
            self._queue.append(_Head(self._faded(block, fade) if fade else block, before))
            return True

    @property
    def stock(self) -> int:
        """Media samples queued and not yet handed to the loudspeaker."""
        with self._changed:
            return self._stock()

    def cut(self, turn: Turn) -> None:
        """Forget what is queued of `turn`, and the idle frames that go on from it."""
        with self._changed:
            gone = (turn, None) if any(head.block.turn is turn for head in self._queue) else (turn,)
            self._keep(lambda head: head.block.turn not in gone)
        self.moved()

    # -- the sound thread's side

    def fill(self, out: Samples) -> int:
        """Copy the next samples into `out`; returns how many there were. The rest is left to the caller."""
        done = 0
        with self._changed:
            while done < len(out) and self._queue:
                done += self._advance(out[done:])
            ready = self._confirmed() if self._tap else ()
            tap = self._tap
            self._changed.notify_all()
        if tap:
            for played in ready:
                tap(played)
        self.moved()
        return done

    def skip(self, samples: int) -> None:
        """The last `samples` handed out were flushed and never heard. Called before the next `fill`, so that what a
        turn had heard, what is shown and what the recording holds leave exactly them out."""
        with self._changed:
            end = self._position - samples
            while self._coming and self._coming[-1].frame.at >= end:
                self._coming.pop()
                self._begun = self._coming[-1] if self._coming else self._shown
            self._spans = deque(
                (_Span(span.turn, span.start, min(span.end, end)) for span in self._spans if span.start < end),
                maxlen=_KEPT_SPANS,
            )
            left = samples
            while left > 0 and self._unconfirmed:
                start, played = self._unconfirmed.pop()
                keep = len(played.samples) - left
                if keep > 0:
                    frames = tuple(frame for frame in played.frames if frame[0] < keep)
                    self._unconfirmed.append((start, Played(played.samples[:keep], frames, played.turn, start)))
                left -= len(played.samples)

    # -- the window's side

    def frame_at(self, now: int) -> TimedFrame | None:
        """The newest frame due at output sample `now`; the one shown before, until a newer one is due."""
        with self._changed:
            due = 0
            newest = None
            while self._coming and self._coming[0].frame.at <= now:
                newest = self._coming.popleft()
                due += 1
            if newest is not None:
                late = now - newest.frame.at > _LATE_SHARE * self._media.samples_per_frame
                counts = self._counts
                self._counts = PictureCounts(counts.shown + 1, counts.late + late, counts.dropped + due - 1)
                self._shown = newest
            return self._shown.frame if self._shown else None

    @property
    def counts(self) -> PictureCounts:
        return self._counts

    def heard(self, turn: Turn, now: int) -> int:
        """How many samples of `turn` have left the loudspeaker at output sample `now`."""
        with self._changed:
            spans = (span for span in self._spans if span.turn is turn)
            return sum(max(0, min(span.end, now) - span.start) for span in spans)

    def waiting(self, turn: Turn) -> int:
        """How many samples of `turn` are queued."""
        with self._changed:
            return sum(len(head.block.audio) - head.played for head in self._queue if head.block.turn is turn)

    # -- recording and closing

    def record_to(self, tap: Callable[[Played], None] | None) -> None:
        """Tell `tap` everything that has been played from here on, once it was heard; None ends it."""
        with self._changed:
            self._tap = tap
            self._unconfirmed.clear()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()

    def _stock(self) -> int:
        return sum(len(head.block.audio) - head.played for head in self._queue)

    def _has_room(self, block: FrameBlock) -> bool:
        return not self._queue or self._stock() + len(block.audio) <= self._capacity

    def _keep(self, wanted: Callable[[_Head], bool]) -> None:
        self._queue = deque(head for head in self._queue if wanted(head))
        self._changed.notify_all()

    def _last_number(self) -> int:
        """Of the last frame that is shown, or will be, of those that were put."""
        if self._queue:
            return self._queue[-1].before + len(self._queue[-1].block.frames)
        return self._begun.number if self._begun else 0

    def _faded(self, block: FrameBlock, fade: int) -> FrameBlock:
        begun = self._begun.frame.pixels if self._begun else None
        last = self._queue[-1].block.frames[-1] if self._queue else begun
        if last is None or last.shape != block.frames.shape[1:]:
            return block
        count = min(fade, len(block.frames))
        weights = (np.arange(1, count + 1, dtype=np.float32) / (count + 1))[:, None, None, None]
        mixed = last * (1 - weights) + block.frames[:count] * weights
        frames = np.concatenate([np.rint(mixed).astype(np.uint8), block.frames[count:]])
        return FrameBlock(block.turn, frames, block.audio)

    def _advance(self, out: Samples) -> int:
        """Play from the head block into `out`, noting each frame that begins and whose samples they were."""
        head = self._queue[0]
        block = head.block
        per_frame = len(block.audio) // len(block.frames)
        count = min(len(out), len(block.audio) - head.played)
        out[:count] = block.audio[head.played : head.played + count]
        begun: list[tuple[int, Pixels]] = []
        first = -(-head.played // per_frame)
        for index in range(first, -(-(head.played + count) // per_frame)):
            offset = index * per_frame - head.played
            picture = block.frames[index]
            self._begun = _Begun(head.before + index + 1, TimedFrame(picture, self._position + offset, block.turn))
            self._coming.append(self._begun)
            begun.append((offset, picture))
        self._forget_unseen()
        if block.turn is not None:
            self._note_span(block.turn, count)
        if self._tap:
            self._unconfirmed.append(
                (self._position, Played(out[:count].copy(), tuple(begun), block.turn, self._position))
            )
        self._position += count
        head.played += count
        if head.played == len(block.audio):
            self._queue.popleft()
        return count

    def _forget_unseen(self) -> None:
        """Nobody may be looking (no window): keep a few seconds only."""
        while len(self._coming) > _KEPT_COMING_S * self._media.fps:
            self._coming.popleft()

    def _note_span(self, turn: Turn, count: int) -> None:
        if self._spans and self._spans[-1].turn is turn and self._spans[-1].end == self._position:
            self._spans[-1] = _Span(turn, self._spans[-1].start, self._position + count)
        else:
            self._spans.append(_Span(turn, self._position, self._position + count))

    def _confirmed(self) -> tuple[Played, ...]:
        ready: list[Played] = []
        while self._unconfirmed:
            start, played = self._unconfirmed[0]
            if start + len(played.samples) > self._clock.position:
                break
            ready.append(played)
            self._unconfirmed.popleft()
        return tuple(ready)


def _stale(block: FrameBlock) -> bool:
    return block.turn is not None and block.turn.cancelled
