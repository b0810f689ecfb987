"""Where the face of a picture is that is wider or higher than what is shown of it, so that the cut keeps it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.errors import PerformerError
from core.performer.protocol import UNSAID, Said

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Pixels

log = logging.getLogger(__name__)

Point = tuple[float, float]
"""x and y in px of the picture."""


class FacePlaces:
    """Any thread; it keeps nothing but what a person says, on disk, where the portrait performer finds it too.

    Args:
        face_models: folder with the two networks that find and trace faces.
        told: folder of what a person said of pictures.
    """

    def __init__(self, face_models: Path, told: Path) -> None:
        self._face_models, self._told_folder = face_models, told

    def middle(self, image: Pixels, said: Said = UNSAID) -> Point | None:
        """The middle of the face that is meant, or of the largest; None where none is found, as in a drawing."""
        from core.performer.portrait.five_points import FivePoints
        from core.performer.portrait.told import ToldFaces

        told = ToldFaces(self._told_folder)
        face, points = said.face, FivePoints(*said.points) if said.points else None
        if said:
            told.keep(image, face, points)
        elif not said.anew:
            face, points = told.of(image)
        if points is not None:
            x, y = points.flat.mean(0)
            return float(x), float(y)
        return self._found(image, face or 0)

    def _found(self, image: Pixels, face: int) -> Point | None:
        """The networks are loaded for each picture: few pictures need them, and the GPU's memory is not touched."""
        from core.performer.portrait.landmarks import FaceFinder

        try:
            faces = FaceFinder(self._face_models).find(image)
        except PerformerError as error:
            log.warning("the picture is cut to its middle: %s %s", error, error.detail)
            return None
        if not faces:
            return None
        left, top, right, bottom = (float(edge) for edge in faces[min(face, len(faces) - 1)].box)
        return (left + right) / 2, (top + bottom) / 2
