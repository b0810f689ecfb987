"""Short things that are said into a reply, each a sign of listening or an interruption: synthetic and recorded."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from core.evaluation.intrusion_sentences import ESPEAK, FLITE, INTERRUPTIONS, SIGNS
from core.evaluation.turn_material import spoken_by_flite
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.evaluation.turn_sentences import Part
    from core.media import Samples

_SOFTEST_DB = -32.0
"""Against the loudest hundredth of a second: what is softer at either end is silence."""
_SENTENCES_A_VOICE = 40


@dataclass(frozen=True, eq=False)
class Uttered:
    """`sign`: it asks for nothing. `samples` at `CAPTURE_RATE`, from the first sound to the last."""

    words: str
    source: str
    part: Part
    sign: bool
    samples: Samples


def synthetic(part: Part) -> Iterator[Uttered]:
    """flite's and espeak-ng's voices, each with every sign and, while numbers are fitted, some of the sentences."""
    from core.training.speech import Espeak  # a library with global state: made when it is needed

    for voice in FLITE[part]:
        for words, sign in _texts(part, voice):
            yield Uttered(words, f"flite {voice}", part, sign, spoken_by_flite(words, voice))
    espeak = Espeak()
    for line in ESPEAK[part].strip().replace("\n", "|").split("|"):
        voice, pace = line.split()
        for words, sign in _texts(part, voice):
            said = espeak.say(words, voice, words_per_minute=int(pace))
            sound = soxr.resample(said.samples, 24_000, CAPTURE_RATE).astype(np.float32)
            yield Uttered(words, f"espeak {voice}", part, sign, without_silence(sound))


def listed(folder: Path, part: Part) -> Iterator[Uttered]:
    """What `said.csv` in `folder` names for this part, a line each: file, part, source, words, and 1 for a sign."""
    with (folder / "said.csv").open(newline="", encoding="utf-8") as table:
        for name, of_part, source, words, sign in csv.reader(table):
            if of_part == part.value:
                samples, rate = soundfile.read(folder / name, dtype="float32", always_2d=True)
                sound = soxr.resample(samples.mean(1), rate, CAPTURE_RATE).astype(np.float32)
                yield Uttered(words, source, part, sign == "1", without_silence(sound))


def without_silence(sound: Samples) -> Samples:
    """`sound` from the first hundredth of a second that is no silence to the last."""
    step = CAPTURE_RATE // 100
    loud = np.sqrt(np.square(sound[: len(sound) // step * step]).reshape(-1, step).mean(1))
    heard = np.flatnonzero(loud > loud.max() * 10 ** (_SOFTEST_DB / 20))
    return sound[heard[0] * step : (heard[-1] + 1) * step]


def _texts(part: Part, voice: str) -> list[tuple[str, bool]]:
    sentences = INTERRUPTIONS[part]
    if len(sentences) > 2 * _SENTENCES_A_VOICE:
        rng = np.random.default_rng(sum(map(ord, voice)))
        sentences = [str(text) for text in rng.choice(sentences, _SENTENCES_A_VOICE, replace=False)]
    return [*((text, True) for text in SIGNS[part]), *((text, False) for text in sentences)]
