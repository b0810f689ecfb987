"""PortraitPerformer: any portrait speaks; motion is diffused, and the portrait is warped by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from core.media import MEDIA_RATE
from core.performer.portrait.cache import IdentityCache
from core.performer.portrait.codec import CURVES, FRAMES, LATENT
from core.performer.portrait.easing import Easing
from core.performer.portrait.five_points import FivePoints
from core.performer.portrait.identity import SIDE, PortraitIdentity, make_identity
from core.performer.portrait.landmarks import FaceFinder
from core.performer.portrait.motion import MotionModel, MotionSpec, MotionStream, open_speech
from core.performer.portrait.shown import face_motion
from core.performer.portrait.told import ToldFaces
from core.performer.portrait.warp import PortraitPainter
from core.performer.portrait.weights import load_weights
from core.performer.protocol import UNSAID, LatentBlock, PerformerSpec, Said
from core.settings import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from core.media import Pixels, SpeechBlock
    from core.performer.portrait.face import FaceMotion
    from core.performer.portrait.speech_encoder import SpeechEncoder
    from core.performer.protocol import Frames, Identity

_MOST_AMOUNT = 1.0
_PIECE_FRAMES = 4
"""Frames that are painted before any of them is seen."""
_LARGEST_TURN = np.radians(6.0)
"""Of a portrait's own pose that is told to the model; it has learned from little more."""
_CLOSE_BEGINS, _CLOSE_FULL = 0.03, 0.09
"""Weight of the `close` curve at which lips that rest open begin to be shut, and are shut."""


class PortraitPerformer:
    """The embedded avatar. `prepare` from any thread; the rest from the renderer thread.

    Torch and OpenCV are told to use one thread: at these sizes a second one mostly waits for the first.

    Args:
        weights: folder with the motion model.
        face_models: folder with the two networks that find and trace faces.
        style: words such as "calm, smiling"; unknown ones say nothing.
        motion_amount: how much the head and brows move, 0 (still) to 1 (lively); 0.5 is how people move.
        speech_model: folder with the encoder that the weights listen through; without it, where `make models` puts it.

    Raises:
        PerformerError: a model is missing or damaged.
    """

    def __init__(
        self,
        weights: Path,
        face_models: Path,
        style: str = "",
        motion_amount: float = 0.5,
        speech_model: Path | None = None,
    ) -> None:
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        self._model, self._motion = load_weights(weights)
        self._speech = open_speech(self._motion, speech_model)
        self._finder = FaceFinder(face_models)
        self._identities = IdentityCache(data_folder() / "identities")
        self._told = ToldFaces(data_folder() / "avatars")
        self.spec = performer_spec(self._motion)
        self.direct(style, motion_amount)

    def prepare(self, image: Pixels, said: Said = UNSAID) -> Identity:
        """Look at an RGB portrait, [h, w, 3], or remember what was seen of it before; so is what a person says of one
        that can serve."""
        face, points = said.face, FivePoints(*said.points) if said.points else None
        if not said and not said.anew:
            face, points = self._told.of(image)
        key = self._identities.key(image, face, points)
        identity = self._identities.load(key)
        if identity is None:
            identity = make_identity(image, self._finder, face, points)
            self._identities.keep(key, identity)
        if said:
            self._told.keep(image, face, points)
        return identity

    def direct(self, style: str, motion_amount: float) -> None:
        self._style, self._amount = style, amount_of(motion_amount)

    def open(self, identity: Identity, seed: int) -> PortraitPerformance:
        if not isinstance(identity, PortraitIdentity):
            raise TypeError(f"the portrait performer made no {type(identity).__name__}")
        return PortraitPerformance(self._model, self._motion, self._speech, identity, self._style, self._amount, seed)


