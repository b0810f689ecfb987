"""Where the lips really part: the traced inner edges laid on what the picture shows.

The network knows the lips' edges to about 2 px; half of that shows as a doubled lip when the mouth opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.performer.portrait.imaging import blurred, grey, sampled
from core.performer.portrait.mesh import LIP_RINGS, LOWER_LIP, OUTER_LIPS, UPPER_LIP

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.media import Pixels
    from core.performer.portrait.imaging import Floats


WIDE_OPEN = 0.045
"""Lips traced farther apart than this, in face heights, are parted whatever their colours say."""
TEETH_SHARE = 0.15
"""Share of what lies between the lips that must look like teeth for the mouth to count as open."""
LEAST_RED = 8.0
"""Redness of lips (Lab's a) below which colour tells nothing, as in a grey picture."""
CORNER = 0.55
"""Share of the way from the traced inner corner to the outer one at which the lips are taken to part."""
REACH = 0.022
"""How far from the trace, in face heights, an edge is looked for."""
RING_SHARES = (0.5, 0.85)
"""How far the two rings between the lips' outline and their inner edge come along with that edge, the outer one first;
if they stayed the lips' flesh would fold over its own edge."""


def with_seam(picture: Pixels, landmarks: Floats, face_height: float, *, closed: bool = False) -> Floats:
    """`landmarks` [468, 3] with the inner lips moved: onto each other and the dark seam of a closed mouth, or onto the
    two edges of an open one. `closed` tells that the lips meet, whatever their colours say."""
    moved = landmarks.copy()
    bright = blurred(grey(picture), 1.0)
    reach = max(3.0, REACH * face_height)
    _widen(moved)
    upper, lower = moved[list(UPPER_LIP)], moved[list(LOWER_LIP)]
    columns = np.arange(int(np.floor(upper[0, 0])), int(np.ceil(upper[-1, 0])) + 1)
    if len(columns) < 8:
        return landmarks
    middle = (upper + lower) / 2
    seam = _cheapest_path(bright, columns, np.interp(columns, middle[:, 0], middle[:, 1]), reach)
    moved[[UPPER_LIP[0], UPPER_LIP[-1]], 1] = seam[[0, -1]]
    inside, teeth = _inside(picture, landmarks)
    gap = float((lower[3:8, 1] - upper[3:8, 1]).mean()) / face_height
    if closed or (gap <= WIDE_OPEN and teeth <= TEETH_SHARE):
        for edge in (UPPER_LIP, LOWER_LIP):
            _lay(moved, edge, middle, columns, seam)
        _carry_rings(moved, landmarks)
        return moved
    slope = np.gradient(blurred(inside, 0.8), axis=0)
    for edge, points, sign in ((UPPER_LIP, upper, -1.0), (LOWER_LIP, lower, 1.0)):
        guess = np.interp(columns, points[:, 0], points[:, 1])
        _lay(moved, edge, points, columns, _cheapest_path(sign * slope, columns, guess, 0.7 * reach))
    _keep_apart(moved)
    _carry_rings(moved, landmarks)
    return moved


def lips_part(landmarks: Floats) -> bool:
    """Whether the mouth of seamed `landmarks` is open."""
    return bool(np.any(landmarks[list(LOWER_LIP), 1] - landmarks[list(UPPER_LIP), 1] > 0.5))


def _widen(moved: Floats) -> None:
    """Carry the inner edges out towards the outer corners: the network leaves the last of the seam out."""
    inner = sorted({*UPPER_LIP, *LOWER_LIP})
    left, right = moved[UPPER_LIP[0]].copy(), moved[UPPER_LIP[-1]].copy()
    outer_left, outer_right = moved[OUTER_LIPS[0]], moved[OUTER_LIPS[10]]
    along = ((moved[inner, 0] - left[0]) / (right[0] - left[0]))[:, None]
    moved[inner] += CORNER * ((1 - along) * (outer_left - left) + along * (outer_right - right))


def paleness(picture: Pixels, landmarks: Floats) -> Floats:
    """How much each pixel looks like teeth beside this mouth's lips, [h, w] in 0..1."""
    return _against_lips(picture, landmarks)[0]


def _inside(picture: Pixels, landmarks: Floats) -> tuple[Floats, float]:
    """How little each pixel looks like this mouth's lips (0..1), and the share of teeth between the traced edges."""
    pale, dark = _against_lips(picture, landmarks)
    opening = _opening(picture, landmarks) > 0
    return np.maximum(pale, dark), float(pale[opening].mean()) if opening.any() else 0.0


def _against_lips(picture: Pixels, landmarks: Floats) -> tuple[Floats, Floats]:
    """How far each pixel is paler, and how far darker, than the lips."""
    lips = _filled(picture.shape[:2], landmarks[list(OUTER_LIPS), :2])
    ring = (lips > 0) & (_opening(picture, landmarks) == 0)
    soft = blurred(picture, 0.7).astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(soft, cv2.COLOR_RGB2LAB), np.float32)
    bright, red = lab[..., 0], lab[..., 1]
    lip_red, lip_bright = float(np.median(red[ring])), float(np.median(bright[ring]))
    dark = np.clip((0.72 * lip_bright - bright) / (0.2 * lip_bright), 0, 1).astype(np.float32)
    if lip_red < LEAST_RED:
        return np.zeros_like(dark), dark
    pale = np.clip((0.78 - red / lip_red) / 0.2, 0, 1) * np.clip((bright - lip_bright + 10) / 6, 0, 1)
    return pale.astype(np.float32), dark


