"""Real people, measured: clips of speakers with their sound, and the aggregate figures of many more.

The folder's layout: `index.csv`, one `.npz` a clip, `stats.json`, `sync_probe.npz`; see the README beside them.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Samples

Floats = npt.NDArray[np.float64]
CLIP_RATE = 16_000
FPS = 25


@dataclass(frozen=True, eq=False)
class Clip:
    """One person for a while, 25 frames a second. A clip without sound has no samples."""

    name: str
    language: str
    flags: tuple[str, ...]
    note: str
    sound: Samples
    """Mono at `CLIP_RATE`."""
    gap: Floats
    """Lip opening, face heights: [frames]."""
    angles: Floats
    """Yaw, pitch, roll in degrees: [frames, 3]."""
    sync_r: float
    sync_null: float
    """What the probe finds in 95 of 100 shuffles of this clip."""
    late_ms: float
    """How much later than usual the sound of this clip is against its lips."""

    @property
    def seconds(self) -> float:
        return len(self.gap) / FPS

    @property
    def speaks(self) -> bool:
        """Whether the sound is this person's speech and nothing else."""
        return "lips" in self.flags and "music" not in self.note


@dataclass(frozen=True, eq=False)
class People:
    """All clips of a folder, and `figures`, those of everybody who was measured."""

    clips: list[Clip]
    figures: dict[str, Any]

    @staticmethod
    def load(folder: Path) -> People:
        """Raises FileNotFoundError for a folder that holds no people."""
        with (folder / "index.csv").open(encoding="utf-8") as lines:
            clips = [_clip(folder, row) for row in csv.DictReader(lines)]
        return People(clips, json.loads((folder / "stats.json").read_text("utf-8")))

    def speaking(self, seconds: float = 0.0) -> list[Clip]:
        """The clips of at least so many seconds in which somebody speaks and nothing else is heard."""
        return [clip for clip in self.clips if clip.speaks and clip.seconds >= seconds]


def _clip(folder: Path, row: dict[str, str]) -> Clip:
    with np.load(folder / f"{row['name']}.npz") as stored:
        return Clip(
            name=row["name"],
            language=row["language"],
            flags=tuple(row["usable_for"].split("|")),
            note=row["note"] or "",
            sound=stored["audio"].astype(np.float32) / 32768.0,
            gap=stored["lip_gap"].astype(np.float64),
            angles=stored["euler_ypr_deg"].astype(np.float64),
            sync_r=float(row["sync_r"] or "nan"),
            sync_null=float(row["sync_null_p95"] or "nan"),
            late_ms=float(row["offset_ms"] or "nan"),
        )


@dataclass(frozen=True)
class Sync:
    """How well lips follow a sound: the best correlation with what the probe expects, and how late the lips are."""

    r: float
    lag_ms: float
    """Positive when the lips come after the sound."""


@dataclass(frozen=True, eq=False)
class SyncProbe:
    """Ridge regression from 26 log-mels in 13 frames to lip opening, trained on people."""

    weights: Floats
    mean: Floats
    context: int

    @staticmethod
    def load(folder: Path) -> SyncProbe:
        with np.load(folder / "sync_probe.npz") as stored:
            return SyncProbe(stored["W"].astype(np.float64), stored["mean"].astype(np.float64), int(stored["ctx"]))

    def score(self, sound: Samples, gap: Floats, reach: int = 10) -> Sync:
        """Best within `reach` frames either way; `sound` at `CLIP_RATE`, `gap` [frames]."""
        expected = ((self._features(sound, len(gap)) - self.mean) @ self.weights)[:, 0]
        n = min(len(expected), len(gap))
        lags = np.arange(-reach, reach + 1)
        found = np.array(
            [correlation(gap[max(0, k) : n + min(0, k)], expected[max(0, -k) : n - max(0, k)]) for k in lags]
        )
        best = int(found.argmax())
        return Sync(float(found[best]), 1000.0 / FPS * (float(lags[best]) + _peak_offset(found, best)))

    def _features(self, sound: Samples, frames: int) -> Floats:
        logs = np.log(_slaney_mels(sound) + 1e-7)
        logs = np.maximum(logs, np.percentile(logs, 99) - 8)
        logs = (logs - logs.mean(0)) / (logs.std(0) + 1e-6)
        frames = min(frames, len(logs) // 4)
        each = logs[: frames * 4].reshape(frames, 4, -1).mean(1)
        padded = np.pad(each, [(self.context, self.context), (0, 0)], mode="edge")
        return np.concatenate([padded[i : i + frames] for i in range(2 * self.context + 1)], 1)


def correlation(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def loudness_db(sound: Samples, frames: int, rate: int = CLIP_RATE) -> Floats:
    """Level of every frame against the clip's loud ones (their 95th percentile), over 120 ms: [frames]."""
    frame = rate // FPS
    padded = np.pad(sound.astype(np.float64), (0, max(0, frames * frame - len(sound))))[: frames * frame]
    power = np.convolve((padded.reshape(frames, frame) ** 2).mean(1), np.ones(3) / 3, "same")
    return 10 * np.log10((power + 1e-12) / (np.percentile(power, 95) + 1e-12))


def _peak_offset(found: Floats, best: int) -> float:
    """Where between the lags the peak lies, by a parabola: -0.5 to 0.5 of a frame."""
    if not 0 < best < len(found) - 1:
        return 0.0
    before, at, after = found[best - 1 : best + 2]
    bend = before - 2 * at + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def _slaney_mels(sound: Samples) -> Floats:
    """Power in 26 mel bands, 80 to 7600 Hz, 40 ms windows every 10 ms, as the probe was trained on: [hops, 26]."""
    padded = np.pad(sound.astype(np.float64), 320)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 640)[::160]
    power = np.abs(np.fft.rfft(pieces * np.hanning(641)[:-1], axis=1)) ** 2

    def hz(mel: Floats) -> Floats:
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))

    def mel(frequency: float) -> float:
        return frequency * 3 / 200 if frequency < 1000 else 15 + 27 * np.log(frequency / 1000) / np.log(6.4)

    corners = hz(np.linspace(mel(80.0), mel(7600.0), 28))
    bins = np.arange(321) * 25.0
    rising = (bins[:, None] - corners[None, :-2]) / np.diff(corners)[None, :-1]
    falling = (corners[None, 2:] - bins[:, None]) / np.diff(corners)[None, 1:]
    bank = np.maximum(0, np.minimum(rising, falling)) * (2 / (corners[2:] - corners[:-2]))
    return power @ bank
