"""A laptop in a room: what its loudspeaker plays comes back into its microphone, late, coloured and a little bent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft, signal

from core.audio.device import PacedLoudspeaker
from core.audio.resample import Between, Resampler
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.events import SessionEvent
    from core.media import Samples

SPEAKER_RATE = 48_000
SOUND_M_S = 343.0
ECHO_DB = -24.0
"""RMS of the avatar's voice at the microphone, under full scale: a laptop at talking loudness."""
NOISE_DB = -62.0
_SIZE_M = (4.2, 3.3, 2.5)
_RESPONSE_S = 0.3
_ORDER = 12


@dataclass(frozen=True)
class Room:
    """`late_s` is what devices and drivers hold back; `drive` how hard the loudspeaker is pushed (1 is a mild bend);
    `drift` parts in a million by which the microphone's clock runs fast; every `moves_s` somebody moves. With `piece_s`
    both devices work in pieces of this length, each as late as it happens, up to half of one."""

    late_s: float = 0.08
    drive: float = 1.0
    drift: float = 0.0
    echo_db: float = ECHO_DB
    moves_s: float = 60.0
    absorption: float = 0.35
    piece_s: float = 0.0


def impulse_response(room: Room, where: Sequence[float], mouth: Sequence[float] = (2.1, 1.2, 0.85)) -> Samples:
    """From the loudspeaker at `mouth` to the microphone at `where` (metres) by image sources (Allen and Berkley 1979),
    each wall keeping the same share of the pressure; scaled to an energy of 1."""
    count = int(_RESPONSE_S * CAPTURE_RATE)
    kept = np.sqrt(1 - room.absorption)
    orders = np.arange(-_ORDER, _ORDER + 1)
    axes = []
    for size, from_m, to_m in zip(_SIZE_M, mouth, where, strict=True):
        direct = 2 * orders * size + from_m - to_m
        mirrored = 2 * orders * size - from_m - to_m
        reflections = np.concatenate([2 * np.abs(orders), np.abs(2 * orders - 1)])
        axes.append((np.concatenate([direct, mirrored]), reflections))
    (x, nx), (y, ny), (z, nz) = axes
    distance = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
    loss = kept ** (nx[:, None, None] + ny[:, None] + nz)
    arrives = np.rint(distance / SOUND_M_S * CAPTURE_RATE).astype(int).ravel()
    heard = (loss / np.maximum(distance, 0.1)).ravel()
    within = arrives < count
    response = np.bincount(arrives[within], heard[within], count)
    return (response / np.sqrt(np.sum(np.square(response)))).astype(np.float32)


class EchoingSound:
    """A sound device whose microphone hears its loudspeaker through `room`, and `people` besides. The clock `now`
    is the caller's."""

    def __init__(self, now: Callable[[], float], room: Room, people: Samples) -> None:
        paced = _Pieces(now, room.piece_s, 1) if room.piece_s else now
        self.loudspeaker = PacedLoudspeaker(SPEAKER_RATE, paced, self._into_room)
        self.microphone = _Microphone(now, room, people)
        self._room = room
        self._down = Resampler(SPEAKER_RATE, CAPTURE_RATE)
        self._box = np.asarray(signal.butter(2, (220, 6500), "bandpass", fs=CAPTURE_RATE, output="sos"))
        self._box_state = np.zeros((len(self._box), 2))
        places = ((2.1, 1.32, 0.83), (2.16, 1.28, 0.9))
        self._responses = [impulse_response(room, place) for place in places]
        self._size = 1 << (len(self._responses[0]) + SPEAKER_RATE // 100).bit_length()
        self._spectra = [fft.rfft(response, self._size) for response in self._responses]
        self._tail = np.zeros(0, np.float32)
        self._heard = 0

    def tend(self) -> Sequence[SessionEvent]:
        return ()

    def close(self) -> None:
        pass

    def _into_room(self, played: Samples) -> None:
        samples = self._down(played)
        limit = self._size - len(self._responses[0])
        for at in range(0, len(samples), limit):
            self._convolve(samples[at : at + limit])

    def _convolve(self, samples: Samples) -> None:
        bent = np.tanh(2 * self._room.drive * samples) / (2 * self._room.drive) + 0.05 * self._room.drive * samples**2
        boxed, self._box_state = signal.sosfilt(self._box, bent, zi=self._box_state)
        spectrum = self._spectra[int(self._heard / CAPTURE_RATE / self._room.moves_s) % len(self._spectra)]
        wet = np.asarray(fft.irfft(np.asarray(fft.rfft(boxed, self._size)) * spectrum, self._size), np.float32)
        wet[: len(self._tail)] += self._tail
        self.microphone.hear(wet[: len(samples)])
        self._tail = wet[len(samples) :]
        self._heard += len(samples)


class _Pieces:
    """A device's clock: it stands still between the moments at which the device works."""

    def __init__(self, now: Callable[[], float], piece_s: float, seed: int) -> None:
        self._now = now
        self._piece_s = piece_s
        self._rng = np.random.default_rng(seed)
        self._done = 0
        self._late_s = 0.0

    def __call__(self) -> float:
        while self._now() >= (self._done + 1) * self._piece_s + self._late_s:
            self._done += 1
            self._late_s = float(self._rng.uniform(0, self._piece_s / 2))
        return self._done * self._piece_s


class _Microphone:
    """Hears the room as it was `late_s` ago and the people as they are, on a clock of its own."""

    name = "room"
    rate = CAPTURE_RATE
    alive = True

    def __init__(self, now: Callable[[], float], room: Room, people: Samples) -> None:
        self._pace = 1 + room.drift * 1e-6
        began = now()
        self._now: Callable[[], float] = lambda: (now() - began) * self._pace
        if room.piece_s:
            self._now = _Pieces(self._now, room.piece_s, 2)
        self._people = people
        self._gain = 1.0
        self._goal = 10 ** (room.echo_db / 20)
        self._between = Between()
        self._echo = np.zeros(Between.REACH + int(room.late_s * CAPTURE_RATE), np.float32)
        self._echo_from = -Between.REACH
        self._given = 0
        self._noise = np.random.default_rng(5)
        self.latency_s = 0.0
        self.taken: list[Samples] = []
        """All that was heard, in order."""

    def set_voice_level(self, rms: float) -> None:
        """The avatar's voice has this loudness; the room is as loud as `Room.echo_db` with it."""
        self._gain = self._goal / rms

    def hear(self, echo: Samples) -> None:
        self._echo = np.concatenate([self._echo, echo * np.float32(self._gain)])

    def take(self) -> Samples:
        due = int(self._now() * self.rate)
        where = np.arange(self._given, due) / self._pace - self._echo_from
        where = where[where < len(self._echo) - Between.REACH]
        echo = self._between(self._echo, where)
        said = self._people[self._given : self._given + len(where)]
        heard = echo + self._noise.normal(0, 10 ** (NOISE_DB / 20), len(where))
        heard[: len(said)] += said
        self._given += len(where)
        keep_from = max(0, int(self._given / self._pace) - self._echo_from - Between.REACH)
        self._echo = self._echo[keep_from:]
        self._echo_from += keep_from
        taken = np.clip(heard, -1, 1).astype(np.float32)
        self.taken.append(taken)
        return taken

    def close(self) -> None:
        pass
