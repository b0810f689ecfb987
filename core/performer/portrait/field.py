"""Displacement fields: how every pixel of the portrait follows the face's mesh and the head.

A point of the resting picture moves by the mesh's own deformation (inside the face by its triangle, outside by the
nearest point of the outline, fading) and by the head's rigid motion, at the depth of that point, fading from the hair
to the picture's edge and from the chin to the shoulders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import sparse

from core.performer.portrait.imaging import blurred, longest, sampled
from core.performer.portrait.mesh import LIP_RINGS, LOWER_LIP, OUTER_LIPS, OVAL, UPPER_LIP, canonical_mesh

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.performer.portrait.imaging import Floats
    from core.performer.portrait.mesh import Pose

    Indices = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]
    Corners = tuple[Indices, Floats]
    """Three landmarks for each point and how much each of them counts: [n, 3] and [n, 3]."""

STEPS = 8
"""Most rounds of the search that turns a field around; the widest turns need them."""
ENOUGH = 0.1
"""px of a round's longest step after which the search is over: what is left then is a third of it."""
SQUEEZE = -0.3
"""Least stretch that is counted; more would let the steps leap where the field folds."""
FLESH_REACH = 0.32
"""Face heights beyond the outline over which the flesh's deformation fades."""
HAIR_UP, HAIR_SIDE, NECK = 0.42, 0.26, 0.0
"""Face heights beyond the outline that move fully with the head: above, beside and below it."""
FADE_UP, FADE_SIDE, FADE_DOWN = 0.55, 0.6, 0.55
DEPTH_STRIDE = 4
SOFTNESS = 0.035
"""Face heights over which depth is averaged."""
EDGE = 0.13
"""Share of the picture's side over which motion fades to nothing at the border."""


@dataclass(frozen=True, eq=False)
class Field:
    """A linear map from a frame's motion to the displacement of n points."""

    flesh: sparse.csr_array
    """[n, 468] weights of the mesh's points."""
    head: Floats
    """[n, 3 + 1] the point, from the head's centre, in px, times how far it follows the head; and how far it does:
    1 where the head is, 0 at the border and on the shoulders."""

    def move(self, deformation: Floats, turn: Floats, shift: Floats) -> Floats:
        """Displacements [n, 2] px.

        Args:
            deformation: [468, 2] px, already turned with the head.
            turn: [2, 3] rows of the relative rotation times scale, less those of the identity.
            shift: [2] px. It fades as the turn does.
        """
        moved = self.head @ np.column_stack([turn, shift]).T
        moved += self.flesh @ deformation
        return moved

    def reach(self) -> Floats:
        """About how far each point may go at the widest motion, [n] px."""
        return 20 * self.flesh.sum(1) + np.abs(self.head) @ np.array([0.25, 0.25, 0.25, 20], np.float32)

    def part(self, chosen: Bools) -> Field:
        """The field at some of its points; `chosen` [n]."""
        return Field(self.flesh[np.flatnonzero(chosen)], self.head[chosen])


@dataclass(frozen=True, eq=False)
class Depth:
    """How far from the camera every point of a picture of `side` px is, on a grid of `DEPTH_STRIDE` px.

    It is smooth: where it changed abruptly (the cheek's outline, the nose) a turning head would fold.
    """

    values: Floats
    side: int

    def at(self, points: Floats) -> Floats:
        """Depth [n] in px at `points` [n, 2]."""
        return sampled(self.values, points[None] / DEPTH_STRIDE)[0]


def depth_of(landmarks: Floats, pose: Pose, side: int) -> Depth:
    """The depth of a traced face, and of the hair and neck around it."""
    nodes = side // DEPTH_STRIDE + 1
    points = grid(0, 0, nodes, nodes, DEPTH_STRIDE).reshape(-1, 2)
    inside, _, inner = _inside(points, landmarks)
    _, outer, _, _ = _outside(points, landmarks, pose)
    values = np.where(inside, inner, outer).reshape(nodes, nodes).astype(np.float32)
    return Depth(blurred(values, SOFTNESS * pose.scale / DEPTH_STRIDE), side)


