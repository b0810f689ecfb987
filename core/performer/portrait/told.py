"""ToldFaces: what a person said about pictures in which the face is not to be found without them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from core.performer.portrait.five_points import FivePoints

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Pixels


class ToldFaces:
    """One small file for each picture, named by what the picture shows, so that it may be moved or renamed. Any thread.

    Args:
        folder: made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, image: Pixels) -> tuple[int | None, FivePoints | None]:
        """Which face was chosen, and where the face was shown; None what nobody said."""
        try:
            told: dict[str, Any] = json.loads(self._path(image).read_text("utf-8"))
            points = told.get("points")
            face = told.get("face")
            return (None if face is None else int(face)), points and FivePoints(
                *((float(x), float(y)) for x, y in points)
            )
        except (OSError, ValueError, TypeError, AttributeError):  # none, or damaged: then it is asked again
            return None, None

    def keep(self, image: Pixels, face: int | None, points: FivePoints | None) -> None:
        """Remember what a person said; where the disk refuses, it is asked again the next time."""
        told = {"face": face, "points": points and points.flat.tolist()}
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path(image).write_text(json.dumps(told), "utf-8")

    def _path(self, image: Pixels) -> Path:
        shown = hashlib.sha256(repr(image.shape).encode())
        shown.update(np.ascontiguousarray(image).data)
        return self._folder / f"{shown.hexdigest()}.json"
