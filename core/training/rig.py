"""The rig that synthetic motion is made with: face curves to displacements of the MediaPipe mesh.

Built from 53 ARKit-style expressions (ICT-FaceKit, MIT). Their file is not shipped; the codec learns a basis from the
displacements that the rig makes, and a rig can be taken back from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.performer.portrait.codec import FACE_CURVES

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.portrait.codec import MotionCodec

    Floats = npt.NDArray[np.float64]

PRESSED = 0.004
"""How far closed lips overlap, in face heights: what keeps p, b, m shut in spite of small errors."""

EXPRESSIONS: dict[str, dict[str, float]] = {
    "jaw": {"jawOpen": 1.0},
    "funnel": {"mouthFunnel": 1.0},
    "pucker": {"mouthPucker": 1.0},
    "wide": {"mouthStretch_L": 0.45, "mouthStretch_R": 0.45, "mouthSmile_L": 0.12, "mouthSmile_R": 0.12},
    "close": {"mouthClose": 1.0},
    "low": {"mouthLowerDown_L": 1.0, "mouthLowerDown_R": 1.0},
    "up": {"mouthUpperUp_L": 1.0, "mouthUpperUp_R": 1.0},
    "roll": {"mouthRollLower": 1.0, "mouthUpperUp_L": 0.4, "mouthUpperUp_R": 0.4},  # the teeth are seen on f and v
    "smile": {"mouthSmile_L": 1.0, "mouthSmile_R": 1.0, "cheekSquint_L": 0.5, "cheekSquint_R": 0.5},
    "frown": {"mouthFrown_L": 1.0, "mouthFrown_R": 1.0},
    "brow_inner": {"browInnerUp_L": 1.0, "browInnerUp_R": 1.0},
    "brow_outer": {"browOuterUp_L": 1.0, "browOuterUp_R": 1.0},
    "brow_down": {"browDown_L": 1.0, "browDown_R": 1.0},
    "squint": {"cheekSquint_L": 1.0, "cheekSquint_R": 1.0, "noseSneer_L": 0.2, "noseSneer_R": 0.2},
}
"""What every face curve is made of: expressions of the file, by name, and their weights."""
_UPPER_LIP, _LOWER_LIP, _FOREHEAD, _CHIN = (13, 82, 312), (14, 87, 317), 10, 152


@dataclass(frozen=True, eq=False)
class Rig:
    """Displacement of every curve at 1: [FACE_CURVES, 468, 3], face heights, y down, z away from the camera."""

    basis: Floats

    @staticmethod
    def load(path: Path) -> Rig:
        """From the expression basis file (`mp`, `D`, `names`), whose y points up and z to the camera.

        Raises:
            KeyError: the file has other expressions.
        """
        stored = np.load(path)
        names = [str(name) for name in stored["names"]]
        height = float(np.linalg.norm(stored["mp"][_FOREHEAD] - stored["mp"][_CHIN]))
        shapes = stored["D"].astype(np.float64) / height * np.array([1.0, -1.0, -1.0])
        of = {name: shapes[index] for index, name in enumerate(names)}
        return Rig(np.stack([sum(of[n] * w for n, w in EXPRESSIONS[curve].items()) for curve in FACE_CURVES]))

    @staticmethod
    def of(codec: MotionCodec) -> Rig:
        """The rig that a codec was taught with."""
        return Rig(codec.basis.numpy().astype(np.float64))

    @property
    def gap(self) -> Floats:
        """What every curve adds to the lip opening, face heights: [FACE_CURVES]."""
        return lip_gap(self.basis)

    def shut(self, curves: Floats, closed: Floats) -> Floats:
        """Weight of the `close` curve that holds the lips together as far as `closed` (0..1) says."""
        opening = curves @ self.gap - curves[:, FACE_CURVES.index("close")] * self.gap[FACE_CURVES.index("close")]
        return closed * (opening + PRESSED) / -self.gap[FACE_CURVES.index("close")]


def lip_gap(displacement: Floats) -> Floats:
    """Opening of the inner lips in displacements [..., 468, 3]: [...]."""
    return displacement[..., _LOWER_LIP, 1].mean(-1) - displacement[..., _UPPER_LIP, 1].mean(-1)
