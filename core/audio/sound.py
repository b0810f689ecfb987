"""SoundLoop: both directions of sound on one thread, and the only writer of the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.audio.ear import Ear, fallen
from core.audio.resample import Resampler
from core.audio.softness import Softness
from core.audio.timeline import Timeline
from core.channel import Channel, TimedOut
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.audio.device import Loudspeaker, SoundDevice
    from core.audio.echo import EchoMode
    from core.audio.pairs import Pairs
    from core.clock import SampleClock
    from core.events import Emit
    from core.media import AudioChunk, Samples

TICK_S = 0.01
RING_S = 0.12
"""How much sound is kept written ahead of the device."""
HUSH_LIMIT_S = 0.05
DUCKED = 10 ** (-12 / 20)
"""Gain of the avatar's voice while it is not clear whether somebody interrupts it: 12 dB down."""
_FADE_S = 0.008
_GUARD_S = 0.002
_RESTART_S = 0.005


@dataclass(frozen=True)
class SoundCounts:
    """Since the start: how often and for how many media samples the loudspeaker starved."""

    underruns: int = 0
    starved: int = 0


class SoundLoop:
    """Pulls media from `fill`, gives what the microphone heard to `hear`, and sets `clock`.

    Everything happens on the thread that calls `run` (or `step`, in tests); `hush`, `stop` and the switches may be
    called from any other.

    Args:
        device: opened and closed by whoever made it.
        fill: copies the next media samples into its argument and returns how many there were.
        hear: given whole `AudioChunk`s of `ear.CHUNK` samples.
        now: seconds, the pace of the ticks.
        echo: how the avatar is kept from hearing itself.
        pairs: what earlier sessions learned of the devices; told what this one learned when `run` ends.
        skip: told, before the next `fill`, how many of the last media samples were flushed and never heard.
    """

    def __init__(
        self,
        device: SoundDevice,
        clock: SampleClock,
        fill: Callable[[Samples], int],
        hear: Callable[[AudioChunk], None],
        emit: Emit,
        *,
        now: Callable[[], float],
        echo: EchoMode = "auto",
        pairs: Pairs | None = None,
        skip: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._device = device
        self._emit = emit
        self._now = now
        self._requests: Channel[Channel[int]] = Channel(16)
        self._running = False
        self._stopped = False
        self._out = _Output(device.loudspeaker, clock, fill, skip)
        self._ear = Ear(hear, echo, device.microphone, device.loudspeaker, pairs)

    def run(self) -> None:
        """Tick until `stop`.

        Raises:
            Closed: `stop` was called.
        """
        self._running = True
        try:
            due = self._now()
            while True:
                self.step()
                due = max(due + TICK_S, self._now())
                self._answer_until(due)
        finally:
            self._running = False
            self._ear.close()

    def stop(self) -> None:
        self._stopped = True
        self._requests.close()

    def step(self) -> None:
        """One tick: tend the device, listen, play, set the clock."""
        for event in self._device.tend():
            self._emit(event)
        played = self._out.turn(self._device.loudspeaker)
        self._ear.turn(self._device.microphone, self._device.loudspeaker, played)

    def hush(self) -> int:
        """Silence the loudspeaker at once; how many media samples were handed out and will never be heard.

        Waits at most `HUSH_LIMIT_S`; a loop that is later than that still flushes, and the answer is its last count.
        """
        if self._stopped:
            return 0
        if not self._running:
            return self._out.flush()
        answer: Channel[int] = Channel(1)
        self._requests.offer(answer)
        try:
            return answer.take(HUSH_LIMIT_S)
        except TimedOut:
            return self._out.ahead

    @property
    def counts(self) -> SoundCounts:
        return SoundCounts(self._out.underruns, self._out.starved)

    @property
    def voice_level(self) -> float:
        """Loudness of what leaves for the loudspeaker, RMS 0..1, falling slowly."""
        return self._out.level

    @property
    def microphone_level(self) -> float:
        """Loudness of what the microphone hears without the echo, RMS 0..1, falling slowly."""
        return self._ear.level

    @property
    def half_duplex(self) -> bool:
        """Whether the microphone is closed while the avatar speaks."""
        return self._ear.half_duplex

    @property
    def echo_delay_s(self) -> float | None:
        """How late the microphone hears the loudspeaker, as measured; None while unknown, and with headphones."""
        return self._ear.echo_delay_s

    @property
    def volume(self) -> float:
        return self._out.volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._out.volume = volume

    @property
    def muted(self) -> bool:
        """The avatar's voice is not heard; its time goes on."""
        return self._out.muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._out.muted = muted

    @property
    def ducked(self) -> bool:
        """The voice is `DUCKED`, from the next tick on also what stands in the ring already."""
        return self._out.ducked

    @ducked.setter
    def ducked(self, ducked: bool) -> None:
        self._out.ducked = ducked

    def loudness(self, start: int, count: int) -> Samples:
        """The gain with which `count` media samples from `start` on were played, for those that were heard already:
        muted or ducked, but not the room's volume. Called from `fill`."""
        return np.zeros(count, np.float32) if self.muted else self._out.heard_softness.over(start, count)

    @property
    def microphone_on(self) -> bool:
        """While off, or while there is no microphone, `hear` is given silence: whoever was speaking has stopped."""
        return self._ear.on

    @microphone_on.setter
    def microphone_on(self, on: bool) -> None:
        self._ear.on = on

    def _answer_until(self, due: float) -> None:
        """Wait for the next tick; a flush is followed by one at once, so that the ring does not run dry."""
        try:
            answer = self._requests.take(max(0.0, due - self._now()))
        except TimedOut:
            return
        answer.offer(self._out.flush())


class _Output:
    """Keeps the loudspeaker's ring filled and the clock right."""

    def __init__(
        self,
        loudspeaker: Loudspeaker,
        clock: SampleClock,
        fill: Callable[[Samples], int],
        skip: Callable[[int], None],
    ) -> None:
        self.volume = 1.0
        self.muted = False
        self.ducked = False
        self.heard_softness = Softness()
        self.level = 0.0
        self.underruns = 0
        self.starved = 0
        self._clock = clock
        self._fill = fill
        self._skip = skip
        self._given = 0
        self._timeline = Timeline(MEDIA_RATE, loudspeaker.rate)
        self._buffer = np.zeros(int(RING_S * MEDIA_RATE), np.float32)
        self._adopt(loudspeaker)

    @property
    def ahead(self) -> int:
        """Media samples handed out and not heard yet."""
        return max(0, self._given - self._clock.position)

    def turn(self, loudspeaker: Loudspeaker) -> Samples:
        """One tick; returns what the device has taken since the last, at the device's rate."""
        if loudspeaker is not self._loudspeaker:
            self._skip(self.ahead)
            self._adopt(loudspeaker)
        self._duck()
        self._write(self._pull())
        taken = loudspeaker.taken
        self._clock.set(int(self._timeline.media_at(loudspeaker.leaving)))
        played = loudspeaker.played(max(self._seen, taken - loudspeaker.rate // 2), taken)
        self._seen = taken
        self.level = fallen(self.level, played, loudspeaker.rate)
        return played

    def flush(self) -> int:
        """Fade out, forget what the ring holds and step over it; returns how many media samples that was."""
        loudspeaker, rate = self._loudspeaker, self._loudspeaker.rate
        start = loudspeaker.taken + int(_GUARD_S * rate)
        end = min(self._cursor, start + int(_FADE_S * rate))
        if start < end:
            fade = np.linspace(1, 0, end - start, dtype=np.float32)
            loudspeaker.write(start, loudspeaker.played(start, end) * fade)
            self._cursor = end
        unheard = max(0, self._given - round(self._timeline.media_at(self._cursor)))
        self._timeline.cut(self._cursor, self._given)
        self._begin_stream()
        self._skip(unheard)
        return unheard

    def _duck(self) -> None:
        """Follow `ducked`, from what the device takes next on: in the ring, in what is written later, and in what is
        known of how it was heard."""
        if self.ducked == self._was_ducked:
            return
        self._was_ducked = self.ducked
        loudspeaker, gain = self._loudspeaker, DUCKED if self.ducked else 1.0
        start = loudspeaker.taken + int(_GUARD_S * loudspeaker.rate)
        end = start + int(_FADE_S * loudspeaker.rate)
        waiting = max(0, self._cursor - start)
        before = self._softness.over(start, waiting)
        self._softness.turn(start, end, gain)
        if waiting:
            ring = loudspeaker.played(start, self._cursor) / before * self._softness.over(start, waiting)
            loudspeaker.write(start, np.clip(ring, -1, 1))
        self.heard_softness.turn(self._timeline.media_at(start), self._timeline.media_at(end), gain)

    def _adopt(self, loudspeaker: Loudspeaker) -> None:
        self._loudspeaker = loudspeaker
        self._softness = Softness(DUCKED if self.ducked else 1.0)
        self._was_ducked = self.ducked
        self._resample = Resampler(MEDIA_RATE, loudspeaker.rate)
        self._seen = loudspeaker.taken
        self._cursor = self._seen + int(_RESTART_S * loudspeaker.rate)
        self._flowing = self._starving = False
        self._timeline.restart(loudspeaker.rate, self._given)
        self._begin_stream()

    def _begin_stream(self) -> None:
        """What is written next begins anew, softly, at the media handed out next."""
        self._resample.reset()
        self._stream_media = self._given
        self._stream_made = 0
        self._gain = 0.0

    def _pull(self) -> Samples:
        """The next media for the room there is in the ring, at the device's rate."""
        rate = self._loudspeaker.rate
        room = int((self._loudspeaker.taken + int(RING_S * rate) - self._cursor) * MEDIA_RATE / rate)
        tick = int(TICK_S * MEDIA_RATE)
        out = self._buffer[: min(max(0, room // tick * tick), len(self._buffer))]
        ready = self._fill(out) if len(out) else 0
        self._given += ready
        return self._louder(self._resample(out[:ready].copy()))

    def _write(self, samples: Samples) -> None:
        """The device may have taken what was not written yet: asked here, after all that takes time."""
        taken = self._loudspeaker.taken
        if self._cursor < taken:
            self._starve(taken)
        if not len(samples):
            return
        self._loudspeaker.write(self._cursor, samples * self._softness.over(self._cursor, len(samples)))
        media = self._stream_media + self._stream_made * MEDIA_RATE / self._loudspeaker.rate
        self._timeline.wrote(self._cursor, len(samples), media)
        self._stream_made += len(samples)
        self._cursor += len(samples)
        self._flowing, self._starving = True, False

    def _starve(self, taken: int) -> None:
        if self._flowing:
            self.underruns += 1
            self._flowing, self._starving = False, True
        begin = taken + int(_RESTART_S * self._loudspeaker.rate)
        if self._starving:
            self.starved += (begin - self._cursor) * MEDIA_RATE // self._loudspeaker.rate
        self._cursor = begin

    def _louder(self, samples: Samples) -> Samples:
        if not len(samples):
            return samples
        goal = 0.0 if self.muted else self.volume
        gain = np.full(len(samples), goal, np.float32)
        if goal != self._gain:
            ramp = min(len(samples), int(_FADE_S * self._loudspeaker.rate))
            gain[:ramp] = np.linspace(self._gain, goal, ramp + 1, dtype=np.float32)[1:]
            self._gain = goal
        return np.clip(samples * gain, -1, 1)
