"""A performer that paints the level of its sound, so that anybody can see whether picture and sound are in step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.media import MediaFormat
from core.performer.protocol import UNSAID, LatentBlock, PerformerSpec, Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import Pixels, Samples, SpeechBlock
    from core.performer.protocol import Identity

FPS = 25
SIZE = 64
LEVELS = 50
"""Levels that sound and picture tell apart."""
_BLOCK = 12
_QUIET = 20
_STEP = 4

SPEC = PerformerSpec.plain("painting", MediaFormat(fps=FPS), SIZE, _BLOCK)


def levelled(frames: int) -> Samples:
    """Sound of `frames` frames, each at a level of its own that returns after `LEVELS` frames."""
    levels = (np.arange(frames) % LEVELS + 1) / (2 * LEVELS)
    return np.repeat(levels, SPEC.samples_per_frame).astype(np.float32)


def level_heard(samples: Samples) -> int:
    """Which level, from 1, `samples` have; 0 is silence."""
    return round(float(np.abs(samples).mean()) * 2 * LEVELS)


def level_seen(picture: Pixels) -> int:
    """Which level, from 1, `picture` shows; 0 is silence."""
    return round((float(picture.mean()) - _QUIET) / _STEP)


@dataclass(frozen=True)
class _Grey:
    key: str
    picture: Pixels


@dataclass(frozen=True)
class _Ready:
    pixels: Pixels
    ready: bool = True

    def pieces(self) -> Iterator[Pixels]:
        yield self.pixels

    def wait(self) -> Pixels:
        return self.pixels


class _Painting:
    next_frames = _BLOCK

    def __init__(self) -> None:
        self._index = 0

    def imagine(self, block: SpeechBlock) -> LatentBlock:
        self._index += 1
        return LatentBlock(self._index - 1, None, block)

    def draw(self, latents: LatentBlock) -> _Ready:
        levels = [level_heard(frame) for frame in latents.speech.samples.reshape(_BLOCK, -1)]
        greys = np.array(levels, np.uint8) * _STEP + _QUIET
        return _Ready(np.broadcast_to(greys[:, None, None, None], (_BLOCK, SIZE, SIZE, 3)).copy())

    def rejoin(self, unshown: int) -> bool:
        """A picture shows its sound and nothing of the one before."""
        return True

    def rewind(self) -> None:
        self._index -= 1

    def close(self) -> None:
        pass


class PaintingPerformer:
    """See the module. Needs no picture and takes no time."""

    spec = SPEC

    def prepare(self, image: Pixels, said: Said = UNSAID) -> _Grey:
        return _Grey("painting", np.full((SIZE, SIZE, 3), _QUIET, np.uint8))

    def direct(self, style: str, motion_amount: float) -> None:
        pass

    def open(self, identity: Identity, seed: int) -> _Painting:
        return _Painting()
