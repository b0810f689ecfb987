"""Streams on disk and batches of them, the same ones for the same seed and step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.performer.portrait.audio import (
    FRAMES_AHEAD,
    HOPS_PER_FRAME,
    Hearing,
    power_of,
    scaled_log,
)
from core.performer.portrait.codec import FRAMES

if TYPE_CHECKING:
    from pathlib import Path

    from core.training.data import Stream


@dataclass(frozen=True, eq=False)
class Corpus:
    """All streams, stacked: mels [n, hops, 80], curves [n, frames, CURVES], rest [n, CURVES], style [n, rows],
    speaking [n, frames]."""

    mels: Tensor
    curves: Tensor
    rest: Tensor
    style: Tensor
    speaking: Tensor

    @staticmethod
    def of(streams: list[Stream]) -> Corpus:
        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(stream, name) for stream in streams]))

        return Corpus(*(stacked(name) for name in ("mels", "curves", "rest", "style", "speaking")))

    def save(self, path: Path) -> None:
        np.savez(path, **{name: tensor.numpy() for name, tensor in vars(self).items()})

    @staticmethod
    def load(path: Path) -> Corpus:
        stored = np.load(path)
        return Corpus(**{name: torch.from_numpy(stored[name]) for name in stored})


@dataclass(frozen=True, eq=False)
class Clips:
    """A batch: the first block of each stream, then some blocks that follow each other.

    mels: one window a block [batch * blocks, hops, 80]; frames: the stream frame of every video frame
    [batch, blocks * block frames]; who: the stream of every clip [batch].
    """

    mels: Tensor
    frames: Tensor
    who: Tensor


def cut_clips(corpus: Corpus, hearing: Hearing, blocks: int, batch: int, rng: np.random.Generator) -> Clips:
    """Clips as the student's window sees them in a long stream: the sink, and the latest blocks."""
    block = hearing.block_frames
    last = corpus.curves.shape[1] // block - blocks + 1
    who = rng.integers(0, len(corpus.curves), batch)
    begin = np.where(rng.random(batch) < 0.2, 1, rng.integers(1, last + 1, batch))
    starts = np.concatenate((np.zeros((batch, 1), np.int64), (begin[:, None] + np.arange(blocks - 1))), 1) * block
    frames = (starts[:, :, None] + np.arange(block)).reshape(batch, -1)
    hops = starts[:, :, None] * HOPS_PER_FRAME + np.arange(hearing.window_frames * HOPS_PER_FRAME)
    mels = corpus.mels[torch.from_numpy(who)[:, None, None], torch.from_numpy(hops)].float()
    heard = disturbed(mels, rng)
    return Clips(heard.flatten(0, 1), torch.from_numpy(frames), torch.from_numpy(who))


def disturbed(mels: Tensor, rng: np.random.Generator) -> Tensor:
    """Loudness, equaliser, noise, and a look-ahead that is not there yet; on log-mels [batch, blocks, hops, 80].

    Everything is the same for the whole clip, as a room and a microphone are, but for the missing look-ahead.
    """
    batch, blocks, _, bands = mels.shape
    loudness = rng.uniform(-3.0, 1.5, (batch, 1))
    shape = rng.normal(0, 0.7, (batch, 5)) * (rng.random((batch, 1)) < 0.6)
    places = np.linspace(0, 4, bands)
    equaliser = np.stack([np.interp(places, np.arange(5), row) for row in shape])
    gain = torch.from_numpy(np.exp(loudness + equaliser)).float()[:, None, None]
    noise_level = np.exp(rng.uniform(-14.0, -6.5, (batch, 1))) * (rng.random((batch, 1)) < 0.7)
    colour = np.exp(rng.normal(0, 0.6, (batch, 1)) * np.linspace(1, -1, bands))
    noise = torch.from_numpy(noise_level * colour).float()[:, None, None]
    flicker = torch.from_numpy(rng.random(mels.shape, np.float32)).mul_(1.4).add_(0.3)
    power = power_of(mels).clamp_min(0.0) * gain + noise * flicker
    missing = torch.from_numpy(rng.random((batch, blocks)) < 0.15)
    power[:, :, -FRAMES_AHEAD * HOPS_PER_FRAME :] *= (~missing)[:, :, None, None]
    return scaled_log(power)


def curves_of(corpus: Corpus, clips: Clips) -> Tensor:
    """Curves of every frame of the clips, [batch, frames, CURVES]."""
    return corpus.curves[clips.who[:, None], clips.frames]


def latents_of(latents: Tensor, clips: Clips) -> Tensor:
    """The same for latents [streams, frames / 4, 16, 2, 2]: [batch, blocks * block latents, 16, 2, 2]."""
    return latents[clips.who[:, None], clips.frames[:, ::FRAMES] // FRAMES]
