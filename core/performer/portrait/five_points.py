"""FivePoints: a face shown by a person, for pictures in which no network sees one, such as drawings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.performer.portrait.mesh import LEFT_EYE, NOSE_TIP, OUTER_LIPS, RIGHT_EYE, canonical_mesh

if TYPE_CHECKING:
    from core.performer.portrait.imaging import Floats

RIGHT_CORNER, LEFT_CORNER = OUTER_LIPS[0], OUTER_LIPS[10]
LONGEST_FACE = 1.5
"""Most by which a face may be longer or wider than people's; what is left goes to the points' own neighbourhood."""
NEIGHBOURHOOD = 0.22
"""Face heights around a point that follow it where it lies otherwise than in the canonical face."""
LEAST_APART = 12.0
"""px between the eyes below which there is no face to see."""


@dataclass(frozen=True)
class FivePoints:
    """Where the features of a face are, x and y in px of the picture.

    Right and left are the subject's: the right eye is on the left of the picture.
    """

    right_eye: tuple[float, float]
    left_eye: tuple[float, float]
    nose: tuple[float, float]
    mouth_right: tuple[float, float]
    mouth_left: tuple[float, float]

    @property
    def flat(self) -> Floats:
        """[5, 2] in the order of the fields."""
        return np.array([self.right_eye, self.left_eye, self.nose, self.mouth_right, self.mouth_left], np.float32)


def like_a_face(points: FivePoints) -> bool:
    """Whether they lie as in a face seen from the front: the eyes level, the nose beneath, the mouth beneath it."""
    right, left, nose, corner_right, corner_left = _upright(points.flat)[0]
    if left[0] - right[0] < LEAST_APART or corner_left[0] - corner_right[0] < LEAST_APART / 2:
        return False
    mouth = (corner_right[1] + corner_left[1]) / 2
    apart = left[0] - right[0]
    long = mouth - right[1]
    return bool(0.05 * long < nose[1] - right[1] < 0.95 * long and 0.3 * apart < long < 4 * apart)


def landmarks_from(points: FivePoints) -> Floats:
    """468 landmarks [468, 3] px, z away from the camera: the canonical face, made as long and as wide as the points
    say, and bent around them until it meets them."""
    vertices = canonical_mesh().vertices
    own = _features(vertices)
    wanted, rotation = _upright(points.flat)
    long = _below(wanted) / _below(own)
    wide = (_across(wanted) * _across(own)).sum() / (_across(own) ** 2).sum()
    middle = np.sqrt(long * wide)
    limit = np.sqrt(LONGEST_FACE)
    scale = np.clip(np.array([wide, long]), middle / limit, middle * limit)
    laid = vertices * np.array([*scale, middle])
    centre = (wanted - own[:, :2] * scale).mean(0)
    laid[:, :2] += centre
    laid[:, :2] += _bend(vertices, own, wanted - (own[:, :2] * scale + centre))
    laid[:, :2] = laid[:, :2] @ rotation
    return laid.astype(np.float32)


def _features(vertices: Floats) -> Floats:
    """The five points of a mesh, [5, 3]."""
    eyes = [vertices[sorted({*upper, *lower})].mean(0) for upper, lower in (RIGHT_EYE, LEFT_EYE)]
    return np.stack([*eyes, vertices[NOSE_TIP], vertices[RIGHT_CORNER], vertices[LEFT_CORNER]])


def _upright(flat: Floats) -> tuple[Floats, Floats]:
    """The points with their eyes level, and the rotation [2, 2] that led there: upright = flat @ rotation.T."""
    across = (flat[1] - flat[0]).astype(np.float64)
    cos, sin = across / max(float(np.hypot(*across)), 1e-6)
    rotation = np.array([[cos, sin], [-sin, cos]])
    return flat @ rotation.T, rotation


def _below(points: Floats) -> float:
    """How far the mouth lies below the eyes."""
    return float(points[3:5, 1].mean() - points[:2, 1].mean())


def _across(points: Floats) -> Floats:
    """The width between the eyes, and of the mouth."""
    return np.array([points[1, 0] - points[0, 0], points[4, 0] - points[3, 0]])


def _bend(vertices: Floats, own: Floats, missed: Floats) -> Floats:
    """Smooth displacements [468, 2] px that are `missed` [5, 2] at the five points and fade away from them."""

    def nearness(at: Floats) -> Floats:
        apart = ((at[:, None, :2] - own[None, :, :2]) ** 2).sum(-1)
        return np.exp(-apart / (2 * NEIGHBOURHOOD**2))

    return nearness(vertices) @ np.linalg.solve(nearness(own), missed)
