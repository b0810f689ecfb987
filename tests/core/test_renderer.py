"""The renderer when a performer is in trouble, and what it tells the track."""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.clock import SampleClock
from core.errors import LiveTalkError, PerformerError, PerformerUnfit, Problem
from core.media import FrameBlock, MediaFormat, SpeechSegment, Turn
from core.performer.renderer import Renderer
from core.performer.track import SpeechTrack
from core.playback.player import Player
from tests.fakes import PER_FRAME, RATE, SPEC, Events, HostFrames, PaintingPerformance, PaintingPerformer, tone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.media import Pixels, SpeechBlock
    from core.performer.protocol import LatentBlock, Performer, PerformerSpec

BLOCK = 12 * PER_FRAME
NAN = PerformerError(Problem.PICTURE_RESTARTED, "The picture broke off.", "It begins again.")
FULL = PerformerUnfit(Problem.GPU_UNSUITABLE, "The GPU has no memory left.", "Close other programs.")


class TroubledPerformer(PaintingPerformer):
    """Paints, and raises `trouble` for the blocks (counted over all its performances) that `when` names."""

    def __init__(self, trouble: LiveTalkError, when: range) -> None:
        super().__init__()
        self.trouble, self.when = trouble, when
        self.imagined = -1
        self.heard: list[SpeechBlock] = []

    def open(self, identity: object, seed: int) -> PaintingPerformance:
        performance = super().open(identity, seed)
        imagine = performance.imagine

        def troubled(block: SpeechBlock) -> LatentBlock:
            self.heard.append(block)
            self.imagined += 1
            if self.imagined in self.when:
                raise self.trouble
            return imagine(block)

        performance.imagine = troubled
        return performance


class Stage:
    """A renderer on its own thread; the test takes the sound and thereby is the loudspeaker."""

    def __init__(self, performer: Performer, make_lesser: Callable[[PerformerSpec], Performer] | None = None) -> None:
        self.clock = SampleClock()
        self.player = Player(MediaFormat(), self.clock)
        self.track = SpeechTrack(RATE, lambda: self.player.stock)
        self.player.moved = self.track.wake
        self.events = Events()
        self.ended: list[BaseException] = []
        self.renderer = Renderer(
            lambda: performer,
            lambda performer: performer.prepare(np.zeros((8, 8, 3), np.uint8)),
            self.track,
            self.player.put,
            self.player.make_way,
            self.events,
            lambda: 0.0,
            make_lesser=make_lesser,
        )
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.renderer.run()
        except LiveTalkError as error:
            self.ended.append(error)

    def __enter__(self) -> Stage:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.player.close()
        self.renderer.stop()
        self.thread.join(5)
        assert not self.thread.is_alive()

    def hear(self, turn: Turn, samples: int) -> np.ndarray:
        """What leaves the loudspeaker until `samples` of the turn were heard."""
        out, heard, waited = np.zeros(240, np.float32), [np.zeros(0, np.float32)], threading.Event()
        for _ in range(4000):
            done = self.player.fill(out)
            self.clock.set(self.clock.position + done)
            heard.append(out[:done].copy())
            if self.player.heard(turn, self.clock.position) >= samples:
                return np.concatenate(heard)
            if not done:
                waited.wait(0.002)
        raise AssertionError("the sound did not come")

    @property
    def told(self) -> list[Problem]:
        return [event.problem for event in self.events.seen]


def say(stage: Stage, blocks: int) -> Turn:
    turn = Turn(1, "hi")
    stage.track.put(SpeechSegment(turn, tone(blocks * BLOCK / RATE), "words", True))
    return turn


@pytest.mark.filterwarnings("ignore")
def test_expected_trouble_is_told_in_its_own_words_and_the_picture_begins_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    performer = TroubledPerformer(NAN, range(1, 2))
    with Stage(performer) as stage:
        turn = say(stage, 4)
        sound = stage.hear(turn, 4 * BLOCK)
    assert np.count_nonzero(sound) == np.count_nonzero(tone(4 * BLOCK / RATE)), "no speech was lost"
    assert stage.told == [Problem.PICTURE_RESTARTED]
    assert len(performer.performances) == 2
    assert performer.performances[0].closed
    caplog.clear()


