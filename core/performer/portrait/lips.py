"""Lips: two layers cut along the seam, drawn over the inside of the mouth.

Upper and lower lip part and meet, so no single smooth map holds both. Each layer goes on beyond its edge as the edge
goes; where neither layer reaches, the inside of the mouth is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from core.performer.portrait.field import LOWER_LAYER, UPPER_LAYER, field_at, grid, turned_around
from core.performer.portrait.imaging import blurred, resized, sampled
from core.performer.portrait.mesh import JAW, LEFT_EYE, LOWER_LIP, OUTER_LIPS, RIGHT_EYE, UPPER_LIP
from core.performer.portrait.mouth import ENAMEL, UPPER_EDGE, draw_inside, light_of, place
from core.performer.portrait.seam import lips_part
from core.performer.portrait.teeth import OwnTeeth

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.portrait.field import Depth, Field
    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.imaging import Floats


STRIDE = 2
MARGIN = 14
"""px around the moved lips that are drawn anew; the outer `FEATHER` of them fade into the frame."""
FEATHER = 6
STILL = 0.05
"""px of flesh motion around the mouth below which the lips are left as they are."""
SLIT = 0.004
"""Share of a pixel between the lips that nobody sees."""
DEPTH = 0.035
"""Face heights from the lips back to the teeth."""
NARROW, NARROWEST = 0.97, 0.80
"""Width of the mouth against its rest at which rounded lips begin to shade what is behind them, and shade it most."""
SHADE = 0.5
"""Share of their light that the teeth lose behind lips as round as that."""
HANG = 0.85
"""Share of the upper lip's way down that the upper teeth go along."""
FULL_COLOUR = 14.0
"""Chroma of the lips and cheeks (Lab) from which a portrait counts as coloured like life."""


