"""Turns whose end is known to the sample: synthetic voices and recordings of people, with pauses put into them."""

from __future__ import annotations

import csv
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from core.evaluation.turn_sentences import BRIEF, ESPEAK, FLITE, HESITATIONS, PICO, RECORDED, SENTENCES, SHORT, Part
from core.media import CAPTURE_RATE, MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from core.evaluation.words import WordFinder
    from core.media import Samples
    from core.training.speech import Espeak

    Words = Callable[[Samples], str]

PAUSES_S = (0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, 1.35, 1.5)
"""What is put into a turn, each length as often as any other."""
LEAD_S, TRAIL_S = 0.6, 3.5
SNR_DB = 15.0
_PART_S = 0.02
_APART_S = 0.8
_NEAR_S = 0.04
"""How far beside the border that was found between two words the true one may lie."""
_SPEECH_DB = -32.0
_FEW = 6


@dataclass(frozen=True, eq=False)
class Said:
    """One turn at `CAPTURE_RATE`, from its first sound to its last, and the samples at which it may be torn."""

    name: str
    source: str
    part: Part
    samples: Samples
    inside: tuple[int, ...]
    hesitates: bool = False

    @property
    def synthetic(self) -> bool:
        return self.source.startswith(("flite", "espeak", "pico"))

    @property
    def few_words(self) -> bool:
        """A synthetic turn of six words at most; what people say in a recording is not written down."""
        return self.synthetic and not self.hesitates and len(self.name.split()) <= _FEW


@dataclass(frozen=True, eq=False)
class Trial:
    """What the microphone hears. The turn begins at `start`; `end` is the sample after its last sound."""

    said: Said
    kind: str
    noisy: bool
    samples: Samples
    start: int
    end: int


def make_trials(turns: list[Said], seed: int = 1) -> list[Trial]:
    """Each turn whole, and once torn at each place inside; every third in noise."""
    rng = np.random.default_rng(seed)
    pauses: list[float] = []
    trials: list[Trial] = []
    for said in turns:
        for cut in (None, *said.inside):
            if cut is not None and not pauses:
                pauses = list(rng.permutation(PAUSES_S))
            pause_s = 0.0 if cut is None else pauses.pop()
            trials.append(_trial(said, cut, pause_s, len(trials) % 3 == 2, rng))
    return trials


def synthetic(part: Part, finder: WordFinder) -> Iterator[Said]:
    """What `voices` say of the sentences; hesitations too, where they are flite's or pico's."""
    for name, speak in voices(part).items():
        for text in SENTENCES[part]:
            sound = speak(text)
            by_phones = _by_its_phones(text, name.split()[1], sound) if name.startswith("flite") else ()
            yield Said(text, name, part, sound, by_phones or places(sound, finder.borders(sound, text)))
        for before, after in () if name.startswith("espeak") else HESITATIONS[part]:
            first, second = speak(before), speak(after)
            yield Said(before, name, part, np.concatenate([first, second]), (len(first),), hesitates=True)


def brief(part: Part, finder: WordFinder) -> Iterator[Said]:
    """Short turns that are complete, by all of `voices`."""
    for name, speak in voices(part).items():
        for text in BRIEF[part]:
            sound = speak(text)
            yield Said(text, name, part, sound, places(sound, finder.borders(sound, text)))


def voices(part: Part) -> dict[str, Callable[[str], Samples]]:
    """What turns a text into sound at `CAPTURE_RATE`, without the silence around it.

    Raises:
        ModuleNotFoundError: espeakng_loader or ttspico is not installed.
    """
    speak: dict[str, Callable[[str], Samples]] = {}
    for voice in FLITE[part]:
        speak[f"flite {voice}"] = partial(spoken_by_flite, voice=voice)
    for voice in ESPEAK[part]:
        speak[f"espeak {voice}"] = partial(spoken_by_espeak, voice=voice)
    for voice in PICO[part]:
        speak[f"pico {voice}"] = partial(spoken_by_pico, voice=voice)
    return speak