@pytest.mark.parametrize(("trouble", "blocks"), [(FULL, range(2, 3)), (NAN, range(2, 99))])
@pytest.mark.filterwarnings("ignore")
def test_a_performer_that_cannot_go_on_gives_way_to_a_lesser_one(
    trouble: LiveTalkError, blocks: range, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[PerformerSpec] = []
    lesser = PaintingPerformer()

    def make_lesser(spec: PerformerSpec) -> Performer:
        asked.append(spec)
        return lesser

    with Stage(TroubledPerformer(trouble, blocks), make_lesser) as stage:
        turn = say(stage, 8)
        sound = stage.hear(turn, 8 * BLOCK)
        assert stage.renderer.performer.result() is lesser
    assert np.count_nonzero(sound) == np.count_nonzero(tone(8 * BLOCK / RATE)), "no speech was lost"
    assert asked == [SPEC]
    assert len(lesser.performances) == 1
    assert set(stage.told) == {trouble.problem}
    caplog.clear()


@pytest.mark.filterwarnings("ignore")
def test_without_a_lesser_one_the_trouble_ends_the_picture_and_is_not_hidden(caplog: pytest.LogCaptureFixture) -> None:
    with Stage(TroubledPerformer(FULL, range(99))) as stage:
        say(stage, 1)
        stage.thread.join(5)
        assert stage.ended == [FULL]
    caplog.clear()


def test_a_performer_hears_what_comes_after_its_block_as_far_as_it_asked_for_it() -> None:
    performer = TroubledPerformer(NAN, range(0))
    performer.spec = dataclasses.replace(SPEC, lookahead=3 * PER_FRAME)
    with Stage(performer) as stage:
        turn = say(stage, 3)
        stage.hear(turn, 3 * BLOCK)
    spoken = [block for block in performer.heard if block.turn is turn]
    whole = tone(3 * BLOCK / RATE)
    assert np.array_equal(spoken[0].ahead, whole[BLOCK : BLOCK + 3 * PER_FRAME])
    assert np.array_equal(spoken[2].ahead, np.zeros(3 * PER_FRAME, np.float32))


class Device:
    """A device that draws a block `takes_s` after it was asked to, on a clock that the test turns."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s, self.time = takes_s, 0.0

    def performer(self) -> PaintingPerformer:
        device = self

        class Performer(PaintingPerformer):
            def open(self, identity: object, seed: int) -> PaintingPerformance:
                performance = super().open(identity, seed)
                draw = performance.draw
                performance.draw = lambda latents: OnItsWay(draw(latents).pixels, device)
                return performance

        return Performer()


class OnItsWay(HostFrames):
    def __init__(self, pixels: Pixels, device: Device) -> None:
        super().__init__(pixels)
        self._device, self._there = device, device.time + device.takes_s

    @property
    def ready(self) -> bool:
        return self._device.time >= self._there

    @ready.setter
    def ready(self, _: bool) -> None: ...

    def pieces(self) -> Iterator[Pixels]:
        self._device.time = max(self._device.time, self._there)
        yield from super().pieces()


@pytest.mark.parametrize("waits_s", [0.0, 5.0])
def test_silence_is_begun_as_early_as_a_block_really_takes_however_long_blocks_lay_ready(waits_s: float) -> None:
    """A device that works beside the renderer has a block ready long before the player has room for it."""
    device = Device(takes_s=0.2)
    performer = device.performer()
    player = Player(MediaFormat(), SampleClock(), capacity_s=100.0)
    track = SpeechTrack(RATE, lambda: player.stock)
    made, seen = (lambda: performer), (lambda _: None)
    renderer = Renderer(made, seen, track, player.put, player.make_way, Events(), lambda: device.time)
    renderer.performer.set_result(performer)
    performance = performer.open(performer.prepare(np.zeros((8, 8, 3), np.uint8)), 0)
    turn = Turn(1, "hi")
    track.put(SpeechSegment(turn, tone(8 * BLOCK / RATE), "words", True))
    renderer.step(performance)
    renderer.step(performance)
    assert track.lead == pytest.approx((0.2 + 0.07) * RATE, abs=2)
    for _ in range(5):
        device.time += waits_s
        renderer.step(performance)
    assert track.lead == pytest.approx((0.2 + 0.07) * RATE, abs=2)


@pytest.mark.parametrize("fps", [16, 25, 48])
def test_frames_of_any_rate_are_shown_each_with_its_own_sound(fps: int) -> None:
    player = Player(MediaFormat(), SampleClock())
    per_frame = RATE // fps
    frames = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    player.put(FrameBlock(None, frames, np.zeros(8 * per_frame, np.float32)))
    player.fill(np.zeros(8 * per_frame, np.float32))
    shown = [player.frame_at(index * per_frame) for index in range(8)]
    assert [frame.at for frame in shown if frame] == [index * per_frame for index in range(8)]
    assert [int(frame.pixels[0, 0, 0]) for frame in shown if frame] == list(range(8))
