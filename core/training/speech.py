"""Synthetic voices that say when each sound happens: espeak-ng as a library, flite as a program.

espeak-ng is GPL and is only used here, to make training data; nothing of it is shipped.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from core.media import MEDIA_RATE
from core.training.visemes import visemes_of_arpabet, visemes_of_ipa

if TYPE_CHECKING:
    from core.media import Samples


@dataclass(frozen=True)
class Phone:
    """One sound: seconds from the beginning of the utterance, and the mouth it wants."""

    start_s: float
    end_s: float
    viseme: str


@dataclass(frozen=True, eq=False)
class Utterance:
    """Speech at `MEDIA_RATE` with its phones."""

    samples: Samples
    phones: tuple[Phone, ...]


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("text", ctypes.c_char * 8),
    )


_SYNCHRONOUS, _PHONEME_EVENTS_IPA, _PHONEME, _END_OF_LIST, _UTF8, _PHONEMES_IN_TEXT = 2, 3, 7, 0, 1, 0x100
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """espeak-ng through ctypes. One a process: the library has global state.

    `[[...]]` in a text is spoken as espeak's own phoneme codes.
    """

    def __init__(self) -> None:
        import espeakng_loader  # only here: the wheel is needed for data alone

        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self._rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS_IPA)
        if self._rate <= 0:
            raise RuntimeError(f"espeak-ng did not start with the voices in {data!r}")
        self._pieces: list[Samples] = []
        self._events: list[tuple[float, tuple[str, ...]]] = []
        self._callback = _CALLBACK(self._receive)  # kept: C holds no reference
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, *, words_per_minute: int = 165, pitch: int = 50) -> Utterance:
        """Raises RuntimeError when the voice is unknown."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice!r}")
        self._library.espeak_SetParameter(1, words_per_minute, 0)
        self._library.espeak_SetParameter(3, pitch, 0)
        self._pieces, self._events = [], []
        encoded = text.encode()
        self._library.espeak_Synth(encoded, len(encoded) + 1, 0, 0, 0, _UTF8 | _PHONEMES_IN_TEXT, None, None)
        samples = np.concatenate([np.zeros(1, np.float32), *self._pieces])
        return Utterance(_at_media_rate(samples, self._rate), _phones(self._events, len(samples) / self._rate))

    def _receive(self, wave: Any, count: int, events: Any) -> int:
        if wave and count:
            self._pieces.append(np.ctypeslib.as_array(wave, (count,)).astype(np.float32) / 32768.0)
        index = 0
        while events[index].type != _END_OF_LIST:
            if events[index].type == _PHONEME:
                name = events[index].text.decode("utf-8", "ignore")
                if not name.startswith("("):  # "(en)": the language changes
                    self._events.append((events[index].audio_position / 1000.0, visemes_of_ipa(name)))
            index += 1
        return 0


def flite(text: str, voice: str, *, stretch: float = 1.0) -> Utterance:
    """A sentence by Debian's flite, with the phone times that `-psdur` prints."""
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "-psdur", "--setf", f"duration_stretch={stretch}", "-t", text, "-o", wave]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        read, rate = soundfile.read(wave, dtype="float32")
        samples = np.asarray(read, np.float32)
    timed: list[tuple[float, tuple[str, ...]]] = []
    start = 0.0
    for item in printed:
        name, end = item.split(":")
        timed.append((start, visemes_of_arpabet(name)))
        start = float(end)
    return Utterance(_at_media_rate(samples, rate), _phones(timed, start))


def faster(said: Utterance, factor: float) -> Utterance:
    """Played faster or slower, as by another person with a higher or lower voice and another throat."""
    samples = soxr.resample(said.samples, MEDIA_RATE * factor, MEDIA_RATE).astype(np.float32)
    phones = (Phone(phone.start_s / factor, phone.end_s / factor, phone.viseme) for phone in said.phones)
    return Utterance(samples, tuple(phones))


def _at_media_rate(samples: Samples, rate: int) -> Samples:
    return soxr.resample(samples, rate, MEDIA_RATE).astype(np.float32)


def _phones(timed: list[tuple[float, tuple[str, ...]]], end_s: float) -> tuple[Phone, ...]:
    """Starts and mouths to phones; several mouths share their sound's time."""
    phones: list[Phone] = []
    ends = [*[start for start, _ in timed[1:]], end_s]
    for (start, visemes), end in zip(timed, ends, strict=True):
        share = (end - start) / len(visemes)
        if share > 0:
            phones.extend(Phone(start + i * share, start + (i + 1) * share, v) for i, v in enumerate(visemes))
    return tuple(phones)
