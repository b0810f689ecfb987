"""Renderer: the one loop that runs any performer."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.channel import Closed
from core.errors import LiveTalkError, Problem
from core.events import Failed
from core.media import FrameBlock, SpeechBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import Emit
    from core.media import Pixels
    from core.performer.protocol import Frames, Identity, Performance, Performer
    from core.performer.track import SpeechTrack

log = logging.getLogger(__name__)

_MARGIN_S = 0.07
_SMOOTHING = 0.2
_NEW_FACE_FRAMES = 8
_MOST_FAILURES = 3


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A block whose frames are on their way to the host."""

    speech: SpeechBlock
    frames: Frames
    fade: int
    started: float
    imagined: float


@dataclass(frozen=True)
class Pace:
    """Seconds a block takes, smoothed, and how long it lasts."""

    imagine_s: float = 0.0
    draw_s: float = 0.0
    block_s: float = 0.0


class Renderer:
    """Has the performer act out block after block and delivers frames with their sound. Renderer thread only, but for
    `change`, `performer`, `pace` and `stop`.

    Args:
        make_performer: loads the model; runs on the renderer thread, which owns every tensor.
        first_identity: prepares the portrait that is on the stage first.
        deliver: takes a finished block and the frames of cross-fade it asks for; waits for room.
        now: seconds, for the pace.
    """

    def __init__(
        self,
        make_performer: Callable[[], Performer],
        first_identity: Callable[[Performer], Identity],
        track: SpeechTrack,
        deliver: Callable[[FrameBlock, int], bool],
        emit: Emit,
        now: Callable[[], float],
        seed: int = 0,
    ) -> None:
        self._make_performer = make_performer
        self._first_identity = first_identity
        self._track = track
        self._deliver = deliver
        self._emit = emit
        self._now = now
        self._seed = seed
        self._next: Identity | None = None
        self._next_lock = threading.Lock()
        self._on_its_way: _Drawn | None = None
        self._acting: list[SpeechBlock] = []
        self._last_picture: Pixels = np.zeros((1, 1, 3), np.uint8)
        self._failures = 0
        self._fade = 0
        self.pace = Pace()
        self.performer: Future[Performer] = Future()
        """The loaded performer, for whoever wants to `prepare` another portrait on a thread of their own."""

    def run(self) -> None:
        """Load, take the stage, act until the track is closed."""
        try:
            performer = self._make_performer()
            identity = self._first_identity(performer)
        except BaseException as error:
            self.performer.set_exception(error)
            raise
        self.performer.set_result(performer)
        self._last_picture = identity.picture
        performance = performer.open(identity, self._seed)
        try:
            while True:
                if replaced := self._replacement():
                    self._drain()
                    performance.close()
                    identity, self._fade = replaced, _NEW_FACE_FRAMES
                    performance = performer.open(identity, self._seed)
                if not self._survives(performance):
                    performance = self._reopened(performer, identity, performance)
        except Closed:
            pass
        finally:
            performance.close()

    def change(self, identity: Identity) -> None:
        """Put another portrait on the stage at the next block's edge."""
        with self._next_lock:
            self._next = identity
        self._track.wake()

    def stop(self) -> None:
        self._track.close()

    def step(self, performance: Performance) -> None:
        """One block: imagine it and start drawing it, then deliver the one before.

        Raises:
            Closed: the track or the player was closed.
        """
        block = self._take(performance.next_frames * self._samples_per_frame())
        self._acting.append(block)
        started = self._now()
        latents = performance.imagine(block)
        imagined = self._now()
        if self._unwanted(block):
            performance.rewind()
            self._acting.remove(block)
            return
        drawn = _Drawn(block, performance.draw(latents), self._fade, started, imagined)
        self._fade = 0
        if drawn.frames.ready:
            self._note_pace(drawn)
        self._drain()
        self._on_its_way = drawn
        if drawn.frames.ready:
            self._drain()

    def _take(self, samples: int) -> SpeechBlock:
        """Before waiting for speech, the block that is on its way is waited for and delivered."""
        block = self._track.take(samples, wait=False)
        if block is None:
            if self._on_its_way:
                self._on_its_way.frames.wait()
                self._note_pace(self._on_its_way)
                self._drain()
            block = self._track.take(samples)
        if block is None:
            raise AssertionError("a waiting take gave no block")
        return block

    def _unwanted(self, block: SpeechBlock) -> bool:
        """An imagined block that is not worth drawing: its reply was cut, or it is idle and speech has come."""
        if block.turn is not None:
            return block.turn.cancelled
        return self._track.speech_ready

    def _drain(self) -> None:
        if drawn := self._on_its_way:
            self._on_its_way = None
            frames = drawn.frames.wait()
            self._last_picture = frames[-1]
            self._acting.remove(drawn.speech)
            self._deliver(FrameBlock(drawn.speech.turn, frames, drawn.speech.samples), drawn.fade)

    def _survives(self, performance: Performance) -> bool:
        """Run one step; False when the performer raised. Its speech is not lost: it plays over the last picture."""
        try:
            self.step(performance)
        except (Closed, LiveTalkError):
            raise
        except Exception:
            self._failures += 1
            log.exception("the performer failed, %d in a row", self._failures)
            if self._failures >= _MOST_FAILURES:
                raise
            self._stand_in()
            return False
        self._failures = 0
        return True

    def _stand_in(self) -> None:
        """Deliver what was being acted out over the last picture."""
        self._on_its_way = None
        acting, self._acting = self._acting, []
        for block in acting:
            count = len(block.samples) // self._samples_per_frame()
            frames = np.repeat(self._last_picture[None], count, axis=0)
            self._deliver(FrameBlock(block.turn, frames, block.samples), 0)

    def _reopened(self, performer: Performer, identity: Identity, broken: Performance) -> Performance:
        self._emit(
            Failed(
                Problem.PICTURE_RESTARTED,
                "The picture stopped and was started again.",
                "The conversation goes on.",
            )
        )
        broken.close()
        self._fade = _NEW_FACE_FRAMES
        return performer.open(identity, self._seed)

    def _replacement(self) -> Identity | None:
        with self._next_lock:
            identity, self._next = self._next, None
            return identity

    def _samples_per_frame(self) -> int:
        return self.performer.result().spec.samples_per_frame

    def _note_pace(self, drawn: _Drawn) -> None:
        """Learn how long a block takes from take to frames; the track renders silence that much ahead."""
        imagine_s, draw_s = drawn.imagined - drawn.started, self._now() - drawn.imagined
        rate = self.performer.result().spec.sample_rate
        fresh = 1.0 if self.pace.block_s == 0.0 else _SMOOTHING
        self.pace = Pace(
            (1 - fresh) * self.pace.imagine_s + fresh * imagine_s,
            (1 - fresh) * self.pace.draw_s + fresh * draw_s,
            len(drawn.speech.samples) / rate,
        )
        self._track.lead = int((self.pace.imagine_s + self.pace.draw_s + _MARGIN_S) * rate)