@dataclass(frozen=True)
class LipLayer:
    """One side of the cut between the lips: its flesh is its own up to its `edge`, and beyond goes on as the edge does.

    Where the traced lips overlap, as in a turned head, the flesh of the `other` lip has no say.
    """

    edge: tuple[int, ...]
    above: bool
    other: frozenset[int]

    def held(self, points: Floats, landmarks: Floats) -> Floats:
        """Where each point [n, 2] takes its flesh from; past the corners the cut heals."""
        edge = landmarks[list(self.edge), :2]
        x, y = points[:, 0], points[:, 1]
        line = np.interp(x, edge[:, 0], edge[:, 1])
        past = 3 * np.maximum(np.maximum(edge[0, 0] - x, x - edge[-1, 0]), 0)
        held = np.minimum(y, line + past) if self.above else np.maximum(y, line - past)
        return np.stack([x, held], axis=-1).astype(np.float32)

    def between(self, points: Floats, landmarks: Floats) -> Bools:
        """Which points [n, 2] lie neither left nor right of the cut."""
        left, right = landmarks[self.edge[0], 0], landmarks[self.edge[-1], 0]
        return (points[:, 0] > left) & (points[:, 0] < right)

    def on_edge(self, points: Floats, landmarks: Floats) -> tuple[Bools, Corners]:
        """Which points lie beyond the edge, and for all the two landmarks beside them on it, and their weights; in
        the shape of three corners of a triangle."""
        corners = np.array(self.edge)
        edge = landmarks[corners, :2]
        x, y = points[:, 0], points[:, 1]
        line = np.interp(x, edge[:, 0], edge[:, 1])
        beyond = ((y > line) if self.above else (y < line)) & self.between(points, landmarks)
        first = np.clip(np.searchsorted(edge[:, 0], x) - 1, 0, len(corners) - 2)
        width = np.maximum(edge[first + 1, 0] - edge[first, 0], 1e-3)
        along = np.clip((x - edge[first, 0]) / width, 0, 1).astype(np.float32)
        columns = np.stack([corners[first], corners[first + 1], corners[first]], axis=1)
        return beyond, (columns, np.stack([1 - along, along, np.zeros_like(along)], axis=1))


UPPER_LAYER = LipLayer(
    UPPER_LIP, True, frozenset({*LOWER_LIP[1:-1], *OUTER_LIPS[11:]}.union(*(ring[1:-1] for ring in LIP_RINGS[1])))
)
LOWER_LAYER = LipLayer(
    LOWER_LIP, False, frozenset({*UPPER_LIP[1:-1], *OUTER_LIPS[1:10]}.union(*(ring[1:-1] for ring in LIP_RINGS[0])))
)


def field_at(points: Floats, landmarks: Floats, pose: Pose, depth: Depth, layer: LipLayer | None = None) -> Field:
    """The field at `points` [n, 2] px of the picture that `depth` belongs to, as a whole or as one `layer` of it."""
    asked = points if layer is None else layer.held(points, landmarks)
    side = depth.side
    inside, inner, _ = _inside(asked, landmarks)
    if layer is not None:
        own, own_inner, _ = _inside(asked, landmarks, layer.other)
        beyond, edge = layer.on_edge(points, landmarks)
        inside = inside | beyond
        inner = _chosen(beyond, edge, _chosen(own & layer.between(points, landmarks), own_inner, inner))
    outside, _, gap, direction = _outside(points, landmarks, pose)
    fade = 1 - _smooth(gap / (FLESH_REACH * pose.scale))
    rows = [np.where(inside, inner[1][:, k], outside[1][:, k] * fade) for k in range(2)]
    rows.append(np.where(inside, inner[1][:, 2], 0))
    columns = [np.where(inside, inner[0][:, k], outside[0][:, min(k, 1)]) for k in range(3)]
    count = len(points)
    flesh = sparse.csr_array(
        (np.concatenate(rows).astype(np.float32), (np.tile(np.arange(count), 3), np.concatenate(columns))),
        shape=(count, len(landmarks)),
    )
    follow = _follow(points, gap, direction, landmarks, pose, side)
    edge = _smooth(np.minimum(points, side - 1 - points).min(1) / (0.5 * EDGE * side))
    arm = np.column_stack([points, depth.at(points)]) - pose.origin
    flesh = sparse.csr_array(flesh.multiply(edge[:, None]), dtype=np.float32)
    flesh.eliminate_zeros()
    return Field(flesh, (np.column_stack([arm, np.ones(count)]) * follow[:, None]).astype(np.float32))


