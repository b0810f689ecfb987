"""PortraitPainter: FaceMotion onto a portrait, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.performer.portrait.eyes import Eyes
from core.performer.portrait.field import depth_of, field_at, grid, turned_around
from core.performer.portrait.imaging import resized, sampled_into
from core.performer.portrait.lips import Lips
from core.performer.portrait.mesh import head_turn
from core.performer.portrait.shading import Shading

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.media import Pixels
    from core.performer.portrait.face import FaceMotion
    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.imaging import Floats


STRIDE = 4
"""px between the nodes at which the field is known; between them it is linear."""
CORNER = (STRIDE - 1) / 2
"""px to the first node of the picture: where cv2.resize takes the first sample to be."""
UNSEEN = 0.1
"""px of motion that nobody sees."""


class PortraitPainter:
    """Draws one portrait. Renderer thread only.

    OpenCV's threads are a setting of the whole process: whoever makes a painter calls ``cv2.setNumThreads(1)`` first,
    because on small pictures its threads cost more than they give.
    """

    def __init__(self, identity: PortraitIdentity) -> None:
        self._identity = identity
        side = identity.picture.shape[0]
        self._side = side
        depth = depth_of(identity.landmarks, identity.pose, side)
        nodes = side // STRIDE + 2  # one more at each side, so that the picture's edge lies between nodes
        at = grid(CORNER - STRIDE, CORNER - STRIDE, nodes, nodes, STRIDE)
        field = field_at(at.reshape(-1, 2), identity.landmarks, identity.pose, depth)
        moving = _bounds(field.reach().reshape(nodes, nodes) > UNSEEN)
        chosen = np.zeros((nodes, nodes), bool)
        chosen[moving] = True
        self._field = field.part(chosen.ravel())
        self._part = tuple(slice(STRIDE * one.start, STRIDE * (one.stop - 2)) for one in moving)
        self._first = np.array([moving[1].start - 1, moving[0].start - 1], np.float32)
        self._nodes = grid(0, 0, moving[1].stop - moving[1].start, moving[0].stop - moving[0].start, 1)
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
        relative = (turns - np.eye(3, dtype=np.float32))[:, :2].astype(np.float32)
        shifts = (motion.shift[:, :2] * pose.scale).astype(np.float32)
        for i in range(len(motion)):
            self._paint_one(
                frames[i], flesh[i, :, :2].astype(np.float32), relative[i], shifts[i], motion.lids[i], motion.gaze[i]
            )
        return frames

    def _paint_one(self, frame: Pixels, flesh: Floats, turn: Floats, shift: Floats, lids: Floats, gaze: Floats) -> None:
        still = self._eyes.opened(lids, gaze)
        moved = self._field.move(flesh, turn, shift).reshape(self._nodes.shape)
        source = turned_around(moved, self._nodes, STRIDE) + self._first
        np.copyto(frame, self._identity.picture)
        part = frame[self._part]
        fine = resized(2 * (STRIDE * source + CORNER), (STRIDE * source.shape[1], STRIDE * source.shape[0]))
        sampled_into(part, still, fine[STRIDE:-STRIDE, STRIDE:-STRIDE])
        self._shading.paint(part, source[1:-1, 1:-1], flesh)
        self._lips.paint(frame, still, flesh, turn, shift)


def _bounds(moving: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of nodes that hold all that move, and a still one around them."""
    across, down = np.flatnonzero(moving.any(0)), np.flatnonzero(moving.any(1))
    return slice(max(0, int(down[0]) - 1), int(down[-1]) + 2), slice(max(0, int(across[0]) - 1), int(across[-1]) + 2)
