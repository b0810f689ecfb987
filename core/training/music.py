"""Music without a voice, made of chords and beats: what a mouth must not follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.media import MEDIA_RATE

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.media import Samples

    Floats = npt.NDArray[np.float64]

_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 4, 7, 11), (0, 3, 7, 10), (0, 7, 12))


def music(rng: np.random.Generator, seconds: float) -> Samples:
    """Chords with overtones, a bass, and drums of noise, in a tempo of their own; peak 0.5, at `MEDIA_RATE`."""
    size = int(seconds * MEDIA_RATE)
    beat = int(rng.uniform(0.3, 0.8) * MEDIA_RATE)
    key, brightness, drums = rng.uniform(80.0, 220.0), rng.uniform(0.8, 2.0), rng.uniform(0.0, 0.6)
    sound = np.zeros(size + 8 * beat)
    for start in range(0, size, beat):
        if rng.random() < 0.6:
            root = key * 2 ** (rng.integers(-5, 8) / 12)
            length = int(beat * rng.choice([1, 2, 4]))
            notes = [root * 2 ** (step / 12) for step in _CHORDS[rng.integers(len(_CHORDS))]]
            sound[start : start + length] += _chord(rng, notes, length, brightness)
        length = int(rng.uniform(0.03, 0.15) * MEDIA_RATE)
        sound[start : start + length] += drums * rng.normal(0, 1, length) * np.exp(-np.linspace(0, 6, length))
    loudest = np.abs(sound[:size]).max()
    return (0.5 * sound[:size] / max(loudest, 1e-6)).astype(np.float32)


def _chord(rng: np.random.Generator, notes: list[float], length: int, brightness: float) -> Floats:
    """Notes with overtones that fade, from a pluck to a held tone."""
    times = np.arange(length) / MEDIA_RATE
    fade = np.exp(-times * rng.uniform(0.3, 6.0)) * np.minimum(1.0, times / 0.01)
    tones = [
        np.sin(2 * np.pi * hz * overtone * times + rng.uniform(0, 2 * np.pi)) / overtone**brightness
        for hz in notes
        for overtone in range(1, 9)
        if hz * overtone < 0.45 * MEDIA_RATE
    ]
    return fade * np.sum(tones, 0) / len(notes)