def _chosen(which: Bools, these: Corners, others: Corners) -> Corners:
    """Corners and weights of some points from one place, those of all others from another."""
    columns, weights = (np.where(which[:, None], a, b) for a, b in zip(these, others, strict=True))
    return columns, weights


def turned_around(moved: Floats, wanted: Floats, stride: float) -> Floats:
    """Where the points `wanted` [h, w, 2] come from, under the displacement `moved` [gh, gw, 2] px of a grid that has
    a point every `stride` px. Both are counted in steps of that grid."""
    known = moved * np.float32(1 / stride)
    pace = _pace(known)
    source = wanted
    for _ in range(STEPS):
        step = wanted - source
        step -= sampled(known, source)
        step *= sampled(pace, source)
        source = source + step
        if longest(step) * stride < ENOUGH:
            break
    return source


def _pace(known: Floats) -> Floats:
    """The step that suits each point: whole where the field is even, longer where it shrinks, smaller where it
    stretches, as at the corners of an opening mouth, where whole steps would leap to and fro."""
    stretch = np.zeros_like(known)
    stretch[:, 1:-1, 0] = known[:, 2:, 0] - known[:, :-2, 0]
    stretch[1:-1, :, 1] = known[2:, :, 1] - known[:-2, :, 1]
    return np.asarray(cv2.erode(1 / (1 + np.maximum(0.5 * stretch, SQUEEZE)), np.ones((3, 3), np.uint8)), np.float32)


def grid(left: float, top: float, width: int, height: int, stride: float) -> Floats:
    """Points [height, width, 2], every `stride` px from (left, top)."""
    x = left + stride * np.arange(width, dtype=np.float32)
    y = top + stride * np.arange(height, dtype=np.float32)
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


def _smooth(x: Floats) -> Floats:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _inside(points: Floats, landmarks: Floats, without: frozenset[int] = frozenset()) -> tuple[Bools, Corners, Floats]:
    """Which points lie in the mesh, their triangles' corners and weights [n, 3], and their depth; triangles that have
    a corner in `without` are left out."""
    triangles = _with_mouth_closed()
    triangles = triangles[~np.isin(triangles, list(without)).any(axis=1)]
    corners = landmarks[triangles]
    flat = corners[:, :, :2]
    first, second = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    order = np.argsort(-corners[:, :, 2].mean(1))  # nearest last, so that it wins where triangles overlap
    by_row = np.argsort(points[:, 1])
    rows = points[by_row, 1]
    lows, highs = flat.min(1) - 0.01, flat.max(1) + 0.01
    bands = np.stack([np.searchsorted(rows, lows[:, 1]), np.searchsorted(rows, highs[:, 1], "right")], 1)
    found = np.full(len(points), -1)
    weights = np.zeros((len(points), 3), np.float32)
    for t in order:
        if abs(area[t]) < 0.05:
            continue
        near = by_row[bands[t, 0] : bands[t, 1]]
        near = near[(points[near, 0] >= lows[t, 0]) & (points[near, 0] <= highs[t, 0])]
        away = points[near] - flat[t, 0]
        b = (away[:, 0] * second[t, 1] - away[:, 1] * second[t, 0]) / area[t]
        c = (first[t, 0] * away[:, 1] - first[t, 1] * away[:, 0]) / area[t]
        held = (b >= -1e-3) & (c >= -1e-3) & (b + c <= 1.001)
        found[near[held]] = t
        weights[near[held]] = np.stack([1 - b - c, b, c], 1)[held]
    inside = found >= 0
    columns = triangles[np.where(inside, found, 0)]
    return inside, (columns, weights), (landmarks[:, 2][columns] * weights).sum(1)


