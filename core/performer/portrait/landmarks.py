"""FaceFinder: where the faces in a picture are, and 468 points on each.

Two small networks (BlazeFace short range, Apache-2.0, and the MediaPipe face mesh) run in OpenCV; their numbers come
from the MediaPipe graphs `face_detection_short_range` and `face_landmark`.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.errors import PerformerError, Problem
from core.performer.portrait.face_files import DETECTOR_FILE, LANDMARK_FILE, SHA256
from core.performer.portrait.imaging import laid, resized

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.media import Pixels
    from core.performer.portrait.imaging import Floats


DETECTOR_SIDE = 128
LANDMARK_SIDE = 192
LEAST_SIDE = 32
"""px below which no face is looked for."""
MIN_DETECTION = 0.5
MIN_FACE = 0.5
"""Least confidence of the landmark network that what it was shown is a face."""
RIGHT_EYE, LEFT_EYE = 33, 263
LOOKS = ((1.5, 0.0, 0.0), (1.42, 0.03, 0.01), (1.58, -0.03, -0.01), (1.5, 0.0, 0.02))
"""Scale, turn (rad) and vertical offset of the crops whose landmarks are averaged; one look alone wavers by 2 px."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face: `box` is left, top, right, bottom in px; `landmarks` [468, 3] px, z away from the camera."""

    box: Floats
    score: float
    landmarks: Floats


class FaceFinder:
    """Finds faces. Any thread may ask: a lock lets one through at a time, for OpenCV's networks hold state.

    Args:
        models: the folder that holds the two .tflite files.

    Raises:
        PerformerError: a file is missing or cannot be read.
    """

    def __init__(self, models: Path) -> None:
        self._detector = _network(models / DETECTOR_FILE)
        self._mesh = _network(models / LANDMARK_FILE)
        self._anchors = _anchors()
        self._one_at_a_time = threading.Lock()

    def find(self, image: Pixels) -> list[Face]:
        """The faces of an RGB picture of any size, largest first."""
        if min(image.shape[:2]) < LEAST_SIDE:
            return []
        with self._one_at_a_time:
            return self._find(image)

    def _find(self, image: Pixels) -> list[Face]:
        boxes = _without_doubles([box for tile in _tiles(image) for box in self._detect(image, *tile)])
        faces = [face for box in boxes if (face := self._trace(image, box)) is not None]
        faces.sort(key=lambda face: -float(face.box[3] - face.box[1]))
        return _apart(faces)

    def _detect(self, image: Pixels, left: int, top: int, side: int) -> list[Floats]:
        """Boxes [score, x, y, w, right eye xy, left eye xy] in picture px, found in one square of the picture."""
        scale = DETECTOR_SIDE / side
        matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
        square = _shrink(image, matrix, DETECTOR_SIDE)
        self._detector.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
        scores, offsets = self._detector.forward(("classificators", "regressors"))
        score = 1 / (1 + np.exp(-np.clip(scores.reshape(-1), -80, 80)))
        found: list[Floats] = []
        for i in np.flatnonzero(score > MIN_DETECTION):
            values = offsets.reshape(-1, 16)[i] / DETECTOR_SIDE
            centre, eyes = values[:2] + self._anchors[i], values[4:8] + np.tile(self._anchors[i], 2)
            points = np.concatenate([centre, eyes]) * side + np.tile([left, top], 3)
            found.append(np.array([score[i], *points[:2], values[2] * side, *points[2:]], np.float32))
        return found

    def _trace(self, image: Pixels, box: Floats) -> Face | None:
        """Landmarks of the face in a detector's box, or None where the second network sees no face."""
        right, left = box[4:6], box[6:8]
        turn = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
        landmarks, score = self._look(image, box[1:3], float(box[3]) * 1.5, turn)
        if score < 0.1:
            return None
        looks: list[Floats] = []
        for scale, extra_turn, lower in LOOKS:
            low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
            across = landmarks[LEFT_EYE, :2] - landmarks[RIGHT_EYE, :2]
            side = float((high - low).max())
            centre = (low + high) / 2 + np.array([0, lower * side])
            turn = float(np.arctan2(across[1], across[0])) + extra_turn
            points, score = self._look(image, centre, side * scale, turn)
            looks.append(points)
            landmarks = points
        if score < MIN_FACE:
            return None
        mean = np.mean(looks, axis=0).astype(np.float32)
        edges = np.concatenate([mean[:, :2].min(0), mean[:, :2].max(0)])
        return Face(edges, float(score), mean)

    def _look(self, image: Pixels, centre: Floats, side: float, turn: float) -> tuple[Floats, float]:
        scale = LANDMARK_SIDE / side
        cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
        rotate = np.array([[cos, sin], [-sin, cos]], np.float32)
        shift = np.full(2, LANDMARK_SIDE / 2, np.float32) - rotate @ centre
        crop = _shrink(image, np.column_stack([rotate, shift]).astype(np.float32), LANDMARK_SIDE)
        self._mesh.setInput(cv2.dnn.blobFromImage(crop, 1 / 255))
        points, score = self._mesh.forward(("conv2d_21", "conv2d_31"))
        local = points.reshape(468, 3)
        flat = (local[:, :2] - shift) @ np.linalg.inv(rotate).T
        landmarks = np.column_stack([flat, local[:, 2] / scale]).astype(np.float32)
        return landmarks, float(1 / (1 + np.exp(-score.reshape(-1)[0])))