def _opening(picture: Pixels, landmarks: Floats) -> npt.NDArray[np.uint8]:
    between = np.concatenate([landmarks[list(UPPER_LIP), :2], landmarks[list(LOWER_LIP), :2][::-1]])
    return _filled(picture.shape[:2], between)


def _filled(shape: tuple[int, ...], outline: Floats) -> npt.NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    return mask


def _cheapest_path(cost_map: Floats, columns: npt.NDArray[np.int64], guess: Floats, reach: float) -> Floats:
    """The y of the connected line near `guess` on which `cost_map` is least, to a fraction of a px, one a column."""
    offsets = np.arange(-reach, reach + 0.1, 0.5, dtype=np.float32)
    rows = (guess[:, None] + offsets[None]).astype(np.float32)
    across = np.repeat(columns[:, None], len(offsets), 1).astype(np.float32)
    cost = sampled(cost_map, np.dstack([across, rows]))
    spread = float(cost.std()) + 1e-6
    cost = (cost - cost.mean(1, keepdims=True)) / spread + 0.3 * (offsets / reach)[None] ** 2
    total, back = cost.copy(), np.zeros(cost.shape, int)
    for i in range(1, len(columns)):
        ways = np.stack([np.roll(total[i - 1], k) + 0.15 * abs(k) for k in (-1, 0, 1)])
        ways[0, -1] = ways[2, 0] = np.inf
        step = ways.argmin(0)
        total[i] += ways.min(0)
        back[i] = np.arange(len(offsets)) - (step - 1)
    path = [int(total[-1].argmin())]
    for i in range(len(columns) - 1, 0, -1):
        path.append(int(back[i, path[-1]]))
    line = guess + offsets[np.array(path[::-1])]
    return np.convolve(np.pad(line, 3, mode="edge"), np.ones(7) / 7, "valid").astype(np.float32)


def _lay(moved: Floats, edge: tuple[int, ...], points: Floats, columns: npt.NDArray[np.int64], line: Floats) -> None:
    """Put the inner points of `edge` (not the corners) at `points`, on `line`."""
    inner = list(edge[1:-1])
    moved[inner] = points[1:-1]
    moved[inner, 1] = np.interp(points[1:-1, 0], columns, line)


def _carry_rings(moved: Floats, traced: Floats) -> None:
    """Take the flesh of both lips along with their inner edges, which were moved from where they were traced."""
    for edge, rings in zip((UPPER_LIP, LOWER_LIP), LIP_RINGS, strict=True):
        change = moved[list(edge)] - traced[list(edge)]
        for ring, share in zip(rings, RING_SHARES, strict=True):
            moved[list(ring)] = traced[list(ring)] + share * change


def _keep_apart(moved: Floats) -> None:
    upper, lower = list(UPPER_LIP), list(LOWER_LIP)
    crossed = moved[upper, 1] > moved[lower, 1]
    middle = (moved[upper, 1] + moved[lower, 1]) / 2
    moved[upper, 1] = np.where(crossed, middle, moved[upper, 1])
    moved[lower, 1] = np.where(crossed, middle, moved[lower, 1])