def short(part: Part) -> Iterator[Said]:
    """A few words, said by flite's voices."""
    for voice in FLITE[part]:
        for text in SHORT[part]:
            yield Said(text, f"flite {voice}", part, spoken_by_flite(text, voice), ())


def recorded(part: Part, folder: Path, words: Words, finder: WordFinder) -> Iterator[Said]:
    """The sentences of `RECORDED` that are in `folder`."""
    for line in RECORDED[part].strip().splitlines():
        name, *spans = line.split()
        if (folder / name).is_file():
            whole = _read(folder / name)
            for start, end in (span.split("-") for span in spans):
                around = _stretch(whole, start, end)
                yield _of_people(around, f"{Path(name).stem} {start}", Path(name).stem, part, words, finder)


def listed(folder: Path, words: Words, finder: WordFinder) -> Iterator[Said]:
    """The turns that `turns.csv` in `folder` names, to be reported on, a line each: file, first and last second."""
    with (folder / "turns.csv").open(newline="", encoding="utf-8") as table:
        for name, start, end in csv.reader(table):
            around = _stretch(_read(folder / name), start, end)
            yield _of_people(around, f"{Path(name).stem} {start}", Path(name).stem, Part.REPORTED, words, finder)


def commands(folder: Path, most: int, words: Words, finder: WordFinder) -> Iterator[Said]:
    """`most` of the orders that people gave a machine in a copy of github.com/Picovoice/speech-to-intent-benchmark
    (Apache 2.0; more than 50 speakers, who are not named), to be fitted on."""
    files = sorted((folder / "data" / "speech" / "clean").glob("*.wav"))
    for path in files[:: max(1, len(files) // most)][:most]:
        yield _of_people(_read(path), path.stem, "orders", Part.FITTED, words, finder)


def spoken_by_flite(text: str, voice: str) -> Samples:
    """A sentence at `CAPTURE_RATE`, without the silence around it."""
    return _edges(_flite(text, voice))


def spoken_by_espeak(text: str, voice: str) -> Samples:
    """The same by espeak-ng, which sounds a little different each time.

    Raises:
        ModuleNotFoundError: espeakng_loader is not installed.
    """
    return _edges(soxr.resample(_espeak().say(text, voice).samples, MEDIA_RATE, CAPTURE_RATE).astype(np.float32))


def spoken_by_pico(text: str, voice: str) -> Samples:
    """The same by SVOX pico (Apache 2.0).

    Raises:
        ModuleNotFoundError: ttspico is not installed.
    """
    pcm = np.frombuffer(_pico(voice).speak(text), np.int16)
    return _edges((pcm / 32768).astype(np.float32))


def places(sound: Samples, borders: Sequence[int], most: int = 2) -> tuple[int, ...]:
    """Those of the `borders` between words at which the voice is softest anyway, in the middle of `sound` and after two
    words at least, in order of time: people who hesitate do so between words, and no word is torn."""
    part, near = int(_PART_S * CAPTURE_RATE), int(_NEAR_S * CAPTURE_RATE)
    loudness = np.convolve(np.square(sound, dtype=np.float64), np.ones(part) / part, "same")
    middle = [border for border in borders[1:] if 0.2 * len(sound) < border < 0.85 * len(sound)]
    softest = [border - near + int(loudness[border - near : border + near].argmin()) for border in middle]
    found: list[int] = []
    for at in sorted(softest, key=lambda place: loudness[place]):
        if len(found) < most and all(abs(at - other) >= _APART_S * CAPTURE_RATE for other in found):
            found.append(at)
    return tuple(sorted(found))


def _trial(said: Said, cut: int | None, pause_s: float, noisy: bool, rng: np.random.Generator) -> Trial:
    kind = "whole" if cut is None else "hesitation" if said.hesitates else "torn"
    at = len(said.samples) if cut is None else cut
    pause = np.zeros(round(pause_s * CAPTURE_RATE), np.float32)
    lead, trail = (np.zeros(round(s * CAPTURE_RATE), np.float32) for s in (LEAD_S, TRAIL_S))
    first, second = _soft_edges(said.samples[:at]), _soft_edges(said.samples[at:])
    sound = np.concatenate([lead, first, pause, second, trail])
    loudness = float(np.sqrt(np.mean(np.square(said.samples))))
    level = loudness * 10 ** (-SNR_DB / 20) if noisy else max(3e-4, _floor(said.samples))
    heard = (sound + level * _pink(len(sound), rng)).astype(np.float32)
    return Trial(said, kind, noisy, heard, len(lead), len(sound) - len(trail))


def _stretch(whole: Samples, start_s: str, end_s: str) -> Samples:
    """What is said between these seconds, with a little around it."""
    return whole[max(0, int((float(start_s) - 0.1) * CAPTURE_RATE)) : int((float(end_s) + 0.1) * CAPTURE_RATE)]


def _of_people(around: Samples, name: str, source: str, part: Part, words: Words, finder: WordFinder) -> Said:
    sound = _edges(around)
    return Said(name, source, part, sound, places(sound, finder.borders(sound, words(sound))))


def _read(path: Path) -> Samples:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as clip:
            return clip["audio"].astype(np.float32) / 32768
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(1), rate, CAPTURE_RATE).astype(np.float32)


@cache
def _espeak() -> Espeak:
    from core.training.speech import Espeak  # a library with global state: made when it is needed

    return Espeak()


@cache
def _pico(voice: str) -> Any:
    return import_module("ttspico").TtsEngine(voice)  # 5 MB that nothing but the third part needs


def _flite(text: str, voice: str) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wave)], check=True, capture_output=True)
        return _read(wave)


