"""What a face does besides speaking: head, blinks, gaze, brows, breath; shaped by the figures in people.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Manner:
    """What a style does to a face; 1 leaves the human figures as they are."""

    head: float = 1.0
    brows: float = 1.0
    articulation: float = 1.0
    blinks: float = 1.0
    gaze: float = 1.0
    smile: float = 0.0
    brow_down: float = 0.0
    brow_inner: float = 0.0
    nods: float = 1.0

    def with_(self, other: Manner) -> Manner:
        """Both at once: factors multiply, offsets add."""
        return Manner(
            self.head * other.head,
            self.brows * other.brows,
            self.articulation * other.articulation,
            self.blinks * other.blinks,
            self.gaze * other.gaze,
            self.smile + other.smile,
            self.brow_down + other.brow_down,
            self.brow_inner + other.brow_inner,
            self.nods * other.nods,
        )


MANNERS = {
    "calm": Manner(head=0.55, brows=0.6, articulation=0.9, nods=0.6),
    "lively": Manner(head=1.35, brows=1.8, articulation=1.12, nods=1.6),
    "smiling": Manner(smile=0.35, brow_inner=0.05),
    "serious": Manner(head=0.8, brows=0.7, brow_down=0.25),
    "attentive": Manner(head=0.8, gaze=0.5, brow_inner=0.15, nods=1.3),
}


@dataclass(frozen=True)
class People:
    """The aggregate figures of real people."""

    figures: dict[str, dict[str, Any]]

    @staticmethod
    def load() -> People:
        return People(tomllib.loads((Path(__file__).parent / "people.toml").read_text()))

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.figures[name]


def wandering(rng: np.random.Generator, frames: int, fps: int, edges_hz: list[float], power: list[float]) -> Floats:
    """Noise of unit variance whose power is spread over bands as given: [frames]."""
    length = 2 * frames
    hz = np.fft.rfftfreq(length, 1 / fps)
    amplitude = np.zeros(len(hz))
    for low, high, share in zip(edges_hz[:-1], edges_hz[1:], power, strict=True):
        inside = (hz >= low) & (hz < high)
        amplitude[inside] = np.sqrt(share / max(1, int(inside.sum())))
    phase = rng.uniform(0, 2 * np.pi, len(hz))
    wave = np.fft.irfft(amplitude * np.exp(1j * phase), length) * length / np.sqrt(2)
    return wave[:frames]


def blinks(rng: np.random.Generator, frames: int, fps: int, people: People, rate: float) -> Floats:
    """Closing of the lids, 0..1: [frames]."""
    blink = people["blink"]
    times = (np.arange(frames) + 0.5) / fps
    closing = np.zeros(frames)
    spread = blink["interval_log_sd"]
    mean_interval = 60.0 / (blink["per_minute"] * rate)
    start = rng.uniform(0.5, mean_interval)
    while start < frames / fps:
        depth, slow = rng.uniform(0.85, 1.0), rng.uniform(0.85, 1.35)
        shut = start + blink["closing_s"] * slow
        opens = shut + blink["shut_s"] * slow
        shape = np.interp(times, [start, shut, opens, opens + blink["opening_s"] * slow], [0.0, depth, depth, 0.0])
        closing = np.maximum(closing, shape)
        start += max(0.45, rng.lognormal(np.log(mean_interval) - spread**2 / 2, spread))
    return closing


def gaze(rng: np.random.Generator, frames: int, fps: int, people: People, gain: float) -> Floats:
    """Where the eyes look between jumps, back to the other person most of the time: [frames, 2]."""
    figures = people["gaze"]
    where = np.zeros((frames, 2))
    start = 0
    while start < frames:
        stay = max(1, int(rng.uniform(*figures["fixation_s"]) * fps))
        away = rng.random() < 0.5
        target = rng.normal(0, 1.35, 2) * (figures["x_sd"], figures["y_sd"]) * gain if away else np.zeros(2)
        where[start : start + stay] = target
        start += stay
    return smoothed(where, 1.2)


def brow_events(rng: np.random.Generator, frames: int, fps: int, accents: Floats, people: People) -> Floats:
    """Raises of the brows, mostly where the voice has an accent: [frames], 0 and above."""
    figures = people["brow"]
    raised = np.zeros(frames)
    for _ in range(rng.poisson(frames / fps / figures["event_every_s"])):
        candidates = rng.integers(0, frames, 6)
        middle = int(candidates[np.argmax(accents[candidates])])
        width = rng.uniform(0.15, 0.6) * fps
        height = rng.gamma(2.0, figures["raise_sd"])
        raised += height * np.exp(-(((np.arange(frames) - middle) / width) ** 2))
    return raised


def smoothed(x: Floats, sigma: float) -> Floats:
    """Gaussian smoothing along time; edges repeat."""
    radius = max(1, int(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(x, [(radius, radius)] + [(0, 0)] * (x.ndim - 1), mode="edge")
    return np.apply_along_axis(lambda column: np.convolve(column, kernel, "valid"), 0, padded)
