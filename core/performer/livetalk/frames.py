"""`FrameStream`: the seam between the pipeline and the decoders that turn a stream of latents into frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator


class FrameStream(Protocol):
    """One stream of latents [1, n, channels, h, w], decoded in order; a latent's frames do not depend on how many
    latents come in one call. Frames are [1, 3, frames, height, width], -1 to 1 and a little beyond.
    """

    begun: bool
    """Whether the first latent went through."""

    def first(self, latent: Tensor) -> Tensor:
        """The stream's first latent -> one frame."""
        ...

    def later(self, latents: Tensor) -> Tensor:
        """n later latents -> 4 n frames. Calls with the same n do the same work, so one may be captured."""
        ...

    def tensors(self) -> Iterator[Tensor]:
        """What it remembers; these tensors are written in place."""
        ...


class FrameDecoder(Protocol):
    """Weights that decode; they serve any number of streams, one at a time."""

    def open(self, height: int, width: int) -> FrameStream:
        """A stream that has not begun, of latents of that height and width."""
        ...


def decode(stream: FrameStream, latents: Tensor) -> Tensor:
    """The next latents of the stream, any number of them."""
    if stream.begun:
        return stream.later(latents)
    first = stream.first(latents[:, :1])
    return first if latents.shape[1] == 1 else torch.cat((first, stream.later(latents[:, 1:])), 2)


def restart(stream: FrameStream) -> None:
    """Begin another stream in this one's memory."""
    for kept in stream.tensors():
        kept.zero_()
    stream.begun = False


def to_pixels(frames: Tensor) -> Tensor:
    """[1, 3, frames, height, width], -1 to 1 -> uint8 [frames, height, width, 3], rounded."""
    levels = (frames[0].float() * 127.5 + 127.5).clamp(0.0, 255.0).round()
    return levels.to(torch.uint8).permute(1, 2, 3, 0).contiguous()
