"""The Wan video VAE: a picture to a latent, and a stream of latents to frames.

Latents are [batch, latent frames, channels, h, w] and normalised by the statistics of the released model; frames are
[batch, 3, frames, 8 h, 8 w], -1 to 1. The stream's first latent becomes one frame, every later one four.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.performer.diffusion.sizes import FRAMES_PER_LATENT
from core.performer.livetalk.spec import VaeSizes
from core.performer.livetalk.vae_bricks import (
    CausalConv3d,
    ChannelNorm,
    Downsample,
    FrameAttention,
    ResidualBlock,
    Upsample,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    Stage = ResidualBlock | Downsample | Upsample

# fmt: off
LATENT_MEAN = (
    -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508,
    0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921,
)
LATENT_STD = (
    2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160,
)
# fmt: on


@dataclass(frozen=True, eq=False)
class LatentScale:
    """What takes latents to the VAE's own scale, kept in float32: in bf16 they would be off by up to 0.004."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def on(device: torch.device) -> LatentScale:
        """For latents of 16 channels, [1, 1, 16, 1, 1] each."""
        mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (LATENT_MEAN, LATENT_STD))
        return LatentScale(mean, std)

    def normalised(self, own: Tensor) -> Tensor:
        return (own.float() - self.mean) / self.std

    def own(self, normalised: Tensor) -> Tensor:
        return normalised.float() * self.std + self.mean


@dataclass(frozen=True, eq=False)
class StreamState:
    """What one stream's convolutions remember; used by one stream, on one thread, and written in place."""

    scale: LatentScale
    entry: Tensor
    middle: tuple[tuple[Tensor, ...], ...]
    stages: tuple[tuple[Tensor, ...], ...]
    head: Tensor

    def tensors(self) -> Iterator[Tensor]:
        """Every remembered tensor, in the order of execution of a decoder."""
        yield self.entry
        for kept in (*self.middle, *self.stages):
            yield from kept
        yield self.head


class Encoder(nn.Module):
    """Frames to the mean and log-variance of latents."""

    def __init__(self, sizes: VaeSizes) -> None:
        super().__init__()
        widths = [sizes.dim * m for m in (1, *sizes.multipliers)]
        stages: list[Stage] = []
        for level, (before, after) in enumerate(pairwise(widths)):
            stages += [ResidualBlock(before if block == 0 else after, after) for block in range(sizes.encoder_blocks)]
            if level < len(sizes.time_downsampling):
                stages.append(Downsample(after, in_time=sizes.time_downsampling[level]))
        self.conv1 = CausalConv3d(3, widths[0])
        self.downsamples = nn.ModuleList(stages)
        self.middle, self._ends = _middle(widths[-1])
        self.head, self._head = _head(widths[-1], 2 * sizes.latent_channels)
        self._stages = tuple(stages)

    def state(self, scale: LatentScale, height: int, width: int, dtype: torch.dtype) -> StreamState:
        make = _Zeros(self.conv1.weight.device, dtype)
        entry = self.conv1.past(make, height, width)
        stages: list[tuple[Tensor, ...]] = []
        for stage in self._stages:
            stages.append(stage.past(make, height, width))
            if isinstance(stage, Downsample):
                height, width = height // 2, width // 2
        middle = tuple(block.past(make, height, width) for block in self._ends)
        return StreamState(scale, entry, middle, tuple(stages), self._head[1].past(make, height, width))

    def begin(self, x: Tensor, state: StreamState | None) -> Tensor:
        """One frame [b, 3, 1, h, w] -> [b, 2 * latent channels, 1, h / 8, w / 8]; nothing is kept without a state."""
        x = self.conv1.begin(x, state.entry if state else None)
        for index, stage in enumerate(self._stages):
            x = stage.begin(x, state.stages[index] if state else None)
        x = self._ends[0].begin(x, state.middle[0] if state else None)
        x = self._ends[1].begin(self.middle["1"](x), state.middle[1] if state else None)
        norm, conv = self._head
        return conv.begin(F.silu(norm(x)), state.head if state else None)

    def go_on(self, x: Tensor, state: StreamState) -> Tensor:
        """Later frames, a multiple of four."""
        x = self.conv1.go_on(x, state.entry)
        for stage, kept in zip(self._stages, state.stages, strict=True):
            x = stage.go_on(x, kept)
        x = self._ends[0].go_on(x, state.middle[0])
        x = self._ends[1].go_on(self.middle["1"](x), state.middle[1])
        norm, conv = self._head
        return conv.go_on(F.silu(norm(x)), state.head)


