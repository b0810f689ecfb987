"""StillPerformer: a portrait that does not move, for a computer where the chosen performer cannot run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.performer.protocol import UNSAID, LatentBlock, PerformerSpec, Said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import MediaFormat, Pixels, SpeechBlock

_SIDE, _FRAMES = 512, 12


@dataclass(frozen=True, eq=False)
class _StillIdentity:
    key: str
    picture: Pixels


@dataclass(frozen=True, eq=False)
class _Copies:
    picture: Pixels
    ready: bool = True

    def pieces(self) -> Iterator[Pixels]:
        yield np.repeat(self.picture[None], _FRAMES, axis=0)

    def wait(self) -> Pixels:
        return next(self.pieces())


class StillPerformer:
    """Needs no model: any picture serves, so that voice and conversation go on when nothing can be animated."""

    def __init__(self, media: MediaFormat) -> None:
        self.spec = PerformerSpec.plain("still", media, _SIDE, _FRAMES)

    def prepare(self, image: Pixels, said: Said = UNSAID) -> _StillIdentity:
        """The middle of `image`, square, from its upper edge."""
        side = min(image.shape[:2])
        left = (image.shape[1] - side) // 2
        square = np.ascontiguousarray(image[:side, left : left + side])
        picture = np.asarray(cv2.resize(square, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
        return _StillIdentity(hashlib.sha256(image.tobytes()).hexdigest(), picture)

    def direct(self, style: str, motion_amount: float) -> None:
        """Nothing moves, whatever the style."""

    def open(self, identity: object, seed: int) -> _StillPerformance:
        assert isinstance(identity, _StillIdentity), f"not prepared here: {type(identity).__name__}"
        return _StillPerformance(identity.picture)


class _StillPerformance:
    next_frames = _FRAMES

    def __init__(self, picture: Pixels) -> None:
        self._picture = picture
        self._index = 0

    def imagine(self, block: SpeechBlock) -> LatentBlock:
        self._index += 1
        return LatentBlock(self._index - 1, None, block)

    def draw(self, latents: LatentBlock) -> _Copies:
        return _Copies(self._picture)

    def rejoin(self, unshown: int) -> bool:
        """All pictures are one."""
        return True

    def rewind(self) -> None:
        self._index -= 1

    def close(self) -> None:
        pass
