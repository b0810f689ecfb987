"""PortraitPainter: FaceMotion onto a portrait, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.performer.portrait.eyes import Eyes
from core.performer.portrait.field import depth_of, field_at, grid, turned_around
from core.performer.portrait.imaging import laid, resized, sampled_into
from core.performer.portrait.lips import Lips
from core.performer.portrait.mesh import head_turn
from core.performer.portrait.shading import Shading

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.portrait.face import FaceMotion
    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.imaging import Floats


STRIDE = 4
"""px between the points at which the field is known; between them it is linear."""
CORNER = (STRIDE - 1) / 2
"""px to the first of those points: where cv2.resize takes the first sample to be."""


class PortraitPainter:
    """Draws one portrait. Renderer thread only.

    OpenCV's threads are a setting of the whole process: whoever makes a painter calls ``cv2.setNumThreads(1)`` first,
    because on small pictures its threads cost more than they give.
    """

    def __init__(self, identity: PortraitIdentity) -> None:
        self._identity = identity
        side = identity.picture.shape[0]
        self._side = side
        self._nodes = side // STRIDE
        self._at = grid(CORNER, CORNER, self._nodes, self._nodes, STRIDE)
        self._pixels = grid(0, 0, side, side, 1)
        self._rest = doubled(identity.picture)
        depth = depth_of(identity.landmarks, identity.pose, side)
        self._field = field_at(self._at.reshape(-1, 2), identity.landmarks, identity.pose, depth)
        self._eyes = Eyes(identity)
        self._lips = Lips(identity, depth)
        self._shading = Shading(identity)

    def paint(self, motion: FaceMotion) -> Pixels:
        """The frames of `motion`, uint8 [n, 512, 512, 3]; the caller owns them. No motion gives the portrait itself."""
        pose = self._identity.pose
        frames = np.empty((len(motion), self._side, self._side, 3), np.uint8)
        grow = np.exp(motion.shift[:, 2])[:, None, None]
        turns = head_turn(motion.rotation) * grow
        flesh = pose.scale * motion.displacement @ (turns @ pose.rotation).transpose(0, 2, 1)
        relative = (turns - np.eye(3, dtype=np.float32))[:, :2]
        shifts = motion.shift[:, :2] * pose.scale
        for i in range(len(motion)):
            self._paint_one(
                frames[i], flesh[i, :, :2].astype(np.float32), relative[i], shifts[i], motion.lids[i], motion.gaze[i]
            )
        return frames

    def _paint_one(self, frame: Pixels, flesh: Floats, turn: Floats, shift: Floats, lids: Floats, gaze: Floats) -> None:
        still = self._with_eyes(lids, gaze)
        moved = self._field.move(flesh, turn, shift).reshape(self._nodes, self._nodes, 2)
        source = turned_around(moved.astype(np.float32), self._at, (CORNER, CORNER), STRIDE)
        fine = self._pixels + resized(source - self._at, (self._side, self._side))
        sampled_into(frame, still, 2 * fine)
        self._shading.paint(frame, source, flesh)
        self._lips.paint(frame, still, flesh, turn, shift)

    def _with_eyes(self, lids: Floats, gaze: Floats) -> Pixels:
        """The resting picture, doubled, with its eyes as they are wanted."""
        picture = self._identity.picture.copy()
        parts = self._eyes.paint(picture, lids, gaze)
        if not parts:
            return self._rest
        still = self._rest.copy()
        for rows, columns in parts:
            fresh = doubled(picture[rows, columns])
            still[2 * rows.start : 2 * rows.stop - 1, 2 * columns.start : 2 * columns.stop - 1] = fresh
        return still


def doubled(picture: Pixels) -> Pixels:
    """`picture` [h, w, 3] at half the step, [2h - 1, 2w - 1, 3]: every second pixel is one of its own.

    Looked up linearly it gives nearly what cubic interpolation of the picture gives, for a third of the time.
    """
    height, width = picture.shape[:2]
    twice = np.array([[2, 0, 0], [0, 2, 0]], np.float32)
    size = (2 * width - 1, 2 * height - 1)
    return laid(picture, twice, size, cubic=True, edge=True)
