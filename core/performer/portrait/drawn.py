"""Landmarks laid on what a drawing shows: its own eyes, larger than people's, and the line of its mouth.

Five points say where the features are, not how large they are. What is not skin around them does, where it stands
alone; where it runs into something else (hair, shadow) the canonical face stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.performer.portrait.imaging import blurred
from core.performer.portrait.mesh import LEFT_EYE, LOWER_LIP, OUTER_LIPS, RIGHT_EYE, UPPER_LIP

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.media import Pixels
    from core.performer.portrait.imaging import Floats

    Mask = npt.NDArray[np.uint8]

SKIN_POINTS = (50, 280, 205, 425, 151, 9)
"""Landmarks on the cheeks and the brow, where a face is bare."""
OTHER = 16.0
"""Distance in Lab at which a colour is not skin."""
EYE_WINDOW = (0.48, 0.42)
"""Share of the distance between the eyes, across and down from an eye's middle, in which its edges are looked for."""
LEAST_EYE, MOST_EYE = 0.12, 0.45
"""Half the width of an eye that is believed, as a share of that distance."""
MOST_OFF = 0.1
"""How far from where it was shown an eye's middle may be, as a share of that distance."""
MOUTH_WINDOW = 0.15
"""Face heights above and below the corners in which the mouth's line is looked for."""
LIPS_REACH = 0.08
"""Face heights over which the skin around the mouth comes along."""


def laid_on_drawing(picture: Pixels, landmarks: Floats, face_height: float) -> Floats:
    """`landmarks` [468, 3] with the eyes' edges and the lips where the picture has them."""
    moved = landmarks.copy()
    other = _not_skin(picture, landmarks)
    centres = [landmarks[sorted({*upper, *lower}), :2].mean(0) for upper, lower in (RIGHT_EYE, LEFT_EYE)]
    apart = float(np.hypot(*(centres[1] - centres[0])))
    shapes = [_shape_around(other, centre, EYE_WINDOW[0] * apart, EYE_WINDOW[1] * apart) for centre in centres]
    if _believed(shapes, centres, apart):
        for edges, centre, shape in zip((RIGHT_EYE, LEFT_EYE), centres, shapes, strict=True):
            _lay_eye(moved, edges, shape, centre, apart)
    _lay_mouth(moved, other, face_height)
    return moved


