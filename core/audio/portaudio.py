"""PortAudioDevice: the system's microphone and loudspeaker, two streams whose callbacks are C.

rtmixer's callback copies between PortAudio's buffers and rings in memory and never needs Python, so a busy interpreter
cannot make the sound stutter. The loudspeaker's ring is memory that stays ours until the device has taken it: it is
kept committed half a second ahead with silence, sound is written into it in place, and a flush writes silence over it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.device import AHEAD_S, Devices, PacedLoudspeaker, Tape
from core.audio.port import Port
from core.audio.recovery import Side, loudspeaker_trouble, microphone_trouble
from core.audio.resample import Resampler
from core.events import Recovered
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.audio.device import Loudspeaker, Microphone
    from core.events import SessionEvent
    from core.media import Samples

LATENCY_S = 0.06
"""Asked of a stream. 0.04 tore the sound when other programs took the processor, 0.08 answers an interruption late."""
STALL_S = 1.0
"""A stream that has not moved for so long is lost."""
WAKE_S = 5.0
"""A stream may need so long for its first sound (Bluetooth, a suspended server)."""
_LOOK_S = 0.01
_CAPTURE_RING = 1 << 17


class PortAudioDevice:
    """Two streams by the names of their devices; an empty name is the system's default.

    A device that is missing or lost is replaced by the default one, and looked for every two seconds (`tend`). Where
    there is no loudspeaker, a silent one paced by `now` keeps media time going. Made on any thread, then used by one.

    Args:
        now: seconds on a clock that never goes back.
        refresh: look for devices anew, unless something else in this process plays or records.
    """

    def __init__(self, microphone: str, loudspeaker: str, now: Callable[[], float], refresh: bool = False) -> None:
        self._now = now
        self._port = Port()
        if refresh:
            self._port.refresh()
        self._microphone: Side[Microphone] = Side(microphone, microphone_trouble, self._open_microphone)
        self._loudspeaker: Side[Loudspeaker] = Side(loudspeaker, loudspeaker_trouble, self._open_loudspeaker)
        self._silent: Loudspeaker = PacedLoudspeaker(MEDIA_RATE, now)

    @property
    def microphone(self) -> Microphone | None:
        return self._microphone.device

    @property
    def loudspeaker(self) -> Loudspeaker:
        return self._loudspeaker.device or self._silent

    def tend(self) -> Sequence[SessionEvent]:
        now = self._now()
        sides = (self._microphone, self._loudspeaker)
        self._microphone.lost()
        if self._loudspeaker.lost():
            self._silent = PacedLoudspeaker(MEDIA_RATE, self._now)
        if all(side.device is None and side.due(now) for side in sides):
            self._port.refresh()
        events = [event for side in sides for event in side.tend(now)]
        left = {side.reported for side in sides}
        return [event for event in events if not (isinstance(event, Recovered) and event.problem in left)]

    def close(self) -> None:
        self._microphone.close()
        self._loudspeaker.close()

    def _open_microphone(self, name: str) -> Microphone | None:
        return self._port.open("input", name, lambda found, rate: _RtMicrophone(self._port, found, rate, self._now))

    def _open_loudspeaker(self, name: str) -> Loudspeaker | None:
        return self._port.open("output", name, lambda found, rate: _RtLoudspeaker(self._port, found, rate, self._now))


def list_devices() -> Devices:
    """The microphones and loudspeakers of the system's usual sound interface; empty without any."""
    port = Port()
    return Devices(port.names("input"), port.names("output"), port.default("input"), port.default("output"))


def open_microphone(name: str, now: Callable[[], float]) -> Microphone | None:
    """The microphone of this name (empty: the system's) beside the conversation; None when it cannot be had."""
    port = Port()
    return port.open("input", name, lambda found, rate: _RtMicrophone(port, found, rate, now))


