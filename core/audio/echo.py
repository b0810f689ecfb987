"""EchoGuard: keeps the avatar from hearing itself through the microphone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.audio.delay import SPAN, DelayMeter
from core.audio.drift import DriftMeter
from core.audio.in_step import InStep
from core.audio.overlap import Overlap
from core.audio.pairs import STRANGERS, Pair
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from core.media import Samples

EchoMode = Literal["auto", "cancel", "half_duplex", "off"]
"""`auto` cancels and falls back to half-duplex while cancelling does not work; `off` is for headphones."""
FRAME = CAPTURE_RATE // 100
"""WebRTC's processing takes frames of exactly 10 ms."""
TAIL_S = 0.25
"""How long after the avatar's voice a half-duplex microphone stays closed."""
_VOICE_RMS = 0.003
_FAR_LIMIT = 3 * FRAME
"""Samples that may wait for the microphone. What waits longer than its echo takes could not be cancelled."""
_USUAL_DELAY_S = 0.06
"""Of the echo behind what was played, as long as it has not been measured."""


class EchoGuard:
    """10 ms frames of what was played and of what was heard go in, what the person said comes out. Sound thread only.

    Half-duplex means silence instead of the microphone while the avatar's voice sounds, and `TAIL_S` more.

    Args:
        known: what was learned of these devices before.
    """

    def __init__(self, mode: EchoMode, known: Pair = STRANGERS) -> None:
        self._mode = mode
        self._canceller = _canceller() if mode in ("auto", "cancel") else None
        self._overlap = Overlap(FRAME)
        self._trust = Trust()
        self._delay = DelayMeter(known.lag_s)
        self._drift = DriftMeter(known.drift)
        self._far = InStep(FRAME, _FAR_LIMIT, 1 - (known.drift or 0.0))
        self._near_kept = np.zeros(0, np.float32)
        self._jumps = 0
        self._heard = 0
        self._quiet_frames = 10_000

    @property
    def half_duplex(self) -> bool:
        if self._mode == "half_duplex":
            return True
        if self._mode == "auto":
            return self._canceller is None or not self._trust.kept
        return False

    @property
    def delay_s(self) -> float | None:
        """How late the loudspeaker is heard by the microphone, drivers and air together; None while unknown."""
        seconds = self._delay.seconds
        return None if seconds is None else seconds + self._far.lead / CAPTURE_RATE

    @property
    def learned(self) -> Pair:
        """What is known of the devices."""
        return Pair(self._drift.drift, self._delay.seconds)

    def play(self, samples: Samples) -> None:
        """What the loudspeaker took, mono at `CAPTURE_RATE`, in step with what `clean` is given."""
        if self._mode != "off":
            self._far.put(samples)

    def clean(self, samples: Samples) -> Samples:
        """What the person said, in whole frames; the rest of `samples` waits for the next call."""
        if self._mode == "off":
            return samples
        self._near_kept = np.concatenate([self._near_kept, samples])
        count = len(self._near_kept) // FRAME
        frames: list[Samples] = []
        for _ in range(count):
            far = self._far.take(len(self._near_kept))
            frames.append(self._frame(far, self._near_kept[:FRAME]))
            self._near_kept = self._near_kept[FRAME:]
        for late in self._far.drop():
            self._reverse(late)
        return np.concatenate(frames) if frames else np.zeros(0, np.float32)

    def _frame(self, far: Samples, near: Samples) -> Samples:
        loud = _rms(far) > _VOICE_RMS
        self._reverse(far)
        self._quiet_frames = 0 if loud else self._quiet_frames + 1
        self._keep_in_step(far, near)
        clean = near
        if self._canceller is not None:
            cancelled = self._canceller.clean(near)
            person = self._overlap(far, near, cancelled)
            self._trust.look(_rms(far), _rms(near), _rms(cancelled), self._overlap.left)
            # As long as the drift is unknown the echo wanders away from where subtraction expects it, and what that
            # leaves of the avatar passes for a person. Where no echo is heard there is nothing to subtract.
            clean = cancelled if self._drift.drift is None else person
        if self.half_duplex and self._quiet_frames * FRAME < self._closed_s() * CAPTURE_RATE:
            return np.zeros(FRAME, np.float32)
        return clean

    def _keep_in_step(self, far: Samples, near: Samples) -> None:
        if self._far.jumps != self._jumps:
            self._jumps = self._far.jumps
            if self._delay.seconds is not None:  # where no echo was ever heard none can have jumped
                self._trust.doubt()
        self._heard += FRAME
        echo = self._delay.look(far, near)
        if echo is not None:
            middle = SPAN / 2
            self._drift.look(echo, self._heard - middle, self._far.moved - (self._far.pace - 1) * middle)
            self._far.pace = 1 - (self._drift.drift or 0.0)

    def _closed_s(self) -> float:
        """How long the microphone stays closed after the last of the voice was played."""
        return TAIL_S + (_USUAL_DELAY_S if self._delay.seconds is None else self._delay.seconds)

    def _reverse(self, far: Samples) -> None:
        if self._canceller is not None:
            self._canceller.play(far)