def _not_skin(picture: Pixels, landmarks: Floats) -> Mask:
    lab = cv2.cvtColor(blurred(picture, 0.8).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    places = np.clip(np.round(landmarks[list(SKIN_POINTS), :2]).astype(int), 2, picture.shape[0] - 3)
    bare = np.concatenate([lab[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3) for x, y in places])
    return (np.linalg.norm(lab - np.median(bare, axis=0), axis=-1) > OTHER).astype(np.uint8)


def _believed(shapes: list[Mask], centres: list[Floats], apart: float) -> bool:
    """Whether these are two eyes: of one size, as large as eyes are, and where they were shown."""
    areas = [int(shape.sum()) for shape in shapes]
    if min(areas) < 0.6 * max(areas) or min(areas) == 0:
        return False
    for shape, centre in zip(shapes, centres, strict=True):
        left, top, width, height = cv2.boundingRect(shape)
        off = np.array([left + width / 2, top + height / 2]) - centre
        if not LEAST_EYE * apart < width / 2 < MOST_EYE * apart or np.hypot(*off) > MOST_OFF * apart:
            return False
    return True


def _shape_around(other: Mask, centre: Floats, across: float, down: float) -> Mask:
    """The filled shape [h, w] that holds `centre`; nothing where it leaves the window."""
    window = np.zeros_like(other)
    reach = np.array([across, down])
    left, top = np.maximum(np.round(centre - reach).astype(int), 0)
    right, bottom = np.round(centre + reach).astype(int)
    part = np.s_[top : bottom + 1, left : right + 1]
    outlines = cv2.findContours(np.ascontiguousarray(other[part]), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    for outline in outlines:
        inside = cv2.pointPolygonTest(outline, (float(centre[0] - left), float(centre[1] - top)), measureDist=True)
        x, y, width, height = cv2.boundingRect(outline)
        whole = x > 0 and y > 0 and x + width < right + 1 - left and y + height < bottom + 1 - top
        if inside > -2 and whole:
            filled = np.zeros_like(other[part])
            cv2.drawContours(filled, [outline], 0, 1, cv2.FILLED)
            window[part] = filled
            return window
    return window


def _lay_eye(
    moved: Floats, edges: tuple[tuple[int, ...], tuple[int, ...]], shape: Mask, centre: Floats, apart: float
) -> None:
    """Put both edges of an eye on its drawn shape, and take what lies around along."""
    left, _, width, _ = cv2.boundingRect(shape)
    ring = sorted({*edges[0], *edges[1]})
    before = moved[ring, :2].copy()
    low, high = before[:, 0].min(), before[:, 0].max()
    columns = np.flatnonzero(shape.any(0))
    tops, bottoms = shape[:, columns].argmax(0), shape.shape[0] - shape[::-1, columns].argmax(0) - 1
    for points, line in ((edges[0], tops), (edges[1], bottoms)):
        x = left + (moved[list(points), 0] - low) * (width - 1) / (high - low)
        moved[list(points), 0] = x
        moved[list(points), 1] = np.interp(x, columns, line)
    change = (moved[ring, :2] - before).astype(np.float32)
    others = [k for k in range(len(moved)) if k not in ring and np.hypot(*(moved[k, :2] - centre)) < 0.6 * apart]
    distance = np.hypot(*(moved[others, None, :2] - before[None]).transpose(2, 0, 1))
    weight = 1 / np.maximum(distance, 1.0) ** 2
    fade = np.clip(1 - distance.min(1) / (0.35 * apart), 0, 1)[:, None]
    moved[others, :2] += fade * (weight @ change) / weight.sum(1, keepdims=True)


def _lay_mouth(moved: Floats, other: Mask, face_height: float) -> None:
    """Bend the lips so that they part along the middle of the drawn mouth."""
    corners = moved[[OUTER_LIPS[0], OUTER_LIPS[10]], :2]
    middle, half = corners.mean(0), (corners[1, 0] - corners[0, 0]) / 2
    line = _mouth_line(other, middle, half, MOUTH_WINDOW * face_height)
    if line is None:
        return
    columns, rows = line
    upper, lower = moved[list(UPPER_LIP), :2], moved[list(LOWER_LIP), :2]
    seam = (upper + lower) / 2
    lips = moved[:, :2]
    offset = np.interp(lips[:, 0], columns, rows) - np.interp(lips[:, 0], seam[:, 0], seam[:, 1])
    beside = np.maximum(np.abs(lips[:, 0] - middle[0]) - half, 0) / (LIPS_REACH * face_height)
    above = (lips[:, 1] - np.interp(lips[:, 0], seam[:, 0], seam[:, 1])) / (LIPS_REACH * face_height)
    near = np.exp(-0.5 * (beside**2 + np.maximum(np.abs(above) - 0.5, 0) ** 2))
    moved[:, 1] += offset * near


def _mouth_line(other: Mask, middle: Floats, half: float, reach: float) -> tuple[Floats, Floats] | None:
    """Columns and the middle rows of the widest shape between the corners; None where nothing stands alone there."""
    left, right = (round(float(middle[0] + sign * 1.3 * half)) for sign in (-1, 1))
    top, bottom = (round(float(middle[1] + sign * reach)) for sign in (-1, 1))
    window = np.ascontiguousarray(other[max(0, top) : bottom + 1, max(0, left) : right + 1])
    best: cv2.typing.MatLike | None = None
    widest = int(half)
    for outline in cv2.findContours(window, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
        _, y, width, height = cv2.boundingRect(outline)
        if width > widest and y > 0 and y + height < window.shape[0]:
            best, widest = outline, width
    if best is None:
        return None
    filled = np.zeros_like(window)
    cv2.drawContours(filled, [best], 0, 1, cv2.FILLED)
    columns = np.flatnonzero(filled.any(0))
    tops, bottoms = filled[:, columns].argmax(0), filled.shape[0] - filled[::-1, columns].argmax(0) - 1
    rows = blurred(((tops + bottoms) / 2).astype(np.float32)[None], 2.0)[0]
    return columns + float(max(0, left)), rows + float(max(0, top))
