"""A face drawn on the canonical mesh: landmarks, picture and motion, made for the tests of the portrait."""

from __future__ import annotations

import cv2
import numpy as np

from core.performer.portrait.face import FaceMotion
from core.performer.portrait.identity import PortraitIdentity, closing_of
from core.performer.portrait.landmarks import Face
from core.performer.portrait.mesh import (
    LEFT_EYE,
    LOWER_LIP,
    NOSE_TIP,
    RIGHT_EYE,
    UPPER_LIP,
    canonical_mesh,
    fit_pose,
    head_turn,
)

SKIN, LIP, LASHES, IRIS, NOSE = (205, 165, 140), (190, 90, 90), (130, 85, 60), (40, 30, 30), (40, 200, 60)
SCALE = 230.0
"""Face height of the drawn face, in px."""


def landmarks_of(angles=(0.0, 0.0, 0.0), scale=SCALE, centre=(256.0, 240.0), gap=0.0) -> np.ndarray:
    """The canonical face with its lips `gap` face heights apart, turned and placed in a picture."""
    vertices = canonical_mesh().vertices.copy()
    upper, lower = list(UPPER_LIP), list(LOWER_LIP)
    middle = (vertices[upper] + vertices[lower]) / 2
    half = gap / 2 * np.sin(np.linspace(0, np.pi, len(upper)))
    vertices[upper], vertices[lower] = middle, middle
    vertices[upper, 1] -= half
    vertices[lower, 1] += half
    turned = vertices @ head_turn(np.array([angles]))[0].T * scale
    return (turned + np.array([*centre, 0])).astype(np.float32)


def drawn_face(landmarks: np.ndarray) -> np.ndarray:
    """A flat face: skin, lips, white eyes with dark irises between lashes, a green dot on the nose."""
    picture = np.full((512, 512, 3), (90, 100, 120), np.uint8)
    flat = landmarks[:, :2]
    cv2.fillPoly(picture, [cv2.convexHull(flat.astype(np.int32))[:, 0]], SKIN)
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        outline = np.concatenate([flat[list(upper)], flat[list(lower)][::-1]])
        eye = np.zeros(picture.shape[:2], np.uint8)
        cv2.fillPoly(eye, [np.round(outline).astype(np.int32)], 1)
        iris = np.zeros_like(eye)
        cv2.circle(iris, tuple(int(v) for v in outline.mean(0)), 7, 1, -1)
        picture[eye > 0] = (235, 235, 235)
        picture[(eye & iris) > 0] = IRIS
        cv2.polylines(picture, [np.round(outline).astype(np.int32)], True, LASHES, 2)
    lips = np.concatenate([flat[[61, 185, 40, 39, 37, 0, 267, 269, 270, 409]], flat[[291, 375, 321, 405, 314, 17, 84]]])
    cv2.fillPoly(picture, [np.round(np.concatenate([lips, flat[[181, 91, 146]]])).astype(np.int32)], LIP)
    cv2.circle(picture, tuple(round(float(v)) for v in flat[NOSE_TIP]), 4, NOSE, -1)
    return picture


def identity_of(landmarks: np.ndarray) -> PortraitIdentity:
    pose = fit_pose(landmarks)
    gap = float((landmarks[14, 1] - landmarks[13, 1]) / pose.scale)
    opening = np.array([0.3, 0.3], np.float32)
    return PortraitIdentity("drawn", drawn_face(landmarks), landmarks, pose, gap, opening, closing_of(landmarks, pose))


def motion(frames=1, *, turn=(0, 0, 0), shift=(0, 0, 0), lids=(0, 0), gaze=(0, 0), displacement=None) -> FaceMotion:
    still = np.zeros((468, 3)) if displacement is None else displacement
    parts = [np.repeat(np.asarray(part, np.float32)[None], frames, 0) for part in (still, turn, shift, lids, gaze)]
    return FaceMotion(*parts)


def lips_apart(gap: float) -> np.ndarray:
    """The lower lip and the chin `gap` face heights lower."""
    vertices = canonical_mesh().vertices
    seam = vertices[13, 1]
    moved = np.zeros((468, 3), np.float32)
    below = vertices[:, 1] > seam + 0.012
    moved[below, 1] = gap * np.clip(1 - np.abs(vertices[below, 0]) / 0.4, 0, 1)
    lower = list(LOWER_LIP[1:-1])
    moved[lower, 1] = gap * np.sin(np.linspace(0, np.pi, len(LOWER_LIP)))[1:-1]
    moved[list(UPPER_LIP)[1:-1]] = 0
    return moved


def middle_of(picture: np.ndarray, colour: tuple[int, int, int], reach=60) -> np.ndarray:
    """The middle (x, y) of what has nearly this colour."""
    near = np.abs(picture.astype(int) - np.array(colour)).sum(-1) < reach
    rows, columns = np.nonzero(near)
    return np.array([columns.mean(), rows.mean()])


def mouth_pixels(frame: np.ndarray, landmarks: np.ndarray, lower: float) -> np.ndarray:
    """A few px in the middle of the mouth, `lower` px beneath the seam."""
    x, y = landmarks[13, :2]
    row = round(float(y + lower))
    return frame[row - 1 : row + 2, round(float(x)) - 6 : round(float(x)) + 7].astype(int)


class Finds:
    """A finder that always sees these faces."""

    def __init__(self, *faces: Face) -> None:
        self._faces = list(faces)

    def find(self, image: np.ndarray) -> list[Face]:
        return self._faces


def face(landmarks: np.ndarray, score=1.0) -> Face:
    return Face(np.concatenate([landmarks[:, :2].min(0), landmarks[:, :2].max(0)]), score, landmarks)
