"""SoundLoop on a software device whose clock the test turns: what is heard, and what the media clock says."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.audio.device import PacedLoudspeaker
from core.audio.ear import CHUNK
from core.audio.software import SoftwareMicrophone, SoftwareSound
from core.audio.sound import HUSH_LIMIT_S, RING_S, SoundLoop
from core.clock import SampleClock
from core.media import CAPTURE_RATE, MEDIA_RATE
from core.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.audio.device import Loudspeaker
    from core.events import SessionEvent
    from core.media import AudioChunk, Samples

SCALE = 1e-6
"""Every media sample says which one it is: sample n has the value n * SCALE."""


class Stage:
    """A loop with everything around it, cranked by hand."""

    def __init__(self, rate: int = MEDIA_RATE) -> None:
        self.seconds = 0.0
        self.heard: list[Samples] = []
        self.chunks: list[AudioChunk] = []
        self.skipped: list[int] = []
        self.given = 0
        self.ready: int | None = None
        self.clock = SampleClock()
        self.device = SoftwareSound(lambda: self.seconds, self.heard.append, rate)
        self.loop = SoundLoop(
            self.device,
            self.clock,
            self.fill,
            self.chunks.append,
            lambda event: None,
            now=lambda: self.seconds,
            echo="off",
            skip=self.skipped.append,
        )

    def fill(self, out: Samples) -> int:
        count = len(out) if self.ready is None else min(self.ready, len(out))
        out[:count] = (self.given + np.arange(count)) * SCALE
        self.given += count
        if self.ready is not None:
            self.ready -= count
        return count

    def crank(self, seconds: float, tick: float = 0.01) -> None:
        for _ in range(round(seconds / tick)):
            self.seconds += tick
            self.loop.step()

    @property
    def sound(self) -> Samples:
        return np.concatenate(self.heard)


def test_every_sample_is_heard_once_and_in_order() -> None:
    stage = Stage()
    stage.crank(2)
    media = np.round(stage.sound[1000:] / SCALE).astype(int)
    assert np.array_equal(np.diff(media), np.ones(len(media) - 1))
    assert stage.loop.counts.underruns == 0


def test_the_ring_is_kept_eighty_milliseconds_ahead() -> None:
    stage = Stage(48_000)
    stage.crank(1)
    ahead = (stage.given - stage.clock.position) / MEDIA_RATE
    assert RING_S - 0.02 <= ahead <= RING_S + 0.01


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([24_000, 44_100, 48_000]),
    st.lists(st.tuples(st.integers(0, 4000), st.sampled_from([0.003, 0.01, 0.05, 0.2])), min_size=1, max_size=12),
)
def test_the_clock_names_the_sample_that_is_heard_however_sound_starves(
    rate: int, script: list[tuple[int, float]]
) -> None:
    stage = Stage(rate)
    before = 0
    for ready, seconds in script:
        stage.ready = ready
        stage.crank(seconds, tick=min(seconds, 0.01))
        assert before <= stage.clock.position <= stage.given
        before = stage.clock.position
        newest = stage.sound[-1]
        if newest > 0.005:
            assert abs(newest / SCALE - stage.clock.position) <= 3
    stage.ready = 0
    stage.crank(0.5)
    assert stage.given - stage.clock.position <= 60


def test_while_sound_starves_media_time_stands_still_and_it_is_counted_once() -> None:
    stage = Stage()
    stage.crank(1)
    stage.ready = 0
    stage.crank(0.5)
    stood = stage.clock.position
    assert stood == stage.given
    assert stage.loop.counts.underruns == 1
    assert stage.loop.counts.starved > 0.3 * MEDIA_RATE
    stage.ready = None
    stage.crank(0.5)
    assert stage.clock.position > stood
    media = stage.sound[stage.sound > 0.001]
    assert np.allclose(np.diff(media), SCALE, atol=2e-7)
    assert stage.loop.counts.underruns == 1


def test_hush_silences_at_once_and_says_exactly_what_was_not_heard() -> None:
    stage = Stage()
    stage.crank(1)
    given, at = stage.given, len(stage.sound)
    stage.ready = 0
    unheard = stage.loop.hush()
    stage.crank(0.5)
    after = stage.sound[at:]
    last = np.nonzero(after)[0][-1]
    assert last < 0.012 * MEDIA_RATE
    assert not after[last + 1 :].any()
    assert at + last + 1 - np.nonzero(stage.sound)[0][0] == pytest.approx(given - unheard, abs=5)
    assert stage.skipped == [unheard]


def test_the_clock_steps_over_what_was_flushed() -> None:
    stage = Stage()
    stage.crank(1)
    given = stage.given
    unheard = stage.loop.hush()
    assert unheard > 0.04 * MEDIA_RATE
    stage.crank(0.03)
    assert stage.clock.position >= given
    media = np.round(stage.sound[-100:] / SCALE)
    assert abs(media[-1] - stage.clock.position) <= 3
    assert stage.loop.counts.underruns == 0


def test_hush_with_nothing_to_say_is_nothing() -> None:
    stage = Stage()
    stage.ready = 0
    stage.crank(0.2)
    assert stage.loop.hush() == 0


def test_a_muted_avatar_goes_on_unheard() -> None:
    stage = Stage()
    stage.loop.muted = True
    stage.crank(1)
    assert not stage.sound.any()
    assert stage.clock.position > 0.9 * MEDIA_RATE
    stage.loop.muted = False
    stage.crank(0.5)
    assert stage.sound[-1] == pytest.approx(stage.clock.position * SCALE, abs=3 * SCALE)


def test_volume_scales_what_is_heard_without_a_click() -> None:
    stage = Stage()
    stage.crank(1)
    stage.loop.volume = 0.5
    stage.crank(1)
    assert stage.sound[-1] == pytest.approx(stage.clock.position * SCALE / 2, rel=1e-3)
    assert np.abs(np.diff(stage.sound[1000:])).max() < 0.001
    assert 0 < stage.loop.voice_level < 0.05


def test_what_is_said_into_the_microphone_comes_as_whole_windows() -> None:
    stage = Stage()
    said = np.random.default_rng(0).normal(0, 0.1, CAPTURE_RATE).astype(np.float32)
    stage.device.play_into_microphone(said[:5000])
    stage.device.play_into_microphone(said[5000:])
    stage.crank(1.2)
    assert {len(chunk.samples) for chunk in stage.chunks} == {CHUNK}
    assert [chunk.start for chunk in stage.chunks] == [CHUNK * n for n in range(len(stage.chunks))]
    assert np.array_equal(np.concatenate([chunk.samples for chunk in stage.chunks])[:CAPTURE_RATE], said)
    assert stage.device.microphone.pending == 0
    assert stage.loop.microphone_level > 0


def test_a_microphone_that_is_off_hears_silence_and_time_goes_on() -> None:
    stage = Stage()
    stage.loop.microphone_on = False
    stage.device.play_into_microphone(np.ones(CAPTURE_RATE, np.float32))
    stage.crank(1)
    assert len(stage.chunks) == CAPTURE_RATE // CHUNK
    assert not any(chunk.samples.any() for chunk in stage.chunks)
    assert stage.loop.microphone_level == 0


class Unplugged:
    """A device whose loudspeaker can be pulled out and replaced by one of another rate."""

    def __init__(self, stage: Stage) -> None:
        self.microphone: SoftwareMicrophone | None = None
        self.loudspeaker: Loudspeaker = stage.device.loudspeaker
        self.events: list[SessionEvent] = []

    def tend(self) -> Sequence[SessionEvent]:
        return ()

    def close(self) -> None:
        pass


def test_media_goes_on_at_the_next_loudspeaker_without_what_the_lost_one_held() -> None:
    stage = Stage(48_000)
    device = Unplugged(stage)
    stage.loop = SoundLoop(
        device, stage.clock, stage.fill, stage.chunks.append, lambda event: None,
        now=lambda: stage.seconds, echo="off", skip=stage.skipped.append,
    )  # fmt: skip
    stage.crank(1)
    given, position = stage.given, stage.clock.position
    elsewhere: list[Samples] = []
    device.loudspeaker = PacedLoudspeaker(44_100, lambda: stage.seconds, elsewhere.append)
    stage.crank(1)
    assert stage.skipped == [given - position]
    assert stage.clock.position == pytest.approx(given + MEDIA_RATE, abs=0.03 * MEDIA_RATE)
    assert np.concatenate(elsewhere)[-1] == pytest.approx(stage.clock.position * SCALE, abs=4 * SCALE)
    assert not any(chunk.samples.any() for chunk in stage.chunks)


def test_hush_is_answered_by_the_running_loop_and_never_waits_for_a_stopped_one() -> None:
    stage = Stage()
    running = threading.Event()
    device = SoftwareSound(time.monotonic)

    def fill(out: Samples) -> int:
        running.set()
        return stage.fill(out)

    loop = SoundLoop(
        device, SampleClock(), fill, stage.chunks.append, lambda event: None, now=time.monotonic, echo="off",
        skip=stage.skipped.append,
    )  # fmt: skip
    with Worker("sound", loop.run, loop.stop, lambda event: None):
        assert running.wait(5)
        asked = time.monotonic()
        unheard = loop.hush()
        assert time.monotonic() - asked < HUSH_LIMIT_S + 0.2
        assert 0 < unheard <= RING_S * MEDIA_RATE
    assert stage.skipped == [unheard]
    assert loop.hush() == 0


def test_hush_does_not_wait_for_a_loop_that_is_stuck() -> None:
    entered, release = threading.Event(), threading.Event()

    def stuck(out: Samples) -> int:
        entered.set()
        release.wait(10)
        return 0

    loop = SoundLoop(
        SoftwareSound(time.monotonic), SampleClock(), stuck, lambda chunk: None, lambda event: None,
        now=time.monotonic, echo="off",
    )  # fmt: skip
    with Worker("sound", loop.run, loop.stop, lambda event: None):
        assert entered.wait(5)
        assert loop.hush() == 0
        release.set()
