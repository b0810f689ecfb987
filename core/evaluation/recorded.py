"""The look at recordings of people who speak, none of whom the model has heard: does the avatar's mouth fit?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soxr

from core.evaluation.people import CLIP_RATE, FPS, Clip, Sync, SyncProbe, loudness_db
from core.evaluation.report import Figure, Look
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.evaluation.acting import Acted, Actor
    from core.evaluation.people import People
    from core.evaluation.phones import PhoneFinder
    from core.media import Samples

Floats = npt.NDArray[np.float64]
Moments = list[tuple[float, float]]
TITLE = "Recorded speech of people"
CLOSING_TITLE = "P, B and M in recorded English"
SEED = 1
LEAST_S = 6.0
"""Clips that are shorter say too little about one person's score."""
CLOSED = 0.012
"""Face heights of lip opening under which a mouth counts as closed on p, b, m."""
BESIDE_S = 0.04
"""How far beside a sound its closure may lie: lips are early, and phones are timed to some 30 ms."""
SPOKEN_DB = -30.0
"""Frames softer than this against the clip's loud ones are pauses."""
LAG_MS = 40.0
_PARTS = ("p50", "p90", "p99")


@dataclass(frozen=True, eq=False)
class Spoken:
    """One clip, what the avatar made of its sound, and how well each follows it."""

    clip: Clip
    acted: Acted
    sync: Sync
    people: Sync
    lips_meet: Moments
    """When p, b and m are said; nothing for clips that are not English."""


def speak(
    actor: Actor, people: People, folder: Path, finder: PhoneFinder | None, done: Callable[[float], object]
) -> list[Spoken]:
    """Have the avatar act to every clip of speech in `folder`; without a `finder` nobody knows when p, b, m are said.

    Raises:
        FileNotFoundError: the folder has no probe.
    """
    probe = SyncProbe.load(folder)
    spoken: list[Spoken] = []
    for clip in people.speaking():
        acted = actor.act(at_media_rate(clip.sound), seed=SEED)
        sync, own = probe.score(clip.sound, acted.gap), probe.score(clip.sound, clip.gap)
        moments = finder.lips_meet(clip.sound) if finder and clip.language == "en" else []
        spoken.append(Spoken(clip, acted, sync, own, moments))
        done(clip.seconds)
    return spoken


def look(spoken: list[Spoken], people: People) -> Look:
    """What `speak` gave, as figures."""
    long = [one for one in spoken if one.clip.seconds >= LEAST_S]
    theirs = _mean([one.clip.sync_r for one in long])
    above = float(np.mean([one.sync.r > one.clip.sync_null for one in long]))
    usual = float(np.median([one.people.lag_ms + one.clip.late_ms for one in spoken]))
    late = float(np.median([one.sync.lag_ms for one in long])) - usual
    figures = [
        Figure("sync_r, mean", _mean([one.sync.r for one in long]), least=0.42, people=theirs),
        Figure("clips above their own shuffled score", above, least=1.0, unit=f"of {len(long)}"),
        Figure("lips later than people's, median", late, least=-LAG_MS, most=LAG_MS, people=0.0, unit="ms"),
        *_size(spoken, people),
    ]
    each = [
        Figure(f"sync_r {one.clip.name[:34]}", one.sync.r, least=one.clip.sync_null, people=one.clip.sync_r)
        for one in long
    ]
    return Look(TITLE, figures + each)


def at_media_rate(sound: Samples) -> Samples:
    return soxr.resample(sound, CLIP_RATE, MEDIA_RATE).astype(np.float32)


def closing_look(spoken: list[Spoken]) -> Look:
    """Whether the lips are closed when p, b and m are said."""
    english = [one for one in spoken if one.lips_meet]
    lowest = [_lowest(one.acted.gap, one.lips_meet) for one in english]
    theirs = [_lowest(one.clip.gap, one.lips_meet, one.clip.late_ms) for one in english]
    anywhere = [_lowest(one.acted.gap, _anywhere(one)) for one in english]
    theirs_anywhere = [_lowest(one.clip.gap, _anywhere(one), one.clip.late_ms) for one in english]
    count = sum(len(one.lips_meet) for one in english)
    figures = [
        Figure("lips closed around P, B, M", _shut(lowest), least=0.85, people=_shut(theirs), unit=f"of {count}"),
        Figure("lips closed at moments taken at random", _shut(anywhere), people=_shut(theirs_anywhere)),
    ]
    each = [
        Figure(f"closed in {one.clip.name[:30]}", _shut([own]), people=_shut([their]), unit=f"of {len(own)}")
        for one, own, their in zip(english, lowest, theirs, strict=True)
    ]
    return Look(CLOSING_TITLE, figures + each)


def _anywhere(one: Spoken) -> Moments:
    """Five times as many moments of the same lengths, anywhere in the clip."""
    rng = np.random.default_rng(7)
    lengths = np.repeat([end - begin for begin, end in one.lips_meet], 5)
    begins = rng.uniform(0.2, one.clip.seconds - 0.4, len(lengths))
    return [(float(begin), float(begin + length)) for begin, length in zip(begins, lengths, strict=True)]


def _lowest(gap: Floats, moments: Moments, late_ms: float = 0.0) -> Floats:
    """The least opening around each moment. `late_ms`: how much later than the lips the sound is."""
    late = late_ms / 1000.0
    frames = [
        (int(np.floor((begin - late - BESIDE_S) * FPS)), int(np.ceil((end - late + BESIDE_S) * FPS)))
        for begin, end in moments
    ]
    return np.array([gap[max(0, first) : last].min() for first, last in frames if last > 0 and first < len(gap) - 1])


def _shut(lowest: list[Floats]) -> float:
    return float((np.concatenate(lowest) < CLOSED).mean())


def _size(spoken: list[Spoken], people: People) -> list[Figure]:
    """How wide and how fast the lips open while somebody speaks, against half and one and a half times people's."""
    saying = [loudness_db(one.clip.sound, len(one.acted.gap)) > SPOKEN_DB for one in spoken]
    opening = np.concatenate([one.acted.gap[now] for one, now in zip(spoken, saying, strict=True)])
    speeds = [np.abs(np.gradient(one.acted.gap) * FPS) for one in spoken]
    speed = np.concatenate([own[now] for own, now in zip(speeds, saying, strict=True)])
    looks = (
        ("lip opening", "face heights", opening, "lip_gap_during_speech_face_heights"),
        ("lip speed", "face heights a second", speed, "lip_speed_abs_face_heights_per_s"),
    )
    return [
        Figure(
            f"{name}, {part}",
            float(np.percentile(values, int(part[1:]))),
            least=0.5 * people.figures[key][part],
            most=1.5 * people.figures[key][part],
            people=people.figures[key][part],
            unit=unit,
        )
        for name, unit, values, key in looks
        for part in _PARTS
    ]


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