class Trust:
    """Whether cancelling works, judged by how much of the echo is left.

    While the avatar's voice sounds, every half second says by how many decibels the canceller lowered the echo, where
    there is more of that than a whisper and than the noise of the room. There is trust when three quarters of the last
    `KEPT` are over `WON_DB`, and not before `FIRST` of them; it is lost when most are under `LOST_DB`, where what is
    left may still sound like a voice: a person who speaks at the same time spoils fewer. A microphone that hears
    nothing of the loudspeaker (headphones) is as good as the best canceller.

    A loudspeaker that rattles deceives: for seconds the canceller silences everything, and then lets the voice through.
    It is known by how little subtraction takes of its echo, mostly less than `BENT_DB`; of a good one's it takes 10 to
    27.
    """

    WON_DB = 25.0
    LOST_DB = 22.0
    BENT_DB = 6.0
    KEPT = 12
    FIRST = 5
    _SPAN = 50
    _TAIL = 30
    """Frames after the voice in which the room still answers."""
    _WHISPER = 0.004
    _FORGET = 1.03

    def __init__(self) -> None:
        self.kept = False
        self._losses_db: deque[float] = deque(maxlen=self.KEPT)
        self._subtracted_db: deque[float] = deque(maxlen=self.KEPT)
        self._voiced = _Powers()
        self._silent = _Powers()
        self._room: np.ndarray | None = None
        self._warm_up = self._SPAN
        self._since_voice = 0

    def look(self, far: float, near: float, clean: float, rest: float) -> None:
        """RMS of one frame as played, as heard, as cleaned, and as subtraction left it."""
        self._since_voice = self._since_voice + 1 if far <= _VOICE_RMS else 0
        if self._since_voice:
            self._listen_to_the_room(near, clean, rest)
        elif self._warm_up:
            self._warm_up -= 1
        else:
            self._voiced.add(near, clean, rest)
            if self._voiced.frames == self._SPAN:
                self._judge(self._voiced.take())

    def doubt(self) -> None:
        """The echo jumped: what the canceller could do says nothing of what it can now."""
        self.kept = False
        self._losses_db.clear()
        self._subtracted_db.clear()
        self._voiced.take()

    def _listen_to_the_room(self, near: float, clean: float, rest: float) -> None:
        if self._since_voice > self._TAIL:
            self._silent.add(near, clean, rest)
            if self._silent.frames == self._SPAN:
                self._know_room(self._silent.take())

    def _know_room(self, powers: np.ndarray) -> None:
        """The quietest half second without the voice; forgotten slowly, for rooms that grow loud."""
        if self._room is None or powers[0] < self._room[0] * self._FORGET:
            self._room = powers
        else:
            self._room = self._room * self._FORGET

    def _judge(self, powers: np.ndarray) -> None:
        room = np.zeros(3) if self._room is None else self._room
        echo, left, rest = (float(power) for power in np.maximum(powers - room, 1e-10))
        is_echo = echo > max(self._WHISPER**2, float(room[0]))
        self._losses_db.append(10 * float(np.log10(echo / left)) if is_echo else 2 * self.WON_DB)
        self._subtracted_db.append(10 * float(np.log10(echo / rest)) if is_echo else 2 * self.WON_DB)
        if len(self._losses_db) >= self.FIRST:
            weak_db, strong_db = (float(db) for db in np.quantile(self._losses_db, (0.25, 0.7)))
            works = strong_db > self.LOST_DB if self.kept else weak_db > self.WON_DB
            self.kept = works and float(np.quantile(self._subtracted_db, 0.7)) > self.BENT_DB


class _Powers:
    """Mean power as heard, as cleaned and as subtraction left it, over the frames since the last `take`."""

    def __init__(self) -> None:
        self._sums = np.zeros(3)
        self.frames = 0

    def add(self, near: float, clean: float, rest: float) -> None:
        self._sums += np.square((near, clean, rest))
        self.frames += 1

    def take(self) -> np.ndarray:
        means = self._sums / max(1, self.frames)
        self._sums, self.frames = np.zeros(3), 0
        return means


class _Canceller:
    """livekit's AudioProcessingModule (WebRTC AEC3, noise suppression, high-pass) on float frames."""

    def __init__(self) -> None:
        from livekit import rtc  # loads a native library

        self._rtc = rtc
        self._module = rtc.AudioProcessingModule(echo_cancellation=True, noise_suppression=True, high_pass_filter=True)

    def play(self, far: Samples) -> None:
        self._module.process_reverse_stream(self._rtc.AudioFrame(_int16(far), CAPTURE_RATE, 1, FRAME))

    def clean(self, near: Samples) -> Samples:
        data = _int16(near)
        frame = self._rtc.AudioFrame(data, CAPTURE_RATE, 1, FRAME)
        self._module.process_stream(frame)
        return np.frombuffer(data, np.int16).astype(np.float32) * np.float32(1 / 32768)


def _canceller() -> _Canceller | None:
    try:
        return _Canceller()
    except (ImportError, OSError):
        return None


def _int16(samples: Samples) -> bytearray:
    return bytearray(np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16).tobytes())


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