class Decoder(nn.Module):
    """Latents to frames."""

    def __init__(self, sizes: VaeSizes) -> None:
        super().__init__()
        up = sizes.multipliers[::-1]
        widths = [sizes.dim * m for m in (up[0], *up)]
        stages: list[Stage] = []
        for level, (before, after) in enumerate(pairwise(widths)):
            before = before if level == 0 else before // 2
            stages += [ResidualBlock(before if b == 0 else after, after) for b in range(sizes.decoder_blocks)]
            if level < len(sizes.time_downsampling):
                stages.append(Upsample(after, in_time=sizes.time_downsampling[-1 - level]))
        self.conv1 = CausalConv3d(sizes.latent_channels, widths[0])
        self.middle, self._ends = _middle(widths[0])
        self.upsamples = nn.ModuleList(stages)
        self.head, self._head = _head(widths[-1], 3)
        self._stages = tuple(stages)

    def state(self, scale: LatentScale, height: int, width: int, dtype: torch.dtype) -> StreamState:
        make = _Zeros(self.conv1.weight.device, dtype)
        entry = self.conv1.past(make, height, width)
        middle = tuple(block.past(make, height, width) for block in self._ends)
        stages: list[tuple[Tensor, ...]] = []
        for stage in self._stages:
            stages.append(stage.past(make, height, width))
            if isinstance(stage, Upsample):
                height, width = height * 2, width * 2
        return StreamState(scale, entry, middle, tuple(stages), self._head[1].past(make, height, width))

    def begin(self, z: Tensor, state: StreamState) -> Tensor:
        """The first latent [b, channels, 1, h, w] -> one frame [b, 3, 1, 8 h, 8 w]."""
        x = self._ends[0].begin(self.conv1.begin(z, state.entry), state.middle[0])
        x = self._ends[1].begin(self.middle["1"](x), state.middle[1])
        for stage, kept in zip(self._stages, state.stages, strict=True):
            x = stage.begin(x, kept)
        norm, conv = self._head
        return conv.begin(F.silu(norm(x)), state.head)

    def go_on(self, z: Tensor, state: StreamState) -> Tensor:
        """n later latents -> 4 n frames."""
        x = self._ends[0].go_on(self.conv1.go_on(z, state.entry), state.middle[0])
        x = self._ends[1].go_on(self.middle["1"](x), state.middle[1])
        for stage, kept in zip(self._stages, state.stages, strict=True):
            x = stage.go_on(x, kept)
        norm, conv = self._head
        return conv.go_on(F.silu(norm(x)), state.head)


class WanVae(nn.Module):
    """Both halves. 194 tensors at the released size; they are loaded strictly."""

    def __init__(self, sizes: VaeSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or VaeSizes()
        channels = self.sizes.latent_channels
        self.encoder = Encoder(self.sizes)
        self.conv1 = nn.Conv3d(2 * channels, 2 * channels, 1)
        self.conv2 = nn.Conv3d(channels, channels, 1)
        self.decoder = Decoder(self.sizes)

    @property
    def scale(self) -> LatentScale:
        return LatentScale.on(self.conv1.weight.device)

    def encode(self, picture: Tensor) -> Tensor:
        """One picture [b, 3, h, w], -1 to 1 -> its normalised latent's mean [b, channels, h / 8, w / 8], float32."""
        moments = self.conv1(self.encoder.begin(picture[:, :, None].to(self.conv1.weight.dtype), None))
        return self.scale.normalised(moments[:, : self.sizes.latent_channels, 0])

    def encode_video(self, video: Tensor) -> Tensor:
        """A whole clip [b, 3, 1 + 4 n, h, w] -> the normalised means [b, 1 + n, channels, h / 8, w / 8], float32."""
        _, _, frames, height, width = video.shape
        if frames % FRAMES_PER_LATENT != 1:
            raise ValueError(f"a clip has one frame and then fours, this one has {frames}")
        video = video.to(self.conv1.weight.dtype)
        state = self.encoder.state(self.scale, height, width, video.dtype)
        moments = [self.encoder.begin(video[:, :, :1], state)]
        if frames > 1:
            moments.append(self.encoder.go_on(video[:, :, 1:], state))
        mean = self.conv1(torch.cat(moments, 2))[:, : self.sizes.latent_channels]
        return state.scale.normalised(mean.transpose(1, 2))

    def open(self, height: int, width: int) -> WanFrames:
        """A stream of frames that has not begun, from latents of that height and width."""
        return WanFrames(self, self.decoder.state(self.scale, height, width, self.conv2.weight.dtype))


@dataclass(eq=False)
class WanFrames:
    """One stream through the decoder (`core.performer.livetalk.frames.FrameStream`)."""

    vae: WanVae
    state: StreamState
    begun: bool = False

    def first(self, latent: Tensor) -> Tensor:
        self.begun = True
        return self.vae.decoder.begin(self._own(latent), self.state)

    def later(self, latents: Tensor) -> Tensor:
        return self.vae.decoder.go_on(self._own(latents), self.state)

    def tensors(self) -> Iterator[Tensor]:
        return self.state.tensors()

    def _own(self, latents: Tensor) -> Tensor:
        own = self.state.scale.own(latents).to(self.vae.conv2.weight.dtype)
        return self.vae.conv2(own.transpose(1, 2))


class _Zeros:
    """Makes what a stream begins with; a pixel's channels lie side by side, as matrix hardware wants them."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._device, self._dtype = device, dtype

    def __call__(self, channels: int, frames: int, height: int, width: int) -> Tensor:
        shape = (1, channels, frames, height, width)
        place = torch.empty(shape, dtype=self._dtype, device=self._device, memory_format=torch.channels_last_3d)
        return place.zero_()


def _middle(width: int) -> tuple[nn.ModuleDict, tuple[ResidualBlock, ResidualBlock]]:
    ends = (ResidualBlock(width, width), ResidualBlock(width, width))
    return nn.ModuleDict({"0": ends[0], "1": FrameAttention(width), "2": ends[1]}), ends


def _head(width: int, out: int) -> tuple[nn.ModuleDict, tuple[ChannelNorm, CausalConv3d]]:
    steps = (ChannelNorm(width), CausalConv3d(width, out))
    return nn.ModuleDict({"0": steps[0], "2": steps[1]}), steps
