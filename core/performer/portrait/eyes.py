"""Eyes: lids that cover the eyeball as rigid layers, and irises that turn beneath them.

The work is done in the resting picture, before the head moves it: an eye's surroundings are small, and at rest nothing
is touched at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.performer.portrait.imaging import blurred, doubled, grey, paired, sampled
from core.performer.portrait.mesh import LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.imaging import Floats


UPPER_SHARE = 0.84
"""How much of the way the upper lid goes when the eye shuts; the lower lid comes to meet it."""
FOLD = 0.42
"""Eye widths above the lid's edge over which the lid's skin unrolls."""
POUCH = 0.3
"""Eye widths below the lower edge over which its skin stretches."""
LASHES = 0.03
"""Eye widths inside the traced edge that belong to the lid: the roots of the lashes travel with it."""
BROW = 0.04
"""Eye widths below the traced brow at which the lid's skin begins to unroll."""
LEAST_FOLD = 0.17
RIM_DARK = 0.5
"""Brightness against the lid's below which something lies over the lid: the rim of glasses, a fringe."""
RIM_FROM = 0.09
"""Eye widths above the edge from where on that is looked for; below are the lashes."""
RIM_SHARE = 0.6
"""Share of the columns over the eye that must see it."""
LEAST_UNDER_RIM = 0.11
"""Eye widths of lid that unroll even when something hangs lower."""
RIGID_EDGE = 0.07
"""Eye widths of lid beside its edge that do not stretch, so that lashes keep their thickness."""
SHUTS = 0.8
"""Closing beyond which nothing may shine between the lids."""
SLIT = 0.05
"""Eye widths beside the line where they meet in which it would."""
IRIS = 0.22
"""Radius that turns rigidly, in eye widths."""
MAX_GAZE = 0.16
WIDEST = -0.12
STILL = 1e-3


class Eyes:
    """Both eyes of one portrait. Renderer thread only."""

    def __init__(self, identity: PortraitIdentity) -> None:
        self._rest = doubled(identity.picture)
        self._picture = self._rest.copy()
        self._eyes = [_Eye(identity, RIGHT_EYE, RIGHT_BROW), _Eye(identity, LEFT_EYE, LEFT_BROW)]

    def opened(self, lids: Floats, gaze: Floats) -> Pixels:
        """The resting picture, doubled, with its eyes as they are wanted: `lids` [2] and `gaze` [2] as in
        `FaceMotion`. It is valid until the next call."""
        for eye, closed in zip(self._eyes, lids, strict=True):
            rows, columns = eye.part
            part = np.s_[2 * rows.start : 2 * rows.stop - 1, 2 * columns.start : 2 * columns.stop - 1]
            moved = abs(closed) > STILL or np.abs(gaze).max() > STILL
            self._picture[part] = doubled(eye.painted(float(closed), gaze)) if moved else self._rest[part]
        return self._picture


