"""FaceMotion: what the embedded avatar's model says and its renderer shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FaceMotion:
    """n frames of motion, relative to the portrait's own rest pose. Renderer thread only.

    Axes: x to image right, y down, z away from the camera. Lengths in face heights (landmark 10 to 152).
    """

    displacement: Floats
    """[n, 468, 3] of the canonical MediaPipe mesh, head pose removed: lips, jaw, cheeks, brows (not the lids)."""
    rotation: Floats
    """[n, 3] yaw (+ nose to image left), pitch (+ nose down), roll (+ clockwise in the image), radians."""
    shift: Floats
    """[n, 3] translation x, y in face heights and log scale."""
    lids: Floats
    """[n, 2] closing of the subject's right and left eye: 0 as in the portrait, 1 shut, below 0 wider."""
    gaze: Floats
    """[n, 2] iris displacement x, y in eye widths, relative to the portrait."""

    def __len__(self) -> int:
        return len(self.displacement)

    def part(self, start: int, stop: int) -> FaceMotion:
        """Frames [start, stop) of it."""
        pick = slice(start, stop)
        return FaceMotion(
            self.displacement[pick], self.rotation[pick], self.shift[pick], self.lids[pick], self.gaze[pick]
        )
