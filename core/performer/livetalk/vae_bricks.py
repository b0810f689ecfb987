"""The bricks of the Wan video VAE; parameter names are the checkpoint's.

Video is [batch, channels, frames, height, width]. What a brick remembers of a stream is a tensor that its caller made
with `past` and that the brick writes in place, so that a captured graph always finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable

    Past = Callable[[int, int, int, int], Tensor]
    """Makes the zeros that a stream begins with: (channels, frames, height, width) -> tensor."""

KEPT_FRAMES = 2
"""Input frames that a causal convolution over three frames remembers."""


class CausalConv3d(nn.Conv3d):
    """Over a frame and the two before it; frames before the stream are zeros."""

    def __init__(self, channels: int, out_channels: int, kernel: tuple[int, int, int] = (3, 3, 3)) -> None:
        super().__init__(channels, out_channels, kernel, padding=(0, kernel[1] // 2, kernel[2] // 2))

    def past(self, make: Past, height: int, width: int) -> Tensor:
        return make(self.in_channels, KEPT_FRAMES, height, width)

    def begin(self, x: Tensor, past: Tensor | None) -> Tensor:
        """The stream's first frame, alone: only the last tap in time meets anything but zeros."""
        if past is not None:
            past[:, :, -1:].copy_(x)
        return F.conv2d(x[:, :, 0], self.weight[:, :, -1], self.bias, padding=self.padding[1:])[:, :, None]

    def go_on(self, x: Tensor, past: Tensor) -> Tensor:
        """Any number of later frames."""
        return self(self.joined(x, past))

    def joined(self, x: Tensor, past: Tensor) -> Tensor:
        """Later frames behind those before them; what is forgotten after this is free while the sum is made."""
        seen = torch.cat((past, x), 2)
        past.copy_(seen[:, :, -KEPT_FRAMES:])
        return seen


class ChannelNorm(nn.Module):
    """Every pixel's channels brought to the length sqrt(channels), then weighted; nothing stays nothing."""

    def __init__(self, channels: int, dimensions: int = 3) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, *[1] * dimensions))
        self._eps = 1e-24 / channels

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.gamma.flatten()
        return F.rms_norm(x.movedim(1, -1), gamma.shape, gamma, self._eps).movedim(-1, 1)


class ResidualBlock(nn.Module):
    """Norm, SiLU, convolution, twice, beside a shortcut."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        first, second = CausalConv3d(channels, out_channels), CausalConv3d(out_channels, out_channels)
        norm, norm_again = ChannelNorm(channels), ChannelNorm(out_channels)
        self.residual = nn.ModuleDict({"0": norm, "2": first, "3": norm_again, "6": second})
        self.shortcut = nn.Conv3d(channels, out_channels, 1) if channels != out_channels else nn.Identity()
        self._steps = ((norm, first), (norm_again, second))

    def past(self, make: Past, height: int, width: int) -> tuple[Tensor, ...]:
        return tuple(conv.past(make, height, width) for _, conv in self._steps)

    def begin(self, x: Tensor, past: tuple[Tensor, ...] | None) -> Tensor:
        y = x
        for step, (norm, conv) in enumerate(self._steps):
            y = conv.begin(F.silu(norm(y)), past[step] if past else None)
        return self.shortcut(x) + y

    def go_on(self, x: Tensor, past: tuple[Tensor, ...]) -> Tensor:
        y = x
        for (norm, conv), kept in zip(self._steps, past, strict=True):
            y = F.silu(norm(y), inplace=True)
            y = conv.joined(y, kept)
            y = conv(y)
        return y.add_(self.shortcut(x))


class FrameAttention(nn.Module):
    """Every pixel of a frame looks at all others of it; one head, no past."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, dimensions=2)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        frames = _as_pictures(x)
        tokens = self.to_qkv(self.norm(frames)).flatten(2).transpose(1, 2)  # [b * t, h * w, 3 * c]
        looked = F.scaled_dot_product_attention(*tokens[:, None].chunk(3, dim=-1))[:, 0]
        return x + _as_video(self.proj(looked.transpose(1, 2).unflatten(2, frames.shape[2:])), x.shape[0])


class Downsample(nn.Module):
    """Half the height and width; with `in_time`, half the frames too, but for the stream's first."""

    def __init__(self, channels: int, *, in_time: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, channels, 3, stride=2))
        self.time_conv = nn.Conv3d(channels, channels, (3, 1, 1), stride=(2, 1, 1)) if in_time else None

    def past(self, make: Past, height: int, width: int) -> tuple[Tensor, ...]:
        if self.time_conv is None:
            return ()
        return (make(self.time_conv.in_channels, 1, height // 2, width // 2),)

    def begin(self, x: Tensor, past: tuple[Tensor, ...] | None) -> Tensor:
        y = self._in_space(x)
        if past:
            past[0].copy_(y)
        return y

    def go_on(self, x: Tensor, past: tuple[Tensor, ...]) -> Tensor:
        y = self._in_space(x)
        if self.time_conv is None:
            return y
        seen = torch.cat((past[0], y), 2)
        past[0].copy_(y[:, :, -1:])
        return self.time_conv(seen)

    def _in_space(self, x: Tensor) -> Tensor:
        return _as_video(self.resample(_as_pictures(x)), x.shape[0])


class Upsample(nn.Module):
    """Twice the height and width, half the channels; with `in_time`, first twice the frames.

    The stream's first latent stays one frame and is not remembered: what follows begins with zeros before it.
    """

    def __init__(self, channels: int, *, in_time: bool) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.Upsample(scale_factor=2.0), nn.Conv2d(channels, channels // 2, 3, padding=1))
        self.time_conv = CausalConv3d(channels, 2 * channels, (3, 1, 1)) if in_time else None

    def past(self, make: Past, height: int, width: int) -> tuple[Tensor, ...]:
        return (self.time_conv.past(make, height, width),) if self.time_conv is not None else ()

    def begin(self, x: Tensor, past: tuple[Tensor, ...] | None) -> Tensor:
        return self._in_space(x)

    def go_on(self, x: Tensor, past: tuple[Tensor, ...]) -> Tensor:
        if self.time_conv is not None:
            pairs = self.time_conv.go_on(x, past[0]).unflatten(1, (2, x.shape[1]))  # [b, earlier and later, c, t, h, w]
            x = pairs.permute(0, 3, 1, 4, 5, 2).flatten(1, 2).movedim(-1, 1)
        return self._in_space(x)

    def _in_space(self, x: Tensor) -> Tensor:
        return _as_video(self.resample(_as_pictures(x)), x.shape[0])


def _as_pictures(x: Tensor) -> Tensor:
    """[batch, channels, frames, h, w] -> [batch * frames, channels, h, w]."""
    return x.transpose(1, 2).flatten(0, 1)


def _as_video(pictures: Tensor, batch: int) -> Tensor:
    """The inverse of `_as_pictures`."""
    return pictures.unflatten(0, (batch, -1)).transpose(1, 2)
