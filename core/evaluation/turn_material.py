"""Turns whose end is known to the sample: synthetic voices and recordings of people, with pauses put into them."""

from __future__ import annotations

import csv
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import Samples

FLITE = ("rms", "slt", "awb", "kal16")
ESPEAK = ("en-us", "en-us+f3")
PAUSES_S = (0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, 1.35, 1.5)
"""What is put into a turn, each length as often as any other."""
LEAD_S, TRAIL_S = 0.6, 3.5
SNR_DB = 15.0
_SENTENCES = (
    "What time does the museum open tomorrow?",
    "Can you tell me a story about a dragon?",
    "I went to the market yesterday and bought some apples.",
    "Could you help me write a letter to my landlord?",
    "My sister is getting married in June.",
    "Please set an alarm for seven in the morning.",
    "How do I get from the station to the old town?",
    "I think we should leave before it starts to rain.",
    "Tell me something interesting about the moon.",
    "What would you cook if you had only rice and eggs?",
    "I have been learning to play the piano since last winter.",
    "Do you know who wrote the book that I told you about?",
)
_HESITATIONS = (
    ("I would like to book a table for, um,", "four people on Friday evening."),
    ("Can you remind me to, uh,", "call the dentist tomorrow?"),
    ("The film was called, um,", "the bridge on the river."),
    ("I was wondering if you could, uh,", "explain how a rainbow is made."),
    ("We are going to visit my, um,", "grandmother in Ireland."),
    ("What is the name of the, uh,", "capital of Australia?"),
)
RECORDED = """
motion/EDTalk_pose_source2_932c_0.npz 0.93-5.44 5.98-10.94 13.44-16.93 17.31-20.35 20.93-25.98 26.56-28.16 28.38-30.50
motion/EDTalk_pose_source2_932c_0.npz 31.17-36.93 38.75-41.89 42.27-44.51 44.90-47.71 48.45-54.46 55.04-57.63
motion/ControlTalk_drive_video_bad0_0.npz 2.62-4.29 5.31-9.92 10.78-16.61
motion/InfiniteTalk_ref_video_0753_0.npz 1.15-4.64 5.31-12.80
motion/LatentSync_demo3_video_936a_0.npz 6.14-8.99 10.08-15.17
motion/video-retalking_1_39a0_0.npz 0.03-2.50 3.52-4.64
motion/video-retalking_5_c7a9_0.npz 0.03-2.78
motion/AvatarForcing_user_3c8d_0.npz 0.80-3.46 4.61-9.31
speech/speech_5s.wav 0.19-3.90
"""
"""Sentences in recordings of people, by their transcripts and pauses: seconds at which each begins and ends."""
_PART_S = 0.02
_APART_S = 0.8
_SPEECH_DB = -32.0


@dataclass(frozen=True, eq=False)
class Said:
    """One turn at `CAPTURE_RATE`, from its first sound to its last, and the samples at which it may be torn."""

    name: str
    source: str
    samples: Samples
    inside: tuple[int, ...]
    hesitates: bool = False


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


def synthetic() -> Iterator[Said]:
    """flite's and espeak-ng's voices."""
    for voice in FLITE:
        for text in _SENTENCES:
            sound = spoken_by_flite(text, voice)
            yield Said(text, f"flite {voice}", sound, _between_words(text, voice, sound))
        for before, after in _HESITATIONS:
            first, second = spoken_by_flite(before, voice), spoken_by_flite(after, voice)
            yield Said(before, f"flite {voice}", np.concatenate([first, second]), (len(first),), hesitates=True)
    from core.training.speech import Espeak  # a library with global state: made when it is needed

    espeak = Espeak()
    for voice in ESPEAK:
        for text in _SENTENCES:
            said = espeak.say(text, voice)
            sound = _edges(soxr.resample(said.samples, 24_000, CAPTURE_RATE).astype(np.float32))
            yield Said(text, f"espeak {voice}", sound, quiet_places(sound))


def recorded(folder: Path) -> Iterator[Said]:
    """The sentences of `RECORDED` that are in `folder`."""
    for line in RECORDED.strip().splitlines():
        name, *spans = line.split()
        if (folder / name).is_file():
            whole = _read(folder / name)
            for start, end in (span.split("-") for span in spans):
                yield _cut_out(whole, Path(name).stem, float(start), float(end))


def listed(folder: Path) -> Iterator[Said]:
    """The turns that `turns.csv` in `folder` names, a line each: file, first and last second of the turn."""
    with (folder / "turns.csv").open(newline="", encoding="utf-8") as table:
        for name, start, end in csv.reader(table):
            yield _cut_out(_read(folder / name), Path(name).stem, float(start), float(end))


def spoken_by_flite(text: str, voice: str) -> Samples:
    """A sentence at `CAPTURE_RATE`, without the silence around it."""
    return _edges(_flite(text, voice))


def quiet_places(sound: Samples, most: int = 2) -> tuple[int, ...]:
    """The quietest moments in the middle of `sound`, where it can be torn without a crack: in order of time."""
    part = int(_PART_S * CAPTURE_RATE)
    energy = np.convolve(np.square(sound[: len(sound) // part * part]).reshape(-1, part).mean(1), np.ones(3), "same")
    low, high = int(len(energy) * 0.25), int(len(energy) * 0.8)
    found: list[int] = []
    for index in low + np.argsort(energy[low:high]):
        if len(found) < most and all(abs(index - other) * _PART_S >= _APART_S for other in found):
            found.append(int(index))
    return tuple(sorted(index * part + part // 2 for index in found))


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


def _cut_out(whole: Samples, name: str, start_s: float, end_s: float) -> Said:
    around = whole[max(0, int((start_s - 0.1) * CAPTURE_RATE)) : int((end_s + 0.1) * CAPTURE_RATE)]
    sound = _edges(around)
    return Said(f"{name} {start_s:.2f}", name, sound, quiet_places(sound))


def _read(path: Path) -> Samples:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as clip:
            return clip["audio"].astype(np.float32) / 32768
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(1), rate, CAPTURE_RATE).astype(np.float32)


def _flite(text: str, voice: str) -> Samples:
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wave)], check=True, capture_output=True)
        return _read(wave)


def _phones(text: str, voice: str, *options: str) -> list[str]:
    command = ["flite", "-voice", voice, *(options or ("-ps",)), "-t", text, "-o", "none"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def _between_words(text: str, voice: str, sound: Samples) -> tuple[int, ...]:
    """Samples of `sound` after a third and after two thirds of the words; nothing where flite says the words of the
    sentence otherwise than each alone, so that its phones cannot be counted off."""
    timed = [item.split(":") for item in _phones(text, voice, "-psdur")]
    begin = float(timed[0][1])
    ends = [float(end) - begin for name, end in timed if name != "pau"]
    counts = [sum(phone != "pau" for phone in _phones(word, voice)) for word in text.split()]
    if sum(counts) != len(ends):
        return quiet_places(sound)
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