def _with_mouth_closed() -> npt.NDArray[np.int64]:
    """The mesh's triangles and those that close the hole between the lips."""
    fan: list[tuple[int, int, int]] = []
    for k in range(len(UPPER_LIP) - 1):
        fan.append((UPPER_LIP[k], UPPER_LIP[k + 1], LOWER_LIP[k]))
        fan.append((UPPER_LIP[k + 1], LOWER_LIP[k + 1], LOWER_LIP[k]))
    return np.concatenate([np.array(fan), canonical_mesh().triangles])


def _outside(points: Floats, landmarks: Floats, pose: Pose) -> tuple[tuple[Indices, Floats], Floats, Floats, Floats]:
    """The nearest point of the face's outline: its two landmarks and weights [n, 2]; then depth, distance in px and
    the direction's downward part."""
    oval = np.array(OVAL)
    start, end = landmarks[oval], landmarks[np.roll(oval, -1)]
    edge = (end - start)[:, :2]
    away = points[:, None] - start[None, :, :2]
    along = np.clip((away * edge).sum(-1) / (edge**2).sum(-1), 0, 1)
    miss = away - along[..., None] * edge
    distance = np.hypot(miss[..., 0], miss[..., 1])
    nearest = distance.argmin(1)
    pick = np.arange(len(points))
    t, gap, miss = along[pick, nearest], distance[pick, nearest], miss[pick, nearest]
    columns = np.stack([oval[nearest], np.roll(oval, -1)[nearest]], 1)
    depth_edge = start[nearest, 2] * (1 - t) + end[nearest, 2] * t
    depth_hair = pose.origin[2] + 0.12 * pose.scale
    depth = depth_edge + (depth_hair - depth_edge) * _smooth(gap / (0.3 * pose.scale))
    down = miss[:, 1] / np.maximum(gap, 1e-3)
    return (columns, np.stack([1 - t, t], 1)), depth, gap, down


def _follow(points: Floats, gap: Floats, down: Floats, landmarks: Floats, pose: Pose, side: int) -> Floats:
    """How far each point moves with the head."""
    outline = landmarks[np.array(OVAL), :2].astype(np.float32)
    inside = _contains(outline, points)
    upward, downward = np.clip(-down, 0, 1), np.clip(down, 0, 1)
    beside = 1 - upward - downward
    solid = pose.scale * (HAIR_UP * upward + HAIR_SIDE * beside + NECK * downward)
    fade = pose.scale * (FADE_UP * upward + FADE_SIDE * beside + FADE_DOWN * downward)
    near = np.where(inside, 1, 1 - _smooth((gap - solid) / fade))
    chin = landmarks[OVAL[18], 1]
    shoulders = 1 - _smooth((points[:, 1] - chin) / (FADE_DOWN * pose.scale))
    border = _smooth(np.minimum(points, side - 1 - points).min(1) / (EDGE * side))
    return np.minimum(near, shoulders) * border


def _contains(outline: Floats, points: Floats) -> Bools:
    x, y = points[:, 0], points[:, 1]
    held = np.zeros(len(points), bool)
    for (ax, ay), (bx, by) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crosses = (ay > y) != (by > y)
        held ^= crosses & (x < (bx - ax) * (y - ay) / (by - ay + 1e-9) + ax)
    return held
