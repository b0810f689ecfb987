"""Frames travel with their sound; what is cut is never heard."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.channel import Closed
from core.clock import SampleClock
from core.media import FrameBlock, MediaFormat, SpeechSegment, Turn
from core.performer.renderer import Renderer
from core.performer.track import SpeechTrack
from core.playback.player import Player
from tests.fakes import PER_FRAME, RATE, Events, HostFrames, PaintingPerformer, level_of, tone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import SpeechBlock
    from core.performer.protocol import LatentBlock

MEDIA = MediaFormat()
BLOCK = 12 * PER_FRAME


class Rig:
    """Track, renderer and player stepped by hand; the test pulls samples and thereby is the loudspeaker."""

    def __init__(self, **performer: object) -> None:
        self.clock = SampleClock()
        self.player = Player(MEDIA, self.clock)
        self.track = SpeechTrack(RATE, lambda: self.player.stock)
        self.events = Events()
        self.performer = PaintingPerformer(**performer)
        self.renderer = Renderer(
            lambda: self.performer,
            lambda performer: performer.prepare(np.zeros((8, 8, 3), np.uint8)),
            self.track,
            self.player.put,
            self.player.make_way,
            self.events,
            lambda: 0.0,
        )
        self.player.moved = self.track.wake
        self.heard: list[np.ndarray] = []
        self.shown: list[int] = []

    def start(self) -> None:
        self.performance = self.performer.open(self.performer.prepare(np.zeros((8, 8, 3), np.uint8)), 0)
        self.renderer.performer.set_result(self.performer)

    def crank(self, seconds: float) -> None:
        """Let the loudspeaker take `seconds`, rendering whenever the player has room and the track has something."""
        for _ in range(round(seconds * 100)):
            while self.player.stock < BLOCK and (self.track.speech_ready or self.player.stock <= self.track.lead):
                self.renderer.step(self.performance)
            out = np.zeros(RATE // 100, np.float32)
            done = self.player.fill(out)
            self.heard.append(out[:done])
            self.clock.set(self.clock.position + done)
            frame = self.player.frame_at(self.clock.position)
            if frame is not None:
                self.shown.append(int(frame.pixels[0, 0, 0]))

    def say(self, turn: Turn, seconds: float, level: float = 0.5, last: bool = True) -> None:
        self.track.put(SpeechSegment(turn, tone(seconds, level), "words", last))

    @property
    def sound(self) -> np.ndarray:
        return np.concatenate(self.heard)


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.start()
    return rig


def test_every_frame_shows_the_sound_it_was_made_for(rig: Rig) -> None:
    turn = Turn(1, "hi")
    for level in (0.1, 0.9, 0.3):
        rig.say(turn, 0.48, level, last=level == 0.3)
    rig.crank(2.0)
    samples = rig.sound
    begins = int(np.flatnonzero(np.abs(samples) > 0.01)[0])
    first_speech = next(i for i, value in enumerate(rig.shown) if value > 25)
    assert abs(first_speech * RATE // 100 - begins) <= 4 * PER_FRAME, "the picture began with the sound, bar the fade"
    for block, level in enumerate((0.1, 0.9, 0.3)):
        middle = begins + block * BLOCK + BLOCK // 2
        assert rig.shown[middle * 100 // RATE] == pytest.approx(level_of(tone(0.04, level)), abs=1)


def test_the_sound_of_a_reply_is_played_whole_and_in_order(rig: Rig) -> None:
    rig.say(Turn(1, "hi"), 1.3)
    rig.crank(3.0)
    played = rig.sound[np.abs(rig.sound) > 0]
    expected = tone(1.3)
    assert len(played) == np.count_nonzero(expected)
    assert np.array_equal(played, expected[np.abs(expected) > 0])


def test_a_reply_does_not_wait_behind_idle_frames(rig: Rig) -> None:
    rig.crank(1.0)
    assert rig.player.stock > 0, "idle is rendered just in time"
    before = len(rig.sound)
    rig.say(Turn(1, "hi"), 1.0)
    rig.crank(0.5)
    assert np.abs(rig.sound[before : before + RATE // 50]).max() > 0.1, "speech begins within 20 ms of being rendered"


def test_idle_is_rendered_just_in_time_and_never_far_ahead(rig: Rig) -> None:
    for _ in range(20):
        rig.crank(0.1)
        assert rig.player.stock <= BLOCK + rig.track.lead


def test_a_cancelled_turn_never_reaches_the_speaker(rig: Rig) -> None:
    turn = Turn(1, "hi")
    rig.say(turn, 5.0)
    rig.crank(1.0)
    turn.cancel()
    rig.track.drop(turn)
    rig.player.cut(turn)
    heard_before = rig.player.heard(turn, rig.clock.position)
    before = len(rig.sound)
    rig.crank(1.0)
    assert not np.abs(rig.sound[before:]).any()
    assert rig.player.heard(turn, rig.clock.position) == heard_before


def test_a_block_of_a_cancelled_turn_is_refused_after_the_wait(rig: Rig) -> None:
    turn = Turn(1, "hi")
    block = FrameBlock(turn, np.zeros((12, 4, 4, 3), np.uint8), tone(0.48))
    assert rig.player.put(block)
    assert rig.player.put(block)
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(rig.player.put(block)))
    waiter.start()
    turn.cancel()
    rig.player.cut(turn)
    waiter.join(5)
    assert answers == [False]
    assert rig.player.stock == 0


def test_what_was_flushed_counts_as_not_heard(rig: Rig) -> None:
    turn = Turn(1, "hi")
    rig.say(turn, 2.0)
    rig.crank(1.0)
    handed_out = rig.player.heard(turn, 1 << 60)
    rig.player.skip(480)
    assert rig.player.heard(turn, 1 << 60) == handed_out - 480


def test_a_stalled_reply_is_bridged_by_silence_that_speech_replaces_at_once(rig: Rig) -> None:
    turn = Turn(1, "hi")
    rig.say(turn, 0.48, last=False)
    rig.crank(1.5)
    before = len(rig.sound)
    rig.say(turn, 0.48)
    rig.crank(0.7)
    later = rig.sound[before:]
    assert np.abs(later[: RATE // 50]).max() > 0.1
    assert rig.player.heard(turn, rig.clock.position) == 2 * BLOCK


def test_half_a_block_of_speech_does_not_keep_idle_from_being_drawn(rig: Rig) -> None:
    rig.crank(0.5)
    rig.say(Turn(1, "hi"), 0.2, last=False)
    rewound = rig.performance.rewound
    before = len(rig.sound)
    rig.crank(1.0)
    assert len(rig.sound) - before == RATE, "nothing starved"
    assert rig.performance.rewound == rewound


def test_the_end_of_a_reply_is_padded_to_a_block_and_not_lost(rig: Rig) -> None:
    rig.say(Turn(1, "hi"), 0.1)
    rig.crank(1.0)
    assert np.count_nonzero(np.abs(rig.sound) > 0) == np.count_nonzero(tone(0.1))


def test_idle_that_was_imagined_is_rewound_when_speech_arrives(rig: Rig) -> None:
    imagine = rig.performance.imagine

    def imagine_while_speech_arrives(block):
        if not rig.track.speech_ready and block.turn is None:
            rig.say(Turn(1, "hi"), 0.48)
        return imagine(block)

    rig.performance.imagine = imagine_while_speech_arrives
    rig.renderer.step(rig.performance)
    assert rig.performance.rewound == 1
    assert rig.player.stock == 0


def test_idle_that_is_being_painted_is_left_when_speech_arrives(rig: Rig) -> None:
    rig.crank(0.2)
    painted: list[str] = []

    def draw(latents: LatentBlock) -> HostFrames:
        frames = type(rig.performance).draw(rig.performance, latents)

        class Watched(HostFrames):
            def pieces(self) -> Iterator[np.ndarray]:
                for piece in frames.pieces():
                    painted.append("idle" if latents.speech.turn is None else "speech")
                    if len(painted) == 1:
                        rig.say(Turn(1, "hi"), 0.48)
                    yield piece

        return Watched(frames.pixels)

    rig.performance.draw = draw
    rig.crank(0.6)
    assert painted[:4] == ["idle", "speech", "speech", "speech"]


def test_a_performer_with_a_device_of_its_own_is_one_block_behind_and_loses_nothing(rig: Rig) -> None:
    order: list[str] = []
    imagine = rig.performance.imagine

    def imagined(block: SpeechBlock) -> LatentBlock:
        order.append(f"imagine {rig.performance._index}")
        return imagine(block)

    def draw(latents: LatentBlock) -> HostFrames:
        frames = type(rig.performance).draw(rig.performance, latents)

        class OnDevice(HostFrames):
            def pieces(self) -> Iterator[np.ndarray]:
                order.append(f"arrive {latents.index}")
                yield frames.pixels

        return OnDevice(frames.pixels, ready=False)

    rig.performance.imagine, rig.performance.draw = imagined, draw
    rig.say(Turn(1, "hi"), 0.48 * 3)
    for _ in range(3):
        rig.renderer.step(rig.performance)
    assert order == ["imagine 0", "imagine 1", "arrive 0", "imagine 2", "arrive 1"]
    rig.crank(2.5)
    assert np.count_nonzero(rig.sound) == np.count_nonzero(tone(1.44))


def test_the_picture_fades_where_idle_was_cut_short(rig: Rig) -> None:
    rig.crank(0.5)
    rig.say(Turn(1, "hi"), 1.0, level=1.0)
    rig.crank(0.6)
    values = sorted(set(rig.shown))
    assert values[0] == 20
    assert values[-1] == 220
    assert len(values) == 5, "three frames lie between"


@pytest.fixture
def easy() -> Rig:
    """A rig whose performer goes on by itself from whatever was shown last."""
    rig = Rig(rejoins=True)
    rig.start()
    return rig


def test_a_performer_that_goes_on_from_what_was_shown_is_not_blended_with_it(easy: Rig) -> None:
    easy.crank(0.5)
    turn = Turn(1, "hi")
    easy.say(turn, 2.0, level=1.0)
    easy.crank(0.6)
    turn.cancel()
    easy.track.drop(turn)
    easy.player.cut(turn)
    easy.crank(0.6)
    assert set(easy.shown) == {20, 220}


def test_a_performer_is_told_before_it_paints_how_many_of_its_frames_nobody_will_see(easy: Rig) -> None:
    easy.crank(1.0)
    waiting = easy.player.stock // PER_FRAME
    turn = Turn(1, "hi")
    easy.say(turn, 2.0)
    easy.performance.unshown.clear()
    easy.renderer.step(easy.performance)
    assert waiting > 0
    assert easy.performance.unshown == [waiting, 0, 0, 0], "before each of three pieces, and when there was no other"
    easy.crank(0.5)
    queued = easy.player.stock // PER_FRAME
    turn.cancel()
    easy.track.drop(turn)
    easy.player.cut(turn)
    easy.performance.unshown.clear()
    easy.renderer.step(easy.performance)
    assert queued > 12
    assert easy.performance.unshown == [queued, 0, 0, 0]


def test_frames_that_are_dropped_while_others_are_painted_on_top_of_them_are_crossed_over(easy: Rig) -> None:
    turn = Turn(1, "hi")
    easy.say(turn, 0.48, level=1.0)
    easy.crank(0.2)
    draw = easy.performance.draw

    def cut_meanwhile(latents: LatentBlock) -> HostFrames:
        frames = draw(latents)

        class Slow(HostFrames):
            def pieces(self) -> Iterator[np.ndarray]:
                turn.cancel()
                easy.player.cut(turn)
                yield from super().pieces()

        return Slow(frames.pixels)

    easy.performance.draw = cut_meanwhile
    easy.track.lead = 12 * PER_FRAME
    easy.renderer.step(easy.performance)
    easy.crank(0.4)
    assert len(set(easy.shown)) == 5, "three frames lie between"


class TestFramesThatAreNeverShown:
    @pytest.fixture
    def player(self) -> Player:
        return Player(MEDIA, SampleClock())

    def block(self, turn: Turn | None, first: int = 0, frames: int = 12) -> FrameBlock:
        numbers = np.arange(first, first + frames, dtype=np.uint8)[:, None, None, None]
        return FrameBlock(turn, np.broadcast_to(numbers, (frames, 2, 2, 3)), np.zeros(frames * PER_FRAME, np.float32))

    def play(self, player: Player, samples: int) -> None:
        assert player.fill(np.zeros(samples, np.float32)) == samples

    def test_a_frame_that_has_begun_is_shown_though_the_rest_of_its_block_is_dropped(self, player: Player) -> None:
        player.put(self.block(None))
        self.play(player, 5 * PER_FRAME + 1)
        assert player.make_way(Turn(1, "hi")) == 6
        assert player.stock == 0
        assert player.frame_at(6 * PER_FRAME).pixels[0, 0, 0] == 5

    def test_a_reply_makes_its_way_only_as_long_as_it_is_wanted_and_silence_never(self, player: Player) -> None:
        turn = Turn(1, "hi")
        turn.cancel()
        player.put(self.block(None))
        assert player.make_way(turn) == player.make_way(None) == 0
        assert player.stock == 12 * PER_FRAME

    def test_frames_of_a_reply_that_was_cut_before_they_came_count(self, player: Player) -> None:
        turn = Turn(1, "hi")
        player.put(self.block(turn))
        self.play(player, 2 * PER_FRAME)
        turn.cancel()
        player.cut(turn)
        assert not player.put(self.block(turn, frames=4))
        assert player.make_way(None) == 10 + 4

    def test_a_cut_reply_takes_the_silence_along_that_went_on_from_it(self, player: Player) -> None:
        turn = Turn(1, "hi")
        player.put(self.block(turn))
        player.put(self.block(None, 12))
        player.cut(Turn(2, "other"))
        assert player.stock == 24 * PER_FRAME
        player.cut(turn)
        assert player.stock == 0
        assert player.make_way(None) == 24

    def test_what_was_flushed_is_not_shown_and_the_frame_before_stays(self, player: Player) -> None:
        turn = Turn(1, "hi")
        player.put(self.block(turn))
        self.play(player, 8 * PER_FRAME)
        assert player.frame_at(4 * PER_FRAME).pixels[0, 0, 0] == 4
        player.cut(turn)
        player.skip(2 * PER_FRAME + 10)
        assert player.make_way(None) == 4 + 2
        assert player.frame_at(8 * PER_FRAME).pixels[0, 0, 0] == 5
        player.put(self.block(None, 100))
        self.play(player, PER_FRAME)
        assert player.make_way(None) == 0
        assert player.frame_at(8 * PER_FRAME).pixels[0, 0, 0] == 100

    def test_a_picture_crosses_over_from_the_one_that_was_shown_last(self, player: Player) -> None:
        turn = Turn(1, "hi")
        player.put(self.block(turn))
        self.play(player, 8 * PER_FRAME)
        player.cut(turn)
        player.skip(3 * PER_FRAME)
        player.put(self.block(None, 104), fade=3)
        self.play(player, PER_FRAME)
        assert player.frame_at(8 * PER_FRAME).pixels[0, 0, 0] == round(0.75 * 4 + 0.25 * 104)


def test_closing_wakes_everybody_who_waits() -> None:
    rig = Rig()
    ends: list[str] = []

    def waits(call: object) -> threading.Thread:
        def run() -> None:
            try:
                call()
            except Closed:
                ends.append("closed")

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    idle = FrameBlock(None, np.zeros((12, 4, 4, 3), np.uint8), np.zeros(BLOCK, np.float32))
    rig.player.put(idle)
    rig.player.put(idle)
    waiting = [waits(lambda: rig.player.put(idle)), waits(lambda: rig.track.take(BLOCK))]
    rig.player.close()
    rig.track.close()
    for thread in waiting:
        thread.join(5)
    assert ends == ["closed", "closed"]


@pytest.mark.filterwarnings("ignore")
def test_a_performer_that_raises_is_reopened_and_its_speech_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(fail_on=[2])
    worker = threading.Thread(target=rig.renderer.run)
    turn = Turn(1, "hi")
    rig.say(turn, 0.48 * 4)
    worker.start()
    out = np.zeros(240, np.float32)
    heard = np.zeros(0, np.float32)
    waited = threading.Event()
    for _ in range(2000):
        done = rig.player.fill(out)
        rig.clock.set(rig.clock.position + done)
        heard = np.concatenate([heard, out[:done]])
        if rig.player.heard(turn, rig.clock.position) >= 4 * BLOCK:
            break
        if not done:
            waited.wait(0.002)
    rig.renderer.stop()
    rig.player.close()
    worker.join(5)
    assert rig.player.heard(turn, rig.clock.position) == 4 * BLOCK
    assert len(rig.performer.performances) == 2
    assert [event.problem.value for event in rig.events.seen] == ["picture_restarted"]
    caplog.clear()