def play(samples: Samples, loudspeaker: str) -> bool:
    """Play `samples` at `MEDIA_RATE` beside the conversation and wait until they have sounded; False when the
    loudspeaker of this name (empty: the system's) cannot be had, or was lost."""
    port = Port()
    opened = port.open("output", loudspeaker, lambda found, rate: (port.started(_mixer(port, found, 1, rate)), rate))
    if opened is None:
        return False
    stream, rate = opened
    try:
        resampled = Resampler(MEDIA_RATE, rate)
        sound = resampled(np.concatenate([samples, np.zeros(resampled.held, np.float32)]))
        action, pause = stream.play_buffer(sound, 1), threading.Event()
        looks = round((len(sound) / rate + WAKE_S) / _LOOK_S)
        taken = any(action not in stream.actions or pause.wait(_LOOK_S) for _ in range(looks))
        if taken:
            stream.stop()  # what the device has taken still sounds
    finally:
        port.close(stream)
    return taken


def _mixer(port: Port, found: Any, channels: int, rate: int) -> Any:
    return port.rtmixer.Mixer(
        device=found["index"], channels=channels, samplerate=rate, latency=LATENCY_S, blocksize=rate // 100
    )


class _Watch:
    """Remembers when a position last moved."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at = now()
        self._position = 0

    def see(self, position: int) -> None:
        if position != self._position:
            self._position = position
            self._at = self._now()

    @property
    def still_s(self) -> float:
        return self._now() - self._at

    @property
    def stalled(self) -> bool:
        return self.still_s > (STALL_S if self._position else WAKE_S)


class _RtMicrophone:
    def __init__(self, port: Port, found: Any, rate: int, now: Callable[[], float]) -> None:
        self.name = str(found["name"])
        self.rate = rate
        self._port = port
        self._ring = port.rtmixer.RingBuffer(4, _CAPTURE_RING)
        stream = port.rtmixer.Recorder(
            device=found["index"], channels=1, samplerate=rate, latency=LATENCY_S, blocksize=rate // 100
        )
        self._action = stream.record_ringbuffer(self._ring)
        self._stream = port.started(stream)
        self.latency_s = float(self._stream.latency)
        self._watch = _Watch(now)
        self._heard = 0

    @property
    def alive(self) -> bool:
        self._watch.see(self._heard + self._ring.read_available)
        return self._stream.active and not self._watch.stalled

    def take(self) -> Samples:
        if self._action not in self._stream.actions:
            self._action = self._stream.record_ringbuffer(self._ring)
        samples = np.frombuffer(self._ring.read(), np.float32)
        self._heard += len(samples)
        return samples

    def close(self) -> None:
        self._port.close(self._stream)


class _RtLoudspeaker:
    def __init__(self, port: Port, found: Any, rate: int, now: Callable[[], float]) -> None:
        self.name = str(found["name"])
        self.rate = rate
        self._port = port
        channels = min(2, int(found["max_output_channels"]))
        self._tape = Tape(rate, channels)
        self._ring = port.rtmixer.RingBuffer(4 * channels, buffer=self._tape.memory)
        self._committed = int(AHEAD_S * rate)
        self._ring.advance_write_index(self._committed)
        self._written = 0
        stream = _mixer(port, found, channels, rate)
        self._action = stream.play_ringbuffer(self._ring)
        self._stream = port.started(stream)
        self._latency = float(self._stream.latency) * rate
        self._watch = _Watch(now)

    @property
    def alive(self) -> bool:
        self._watch.see(self.taken)
        return self._stream.active and not self._watch.stalled

    @property
    def taken(self) -> int:
        """Asking also keeps the device supplied with `AHEAD_S` of silence to overwrite."""
        taken = self._committed - self._ring.read_available
        ahead = taken + int(AHEAD_S * self.rate)
        if ahead > self._committed:
            self._tape.blank(self._committed, ahead)
            self._ring.advance_write_index(ahead - self._committed)
            self._committed = ahead
        if self._action not in self._stream.actions:  # the ring ran dry: nobody came for `AHEAD_S`
            self._action = self._stream.play_ringbuffer(self._ring)
        return taken

    @property
    def leaving(self) -> float:
        taken = self.taken
        self._watch.see(taken)
        since = min(self._watch.still_s * self.rate, self._latency)
        return taken - self._latency + since

    def write(self, position: int, samples: Samples) -> None:
        end = position + len(samples)
        self._tape.put(position, samples)
        self._tape.blank(end, self._written)
        self._written = end

    def played(self, start: int, end: int) -> Samples:
        return self._tape.get(start, end)

    def close(self) -> None:
        self._port.close(self._stream)
