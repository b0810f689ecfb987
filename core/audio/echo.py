"""EchoGuard: keeps the avatar from hearing itself through the microphone."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal

import numpy as np

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
_FAR_LIMIT = 20
_FAR_DELAY_S = 0.06


class EchoGuard:
    """10 ms frames of what was played and of what was heard go in, what the person said comes out. Sound thread only.

    Half-duplex means silence instead of the microphone while the avatar's voice sounds, and `TAIL_S` more.
    """

    def __init__(self, mode: EchoMode) -> None:
        self._mode = mode
        self._canceller = _canceller() if mode in ("auto", "cancel") else None
        self._trust = Trust()
        self._far: deque[Samples] = deque()
        self._far_kept = np.zeros(0, np.float32)
        self._near_kept = np.zeros(0, np.float32)
        self._quiet_frames = 10_000

    @property
    def half_duplex(self) -> bool:
        if self._mode == "half_duplex":
            return True
        if self._mode == "auto":
            return self._canceller is None or not self._trust.kept
        return False

    def play(self, samples: Samples) -> None:
        """What the loudspeaker took, mono at `CAPTURE_RATE`, in step with what `clean` is given."""
        if self._mode == "off":
            return
        self._far_kept = np.concatenate([self._far_kept, samples])
        while len(self._far_kept) >= FRAME:
            self._far.append(self._far_kept[:FRAME])
            self._far_kept = self._far_kept[FRAME:]

    def clean(self, samples: Samples) -> Samples:
        """What the person said, in whole frames; the rest of `samples` waits for the next call."""
        if self._mode == "off":
            return samples
        self._near_kept = np.concatenate([self._near_kept, samples])
        count = len(self._near_kept) // FRAME
        frames = [self._frame(self._near_kept[n * FRAME : (n + 1) * FRAME]) for n in range(count)]
        self._near_kept = self._near_kept[count * FRAME :]
        while len(self._far) > _FAR_LIMIT:
            self._reverse(self._far.popleft())
        return np.concatenate(frames) if frames else np.zeros(0, np.float32)

    def _frame(self, near: Samples) -> Samples:
        far = self._far.popleft() if self._far else np.zeros(FRAME, np.float32)
        loud = _rms(far) > _VOICE_RMS
        self._reverse(far)
        self._quiet_frames = 0 if loud else self._quiet_frames + 1
        clean = near
        if self._canceller is not None:
            clean = self._canceller.clean(near)
            self._trust.look(_rms(far), _rms(near), _rms(clean))
        if self.half_duplex and self._quiet_frames * FRAME < (TAIL_S + _FAR_DELAY_S) * CAPTURE_RATE:
            return np.zeros(FRAME, np.float32)
        return clean

    def _reverse(self, far: Samples) -> None:
        if self._canceller is not None:
            self._canceller.play(far)


class Trust:
    """Whether cancelling works, judged by how much of the echo is left.

    While the avatar's voice sounds, half seconds are judged: the canceller must take `LOSS_DB` off whatever the
    microphone hears above a whisper. The person speaking at the same time spoils some of them, never nearly all of
    `KEPT` in a row; so trust is lost only when almost all fail, and won back when most pass. A microphone that hears
    nothing of the loudspeaker (headphones) fails none.
    """

    LOSS_DB = 6.0
    KEPT = 8
    _SPAN = 50
    _WHISPER = 0.004

    def __init__(self) -> None:
        self.kept = True
        self._good: deque[bool] = deque(maxlen=self.KEPT)
        self._heard = 0.0
        self._left = 0.0
        self._frames = 0
        self._warm_up = 2 * self._SPAN

    def look(self, far: float, near: float, clean: float) -> None:
        """RMS of one frame as played, as heard and as cleaned."""
        if far <= _VOICE_RMS:
            return
        if self._warm_up:
            self._warm_up -= 1
            return
        self._heard += near * near
        self._left += clean * clean
        self._frames += 1
        if self._frames < self._SPAN:
            return
        echo = self._heard / self._frames > self._WHISPER**2
        good = not echo or self._left < self._heard / 10 ** (self.LOSS_DB / 10)
        self._heard = self._left = 0.0
        self._frames = 0
        self._good.append(good)
        if len(self._good) == self.KEPT:
            passed = sum(self._good)
            if passed <= 1:
                self.kept = False
            elif passed >= self.KEPT - 2:
                self.kept = True


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
