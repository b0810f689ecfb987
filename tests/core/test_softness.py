"""The avatar's voice made softer and loud again: at once, without a click, and known sample by sample."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.softness import Softness
from core.audio.software import SoftwareSound
from core.audio.sound import DUCKED, SoundLoop
from core.camera import Camera
from core.clock import SampleClock
from core.media import MEDIA_RATE, FrameBlock, MediaFormat
from core.playback.player import Player

if TYPE_CHECKING:
    from core.media import Samples
    from core.playback.player import Played

LEVEL = 0.4


class Room:
    """A loop that plays one level without end."""

    def __init__(self, rate: int = MEDIA_RATE) -> None:
        self.seconds = 0.0
        self.rate = rate
        self.heard: list[Samples] = []
        self.clock = SampleClock()
        self.device = SoftwareSound(lambda: self.seconds, self.heard.append, rate)
        self.loop = SoundLoop(
            self.device,
            self.clock,
            self.fill,
            lambda chunk: None,
            lambda event: None,
            now=lambda: self.seconds,
            echo="off",
        )

    def fill(self, out: Samples) -> int:
        out[:] = LEVEL
        return len(out)

    def crank(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.01)):
            self.seconds += 0.01
            self.loop.step()

    @property
    def sound(self) -> Samples:
        return np.concatenate(self.heard)


@pytest.mark.parametrize("rate", [24_000, 48_000])
def test_the_voice_is_twelve_decibels_softer_within_thirty_milliseconds(rate: int) -> None:
    room = Room(rate)
    room.crank(1.0)
    room.loop.ducked = True
    room.crank(0.5)
    room.loop.ducked = False
    room.crank(0.5)
    sound = room.sound / LEVEL
    assert sound[int(0.99 * rate)] == pytest.approx(1, abs=0.01)
    assert np.allclose(sound[int(1.03 * rate) : int(1.49 * rate)], DUCKED, atol=0.01)
    assert np.allclose(sound[int(1.53 * rate) : int(1.9 * rate)], 1, atol=0.01)


def test_there_is_no_click() -> None:
    room = Room(48_000)
    room.crank(1.0)
    for ducked in (True, False, True, False):
        room.loop.ducked = ducked
        room.crank(0.02)
    room.crank(0.5)
    sound = room.sound[int(0.5 * 48_000) :]
    assert np.abs(np.diff(sound)).max() < 2 * LEVEL / (0.008 * 48_000)


def test_it_is_known_how_loud_every_sample_was_heard() -> None:
    room = Room()
    room.crank(1.0)
    room.loop.ducked = True
    room.crank(0.3)
    room.loop.ducked = False
    room.crank(0.5)
    known = room.loop.loudness(0, room.clock.position)
    silent = int(np.argmax(room.sound > 0.99 * LEVEL))
    heard = room.sound[silent : silent + 36_000] / LEVEL
    late = len(room.sound) - room.clock.position
    assert np.abs(known[silent - late :][: len(heard)] - heard).max() < 0.02


def test_a_muted_voice_was_not_heard() -> None:
    room = Room()
    room.loop.muted = True
    assert not room.loop.loudness(0, 100).any()


def test_a_slope_that_is_interrupted_goes_on_from_where_it_was() -> None:
    softness = Softness()
    softness.turn(100, 200, 0.0)
    softness.turn(150, 250, 1.0)
    gains = softness.over(0, 400)
    assert gains[99] == 1
    assert gains[150] == pytest.approx(0.5)
    assert gains[260] == 1
    assert np.abs(np.diff(gains)).max() < 0.0101


class Tape:
    """A recorder that keeps what it is given."""

    over = False
    seconds = 0.0

    def __init__(self) -> None:
        self.samples: list[Samples] = []
        self._stopped = threading.Event()

    def played(self, played: Played) -> None:
        self.samples.append(played.samples)

    def run(self) -> None:
        self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()


def test_the_recording_holds_the_voice_as_soft_as_it_was_heard() -> None:
    media, clock, tape, heard = MediaFormat(), SampleClock(), Tape(), list[np.ndarray]()
    player, seconds = Player(media, clock), 0.0
    device = SoftwareSound(lambda: seconds, heard.append)
    loop = SoundLoop(
        device, clock, player.fill, lambda chunk: None, lambda event: None, now=lambda: seconds, echo="off"
    )
    camera = Camera(player, lambda path: tape, loop.loudness, lambda event: None)
    block = FrameBlock(None, np.zeros((12, 8, 8, 3), np.uint8), np.full(12 * media.samples_per_frame, 0.4, np.float32))
    camera.want(Path("film.mp4"))
    camera.roll()
    for tick in range(200):
        seconds += 0.01
        loop.ducked = 80 <= tick < 130
        if player.stock < 10_000:
            player.put(block)
        loop.step()
    camera.stop()
    camera.finish()
    film = np.concatenate(tape.samples) / 0.4
    sound = np.concatenate(heard) / 0.4
    first = int(np.argmax(sound > 0.99))
    soft = np.flatnonzero(np.abs(film - DUCKED) < 0.01)
    assert len(soft) / MEDIA_RATE == pytest.approx(0.5, abs=0.02)
    count = min(len(film), len(sound)) - first
    offset = len(sound) - clock.position
    assert np.abs(film[first - offset :][: count - offset] - sound[first:][: count - offset]).max() < 0.02
