"""Renderer: the one loop that runs any performer."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from core.channel import Closed
from core.errors import LiveTalkError, PerformerUnfit, Problem
from core.events import Failed
from core.media import FrameBlock, SpeechBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import Emit
    from core.media import Pixels, Turn
    from core.performer.protocol import Frames, Identity, Performance, Performer, PerformerSpec
    from core.performer.track import SpeechTrack

log = logging.getLogger(__name__)

_MARGIN_S = 0.07
_SMOOTHING = 0.2
_NEW_FACE_FRAMES = 8
_SEAM_FRAMES = 3
"""Of cross-fade where the picture jumps: idle frames dropped for a reply, or a reply cut."""
_MOST_FAILURES = 3


@dataclass(eq=False)
class _Act:
    """A block from take to delivery. `delivered` media samples of it have been given away with their frames."""

    speech: SpeechBlock
    performance: Performance
    frames: Frames | None = None
    fade: int = 0
    delivered: int = 0
    started: float = 0.0
    imagine_s: float = 0.0
    draw_s: float = 0.0
    at_once: bool = False
    """Whether its frames were there when drawing had been asked for: there is no device that works on beside."""


@dataclass(frozen=True, eq=False)
class _Stage:
    """Who acts, as whom."""

    performer: Performer
    identity: Identity
    performance: Performance


@dataclass(frozen=True)
class Pace:
    """Seconds a block takes, smoothed, and how long it lasts."""

    imagine_s: float = 0.0
    draw_s: float = 0.0
    block_s: float = 0.0


class Renderer:
    """Has the performer act out block after block and delivers frames with their sound. Renderer thread only, but for
    `change`, `direct`, `performer`, `pace` and `stop`.

    Args:
        make_performer: loads the model; runs on the renderer thread, which owns every tensor.
        first_identity: prepares the portrait that the person has chosen.
        deliver: takes a finished block and the frames of cross-fade it asks for; waits for room.
        make_way: drops the idle frames that a block of this turn need not wait for; how many of the frames delivered
            last will never be shown, for this reason or another.
        now: seconds, for the pace.
        make_lesser: loads one that needs less than the performer of that spec, which cannot go on; without it such
            trouble ends the picture.
    """

    def __init__(
        self,
        make_performer: Callable[[], Performer],
        first_identity: Callable[[Performer], Identity],
        track: SpeechTrack,
        deliver: Callable[[FrameBlock, int], bool],
        make_way: Callable[[Turn | None], int],
        emit: Emit,
        now: Callable[[], float],
        seed: int = 0,
        make_lesser: Callable[[PerformerSpec], Performer] | None = None,
    ) -> None:
        self._make_performer = make_performer
        self._make_lesser = make_lesser
        self._first_identity = first_identity
        self._track = track
        self._deliver = deliver
        self._make_way = make_way
        self._emit = emit
        self._now = now
        self._seed = seed
        self._next: Identity | None = None
        self._manner: tuple[str, float] | None = None
        self._next_lock = threading.Lock()
        self._acting: list[_Act] = []
        self._last_picture: Pixels = np.zeros((1, 1, 3), np.uint8)
        self._failures = 0
        self._fade = 0
        self.pace = Pace()
        self.performer: Future[Performer] = Future()
        """The loaded performer, for whoever wants to `prepare` another portrait on a thread of their own."""

    def run(self) -> None:
        """Load, take the stage, act until the track is closed."""
        make = self._make_performer
        while make is not None:
            make = self._act(make)

    def _act(self, make: Callable[[], Performer]) -> Callable[[], Performer] | None:
        """All that one performer does; where it cannot go on, what makes a lesser one, once its memory is free."""
        stage = self._set_up(make)
        try:
            while True:
                stage = self._rearranged(stage)
                trouble = self._trouble(stage.performance)
                if trouble is None:
                    continue
                if self._is_lost(trouble):
                    return self._lesser(stage.performer.spec, trouble)
                self._emit(Failed.of(trouble))
                stage = self._opened(stage, stage.identity)
        except Closed:
            return None
        finally:
            stage.performance.close()

    def change(self, identity: Identity) -> None:
        """Put another portrait on the stage at the next block's edge."""
        with self._next_lock:
            self._next = identity
        self._track.wake()

    def direct(self, style: str, motion_amount: float) -> None:
        """Have the portrait behave so from the next block's edge on."""
        with self._next_lock:
            self._manner = (style, motion_amount)
        self._track.wake()

    @property
    def variant(self) -> str:
        """Which way of running the performer on the stage is; empty while none is, or where there is only one way."""
        performer = self.performer
        return performer.result().spec.variant if performer.done() and performer.exception() is None else ""

    def acting(self, turn: Turn) -> bool:
        """Whether frames of `turn` are on their way. Any thread."""
        return any(act.speech.turn is turn for act in tuple(self._acting))

    def stop(self) -> None:
        self._track.close()

    def step(self, performance: Performance) -> None:
        """One block: imagine it and start drawing it, then deliver the one before.

        Raises:
            Closed: the track or the player was closed.
        """
        act = _Act(self._take(performance.next_frames * self._samples_per_frame()), performance)
        self._acting.append(act)
        act.started = self._now()
        latents = performance.imagine(act.speech)
        act.imagine_s = self._now() - act.started
        if self._unwanted(act.speech):
            performance.rewind()
            self._acting.remove(act)
            return
        act.frames, act.fade = performance.draw(latents), self._fade
        act.at_once = act.frames.ready
        self._fade = 0
        while len(self._acting) > (0 if act.at_once else 1):
            self._deliver_act(self._acting[0])

    def _take(self, samples: int) -> SpeechBlock:
        """Before waiting for speech, the block that is on its way is waited for and delivered."""
        block = self._track.take(samples, wait=False)
        if block is None:
            self._finish_acting()
            block = self._track.take(samples)
        if block is None:
            raise AssertionError("a waiting take gave no block")
        return block

    def _finish_acting(self) -> None:
        while self._acting:
            self._deliver_act(self._acting[0])

    def _unwanted(self, block: SpeechBlock) -> bool:
        """A block that is not worth drawing: its reply was cut, or it is idle and speech has come."""
        if block.turn is not None:
            return block.turn.cancelled
        return self._track.speech_ready

    def _deliver_act(self, act: _Act) -> None:
        """Give away piece after piece; the rest of a block that is no longer wanted is not even drawn."""
        pieces = act.frames.pieces() if act.frames else iter(())
        known = act.at_once or (act.frames is not None and not act.frames.ready)
        if not act.at_once:
            act.draw_s = self._now() - act.started - act.imagine_s
        while True:
            started = self._now()
            joined = self._join(act) if act.at_once else 0
            pixels = next(pieces, None)
            act.draw_s += self._now() - started
            if pixels is None:
                if known:
                    self._note_pace(act)
                break
            self._give(act, pixels, joined)
            if self._unwanted(act.speech):
                break
        self._acting.remove(act)

    def _join(self, act: _Act) -> int:
        """Before a piece is painted: have it go on from the frame that is shown last; over how many that never are."""
        unshown = self._make_way(act.speech.turn)
        return unshown if act.performance.rejoin(unshown) else 0

    def _give(self, act: _Act, pixels: Pixels, joined: int = 0) -> None:
        """Give a piece away; the picture crosses over where more was dropped than what it was painted to go on from."""
        if self._make_way(act.speech.turn) != joined:
            act.fade = max(act.fade, _SEAM_FRAMES)
        start = act.delivered
        act.delivered += len(pixels) * self._samples_per_frame()
        self._last_picture = pixels[-1]
        self._deliver(FrameBlock(act.speech.turn, pixels, act.speech.samples[start : act.delivered]), act.fade)
        act.fade = 0

    def _set_up(self, make: Callable[[], Performer]) -> _Stage:
        """A performer with the portrait that was chosen, on the stage."""
        try:
            performer = make()
            identity = self._first_identity(performer)
        except BaseException as error:
            self.performer.set_exception(error)
            raise
        self._track.lookahead = performer.spec.lookahead
        self._last_picture = identity.picture
        self.performer.set_result(performer)
        return _Stage(performer, identity, performer.open(identity, self._seed))

    def _rearranged(self, stage: _Stage) -> _Stage:
        """The same stage, or another portrait or manner on it."""
        identity, manner = self._replacement()
        if not identity and not manner:
            return stage
        self._finish_acting()
        if manner:
            stage.performer.direct(*manner)
        return self._opened(stage, identity or stage.identity)

    def _opened(self, stage: _Stage, identity: Identity) -> _Stage:
        stage.performance.close()
        self._fade = _NEW_FACE_FRAMES
        return _Stage(stage.performer, identity, stage.performer.open(identity, self._seed))

    def _trouble(self, performance: Performance) -> LiveTalkError | None:
        """Run one step; what the person is told when the performer raised. Its speech is not lost: it plays over the
        last picture."""
        try:
            self.step(performance)
        except Closed:
            raise
        except LiveTalkError as error:
            trouble, bug = error.with_traceback(None), None  # which would hold the performer's memory
            log.warning("the performer stopped: %s %s", error, error.detail)
        except Exception as error:
            trouble, bug = _restarted(error), error
            log.exception("the performer failed, %d in a row", self._failures + 1)
        else:
            self._failures = 0
            return None
        self._failures += 1
        if bug is not None and self._failures >= _MOST_FAILURES:
            raise bug
        self._stand_in()
        return trouble

    def _is_lost(self, trouble: LiveTalkError) -> bool:
        return isinstance(trouble, PerformerUnfit) or self._failures >= _MOST_FAILURES

    def _lesser(self, spec: PerformerSpec, trouble: LiveTalkError) -> Callable[[], Performer]:
        if self._make_lesser is None:
            raise trouble
        self._emit(Failed.of(trouble))
        self._failures = 0
        self._fade = _NEW_FACE_FRAMES
        self.performer = Future()
        return partial(self._make_lesser, spec)

    def _stand_in(self) -> None:
        """Deliver what was being acted out over the last picture."""
        acting, self._acting = self._acting, []
        for act in acting:
            count = (len(act.speech.samples) - act.delivered) // self._samples_per_frame()
            self._give(act, np.repeat(self._last_picture[None], count, axis=0))

    def _replacement(self) -> tuple[Identity | None, tuple[str, float] | None]:
        with self._next_lock:
            wanted = self._next, self._manner
            self._next = self._manner = None
            return wanted

    def _samples_per_frame(self) -> int:
        return self.performer.result().spec.samples_per_frame

    def _note_pace(self, act: _Act) -> None:
        """Learn how long a block takes to imagine and draw; the track renders silence that much ahead.

        A block that a device had finished before anybody asked for it tells nothing: when that was, nobody saw.
        """
        rate = self.performer.result().spec.sample_rate
        fresh = 1.0 if self.pace.block_s == 0.0 else _SMOOTHING
        self.pace = Pace(
            (1 - fresh) * self.pace.imagine_s + fresh * act.imagine_s,
            (1 - fresh) * self.pace.draw_s + fresh * act.draw_s,
            len(act.speech.samples) / rate,
        )
        self._track.lead = int((self.pace.imagine_s + self.pace.draw_s + _MARGIN_S) * rate)


def _restarted(error: Exception) -> LiveTalkError:
    return LiveTalkError(
        Problem.PICTURE_RESTARTED,
        "The picture stopped and was started again.",
        "The conversation goes on.",
        detail=f"{type(error).__name__}: {error}",
    )