def _phones(text: str, voice: str, *options: str) -> list[str]:
    command = ["flite", "-voice", voice, *(options or ("-ps",)), "-t", text, "-o", "none"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def _by_its_phones(text: str, voice: str, sound: Samples) -> tuple[int, ...]:
    """Samples of `sound` after a third and after two thirds of the words; nothing where flite says the words of the
    sentence otherwise than each alone, so that its phones cannot be counted off."""
    timed = [item.split(":") for item in _phones(text, voice, "-psdur")]
    begin = float(timed[0][1])
    ends = [float(end) - begin for name, end in timed if name != "pau"]
    counts = [sum(phone != "pau" for phone in _phones(word, voice)) for word in text.split()]
    if sum(counts) != len(ends):
        return ()
    words = len(counts)
    cuts = [int(ends[sum(counts[:n]) - 1] * CAPTURE_RATE) for n in (words // 3, words * 2 // 3)]
    return tuple(cut for cut in cuts if 0 < cut < len(sound))


def _edges(sound: Samples) -> Samples:
    """`sound` without the silence before and after it."""
    part = CAPTURE_RATE // 100
    loud = np.sqrt(np.square(sound[: len(sound) // part * part]).reshape(-1, part).mean(1))
    heard = np.flatnonzero(loud > loud.max() * 10 ** (_SPEECH_DB / 20))
    return sound[heard[0] * part : (heard[-1] + 1) * part]


def _soft_edges(sound: Samples) -> Samples:
    ramp = min(len(sound), CAPTURE_RATE // 200)
    soft = sound.copy()
    if ramp:
        soft[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)
        soft[-ramp:] *= np.linspace(1, 0, ramp, dtype=np.float32)
    return soft


def _floor(sound: Samples) -> float:
    """The loudness of the room: what the quietest twentieth of a recording still has."""
    return float(np.quantile(np.abs(sound), 0.05))


def _pink(count: int, rng: np.random.Generator) -> Samples:
    """Noise with the fall of a room's, 3 dB an octave, at an RMS of 1."""
    spectrum = np.fft.rfft(rng.normal(size=count))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, count)
    return (noise / np.sqrt(np.mean(np.square(noise)))).astype(np.float32)
