"""How decoded motion is shown: at what size, how smoothly, with which blinks; and as `FaceMotion`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.performer.portrait.blinks import BlinkClock
from core.performer.portrait.codec import CARRIAGE_CURVES, CURVES, FACE_CURVES, LIP_CURVES
from core.performer.portrait.face import FaceMotion

_ANGLES = [CURVES.index(name) for name in ("yaw", "pitch", "roll_angle")]
_HEAD = [*_ANGLES, *(CURVES.index(name) for name in ("x", "y", "log_scale"))]
_BROWS = [CURVES.index(name) for name in ("brow_inner", "brow_outer", "brow_down")]
_GAZE = [CURVES.index("gaze_x"), CURVES.index("gaze_y")]
_LIDS = [CURVES.index("lid_right"), CURVES.index("lid_left")]
_LID_RANGE = (-0.2, 0.16)
"""How far lids open and droop between blinks; less than what counts as a blink."""
_GAZE_PER_RADIAN = torch.tensor([0.35, -0.35])
"""Eye widths that the iris moves to make up for a radian of yaw, of pitch."""
_TURN_LIMIT = 0.19
"""Radians that no head turn passes: beyond, hair and background would be dragged along."""
_EASE_S = 0.09
"""Time constant of each of two low-passes on the head: it is heavy, and nobody hears it come late."""


@dataclass(frozen=True)
class Gains:
    """How large decoded motion is shown; a few denoising steps make it smaller than the motion they learned from."""

    lips: float = 1.0
    head: float = 1.0
    brows: float = 1.0
    turns: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of yaw, pitch and roll, beside that of the head."""
    own_blinks: bool = False
    """The model's lids are shown as they are; otherwise a seeded clock blinks, and between its blinks the lids only
    droop. For students that have lost their blinks to the mean."""


class Showing:
    """Decoded curves to shown ones, block by block. Renderer thread only.

    Args:
        rest: curves of the portrait at rest, [CURVES]; sizes are counted from there.
    """

    def __init__(self, rest: Tensor, gains: Gains, fps: int, seed: int) -> None:
        self._rest, self._gains = rest, gains
        self._turns = torch.tensor(gains.turns)
        self._blinks = BlinkClock(seed, fps)
        self._follow = 1 - math.exp(-1 / (fps * _EASE_S))
        self._eased = torch.zeros(2, len(_HEAD))

    def curves(self, decoded: Tensor) -> Tensor:
        """[n, CURVES] -> [n, CURVES]. The eyes keep looking where they looked while the head moves otherwise."""
        moved = decoded - self._rest
        moved[:, : len(LIP_CURVES)] *= self._gains.lips
        moved[:, _BROWS] *= self._gains.brows
        head = moved[:, _HEAD] * self._gains.head
        head[:, :3] *= self._turns
        head[:, :3] = _TURN_LIMIT * torch.tanh(head[:, :3] / _TURN_LIMIT)
        head = self._ease(head)
        moved[:, _GAZE] += (head[:, :2] - moved[:, _ANGLES[:2]]) * _GAZE_PER_RADIAN
        moved[:, _HEAD] = head
        moved[:, _LIDS] = self._lids(moved[:, _LIDS])
        return self._rest + moved

    def _lids(self, lids: Tensor) -> Tensor:
        if self._gains.own_blinks:
            return lids.clamp(_LID_RANGE[0], 1.0)
        blinking = torch.from_numpy(self._blinks.closing(len(lids)))[:, None]
        return lids.clamp(*_LID_RANGE) * (1 - blinking) + blinking

    def _ease(self, head: Tensor) -> Tensor:
        """Two low-passes one after the other, from where the last block ended."""
        eased: list[Tensor] = []
        first, second = self._eased
        for frame in head:
            first = first + self._follow * (frame - first)
            second = second + self._follow * (first - second)
            eased.append(second)
        self._eased = torch.stack((first, second))
        return torch.stack(eased)


def face_motion(curves: Tensor, rest: Tensor, basis: Tensor) -> FaceMotion:
    """Curves [n, CURVES] to what the painter shows, relative to the curves of the portrait at rest [CURVES]."""
    face, carriage = (curves - rest).split((len(FACE_CURVES), len(CARRIAGE_CURVES)), -1)
    displacement = torch.einsum("nc,cvk->nvk", face, basis)
    own = np.ascontiguousarray(carriage.numpy().astype(np.float32))
    return FaceMotion(
        displacement=displacement.numpy().astype(np.float32),
        rotation=own[:, 0:3],
        shift=own[:, 3:6],
        lids=own[:, 6:8],
        gaze=own[:, 8:10],
    )
