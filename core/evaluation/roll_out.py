"""The look at long performances: one minute and ten, of speech with pauses, as in a conversation that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.evaluation.acting import ANGLES
from core.evaluation.people import FPS
from core.evaluation.recorded import at_media_rate
from core.evaluation.report import Figure, Look
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.evaluation.acting import Acted, Actor
    from core.evaluation.people import People
    from core.media import Samples

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
WINDOW_S = 10.0
SEEDS = (1, 2, 3)
"""One minute says little about slow things: it is acted three times."""
MINUTE, LONG = 60.0, 600.0
PAUSES_S = (2.5, 4.0, 3.0, 6.0)
"""Of silence between recordings, one after the other."""
SETTLED_S = 0.8
"""After the sound has ended and before it begins again: then the face counts as resting."""
DRIFT = 0.008
"""Face heights of difference between resting faces beyond which a face has not come back to its rest."""
STILL_DEGREES, STILL_LIPS = 0.004, 0.0005
"""Change from frame to frame, in degrees and face heights, under which nothing is seen to move."""


def talk(people: People, seconds: float) -> tuple[Samples, Bools]:
    """Recordings one after the other with pauses between, at `MEDIA_RATE`, and the frames in which a face rests."""
    clips = [at_media_rate(clip.sound) for clip in people.speaking()]
    frame = MEDIA_RATE // FPS
    pieces: list[Samples] = []
    resting: list[Bools] = []
    number = 0
    while sum(len(piece) for piece in pieces) < seconds * MEDIA_RATE:
        sound = clips[number % len(clips)]
        sound = sound[: len(sound) // frame * frame]
        sound = sound * np.float32(0.07 / max(float(np.sqrt((sound**2).mean())), 1e-4))
        pause = round(PAUSES_S[number % len(PAUSES_S)] * FPS)
        quiet = np.arange(pause) / FPS
        pieces += [sound.clip(-1, 1), np.zeros(pause * frame, np.float32)]
        resting += [np.zeros(len(sound) // frame, bool), (quiet > SETTLED_S) & (quiet < quiet[-1] - SETTLED_S / 2)]
        number += 1
    frames = int(seconds * FPS)
    return np.concatenate(pieces)[: frames * frame], np.concatenate(resting)[:frames]


def perform(actor: Actor, people: People, seconds: float, seed: int, done: Callable[[float], object]) -> Acted:
    return actor.act(talk(people, seconds)[0], seed=seed, done=done)


def look(actor: Actor, title: str, acts: list[Acted], people: People) -> Look:
    """Figures of performances of `talk` of the same length."""
    human = peoples_spread(people)
    windows = np.concatenate([_windows(act.angles) for act in acts])
    spread = np.median(windows, axis=0)
    lengths = np.concatenate([act.blinks() for act in acts])
    minutes = sum(act.seconds for act in acts) / 60
    resting = talk(people, acts[0].seconds)[1]
    face_drift, head_drift = drift(actor, acts, resting)
    figures = [
        Figure(
            f"{angle}, spread in 10 s",
            float(spread[index]),
            least=0.7 * float(human[index]),
            most=1.3 * float(human[index]),
            people=float(human[index]),
            unit="degrees SD",
        )
        for index, angle in enumerate(ANGLES)
    ]
    shares = [slow_share(act.angles) for act in acts]
    peoples_shares = people.figures["head_speaking(lips clips>=5s)"]["power_share_0-.5,.5-1,1-2,2-4,4-12.5Hz"]
    figures += [
        Figure("head power below 1 Hz", float(np.mean(shares)), least=0.8, people=sum(peoples_shares[:2])),
        Figure(
            "blinks",
            len(lengths) / minutes,
            least=12,
            most=25,
            people=people.figures["blink_rate_per_min_pooled"],
            unit="a minute",
        ),
        Figure(
            "blink length, median",
            float(np.median(lengths)),
            least=160,
            most=400,
            unit="ms",
            people=people.figures["blink_duration_ms(EAR<82% of open)"]["p50"],
        ),
        Figure("blinks of 160 to 400 ms", float(((lengths >= 159) & (lengths <= 401)).mean()), least=0.9),
        Figure("mouth shut in the pauses", float(np.mean([(a.gap[resting] < 0.02).mean() for a in acts])), least=0.98),
        Figure("rest face drifts, first to last pauses", face_drift, most=DRIFT, unit="face heights"),
        Figure("head drifts, first to last third", head_drift, most=float(human.max()), unit="degrees"),
        Figure("longest time that nothing moves", max(_stillest_s(act) for act in acts), most=1.0, unit="s"),
    ]
    return Look(title, figures)


def peoples_spread(people: People) -> Floats:
    """Yaw, pitch and roll, degrees: the median over people who speak of each one's median over windows."""
    clips = people.speaking(WINDOW_S)
    return np.median([np.median(_windows(clip.angles), axis=0) for clip in clips], axis=0)


def slow_share(angles: Floats) -> float:
    """Share of the power of all three angles [frames, 3] that lies below 1 Hz."""
    size = int(WINDOW_S * FPS)
    taper = np.hanning(size)[:, None]
    hz = np.fft.rfftfreq(size, 1 / FPS)
    power = np.zeros(len(hz))
    for start in range(0, len(angles) - size + 1, size // 2):
        piece = angles[start : start + size]
        power += (np.abs(np.fft.rfft((piece - piece.mean(0)) * taper, axis=0)) ** 2).sum(1)
    return float(power[hz < 1].sum() / power.sum())


def spread_of(act: Acted) -> Floats:
    """Yaw, pitch and roll, degrees: the median over windows of the spread in each."""
    return np.median(_windows(act.angles), axis=0)


def _windows(angles: Floats) -> Floats:
    """Standard deviation in windows that overlap by half, [windows, 3]."""
    size = int(WINDOW_S * FPS)
    return np.array([angles[s : s + size].std(0) for s in range(0, len(angles) - size + 1, size // 2)])


def drift(actor: Actor, acts: list[Acted], resting: Bools) -> tuple[float, float]:
    """Between the first and the last third: how far the mesh of the resting face moved (root mean square over it, face
    heights), and the head's mean (degrees, the angle that moved most)."""

    def moved(values: list[Floats]) -> Floats:
        third = len(values[0]) // 3
        return np.mean([one[-third:].mean(0) - one[:third].mean(0) for one in values], axis=0)

    mesh = np.einsum("c,cvk->vk", moved([act.face[resting] for act in acts]), actor.model.codec.basis.numpy())
    return float(np.sqrt((mesh**2).sum(1).mean())), float(np.abs(moved([act.angles for act in acts])).max())


def _stillest_s(act: Acted) -> float:
    moving = (np.abs(np.diff(act.angles, axis=0)).max(1) > STILL_DEGREES) | (np.abs(np.diff(act.gap)) > STILL_LIPS)
    edges = np.flatnonzero(np.concatenate(([True], moving, [True])))
    return float(np.diff(edges).max() - 1) / FPS
