"""Streams on disk and batches of them, the same ones for the same seed and step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.performer.portrait.audio import (
    HOPS_PER_FRAME,
    Hearing,
    power_of,
    scaled_log,
)
from core.performer.portrait.codec import FRAMES

if TYPE_CHECKING:
    from pathlib import Path

    from core.training.data import Stream

Floats = npt.NDArray[np.float64]
HEARD = ("clean", "disturbed", "drowned")
"""Ways in which the speech encoder has heard every stream."""
DROWNED = HEARD.index("drowned")


@dataclass(frozen=True, eq=False)
class Corpus:
    """All streams, stacked: mels [n, hops, 80], curves [n, frames, CURVES], rest [n, CURVES], style [n, rows],
    speaking [n, frames]; music without a voice, [k, hops, 80]; and what a speech encoder hears of every
    block, [HEARD, n, blocks, states, width]: clean, disturbed, and drowned in noise; empty where there is none."""

    mels: Tensor
    curves: Tensor
    rest: Tensor
    style: Tensor
    speaking: Tensor
    music: Tensor
    states: Tensor

    @staticmethod
    def of(streams: list[Stream], music: list[npt.NDArray[np.float16]]) -> Corpus:
        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(stream, name) for stream in streams]))

        own = {name: stacked(name) for name in ("mels", "curves", "rest", "style", "speaking")}
        states = torch.from_numpy(np.stack([stream.states for stream in streams], 1))
        return Corpus(**own, music=torch.from_numpy(np.stack(music)), states=states)

    def save(self, path: Path) -> None:
        np.savez(path, **{name: tensor.numpy() for name, tensor in vars(self).items()})

    def parted(self, share: float) -> tuple[Corpus, Corpus]:
        """All streams but the last ones, and that share of them; music is for both."""
        first = len(self.curves) - max(1, round(share * len(self.curves)))

        def part(streams: slice) -> Corpus:
            own = {name: tensor[streams] for name, tensor in vars(self).items() if name not in ("music", "states")}
            return Corpus(**own, music=self.music, states=self.states[:, streams])

        return part(slice(None, first)), part(slice(first, None))

    @staticmethod
    def load(path: Path) -> Corpus:
        stored = np.load(path)
        return Corpus(**{name: torch.from_numpy(stored[name]) for name in stored})


@dataclass(frozen=True, eq=False)
class Clips:
    """A batch of clips of some blocks.

    mels: one window a block [batch * blocks, hops, 80]; states: the same by a speech encoder [batch * blocks, states,
    width], None where there is none; blocks: which ones of their streams [batch, blocks]; frames: the stream frame of
    every video frame [batch, blocks * block frames]; who: the stream of every clip [batch].
    """

    mels: Tensor
    states: Tensor | None
    blocks: Tensor
    frames: Tensor
    who: Tensor


def cut_clips(corpus: Corpus, hearing: Hearing, blocks: int, batch: int, rng: np.random.Generator) -> Clips:
    """Clips as the student's window sees them in a long stream: its first block, and some that follow each other."""
    last = corpus.curves.shape[1] // hearing.block_frames - blocks + 1
    who = rng.integers(0, len(corpus.curves), batch)
    begin = np.where(rng.random(batch) < 0.15, 1, rng.integers(1, last + 1, batch))
    starts = np.concatenate((np.zeros((batch, 1), np.int64), (begin[:, None] + np.arange(blocks - 1))), 1)
    return _cut(corpus, hearing, who, starts, rng)