class _Eye:
    def __init__(
        self, identity: PortraitIdentity, edges: tuple[tuple[int, ...], tuple[int, ...]], brow: tuple[int, ...]
    ) -> None:
        upper, lower = (identity.landmarks[list(edge), :2] for edge in edges)
        width = float(np.hypot(*(upper[-1] - upper[0])))
        self._width = width
        side = identity.picture.shape[0]
        left = max(0, int(upper[0, 0] - 0.3 * width))
        right = min(side, int(upper[-1, 0] + 0.3 * width) + 1)
        top = max(0, int(upper[:, 1].min() - (FOLD + 0.05) * width))
        bottom = min(side, int(lower[:, 1].max() + (POUCH + 0.05) * width) + 1)
        self.part = (slice(top, bottom), slice(left, right))
        self._rest = np.ascontiguousarray(identity.picture[self.part])
        self._x = np.arange(left, right, dtype=np.float32)[None]
        self._y = np.arange(top, bottom, dtype=np.float32)[:, None]
        self._corner = np.array([left, top], np.float32)
        self._upper = _edge(self._x[0], upper)[None]
        self._lower = _edge(self._x[0], lower)[None]
        under_brow = _edge(self._x[0], identity.landmarks[list(brow), :2])[None] + BROW * width
        fold = np.clip(self._upper - under_brow, LEAST_FOLD * width, FOLD * width)
        fold = np.minimum(fold, self._under_rim(fold))
        rigid = RIGID_EDGE * width
        self._over = _Lid(self._y, self._upper, -blurred(fold, 0.08 * width), rigid)
        self._under = _Lid(self._y, self._lower, np.full_like(fold, POUCH * width), rigid)
        across = np.clip((self._x - upper[0, 0]) / max(upper[-1, 0] - upper[0, 0], 1.0), 0, 1)
        self._bow = np.sqrt(np.maximum(0, 4 * across * (1 - across)))  # 0 at and beyond the corners
        self._lash = LASHES * width * self._bow
        self._inset_upper = np.minimum(self._upper + self._lash, (self._upper + self._lower) / 2)
        self._inset_lower = np.maximum(self._lower - 0.3 * self._lash, (self._upper + self._lower) / 2)
        self._open = self._lower - self._upper
        meeting = np.maximum(1.5 - self._bow, 0.5)  # beyond the corners nothing shows between the lids
        self._meeting = meeting - self._inset_lower
        self._columns = np.repeat(2 * (self._x - self._corner[0]), bottom - top, axis=0)
        self._doubled = doubled(self._rest)
        self._lash_colour, self._lid_light = self._lashes()
        self._iris = self._find_iris(upper, lower)
        self._ball = self._without_lids()

    def painted(self, closed: float, gaze: Floats) -> Pixels:
        """The eye and its surroundings, `part` of the picture."""
        closed = float(np.clip(closed, WIDEST, 1))
        travel = self._open * closed
        upper_down = travel * (UPPER_SHARE if closed > 0 else 1.0)
        lower_up = travel * (1 - UPPER_SHARE) if closed > 0 else 0 * travel
        over, under = self._over.rows(upper_down), self._under.rows(-lower_up)
        lid_over = np.clip(self._inset_upper + 0.5 - over, 0, 1)[..., None]
        lid_under = np.clip(under + self._meeting, 0, 1)[..., None]
        seen = self._turned(gaze).astype(np.float32)
        if closed > 0:
            shaded = np.clip((self._y - (9 + self._inset_upper + upper_down)) * (1 / 6), -1, 0)
            seen *= (1 + 0.25 * closed * shaded)[..., None]
        seen += (self._skin(under) - seen) * lid_under
        seen += (self._skin(over) - seen) * lid_over
        if closed > SHUTS:
            self._cover_slit(seen, self._upper + upper_down, (closed - SHUTS) / (1 - SHUTS))
        return np.clip(seen + 0.5, 0, 255).astype(np.uint8)

    def _under_rim(self, fold: Floats) -> Floats:
        """px of bare lid in every column, [1, w], where a rim or a fringe lies over it; elsewhere as much as `fold`."""
        width, bright = self._width, grey(self._rest)
        x = np.repeat(self._x - self._corner[0], 2, axis=0)

        def at(above: float) -> Floats:
            rows = np.repeat(self._upper - self._corner[1] - above * width, 2, axis=0)
            return sampled(bright, paired(x, rows.astype(np.float32)))[0]

        distances = np.arange(RIM_FROM, FOLD, 0.02)
        seen = np.array([at(float(distance)) for distance in distances])  # [distances, w]
        level = np.median(seen[:4], axis=0)
        dark = (seen < RIM_DARK * level) & (distances[:, None] * width < fold)
        over = (self._x[0] > self._x.mean() - 0.35 * width) & (self._x[0] < self._x.mean() + 0.35 * width)
        if dark[:, over].any(0).mean() < RIM_SHARE:
            return fold
        bare = np.where(dark.any(0), distances[dark.argmax(0)] - 0.02, FOLD) * width
        return np.maximum(blurred(bare[None].astype(np.float32), 0.05 * width), LEAST_UNDER_RIM * width)

    def _cover_slit(self, seen: Floats, meeting: Floats, share: float) -> None:
        """Lay lashes over what shines where the lids meet: the white that the traced edges left on them."""
        band = np.clip(1.5 - np.abs(self._y - meeting) / (SLIT * self._width), 0, 1)
        shine = np.clip((seen.mean(2) - self._lid_light) / 12, 0, 1)
        seen += (self._lash_colour - seen) * (share * band * shine)[..., None]

    def _lashes(self) -> tuple[Floats, Floats]:
        """In every column the darkest colour at the upper lid's edge, [1, w, 3], and the lids' brightness, [1, w]."""
        steps = np.arange(-2, 3, dtype=np.float32)[:, None]
        edge = self._skin(self._upper + steps).astype(np.float32)
        darkest = np.take_along_axis(edge, edge.mean(2).argmin(0)[None, :, None], axis=0)
        beside = [
            self._skin(line).mean(2) for line in (self._upper - 0.14 * self._width, self._lower + 0.14 * self._width)
        ]
        soft = 0.05 * self._width
        return blurred(darkest, soft), blurred(np.maximum(*beside).astype(np.float32), soft)

    def _skin(self, rows: Floats) -> Pixels:
        """The resting picture with every pixel taken from its own column, at `rows`."""
        return sampled(self._doubled, paired(self._columns[: len(rows)], 2 * (rows - self._corner[1])))

    def _turned(self, gaze: Floats) -> Pixels:
        """The eyeball with its iris moved by `gaze` eye widths."""
        shift = np.clip(gaze, -MAX_GAZE, MAX_GAZE) * self._width
        away = np.abs(self._x - shift[0] - self._iris[0]) / self._width
        rigid = 1 - np.clip((away - IRIS) / (0.5 - IRIS), 0, 1)
        rigid = rigid * rigid * (3 - 2 * rigid)
        height = self._rest.shape[0]
        x = np.repeat(self._x - shift[0] * rigid - self._corner[0], height, axis=0)
        y = self._y - (shift[1] * rigid + self._corner[1])
        return sampled(self._ball, paired(x, y))

    def _find_iris(self, upper: Floats, lower: Floats) -> Floats:
        """The middle of the dark part of the opening."""
        bright = grey(self._rest)
        opened = (self._y > self._upper + self._lash) & (self._y < self._lower - self._lash)
        centre = np.array([(upper[0, 0] + upper[-1, 0]) / 2, (upper[4, 1] + lower[4, 1]) / 2], np.float32)
        if opened.sum() < 12:
            return centre
        level = np.quantile(bright[opened], 0.6)
        dark = np.maximum(0, level - bright) * opened
        dark = dark * (np.abs(self._x - centre[0]) < 0.32 * self._width)
        weight = float(dark.sum())
        if weight <= 0:
            return centre
        return np.array([(dark * self._x).sum() / weight, (dark * self._y).sum() / weight], np.float32)

    def _without_lids(self) -> Pixels:
        """The eyeball as far as it can be guessed where the lids cover it: each column goes on as it ends."""
        x = np.broadcast_to(self._x - self._corner[0], self._rest.shape[:2]).astype(np.float32)
        margin = np.minimum(1.0, 0.3 * (self._lower - self._upper))
        y = np.clip(self._y, self._inset_upper - 0.5 + margin, self._inset_lower + 0.5 - margin)
        ball = sampled(self._rest, np.dstack([x, y - self._corner[1]])).astype(np.float32)
        beyond = np.abs(self._y - y)[..., None]
        spread = blurred(ball, 0.03 * self._width)
        return (ball + (spread - ball) * np.clip(beyond / 4, 0, 1) + 0.5).astype(np.uint8)


