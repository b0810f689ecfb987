"""A model asked to act to whole recordings, by the product's own stream and in the product's blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from core.media import MEDIA_RATE
from core.performer.portrait.audio import blocks_of
from core.performer.portrait.codec import CURVES, FACE_CURVES
from core.performer.portrait.motion import MotionStream, open_speech
from core.performer.portrait.shown import face_motion
from core.performer.portrait.weights import load_weights
from core.training.rig import lip_gap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.media import Samples

Floats = npt.NDArray[np.float64]
ANGLES = ("yaw", "pitch", "roll")
_HEAD = [CURVES.index(name) for name in ("yaw", "pitch", "roll_angle")]
_LIDS = [CURVES.index(name) for name in ("lid_right", "lid_left")]
_GAZE = [CURVES.index(name) for name in ("gaze_x", "gaze_y")]
BLINK = 0.18
"""Closing of the lids at which a blink has begun: people's are counted below 82 % of the open eye."""


@dataclass(frozen=True, eq=False)
class Acted:
    """What the avatar did to a recording, at `fps`.

    curves: [frames, CURVES] as shown; gap: opening of the inner lips on the moved mesh, in face heights [frames].
    """

    curves: Floats
    gap: Floats
    fps: int

    @property
    def seconds(self) -> float:
        return len(self.gap) / self.fps

    @property
    def angles(self) -> Floats:
        """Yaw, pitch, roll in degrees: [frames, 3]."""
        return np.degrees(self.curves[:, _HEAD])

    @property
    def lids(self) -> Floats:
        """Closing of both eyes, 0 as in the portrait, 1 shut: [frames, 2]."""
        return self.curves[:, _LIDS]

    @property
    def gaze(self) -> Floats:
        """Eye widths that the irises are moved: [frames, 2]."""
        return self.curves[:, _GAZE]

    @property
    def face(self) -> Floats:
        """[frames, FACE_CURVES]."""
        return self.curves[:, : len(FACE_CURVES)]

    def curve(self, name: str) -> Floats:
        """One curve: [frames]."""
        return self.curves[:, CURVES.index(name)]

    def blinks(self) -> Floats:
        """Lengths of all blinks, ms."""
        shut = np.concatenate(([False], self.lids.mean(1) > BLINK, [False])).astype(int)
        edges = np.flatnonzero(np.diff(shut))
        return (edges[1::2] - edges[::2]) * 1000.0 / self.fps

    def part(self, begin: int, end: int) -> Acted:
        """Frames [begin, end) of it."""
        return Acted(self.curves[begin:end], self.gap[begin:end], self.fps)


class Actor:
    """One set of weights.

    Raises:
        PerformerError: the weights, or what they listen through, are missing or damaged.
    """

    def __init__(self, weights: Path) -> None:
        torch.set_num_threads(1)  # as in the product: a second thread mostly waits for the first
        self.model, self.spec = load_weights(weights)
        self.speech = open_speech(self.spec)

    def act(
        self,
        samples: Samples,
        *,
        seed: int,
        style: str = "",
        rest: Floats | None = None,
        amount: float = 1.0,
        done: Callable[[float], object] = lambda seconds: None,
    ) -> Acted:
        """Act to `samples` (mono, `MEDIA_RATE`), a frame for each whole frame of them.

        Args:
            rest: curves of the portrait at rest, [CURVES]; none is a face that looks straight ahead.
            done: is told the seconds that each block added.
        """
        hearing, basis = self.spec.hearing, self.model.codec.basis
        quiet = torch.zeros(len(CURVES)) if rest is None else torch.from_numpy(rest).float()
        stream = MotionStream(self.model, self.spec, self.speech, quiet, style, seed, amount)
        seen: list[Floats] = []
        gaps: list[Floats] = []
        left = len(samples)
        for block in blocks_of(samples, hearing):
            curves = stream.curves(stream.imagine(block))
            seen.append(curves.numpy().astype(np.float64))
            gaps.append(lip_gap(face_motion(curves, quiet, basis).displacement.astype(np.float64)))
            done(min(len(block.samples), left) / MEDIA_RATE)
            left -= len(block.samples)
        frames = len(samples) // hearing.frame
        return Acted(np.concatenate(seen)[:frames], np.concatenate(gaps)[:frames], hearing.fps)

    def opening(self, curves: Floats) -> Floats:
        """Lip opening that face curves [frames, >= FACE_CURVES] give on the mesh, face heights: [frames]."""
        basis = self.model.codec.basis.numpy().astype(np.float64)
        return curves[:, : len(FACE_CURVES)] @ lip_gap(basis)