class PortraitPerformance:
    """One portrait, alive. Renderer thread only."""

    def __init__(
        self,
        model: MotionModel,
        spec: MotionSpec,
        speech: SpeechEncoder | None,
        identity: PortraitIdentity,
        style: str,
        amount: float,
        seed: int,
    ) -> None:
        self._identity = identity
        rest = resting_curves(identity)
        self._stream = MotionStream(model, spec, speech, rest, style, seed, amount)
        self._easing = Easing()
        self._before = rest.expand(2, -1)
        self._basis = model.codec.basis
        self._painter = PortraitPainter(identity)
        self._block_frames = spec.block_frames
        self._imagined = 0
        self._drawn = 0

    @property
    def next_frames(self) -> int:
        return self._block_frames

    def imagine(self, block: SpeechBlock) -> LatentBlock:
        latents = self._stream.imagine(block)
        self._imagined += 1
        return LatentBlock(self._imagined - 1, latents, block)

    def draw(self, latents: LatentBlock) -> Frames:
        """Frames of the block; blocks are drawn once, in the order they were imagined."""
        assert latents.index == self._drawn, f"block {latents.index} drawn when {self._drawn} was due"
        self._drawn += 1
        own = torch.cat((self._before, self._stream.curves(latents.latents)))
        self._before = own[-2:]
        return _Painted(self._paint, own)

    def rejoin(self, unshown: int) -> bool:
        """Ease over from the motion of the frame that was shown last, into the piece that is painted next."""
        return self._easing.rejoin(unshown)

    def _paint(self, before: Tensor, own: Tensor) -> Pixels:
        """Frames for the model's curves [n, CURVES] after two others."""
        return self._painter.paint(motion_of(self._easing.shown(before, own), self._identity, self._basis))

    def motion(self, latents: Tensor) -> FaceMotion:
        """What the painter is told for a block's latents, where every frame is shown."""
        return motion_of(self._stream.curves(latents), self._identity, self._basis)

    def rewind(self) -> None:
        """Forget the block that was imagined and not drawn; nothing happens when there is none."""
        if self._imagined > self._drawn:
            self._stream.rewind()
            self._imagined -= 1

    def close(self) -> None:
        """Nothing is held but memory."""


def performer_spec(motion: MotionSpec) -> PerformerSpec:
    """Geometry for the engine, from what the weights were trained for."""
    assert motion.sample_rate == MEDIA_RATE, f"weights for {motion.sample_rate} samples a second"
    return PerformerSpec(
        name="portrait",
        fps=motion.fps,
        sample_rate=motion.sample_rate,
        width=SIDE,
        height=SIDE,
        first_frames=motion.block_frames,
        block_frames=motion.block_frames,
        block_latents=motion.block_latents,
        frames_per_latent=FRAMES,
        latent_channels=LATENT[0],
        latent_height=LATENT[1],
        latent_width=LATENT[2],
        patch=motion.sizes.transformer().patch,
        window_blocks=motion.window_blocks,
        sink_blocks=motion.sink_blocks,
        sigmas=motion.sigmas,
        timesteps=motion.timesteps,
        lookahead=motion.hearing.ahead,
        memory_mb=250,
    )


def amount_of(motion_amount: float) -> float:
    """0 to 1 on the slider: none, as people move at the middle, and 1.8 times that at the end.

    Raises:
        ValueError: the amount lies outside.
    """
    if not 0.0 <= motion_amount <= _MOST_AMOUNT:
        raise ValueError(f"motion amount {motion_amount} is not within 0 and {_MOST_AMOUNT}")
    return 2.0 * motion_amount if motion_amount <= 0.5 else 1.0 + 1.6 * (motion_amount - 0.5)


def resting_curves(identity: PortraitIdentity) -> Tensor:
    """The curves of the portrait as it is: the reference that the model moves around, [CURVES]."""
    rest = torch.zeros(len(CURVES))
    for name, angle in zip(("yaw", "pitch", "roll_angle"), identity.pose.angles, strict=True):
        rest[CURVES.index(name)] = float(np.clip(angle, -_LARGEST_TURN, _LARGEST_TURN))
    return rest


def motion_of(curves: Tensor, identity: PortraitIdentity, basis: Tensor) -> FaceMotion:
    """What the painter of a portrait is told for shown curves [n, CURVES]: lips that rest open are shut where the
    curves shut them."""
    motion = face_motion(curves, resting_curves(identity), basis)
    shut = (curves[:, CURVES.index("close")].numpy() - _CLOSE_BEGINS) / (_CLOSE_FULL - _CLOSE_BEGINS)
    motion.displacement[:] += shut.clip(0.0, 1.0)[:, None, None] * identity.closing
    return motion


@dataclass(frozen=True, eq=False)
class _Painted:
    """Frames that are painted when they are asked for, from the model's own curves."""

    paint: Callable[[Tensor, Tensor], Pixels]
    own: Tensor
    """[2 + n, CURVES]: two of the frames before the block, and its own."""
    ready: bool = True

    def pieces(self) -> Iterator[Pixels]:
        for start in range(2, len(self.own), _PIECE_FRAMES):
            yield self.paint(self.own[start - 2 : start], self.own[start : start + _PIECE_FRAMES])

    def wait(self) -> Pixels:
        return np.concatenate(list(self.pieces()))
