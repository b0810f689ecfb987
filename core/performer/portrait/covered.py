"""Whether eyes and mouth are seen at all: the network that traces a face puts them behind any mask or bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.performer.portrait.imaging import blurred, sampled
from core.performer.portrait.mesh import LEFT_EYE, LOWER_LIP, OUTER_LIPS, RIGHT_EYE, UPPER_LIP

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.media import Pixels
    from core.performer.portrait.imaging import Floats

LEAST_SEAM = 3.0
"""How much darker (Lab's L) lips must be where they meet than beside it; photographs and paintings have 5 and more."""
LEAST_LIPS = 4.5
"""Spread of L over the lips that shows a mouth even without a dark line; pictures have 6 and more."""
LEAST_OTHER = 5.0
"""Distance in Lab of the lips from the skin around them that shows a mouth in a flat drawing."""
LEAST_EYE = 4.0
"""Spread of L over an eye; pictures have 6 and more."""
BESIDE = 0.05
"""Face heights above and below the line where the lips meet."""
AROUND = 1.15
"""By how much an eye's outline, or the lips', is widened."""
SKIN_AROUND = (1.35, 1.9)
"""By how much the lips' outline is widened, across and down, to have skin between."""


def mouth_shows(picture: Pixels, landmarks: Floats, face_height: float) -> bool:
    """Whether there is anything like lips where they were traced, [468, 3] px of `picture`."""
    lab = _lab(picture)
    bright = lab[..., 0]
    outline = landmarks[list(OUTER_LIPS), :2]
    lips = _filled(bright, outline)
    around = _filled(bright, _widened(outline, SKIN_AROUND)) & ~_filled(bright, _widened(outline, AROUND))
    other = float(np.linalg.norm(lab[lips].mean(0) - lab[around].mean(0)))
    seen = float(bright[lips].std()) >= LEAST_LIPS or other >= LEAST_OTHER
    return seen or _seam(bright, landmarks, face_height) >= LEAST_SEAM


def eyes_show(picture: Pixels, landmarks: Floats) -> bool:
    """Whether there is anything like an eye in one of the places where they were traced."""
    bright = _lab(picture)[..., 0]
    spreads: list[float] = []
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        outline = np.concatenate([landmarks[list(upper), :2], landmarks[list(lower), :2][::-1]])
        spreads.append(float(bright[_filled(bright, _widened(outline, AROUND))].std()))
    return max(spreads) >= LEAST_EYE


def _seam(bright: Floats, landmarks: Floats, face_height: float) -> float:
    """The median over the mouth's width of how much darker its middle is than what lies beside."""
    middle = (landmarks[list(UPPER_LIP), :2] + landmarks[list(LOWER_LIP), :2]) / 2
    columns = np.arange(middle[0, 0], max(middle[-1, 0], middle[0, 0] + 2), dtype=np.float32)
    rows = np.interp(columns, middle[:, 0], middle[:, 1])
    away = np.linspace(-BESIDE, BESIDE, 41) * face_height
    at = np.stack(np.broadcast_arrays(columns[:, None], rows[:, None] + away), axis=-1)
    across = sampled(bright, at)
    beside = np.minimum(across[:, :10].max(1), across[:, -10:].max(1))
    return float(np.median(beside - across[:, 10:-10].min(1)))


def _lab(picture: Pixels) -> Floats:
    soft = blurred(picture, 1.0).astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(soft, cv2.COLOR_RGB2LAB), np.float32)


def _widened(outline: Floats, by: float | tuple[float, float]) -> Floats:
    middle = outline.mean(0)
    return middle + np.array(by) * (outline - middle)


def _filled(bright: Floats, outline: Floats) -> npt.NDArray[np.bool_]:
    mask = np.zeros(bright.shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    return mask > 0