class Lips:
    """The mouth of one portrait. Renderer thread only."""

    def __init__(self, identity: PortraitIdentity, depth: Depth) -> None:
        self._identity = identity
        points, pose = identity.landmarks, identity.pose
        self._side = identity.picture.shape[0]
        reach = 0.30 * pose.scale
        low = np.maximum(points[list(OUTER_LIPS), :2].min(0) - 0.6 * reach, 0)
        high = np.minimum(points[list(OUTER_LIPS), :2].max(0) + np.array([0.6, 1.0]) * reach, self._side - 1)
        self._origin = (float(np.floor(low[0])), float(np.floor(low[1])))
        self._nodes = (int((high[0] - low[0]) / STRIDE) + 2, int((high[1] - low[1]) / STRIDE) + 2)
        at = grid(*self._origin, *self._nodes, STRIDE)
        self._upper_edge, self._lower_edge = points[list(UPPER_LIP), :2], points[list(LOWER_LIP), :2]
        self._open = lips_part(points)
        self._own = OwnTeeth(identity) if self._open else None
        self._fields = [field_at(at.reshape(-1, 2), points, pose, depth, side) for side in (UPPER_LAYER, LOWER_LAYER)]
        middle = (self._upper_edge[5] + self._lower_edge[5]) / 2
        self._bite = 0.0
        if self._open:  # the upper teeth end where the lower lip hides them, and the lower ones begin there
            self._bite = UPPER_EDGE * pose.scale
            middle = self._lower_edge[5] - np.array([0, self._bite], np.float32)
        teeth_depth = points[list(UPPER_LIP), 2].mean() + DEPTH * pose.scale
        self._teeth_arm = np.append(middle, teeth_depth).astype(np.float32) - pose.origin
        self._inside = draw_inside(_light(identity, self._own), pose.scale, _colour(identity))
        self._around = np.array(sorted({*OUTER_LIPS, *UPPER_LIP, *LOWER_LIP, *JAW}))

    def paint(self, frame: Pixels, still: Pixels, flesh: Floats, turn: Floats, shift: Floats) -> None:
        """Draw the mouth into `frame`, in place. Arguments as in `Field.move`; `still` is the
        resting picture, doubled."""
        if np.abs(flesh[self._around]).max() < STILL:
            return
        left, top, right, bottom = self._bounds(flesh, turn, shift)
        if min(right - left, bottom - top) < MARGIN:
            return
        corner, size = np.array([left, top], np.float32), (right - left, bottom - top)
        sources = [self._source(field, corner, size, flesh, turn, shift) for field in self._fields]
        upper, lower = (sampled(still, 2 * source).astype(np.float32) for source in sources)
        cover_upper = self._cover(sources[0], self._upper_edge, 1.0)
        cover_lower = self._cover(sources[1], self._lower_edge, -1.0)
        gap = blurred((1 - cover_upper) * (1 - cover_lower), 0.8)
        seen = lower + (upper - lower) * cover_upper[..., None]
        self._fill(seen, corner, flesh, turn, shift, gap)
        part = frame[top:bottom, left:right]
        fade = _feather(*part.shape[:2])
        part[:] = np.clip(part + (seen - part) * fade + 0.5, 0, 255).astype(np.uint8)

    def _bounds(self, flesh: Floats, turn: Floats, shift: Floats) -> tuple[int, int, int, int]:
        lips = list(OUTER_LIPS)
        points = self._identity.landmarks[lips]
        moved = points[:, :2] + flesh[lips] + (points - self._identity.pose.origin) @ turn.T + shift
        low = np.floor(np.maximum(moved.min(0) - MARGIN, 0)).astype(int)
        high = np.ceil(np.minimum(moved.max(0) + MARGIN, self._side)).astype(int)
        size = (high - low) // 2 * 2  # even, because the field is turned around at every second px
        return int(low[0]), int(low[1]), int(low[0] + size[0]), int(low[1] + size[1])

    def _source(
        self, field: Field, corner: Floats, size: tuple[int, int], flesh: Floats, turn: Floats, shift: Floats
    ) -> Floats:
        """Where the pixels of a part come from, found for every second one and filled in between."""
        moved = field.move(flesh, turn, shift).reshape(self._nodes[1], self._nodes[0], 2)
        first = (corner + 0.5 - self._origin) / STRIDE
        source = turned_around(moved, grid(first[0], first[1], size[0] // 2, size[1] // 2, 1), STRIDE)
        return resized(source * STRIDE + np.array(self._origin, np.float32), size)

    def _cover(self, source: Floats, edge: Floats, sign: float) -> Floats:
        """How much of each pixel the layer covers, from where it comes: `sign` 1 for what lies above `edge`."""
        line = np.interp(source[..., 0], edge[:, 0], edge[:, 1])
        within = (source[..., 0] > edge[0, 0]) & (source[..., 0] < edge[-1, 0])
        reach = 0.5 if self._open else 1.5  # under the upper layer, so that lips that touch leave no gap
        overlap = 0.5 if sign > 0 else np.where(within, reach, 1.5)
        return np.clip((line - source[..., 1]) * sign + overlap, 0, 1).astype(np.float32)

    def _fill(self, seen: Floats, corner: Floats, flesh: Floats, turn: Floats, shift: Floats, gap: Floats) -> None:
        """Draw what is behind the lips into `seen`, in place, as far as their `gap` (0..1) shows it."""
        x, y, width, height = cv2.boundingRect((gap > SLIT).astype(np.uint8))
        if width == 0:
            return
        part = np.s_[y : y + height, x : x + width]
        behind = self._behind(corner + np.array([x, y], np.float32), flesh, turn, shift, gap[part])
        seen[part] += (behind - seen[part]) * gap[part][..., None]

    def _behind(self, corner: Floats, flesh: Floats, turn: Floats, shift: Floats, gap: Floats) -> Floats:
        """What is seen between the lips: cavity, lower jaw, upper jaw, shaded by the lips."""
        pose = self._identity.pose
        size = (gap.shape[1], gap.shape[0])
        frame = (np.eye(2, 3, dtype=np.float32) + turn) @ pose.rotation[:, :2] * pose.scale
        hung = self._hung(flesh)
        skull = (self._teeth_arm + pose.origin)[:2] + turn @ self._teeth_arm + shift - corner + hung
        jaw = skull - hung + flesh[list(JAW)].mean(0) + np.array([0, self._bite], np.float32)
        seen = np.broadcast_to(self._inside.cavity, (*gap.shape, 3)).astype(np.float32)
        for layer, where in ((self._inside.lower, jaw), (self._inside.upper, skull)):
            placed = place(layer, np.column_stack([frame, where]), size).astype(np.float32)
            seen = seen * (1 - placed[..., 3:] * (1 / 255)) + placed[..., :3]
        soft = blurred(gap, 0.012 * pose.scale)
        seen = seen * (self._lit(flesh) * (0.35 + 0.65 * np.clip(1.5 * soft, 0, 1)))[..., None]
        if self._own is not None:
            parted = float(np.abs(flesh[list(UPPER_LIP)] - flesh[list(LOWER_LIP)]).max())
            own, cover = self._own.moved(self._skull_moved(turn, shift + hung, corner), size, parted)
            seen += (own - seen) * cover[..., None]
        return seen

    def _hung(self, flesh: Floats) -> Floats:
        """How far the upper teeth go down, [2] px: with a lip that sinks as the jaw drops, or they would vanish."""
        return np.array([0, HANG * max(0.0, float(flesh[list(UPPER_LIP[3:8]), 1].mean()))], np.float32)

    def _lit(self, flesh: Floats) -> float:
        """How much of its light what is behind the lips keeps: rounded lips reach forward and stand in it."""
        corners = [OUTER_LIPS[0], OUTER_LIPS[10]]
        rest = self._identity.landmarks[corners, :2]
        width, now = (
            np.hypot(*(rest[1] - rest[0])),
            np.hypot(*(rest[1] + flesh[corners[1]] - rest[0] - flesh[corners[0]])),
        )
        return 1 - SHADE * float(np.clip((NARROW - now / width) / (NARROW - NARROWEST), 0, 1))

    def _skull_moved(self, turn: Floats, shift: Floats, corner: Floats) -> Floats:
        """The affine map [2, 3] from the resting picture to the part drawn, for what lies at the teeth's depth."""
        depth = np.array([0, 0, self._teeth_arm[2]], np.float32)
        offset = turn @ depth - turn[:, :2] @ self._identity.pose.origin[:2] + shift - corner
        return np.column_stack([np.eye(2, dtype=np.float32) + turn[:, :2], offset]).astype(np.float32)


def _feather(height: int, width: int) -> Floats:
    x = np.minimum(np.arange(width), np.arange(width)[::-1]) / FEATHER
    y = np.minimum(np.arange(height), np.arange(height)[::-1]) / FEATHER
    return np.clip(np.minimum(x[None], y[:, None]), 0, 1)[..., None].astype(np.float32)


def _colour(identity: PortraitIdentity) -> float:
    """How much colour a portrait has, 0 (grey) to 1, from the lips and the cheeks."""
    places = identity.landmarks[[0, 17, 50, 280, 205, 425], :2].astype(int)
    patches = np.concatenate([identity.picture[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3) for x, y in places])
    lab = np.asarray(cv2.cvtColor(patches[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB))[0]
    return float(np.clip(np.hypot(lab[:, 1], lab[:, 2]).mean() / FULL_COLOUR, 0, 1))


def _light(identity: PortraitIdentity, own: OwnTeeth | None) -> Floats:
    """The light on the teeth: as their own show it, else from the whites of the eyes and the cheeks."""
    if own is not None and own.light is not None:
        return np.clip(own.light / ENAMEL, 0.3, 1.05).astype(np.float32)
    picture, points = identity.picture, identity.landmarks
    mask = np.zeros(picture.shape[:2], np.uint8)
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        outline = np.concatenate([points[list(upper), :2], points[list(lower), :2][::-1]])
        cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    eye = picture[mask > 0].astype(np.float32)
    white = None
    if len(eye) > 40:
        level = eye.mean(1)
        white = eye[(level >= np.quantile(level, 0.7)) & (level <= np.quantile(level, 0.95))].mean(0)
    cheeks = points[[50, 280, 205, 425], :2].astype(int)
    skin = np.concatenate([picture[y - 4 : y + 4, x - 4 : x + 4].reshape(-1, 3) for x, y in cheeks])
    return light_of(white, np.median(skin.astype(np.float32), axis=0))
