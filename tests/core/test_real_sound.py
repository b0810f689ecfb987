"""SoundLoop and PortAudioDevice on a real sound server whose loudspeaker and microphone are made of nothing."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.signal import correlate

from core.audio.portaudio import PortAudioDevice, list_devices, open_microphone, play
from core.audio.sound import RING_S, SoundLoop
from core.channel import Channel
from core.clock import SampleClock
from core.errors import Problem
from core.events import Failed, Recovered
from core.media import CAPTURE_RATE, MEDIA_RATE
from core.worker import Worker
from tests.soundserver import RATE, sound_server, sound_server_available

if TYPE_CHECKING:
    from collections.abc import Generator

    from core.audio.echo import EchoMode
    from core.events import SessionEvent
    from core.media import AudioChunk, Samples
    from tests.soundserver import SoundServer

pytestmark = [
    pytest.mark.sound,
    pytest.mark.skipif(not sound_server_available(), reason="needs pulseaudio and pulseaudio-utils"),
]
LIMIT_S = 10.0
PITCH = 1000


@pytest.fixture(scope="module")
def server() -> Generator[SoundServer]:
    with sound_server() as running:
        yield running


class Tone:
    """Media without end: a tone, until it is told to be silent or to babble."""

    def __init__(self) -> None:
        self.given = 0
        self.silent = False
        self.babbles = False
        self._noise = np.random.default_rng(3)

    def fill(self, out: Samples) -> int:
        at = self.given + np.arange(len(out))
        self.given += len(out)
        if self.silent:
            out[:] = 0
        elif self.babbles:
            loudness = np.clip(np.sin(2 * np.pi * 3 * at / MEDIA_RATE), 0, 1)
            out[:] = 0.2 * loudness * np.clip(self._noise.normal(0, 1, len(out)), -3, 3)
        else:
            out[:] = 0.5 * np.sin(2 * np.pi * PITCH * at / MEDIA_RATE)
        return len(out)


class Ear:
    """What the microphone heard."""

    def __init__(self) -> None:
        self._chunks: list[AudioChunk] = []
        self._grown = threading.Condition()

    def hear(self, chunk: AudioChunk) -> None:
        with self._grown:
            self._chunks.append(chunk)
            self._grown.notify_all()

    @property
    def chunks(self) -> int:
        return len(self._chunks)

    def wait_for(self, seconds: float, since: int | None = None) -> Samples:
        """That much, from now or from this many chunks on."""
        with self._grown:
            have = len(self._chunks) if since is None else since
            wanted = have + int(seconds * CAPTURE_RATE / 512)
            assert self._grown.wait_for(lambda: len(self._chunks) >= wanted, seconds + LIMIT_S)
            return np.concatenate([chunk.samples for chunk in self._chunks[have:]])


class Talk:
    """A running loop and what came out of it."""

    def __init__(self, loop: SoundLoop, clock: SampleClock, tone: Tone, ear: Ear) -> None:
        self.loop = loop
        self.clock = clock
        self.tone = tone
        self.ear = ear
        self.events: Channel[SessionEvent] = Channel(100)


@contextmanager
def talking(echo: EchoMode = "off") -> Generator[Talk]:
    device = PortAudioDevice("", "", time.monotonic, refresh=True)
    clock, tone, ear = SampleClock(), Tone(), Ear()
    events: Channel[SessionEvent] = Channel(100)
    loop = SoundLoop(device, clock, tone.fill, ear.hear, events.offer, now=time.monotonic, echo=echo)
    talk = Talk(loop, clock, tone, ear)
    talk.events = events
    try:
        with Worker("sound", loop.run, loop.stop, events.offer):
            yield talk
    finally:
        device.close()


def loudness_by_ms(samples: Samples) -> Samples:
    per_ms = RATE // 1000
    return np.abs(samples[: len(samples) // per_ms * per_ms]).reshape(-1, per_ms).max(axis=1)


def test_the_system_lists_its_devices(server: SoundServer) -> None:
    PortAudioDevice("", "", time.monotonic, refresh=True).close()
    devices = list_devices()
    assert devices.default_microphone in devices.microphones
    assert devices.default_loudspeaker in devices.loudspeakers


def test_a_microphone_and_a_loudspeaker_are_tested_beside_a_conversation_that_goes_on(server: SoundServer) -> None:
    chime = 0.3 * np.sin(2 * np.pi * 440 * np.arange(MEDIA_RATE // 2) / MEDIA_RATE).astype(np.float32)
    with talking() as talk, server.recording() as recording:
        recording.wait_for(0.5)
        talk.tone.silent = True
        microphone = open_microphone("", time.monotonic)
        assert microphone is not None
        before = talk.clock.position
        PortAudioDevice("", "", time.monotonic, refresh=True).close()  # does not end the streams of the others
        assert play(chime, "")
        assert _grows(talk.clock, before + MEDIA_RATE // 2)
        assert microphone.alive
        microphone.close()
        heard = recording.wait_for(len(recording.samples) / RATE + 0.2)
    spectrum = np.abs(np.fft.rfft(heard[-RATE:]))
    assert int(np.argmax(spectrum[300:700])) + 300 == pytest.approx(440, abs=3)
    assert not play(chime, "a loudspeaker nobody has")


def test_a_tone_reaches_the_loudspeaker_without_a_flaw(server: SoundServer) -> None:
    with talking(), server.recording() as recording:
        heard = recording.wait_for(3.5)
    # The machine may be busy with something else for a moment, but not in every second.
    seconds = [heard[at : at + RATE] for at in range(RATE // 2, 3 * RATE, RATE // 2) if at + RATE <= len(heard)]
    best = max(seconds, key=purity_db)
    assert purity_db(best) > 60
    assert best.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def purity_db(second: Samples) -> float:
    """How far everything else lies below the tone, which must have exactly its pitch."""
    power = np.abs(np.fft.rfft(second * np.blackman(len(second)))) ** 2
    signal = power[PITCH - 3 : PITCH + 4].sum()
    return 10 * float(np.log10(signal / (power.sum() - signal)))


def test_the_clock_follows_the_loudspeaker(server: SoundServer) -> None:
    with talking() as talk, server.recording() as recording:
        recording.wait_for(0.5)
        position, began = talk.clock.position, time.monotonic()
        recording.wait_for(2.5)
        played, seconds = (talk.clock.position - position) / MEDIA_RATE, time.monotonic() - began
        assert 0.5 * seconds < played < seconds + 0.08
        assert 0 < talk.tone.given - talk.clock.position < 0.25 * MEDIA_RATE


def test_what_is_said_into_the_microphone_is_heard_unchanged(server: SoundServer) -> None:
    said = np.random.default_rng(5).normal(0, 0.1, CAPTURE_RATE).astype(np.float32)
    said = np.convolve(said, np.ones(8) / 4, "same").astype(np.float32)
    with talking() as talk:
        talk.ear.wait_for(0.2)
        since = talk.ear.chunks
        speaker = threading.Thread(target=server.say, args=(said, CAPTURE_RATE))
        speaker.start()
        heard = talk.ear.wait_for(2, since)
        speaker.join()
    found = [likeness(heard, piece) for piece in np.split(said, 10)]
    # A busy machine may lose a piece on its way into the server, but not half of them.
    assert sum(like > 0.95 for like in found) >= 6, found


def likeness(heard: Samples, piece: Samples) -> float:
    """Correlation of `piece` with the place in `heard` that is most like it."""
    at = int(np.argmax(correlate(heard, piece, "valid")))
    return float(np.corrcoef(heard[at : at + len(piece)], piece)[0, 1])


def test_hush_is_silence_within_150_ms(server: SoundServer) -> None:
    delays_ms: list[float] = []
    with talking() as talk, server.recording() as recording:
        recording.wait_for(0.5)
        for _ in range(3):  # the machine may be busy with something else once
            talk.tone.silent = False
            recording.wait_for(len(recording.samples) / RATE + 0.4)
            talk.tone.silent = True
            at = len(recording.samples)
            unheard = talk.loop.hush()
            assert 0 < unheard <= RING_S * MEDIA_RATE
            loud = loudness_by_ms(recording.wait_for(at / RATE + 0.4))
            delays_ms.append(float(np.nonzero(loud > 0.01)[0][-1]) - at * 1000 / RATE)
    assert min(delays_ms) < 150
    assert max(delays_ms) < 400


def test_a_server_that_dies_is_noticed_and_used_again_when_it_is_back() -> None:
    with sound_server() as server, talking() as talk:
        talk.ear.wait_for(0.1)
        killed = time.monotonic()
        server.kill()
        lost = [talk.events.take(LIMIT_S), talk.events.take(LIMIT_S)]
        assert time.monotonic() - killed < 1.5
        assert [event.problem for event in lost if isinstance(event, Failed)] == [Problem.DEVICE_LOST] * 2
        position = talk.clock.position
        assert _grows(talk.clock, position + MEDIA_RATE // 5), "media time must go on without a loudspeaker"
        server.start()
        assert talk.events.take(LIMIT_S) == Recovered(Problem.DEVICE_LOST)
        talk.ear.wait_for(0.1)
        heard = server.record(0.5)
    assert heard[-RATE // 10 :].std() > 0.05


def test_the_avatar_does_not_hear_itself_across_the_room() -> None:
    with sound_server(echo_ms=40) as room, talking("auto") as talk:
        talk.tone.babbles = True
        with room.recording("lt_mic.monitor") as recording:
            recording.wait_for(1.5)
            left = [talk.ear.wait_for(1).std() / recording.samples[-RATE:].std() for _ in range(3)]
    assert min(left) < 0.1, left


def _grows(clock: SampleClock, goal: int) -> bool:
    waited = threading.Event()
    return any(clock.position >= goal or waited.wait(0.02) for _ in range(int(LIMIT_S / 0.02)))
