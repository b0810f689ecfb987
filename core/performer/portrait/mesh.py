"""The canonical face: 468 points, their triangles and landmarks by name, and the pose of a traced face.

Frame as in `FaceMotion`: x to image right, y down, z away from the camera; lengths in face heights (landmark 10 to
152). The mesh is MediaPipe's canonical face model (Apache-2.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.performer.portrait.imaging import Floats

    Indices = npt.NDArray[np.int64]

FOREHEAD, CHIN, NOSE_TIP, NOSE_BASE = 10, 152, 1, 2
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""The outline of the face, clockwise in the image from the forehead."""
UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
"""Inner edge of the upper lip from the image's left corner to the right one; corners are shared with `LOWER_LIP`."""
LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LIP_RINGS = (
    (
        (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
        (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    ),
    (
        (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
        (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    ),
)
"""Upper and lower lip: two rings between the outline and the inner edge, from the image's left corner to the right."""
JAW = (152, 148, 377, 176, 400, 175, 199, 200)
"""Points of the chin that move with the lower jaw and not with the lips."""
RIGHT_EYE = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133))
"""The subject's right eye: upper and lower edge, from the image's left to right."""
RIGHT_BROW, LEFT_BROW = (46, 53, 52, 65, 55), (285, 295, 282, 283, 276)
"""The lower edges of the brows."""
LEFT_EYE = ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263))


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """`vertices` [468, 3], `triangles` [898, 3], and the points that move with the skull, with their weights."""

    vertices: Floats
    triangles: Indices
    rigid: Indices
    weight: Floats


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a face is: landmarks = scale * rotation @ canonical + origin, in px."""

    rotation: Floats
    scale: float
    """px per face height."""
    origin: Floats
    misfit: float
    """Root mean square distance of the skull's points from the canonical ones, in face heights."""

    @property
    def angles(self) -> tuple[float, float, float]:
        """Yaw, pitch, roll in radians, signs as in `FaceMotion.rotation`."""
        yaw, pitch, roll = Rotation.from_matrix(self.rotation).as_euler("YXZ")
        return float(yaw), float(pitch), float(roll)


@cache
def canonical_mesh() -> FaceMesh:
    """The mesh that every face is compared with; read once."""
    with np.load(Path(__file__).with_name("face_mesh.npz")) as stored:
        return FaceMesh(
            stored["vertices"].astype(np.float32),
            stored["triangles"].astype(np.int64),
            stored["rigid"].astype(np.int64),
            stored["weight"].astype(np.float32),
        )


def fit_pose(landmarks: Floats) -> Pose:
    """The similarity that lays the canonical skull over `landmarks` [468, 3] (weighted Procrustes)."""
    mesh = canonical_mesh()
    weight = (mesh.weight / mesh.weight.sum())[:, None]
    source, target = mesh.vertices[mesh.rigid], landmarks[mesh.rigid]
    source_mean, target_mean = (source * weight).sum(0), (target * weight).sum(0)
    source, target = source - source_mean, target - target_mean
    u, stretch, vt = np.linalg.svd((target * weight).T @ source)
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * mirror) @ vt
    scale = float((stretch * mirror).sum() / (source**2 * weight).sum())
    misfit = float(np.sqrt((((target - scale * source @ rotation.T) / scale) ** 2 * weight).sum()))
    origin = target_mean - scale * rotation @ source_mean
    return Pose(rotation.astype(np.float32), scale, origin.astype(np.float32), misfit)


def head_turn(angles: Floats) -> Floats:
    """Rotation matrices [n, 3, 3] of yaw, pitch, roll [n, 3]."""
    return Rotation.from_euler("YXZ", angles).as_matrix().astype(np.float32)