def cut_windows(corpus: Corpus, hearing: Hearing, batch: int, rng: np.random.Generator) -> Clips:
    """Single blocks from anywhere."""
    who = rng.integers(0, len(corpus.curves), batch)
    starts = rng.integers(0, corpus.curves.shape[1] // hearing.block_frames, (batch, 1))
    return _cut(corpus, hearing, who, starts, rng)


def _cut(
    corpus: Corpus,
    hearing: Hearing,
    who: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Clips:
    """The blocks that begin as said, counted in blocks: [batch, blocks]."""
    states, blocks = _heard(corpus, who, starts, rng), torch.from_numpy(starts)
    batch, starts = len(who), starts * hearing.block_frames
    frames = (starts[:, :, None] + np.arange(hearing.block_frames)).reshape(batch, -1)
    hops = starts[:, :, None] * HOPS_PER_FRAME + np.arange(hearing.window_frames * HOPS_PER_FRAME)
    mels = corpus.mels[torch.from_numpy(who)[:, None, None], torch.from_numpy(hops)].float()
    played = rng.integers(0, len(corpus.music), (batch, 1, 1))
    music = corpus.music[torch.from_numpy(played), torch.from_numpy(hops)].float()
    heard = disturbed(mels, music, hearing.frames_ahead, rng)
    return Clips(heard.flatten(0, 1), states, blocks, torch.from_numpy(frames), torch.from_numpy(who))


def _heard(
    corpus: Corpus, who: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], rng: np.random.Generator
) -> Tensor | None:
    """What the speech encoder hears of the clips, clean or disturbed."""
    if not len(corpus.states):
        return None
    how = rng.integers(0, DROWNED, len(who))
    return heard_as(corpus, how, who, torch.from_numpy(starts))


def heard_as(corpus: Corpus, how: npt.NDArray[np.int64], who: npt.NDArray[np.int64], blocks: Tensor) -> Tensor:
    """States of blocks [batch, blocks] in the way of each clip: [batch * blocks, states, width]."""
    chosen = corpus.states[torch.from_numpy(how)[:, None], torch.from_numpy(who)[:, None], blocks]
    return chosen.flatten(0, 1).float()


def disturbed(mels: Tensor, music: Tensor, frames_ahead: int, rng: np.random.Generator) -> Tensor:
    """Another throat, loudness, equaliser, music, noise, and a look-ahead that is not there yet.

    On log-mels [batch, blocks, hops, 80]. Everything is the same for the whole clip, as a speaker, a room and a
    microphone are, but for the missing look-ahead.
    """
    batch, blocks, _, bands = mels.shape

    def some(share: float) -> Floats:
        return (rng.random((batch, 1)) < share).astype(np.float64)

    loudness = rng.uniform(-3.0, 1.5, (batch, 1))
    shape = rng.normal(0, 0.7, (batch, 5)) * some(0.6)
    places = np.linspace(0, 4, bands)
    equaliser = np.stack([np.interp(places, np.arange(5), row) for row in shape])
    noise_level = np.exp(rng.uniform(-14.0, -6.5, (batch, 1))) * some(0.7)
    colour = np.exp(rng.normal(0, 0.6, (batch, 1)) * np.linspace(1, -1, bands))
    accompanied = np.exp(rng.uniform(-6.0, -0.5, (batch, 1))) * some(0.2)
    flicker = torch.from_numpy(rng.random(mels.shape, np.float32)).mul_(1.4).add_(0.3)
    power = power_of(_other_throat(mels, rng)).clamp_min(0.0)
    power += _per_clip(accompanied) * power_of(music).clamp_min(0.0)
    power = power * _per_clip(np.exp(loudness + equaliser)) + _per_clip(noise_level * colour) * flicker
    missing = torch.from_numpy(rng.random((batch, blocks)) < 0.12)
    power[:, :, -frames_ahead * HOPS_PER_FRAME :] *= (~missing)[:, :, None, None]
    return scaled_log(power)


def _other_throat(mels: Tensor, rng: np.random.Generator) -> Tensor:
    """The same with the bands stretched or squeezed, as a shorter or longer vocal tract does: [batch, ...]."""
    batch, bands = len(mels), mels.shape[-1]
    stretch = np.exp(rng.normal(0, 0.06, batch).clip(-0.15, 0.15) * (rng.random(batch) < 0.6))
    source = np.minimum(np.arange(bands) * stretch[:, None], bands - 1.001)
    apart = np.abs(source[:, None, :] - np.arange(bands)[None, :, None])
    weights = torch.from_numpy(np.maximum(0.0, 1.0 - apart)).float()  # [batch, source band, band]
    return torch.bmm(mels.flatten(1, 2), weights).view_as(mels)


def _per_clip(values: Floats) -> Tensor:
    return torch.from_numpy(values).float()[:, None, None]


def curves_of(corpus: Corpus, clips: Clips) -> Tensor:
    """Curves of every frame of the clips, [batch, frames, CURVES]."""
    return corpus.curves[clips.who[:, None], clips.frames]


def latents_of(latents: Tensor, clips: Clips) -> Tensor:
    """The same for latents [streams, frames / 4, 16, 2, 2]: [batch, blocks * block latents, 16, 2, 2]."""
    return latents[clips.who[:, None], clips.frames[:, ::FRAMES] // FRAMES]
