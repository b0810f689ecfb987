"""This machine's own loudspeaker in its own microphone: what the system says of the delay, and what it is."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audio.portaudio import PortAudioDevice
from core.audio.sound import SoundLoop
from core.clock import SampleClock
from core.media import CAPTURE_RATE
from core.worker import Worker

if TYPE_CHECKING:
    from core.media import AudioChunk, Samples

_SETTLED_S = 2.0


@dataclass(frozen=True)
class Devices:
    """`measured_ms` is None when the microphone does not hear the loudspeaker (headphones)."""

    microphone: str
    loudspeaker: str
    microphone_ms: float
    """What PortAudio says of the way in, and below of the way out."""
    loudspeaker_ms: float
    measured_ms: float | None
    """From the sample the device takes to the sample the microphone gives, by correlation."""
    half_duplex: bool
    left_rms: float
    """Loudness of what the guard lets through, once it has settled."""


def measure_devices(voice: Samples, seconds: float = 12.0) -> Devices | None:
    """Play `voice` (at `MEDIA_RATE`, repeated) on the default devices and listen; None without a microphone."""
    device = PortAudioDevice("", "", time.perf_counter, refresh=True)
    left: list[Samples] = []
    given = 0

    def fill(out: Samples) -> int:
        nonlocal given
        out[:] = voice[(given + np.arange(len(out))) % len(voice)]
        given += len(out)
        return len(out)

    def hear(chunk: AudioChunk) -> None:
        left.append(chunk.samples)

    loop = SoundLoop(device, SampleClock(), fill, hear, lambda event: None, now=time.perf_counter, echo="auto")
    try:
        with Worker("sound", loop.run, loop.stop, lambda event: None):
            threading.Event().wait(seconds)
            microphone, loudspeaker = device.microphone, device.loudspeaker
            if microphone is None:
                return None
            out_s = (loudspeaker.taken - loudspeaker.leaving) / loudspeaker.rate
            delay_s = loop.echo_delay_s
            clean = np.concatenate(left)[int(_SETTLED_S * CAPTURE_RATE) :]
            return Devices(
                microphone.name,
                loudspeaker.name,
                round(1000 * microphone.latency_s, 1),
                round(1000 * out_s, 1),
                None if delay_s is None else round(1000 * delay_s, 1),
                loop.half_duplex,
                round(float(np.sqrt(np.mean(np.square(clean)))), 5),
            )
    finally:
        device.close()