class _Lid:
    """A lid whose skin goes with its edge: rigid beside the edge, then stretched as far as it reaches.

    Args:
        y: [h, 1] rows of the part.
        edge: [1, w] y of the lid's edge in every column.
        reach: [1, w] px from there to where the skin stays, negative upward.
        rigid: px beside the edge that do not stretch.
    """

    def __init__(self, y: Floats, edge: Floats, reach: Floats, rigid: float) -> None:
        self._sign = np.sign(reach)
        self._anchor = edge + reach
        self._near = edge + rigid * self._sign
        self._y = y
        self._from_anchor = y - self._anchor
        self._kept = self._from_anchor * self._sign > 0

    def rows(self, travel: Floats) -> Floats:
        """Source rows [h, w] once the edge went `travel` [1, w] px."""
        length = self._near + travel - self._anchor
        length = np.where(np.abs(length) < 1, -self._sign, length)
        stretched = self._from_anchor * ((self._near - self._anchor) / length) + self._anchor
        rigid = (self._y - (self._near + travel)) * self._sign < 0
        source = np.where(rigid, self._y - travel, stretched)
        return np.where(self._kept, self._y, source).astype(np.float32, copy=False)


def _edge(x: Floats, points: Floats) -> Floats:
    """A lid's edge as one y for every x, straight on beyond the corners."""
    order = np.argsort(points[:, 0])
    return np.interp(x, points[order, 0], points[order, 1]).astype(np.float32)