def _network(path: Path) -> cv2.dnn.Net:
    try:
        stored = path.read_bytes()
    except FileNotFoundError as missing:
        raise PerformerError(
            Problem.MODEL_MISSING, "The files that find faces are missing.", "Run `make models`.", detail=str(path)
        ) from missing
    seen = hashlib.sha256(stored).hexdigest()
    if seen != SHA256[path.name]:
        raise PerformerError(
            Problem.MODEL_DAMAGED,
            "A file that finds faces is damaged.",
            "Run `make models`.",
            detail=f"{path} has sha256 {seen}, expected {SHA256[path.name]}",
        )
    return cv2.dnn.readNetFromTFLite(np.frombuffer(stored, np.uint8))


def _anchors() -> Floats:
    """Centres of the 896 anchors, [896, 2], as fractions of the square: 2 a cell of 16x16, 6 a cell of 8x8."""
    grids: list[Floats] = []
    for cells, count in ((16, 2), (8, 6)):
        axis = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(axis, axis)
        grids.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), count, axis=0))
    return np.concatenate(grids)


def _tiles(image: Pixels) -> Iterator[tuple[int, int, int]]:
    """Squares (left, top, side) to search: the whole picture, then halves of it, for faces too small for the first."""
    height, width = image.shape[:2]
    side = max(height, width)
    yield (width - side) // 2, (height - side) // 2, side
    for fraction in (0.6, 0.34):
        tile = int(side * fraction)
        for top in _starts(height, tile):
            for left in _starts(width, tile):
                yield left, top, tile


def _starts(length: int, tile: int) -> list[int]:
    if length <= tile:
        return [(length - tile) // 2]
    count = int(np.ceil((length - tile) / (0.6 * tile))) + 1
    return [int(start) for start in np.linspace(0, length - tile, count)]


def _shrink(image: Pixels, matrix: Floats, side: int) -> Pixels:
    """`image` under an affine map into a square; averaged first where it shrinks much, so nothing aliases."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        factor = 2.0 ** np.ceil(np.log2(0.5 / scale))
        small = resized(image, (max(1, round(image.shape[1] / factor)), max(1, round(image.shape[0] / factor))))
        ratio = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]], np.float32)
        matrix = matrix.copy()
        matrix[:, :2] *= ratio
        image = small
    return laid(image, matrix, (side, side))


def _without_doubles(boxes: list[Floats]) -> list[Floats]:
    """One box a face: the surest first, those that share its middle left out."""
    kept: list[Floats] = []
    for box in sorted(boxes, key=lambda box: -float(box[0])):
        if all(np.hypot(*(box[1:3] - other[1:3])) > 0.4 * max(box[3], other[3]) for other in kept):
            kept.append(box)
    return kept


def _apart(faces: list[Face]) -> list[Face]:
    kept: list[Face] = []
    for face in faces:
        middle = (face.box[:2] + face.box[2:]) / 2
        if not any(np.all(middle > other.box[:2]) and np.all(middle < other.box[2:]) for other in kept):
            kept.append(face)
    return kept
