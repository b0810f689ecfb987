"""A small decoder for Wan latents, with the weights of TAEHV ("taew2_1"): 18 times less work, a softer picture.

Its layout is that of the published weights (https://github.com/madebyollin/taehv, MIT): a stack of 3x3 convolutions
over single frames, in which some blocks also see the same place one frame earlier. Latents go in as the transformer
makes them; four frames come out of each, and the first three of a stream are thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.performer.diffusion.sizes import FRAMES_PER_LATENT

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class SmallSizes:
    """Everything that the shapes of the weights depend on: channels, and how many frames a stage makes of one."""

    widths: tuple[int, ...] = (256, 128, 64, 64)
    grows: tuple[int, ...] = (1, 2, 2)
    blocks: int = 3
    latent_channels: int = 16


class PastBlock(nn.Module):
    """Three convolutions over a frame beside the frame before it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.conv = nn.Sequential(
            _conv(2 * channels, channels),
            nn.ReLU(inplace=True),
            _conv(channels, channels),
            nn.ReLU(inplace=True),
            _conv(channels, channels),
        )

    def forward(self, x: Tensor, past: Tensor) -> Tensor:
        """[frames, channels, h, w]; `past` [1, channels, h, w] is the frame before, and becomes the last one."""
        before = torch.cat((past, x[:-1]))
        past.copy_(x[-1:])
        return F.relu_(self.conv(torch.cat((x, before), 1)).add_(x))


class Grow(nn.Module):
    """One frame becomes `times`."""

    def __init__(self, channels: int, times: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels * times, 1, bias=False)
        self._times = times

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).unflatten(1, (self._times, -1)).flatten(0, 1)


class Squash(nn.Module):
    """Keeps latents within three standard deviations, softly."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 3.0) * 3.0


class SmallDecoder(nn.Module):
    """The weights; parameter names are those of the published file, whose encoder is of no use here."""

    def __init__(self, sizes: SmallSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or SmallSizes()
        steps: list[nn.Module] = [Squash(), _conv(sizes.latent_channels, sizes.widths[0]), nn.ReLU(inplace=True)]
        for width, after, grows in zip(sizes.widths, sizes.widths[1:], sizes.grows, strict=False):
            steps += [PastBlock(width) for _ in range(sizes.blocks)]
            steps += [nn.Upsample(scale_factor=2.0), Grow(width, grows), _conv(width, after, bias=False)]
        steps += [nn.ReLU(inplace=True), _conv(sizes.widths[-1], 3)]
        self.decoder = nn.ModuleList(steps)

    def open(self, height: int, width: int) -> SmallFrames:
        """A stream of frames that has not begun, from latents of that height and width."""
        weight = next(self.parameters())
        past: list[Tensor] = []
        for step in self.decoder:
            if isinstance(step, nn.Upsample):
                height, width = height * 2, width * 2
            if isinstance(step, PastBlock):
                past.append(torch.zeros((1, step.channels, height, width), dtype=weight.dtype, device=weight.device))
        return SmallFrames(self, tuple(past))

    def forward(self, latents: Tensor, past: tuple[Tensor, ...]) -> Tensor:
        """[n, channels, h, w] -> [4 n, 3, 8 h, 8 w], 0 to 1."""
        x, kept = latents.to(next(self.parameters()).dtype), iter(past)
        for step in self.decoder:
            x = step(x, next(kept)) if isinstance(step, PastBlock) else step(x)
        return x


@dataclass(eq=False)
class SmallFrames:
    """One stream through the small decoder (`core.performer.livetalk.frames.FrameStream`)."""

    decoder: SmallDecoder
    past: tuple[Tensor, ...]
    begun: bool = False

    def first(self, latent: Tensor) -> Tensor:
        self.begun = True
        return self.later(latent)[:, :, FRAMES_PER_LATENT - 1 :]

    def later(self, latents: Tensor) -> Tensor:
        frames = self.decoder(latents[0], self.past)
        return (frames * 2.0 - 1.0).transpose(0, 1)[None]

    def tensors(self) -> Iterator[Tensor]:
        return iter(self.past)


def _conv(channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(channels, out_channels, 3, padding=1, bias=bias)


def own_name(published: str) -> str | None:
    """The name here for a tensor of the published file; None for its encoder's."""
    return published if published.startswith("decoder.") else None
