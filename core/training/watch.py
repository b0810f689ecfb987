"""Watch: what is looked at whenever a checkpoint is there: figures of held-out clips, a film, curves, the best so far.

Distillation has a short learning window: figures get better, reach their best, and get worse again while the loss says
nothing. So the same held-out clips are made with the same noise at every checkpoint, by the moving average; the curve
is drawn with its best point, and that checkpoint is kept beside the last.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from safetensors.torch import save_file

from core.media import MediaFormat
from core.performer.livetalk.frames import decode, to_pixels
from core.playback.mp4 import Mp4Writer

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from core.performer.livetalk.frames import FrameDecoder
    from core.performer.livetalk.spec import LiveTalkSpec
    from core.training.clips import Batch, ClipFolder
    from core.training.crew import Crew
    from core.training.play import Entry, Player
    from core.training.turns import Turns

BEST, LAST = "best", "checkpoint"
_DECODED_AT_ONCE = 3
"""Latents that go through the decoder in one call."""


class Watch:
    """Called with a checkpoint's step and the log, in all processes; the one that leads writes.

    In `folder`: `figures.json`, `figures.png`, `samples/*.mp4`, `tensorboard`, `best` (the checkpoint) and
    `best.safetensors` (its moving average in the released layout).

    Args:
        decoder: what makes frames of latents; without one there are no films.
    """

    def __init__(
        self,
        turns: Turns,
        student: Player,
        clips: ClipFolder,
        spec: LiveTalkSpec,
        folder: Path,
        crew: Crew,
        decoder: FrameDecoder | None,
    ) -> None:
        self._turns, self._student, self._clips, self._spec = turns, student, clips, spec
        self._folder, self._crew, self._decoder = folder, crew, decoder
        kept = folder / "figures.json"
        self._told: list[Entry] = json.loads(kept.read_text()) if kept.exists() else []
        crew.wait()

    def __call__(self, step: int, log: list[Entry]) -> None:
        before = [entry for entry in self._told if entry["step"] < step]
        since = before[-1]["step"] if before else 0.0
        self._told = [*before, {"step": float(step), **self._measured()}]
        if best_of(self._told) == step:
            self._keep_best()
        if self._clips.held_out:
            self._film(step)
        if self._crew.leads:
            (self._folder / "figures.json").write_text(json.dumps(self._told, indent=1))
            draw_window(self._told, self._folder / "figures.png")
            tell_tensorboard(
                [entry for entry in log if entry["step"] >= since], self._told[-1], self._folder / "tensorboard"
            )
        self._crew.wait()

    def _measured(self) -> Entry:
        """Means over the held-out clips, of which every process makes its share."""
        files = self._clips.held_out
        if not files:
            return {}
        names, sums = [], torch.zeros(0)
        with self._student.averaged():
            for turn in range(-(-len(files) // self._crew.size)):
                place = turn * self._crew.size + self._crew.rank
                counts = float(place < len(files))  # all go through the network equally often
                place %= len(files)
                figures = self._turns.figures(self._clips.load(files[place]), place)
                names = list(figures)
                sums = counts * torch.tensor(list(figures.values())) + (sums if turn else 0.0)
        means = self._crew.mean(sums.to(self._crew.device)) * self._crew.size / len(files)
        return dict(zip(names, means.tolist(), strict=True))

    def _film(self, step: int) -> None:
        clip = self._clips.load(self._clips.held_out[0])
        with self._student.averaged():
            latents = self._turns.sample(clip)
        if self._crew.leads and self._decoder is not None:
            (self._folder / "samples").mkdir(exist_ok=True)
            film(self._decoder, latents, clip, self._spec, self._folder / "samples" / f"step-{step:06d}.mp4")

    def _keep_best(self) -> None:
        weights = self._student.whole_average()
        if self._crew.leads:
            save_file(weights, self._folder / f"{BEST}.safetensors")
            shutil.rmtree(self._folder / BEST, ignore_errors=True)
            shutil.copytree(self._folder / LAST, self._folder / BEST, copy_function=_named_twice)


def best_of(told: list[Entry]) -> int | None:
    """The step with the least first figure; None where there are no figures."""
    name = _first(told)
    return int(min(told, key=lambda entry: entry[name])["step"]) if name else None


def draw_window(told: list[Entry], path: Path) -> None:
    """Every figure over the steps; the best point of the first is marked, and what comes after it is shaded."""
    name, best = _first(told), best_of(told)
    if name is None or best is None:
        return
    names = [key for key in told[0] if key != "step"]
    drawing = Figure(figsize=(9, 2.8 * len(names)), layout="constrained")
    FigureCanvasAgg(drawing)
    steps = [entry["step"] for entry in told]
    for axes, key in zip(np.atleast_1d(drawing.subplots(len(names), 1)), names, strict=True):
        axes.plot(steps, [entry[key] for entry in told], ".-", color="#0a6c74")
        if steps[-1] > best:
            axes.axvspan(best, steps[-1], color="#c2410c", alpha=0.08, lw=0)
        axes.set_title(key, fontsize=9)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if key == name:
            least = min(entry[key] for entry in told)
            axes.plot([best], [least], "*", color="#c2410c", markersize=14, label=f"best: {least:.4g} at step {best}")
            axes.legend()
    drawing.savefig(path, dpi=110)


def film(decoder: FrameDecoder, latents: Tensor, clip: Batch, spec: LiveTalkSpec, path: Path) -> None:
    """Latents [1, frames, channels, h, w] as mp4, with the clip's sound where it has one."""
    media = MediaFormat(spec.audio_rate, spec.fps)
    stream = decoder.open(*latents.shape[-2:])
    writer = Mp4Writer(path, media, spec.width, spec.height)
    shown = 0
    try:
        with torch.no_grad():
            for piece in latents.split(_DECODED_AT_ONCE, 1):
                for pixels in to_pixels(decode(stream, piece)).cpu().numpy():
                    writer.picture(pixels, shown * media.samples_per_frame)
                    shown += 1
        sound = np.zeros(shown * media.samples_per_frame, np.float32)
        if clip.sound is not None:
            heard = clip.sound[0, : len(sound)].cpu().numpy()
            sound[: len(heard)] = heard
        writer.sound(sound)
    finally:
        writer.close()


def tell_tensorboard(log: list[Entry], figures: Entry, folder: Path) -> None:
    """Losses and gradients of the steps, and the figures of the last; a file of events for each checkpoint."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for entry in log:
            for name, value in entry.items():
                kind, of = ("gradient", name.removesuffix(" norm")) if name.endswith(" norm") else ("loss", name)
                if name != "step":
                    writer.add_scalar(f"{kind}/{of}", value, int(entry["step"]))
        for name, value in figures.items():
            if name != "step":
                writer.add_scalar(f"held out/{name}", value, int(figures["step"]))


def _named_twice(source: str, target: str) -> None:
    """A second name for a file that is replaced and never rewritten; a copy on a disk that knows no second names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _first(told: list[Entry]) -> str | None:
    return next((name for name in (told[0] if told else {}) if name != "step"), None)
