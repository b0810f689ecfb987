"""How well the embedded avatar's motion follows a voice: `python -m core.training.validate --weights FOLDER …`.

Three looks: synthetic voices that were never trained on, against the true curves; recorded people, by a probe that
predicts lip opening from sound; silence. For people a table, for machines the last line is one JSON document.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soxr
import torch

from core.media import MEDIA_RATE, SpeechBlock
from core.performer.portrait.codec import CURVES, FACE_CURVES, FRAMES
from core.performer.portrait.motion import STYLE_WORDS, MotionModel, MotionSpec, MotionStream, style_rows
from core.performer.portrait.weights import load_weights
from core.training.data import DataRecipe, StreamMaker
from core.training.rig import Rig, lip_gap

if TYPE_CHECKING:
    from core.media import Samples

Floats = npt.NDArray[np.float64]
CLOSED = 0.012
"""Face heights of lip opening under which a mouth counts as closed on p, b, m."""
SHUT = 0.02
"""Face heights under which a silent mouth counts as shut."""
_HELD_OUT = DataRecipe(
    streams=10,
    seconds=30.0,
    seed=990,
    languages=("it", "en-gb-scotland"),
    variants=("+m4", "+f4"),
    flite=("awb",),
)
_HEAD = tuple(CURVES.index(name) for name in ("yaw", "pitch", "roll_angle"))


@dataclass(frozen=True, eq=False)
class Actor:
    """A model that is asked to act to whole recordings."""

    model: MotionModel
    spec: MotionSpec

    def curves(self, samples: Samples, *, seed: int = 0, style: str = "", rest: Floats | None = None) -> Floats:
        """Curves of every frame, block by block with look-ahead, as the product makes them: [frames, CURVES]."""
        hearing = self.spec.hearing
        size = hearing.block_frames * hearing.frame
        blocks = -(-len(samples) // size)
        padded = np.concatenate((samples, np.zeros(blocks * size - len(samples) + hearing.ahead, np.float32)))
        quiet = np.zeros(len(CURVES)) if rest is None else rest
        stream = MotionStream(self.model, self.spec, torch.from_numpy(quiet).float(), style, seed)
        seen: list[Floats] = []
        for start in range(0, blocks * size, size):
            end = start + size
            block = SpeechBlock(None, padded[start:end], padded[end : end + hearing.ahead])
            seen.append(stream.curves(stream.imagine(block)).numpy().astype(np.float64))
        return np.concatenate(seen)[: len(samples) // hearing.frame]

    def gap(self, curves: Floats) -> Floats:
        """Lip opening on the mesh, face heights: [frames]."""
        basis = self.model.codec.basis.numpy().astype(np.float64)
        return curves[:, : len(FACE_CURVES)] @ lip_gap(basis)


def held_out(actor: Actor) -> dict[str, float]:
    """Voices, and one language, that no stage of the training has heard."""
    maker = StreamMaker(_HELD_OUT, Rig.of(actor.model.codec), actor.spec.hearing)
    true: list[Floats] = []
    made: list[Floats] = []
    shut: list[Floats] = []
    for number in range(_HELD_OUT.streams):
        scene = maker.scene(number)
        words = " ".join(w for w in STYLE_WORDS if style_rows(w)[1] in scene.style)
        curves = actor.curves(scene.samples, seed=number, style=words, rest=scene.rest.astype(np.float64))
        true.append(scene.curves.astype(np.float64))
        made.append(curves)
        events = _closures(actor.gap(scene.curves.astype(np.float64)), scene.speaking)
        gap = actor.gap(curves)
        shut.append(np.array([gap[max(0, first - 1) : last + 1].min() < CLOSED for first, last in events]))
    return {
        **_curve_scores(actor, np.concatenate(true), np.concatenate(made)),
        "closures": float(np.concatenate(shut).mean()),
    }


def _curve_scores(actor: Actor, true: Floats, made: Floats) -> dict[str, float]:
    scores = {name: _correlation(true[:, i], made[:, i]) for i, name in enumerate(FACE_CURVES[:8])}
    scores["gap"] = _correlation(actor.gap(true), actor.gap(made))
    scores["closed"] = _correlation(np.minimum(actor.gap(true), 0.02), np.minimum(actor.gap(made), 0.02))
    scores["jaw_spread"] = float(made[:, 0].std() / true[:, 0].std())
    scores["head_spread"] = float(made[:, _HEAD].std(0).mean() / true[:, _HEAD].std(0).mean())
    return scores


def quiet(actor: Actor, seconds: float = 60.0) -> dict[str, float]:
    """Digital silence, then room tone: is the mouth shut, and does the rest live?"""
    rng = np.random.default_rng(0)
    silence = np.zeros(int(seconds * MEDIA_RATE), np.float32)
    tone = rng.normal(0, 0.002, len(silence)).astype(np.float32)
    scores: dict[str, float] = {}
    for name, samples in (("silence", silence), ("room", tone)):
        curves = actor.curves(samples, seed=3)
        gap, lids = actor.gap(curves), curves[:, CURVES.index("lid_right")]
        scores[f"{name}_shut"] = float((gap < SHUT).mean())
        scores[f"{name}_gap_p99"] = float(np.percentile(gap, 99))
        scores[f"{name}_blinks_per_minute"] = float(((lids[1:] > 0.5) & (lids[:-1] <= 0.5)).sum() / (seconds / 60))
        for angle, column in zip(("yaw", "pitch", "roll"), _HEAD, strict=True):
            scores[f"{name}_{angle}_sd_deg"] = float(np.degrees(curves[:, column].std()))
    return scores


def recorded(actor: Actor, folder: Path, seconds: float = 6.0) -> dict[str, float]:
    """Recordings of people who speak: does the probe that was made from people find the sound in these lips?"""
    probe = SyncProbe.load(folder / "sync_probe.npz")
    made: list[float] = []
    human: list[float] = []
    openings: list[Floats] = []
    turns: list[Floats] = []
    peoples_turns: list[Floats] = []
    with (folder / "index.csv").open() as lines:
        rows = [r for r in csv.DictReader(lines) if "lips" in r["usable_for"] and float(r["seconds"]) >= seconds]
    for row in rows:
        clip = np.load(folder / f"{row['name']}.npz")
        sound = clip["audio"].astype(np.float32) / 32768.0
        curves = actor.curves(soxr.resample(sound, 16_000, MEDIA_RATE).astype(np.float32), seed=1)
        gap = actor.gap(curves)
        openings.append(gap)
        turns.append(np.degrees(curves[:, _HEAD]))
        peoples_turns.append(clip["euler_ypr_deg"].astype(np.float64))
        made.append(probe.score(sound, gap))
        human.append(probe.score(sound, clip["lip_gap"].astype(np.float64)))
        print(f"  {row['name']:42s} sync_r {made[-1]:.2f}  people {human[-1]:.2f}  shuffled {row['sync_null_p95']}")
    gap = np.concatenate(openings)
    percentiles = {f"gap_p{p}": float(np.percentile(gap, p)) for p in (50, 90, 99)}
    spreads = {"head_deg": _window_spread(turns), "head_deg_people": _window_spread(peoples_turns)}
    return {"sync_r": float(np.mean(made)), "sync_r_people": float(np.mean(human)), **percentiles, **spreads}


def _window_spread(turns: list[Floats], seconds: float = 10.0) -> float:
    """Median over 10 s windows of the standard deviation, mean of the three angles: degrees."""
    size = int(seconds * 25)
    windows = [t[s : s + size].std(0).mean() for t in turns for s in range(0, len(t) - size + 1, size // 2)]
    return float(np.median(windows))


@dataclass(frozen=True, eq=False)
class SyncProbe:
    """Ridge regression from 26 log-mels in 13 frames to lip opening, trained on people."""

    weights: Floats
    mean: Floats
    context: int

    @staticmethod
    def load(path: Path) -> SyncProbe:
        stored = np.load(path)
        return SyncProbe(stored["W"].astype(np.float64), stored["mean"].astype(np.float64), int(stored["ctx"]))

    def score(self, sound: Samples, gap: Floats) -> float:
        """Best correlation within 400 ms either way, sound at 16 kHz and 25 openings a second."""
        features = self._features(sound, len(gap))
        expected = (features - self.mean[None] if self.mean.shape == features.shape[1:] else features) @ self.weights
        expected = expected[:, 0]
        n = len(expected)
        lags = range(-10, 11)
        return max(_correlation(gap[max(0, k) : n + min(0, k)], expected[max(0, -k) : n - max(0, k)]) for k in lags)

    def _features(self, sound: Samples, frames: int) -> Floats:
        spectrum = _slaney_mels(sound)
        logs = np.log(spectrum + 1e-7)
        logs = np.maximum(logs, np.percentile(logs, 99) - 8)
        logs = (logs - logs.mean(0)) / (logs.std(0) + 1e-6)
        frames = min(frames, len(logs) // FRAMES)
        each = logs[: frames * FRAMES].reshape(frames, FRAMES, -1).mean(1)
        padded = np.pad(each, [(self.context, self.context), (0, 0)], mode="edge")
        return np.concatenate([padded[i : i + frames] for i in range(2 * self.context + 1)], 1)


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


def _closures(gap: Floats, speaking: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of closed frames within speech, shorter than 0.3 s: [first, last)."""
    closed = (gap < 0.004) & speaking
    edges = np.flatnonzero(np.diff(np.concatenate(([False], closed, [False])).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a <= 7]


def _correlation(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.training.validate", description="Score the avatar's motion.")
    parser.add_argument("--weights", type=Path, default=Path("assets/models/portrait"))
    parser.add_argument("--people", type=Path, help="a folder of measured clips, for recorded people")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    actor = Actor(*load_weights(given.weights))
    scores = {"quiet": quiet(actor), "held_out": held_out(actor)}
    if given.people:
        scores["recorded"] = recorded(actor, given.people)
    for look, values in scores.items():
        print(look)
        for name, value in values.items():
            print(f"  {name:32s} {value:8.3f}")
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
