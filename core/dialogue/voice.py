"""Voices of this computer: text in; sound and the times of its phonemes out.

flite speaks where it is installed, espeak-ng where it is not. Both are small programs run once a sentence; the words go
in through a pipe, so they never show in the list of processes.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.dialogue.spoken_form import spoken_form

if TYPE_CHECKING:
    from core.media import Samples

_LIMIT_S = 10.0
_LEAD_S = 0.03
_SILENCE = "pau"


@dataclass(frozen=True)
class Phone:
    """One phoneme, in the voice's own alphabet (flite: CMU's, lower case, "pau" for silence)."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Spoken:
    """Mono sound at `rate`; `phones` follow each other without gaps, and are empty where the voice does not tell."""

    samples: Samples
    rate: int
    phones: tuple[Phone, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


class VoiceFailed(Exception):
    """The program is gone, took too long, or gave no sound."""


class Voice(Protocol):
    """Says one sentence at a time; blocks for some hundredths of a second."""

    def say(self, text: str) -> Spoken:
        """`text` as sound.

        Raises:
            VoiceFailed: there is no sound for it.
        """
        ...


class Flite:
    """CMU flite. `voice` is one of `flite -lv`: rms and slt are the clearest."""

    def __init__(self, voice: str = "rms", program: str = "flite") -> None:
        self._command = [program, "-voice", voice, "-psdur", "-f", "/dev/stdin", "-o"]

    def say(self, text: str) -> Spoken:
        with tempfile.TemporaryDirectory(prefix="livetalk-") as folder:
            path = Path(folder) / "spoken.wav"  # flite goes back to the header, which a pipe cannot
            phones = _run([*self._command, str(path)], spoken_form(text))
            samples, rate = _wave(path.read_bytes() if path.exists() else b"")
        return _trimmed(Spoken(samples, rate, _phones(phones)))


class Espeak:
    """espeak-ng with its American voice; it does not tell the times of its phonemes."""

    def __init__(self, program: str = "espeak-ng") -> None:
        self._command = [program, "-v", "en-us", "-s", "165", "--stdin", "--stdout"]

    def say(self, text: str) -> Spoken:
        return Spoken(*_wave(_run(self._command, spoken_form(text))))


def find_voice(name: str = "rms") -> Voice | None:
    """The best voice installed here, None when there is none."""
    if program := shutil.which("flite"):
        return Flite(name, program)
    if program := shutil.which("espeak-ng"):
        return Espeak(program)
    return None


def _run(command: list[str], text: str) -> bytes:
    """What `command` prints, given `text`."""
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise VoiceFailed(f"{command[0]} failed: {type(error).__name__}") from error  # its own text holds the words
    return done.stdout


def _wave(sound: bytes) -> tuple[Samples, int]:
    """Samples and rate of a 16-bit RIFF file."""
    try:
        with wave.open(io.BytesIO(sound)) as file:
            rate = file.getframerate()
            frames = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise VoiceFailed("the voice gave no sound") from error
    samples = np.frombuffer(frames[: len(frames) // 2 * 2], "<i2").astype(np.float32) / 32768.0
    if not samples.any():
        raise VoiceFailed("the voice gave silence")
    return samples, rate


def _phones(listing: bytes) -> tuple[Phone, ...]:
    """flite's `-psdur`: "name:end" pairs, one line an utterance, whose times begin again at zero."""
    phones: list[Phone] = []
    offset = 0.0
    for line in listing.decode("ascii", "replace").splitlines():
        start = offset
        for entry in line.split():
            name, _, end = entry.rpartition(":")
            phones.append(Phone(name, start, offset + float(end)))
            start = phones[-1].end_s
        offset = start
    return tuple(phones)


def _trimmed(spoken: Spoken) -> Spoken:
    """`spoken` without most of the silence flite begins with: a tenth of a second the listener would wait for."""
    if not spoken.phones or spoken.phones[0].name != _SILENCE:
        return spoken
    cut = int(max(0.0, spoken.phones[0].end_s - _LEAD_S) * spoken.rate)
    shift = cut / spoken.rate
    phones = tuple(Phone(p.name, max(0.0, p.start_s - shift), p.end_s - shift) for p in spoken.phones)
    return Spoken(spoken.samples[cut:], spoken.rate, phones)
