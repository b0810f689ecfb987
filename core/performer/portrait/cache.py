"""IdentityCache: prepared portraits on disk, so that a picture is looked at once."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from typing import TYPE_CHECKING

import numpy as np

from core.arrays import load_arrays
from core.cache_file import write_whole
from core.performer.portrait.identity import SIDE, PortraitIdentity
from core.performer.portrait.mesh import Pose

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Pixels
    from core.performer.portrait.five_points import FivePoints

PREPARATION = 2
"""Version of the code that prepares a portrait; whoever changes what it makes of a picture counts it up."""
KEPT = 50
"""Portraits that are kept; those used longest ago go first."""
_SHAPES = {
    "picture": (SIDE, SIDE, 3),
    "landmarks": (468, 3),
    "rotation": (3, 3),
    "origin": (3,),
    "sizes": (3,),
    "eye_opening": (2,),
    "closing": (468, 3),
}


class IdentityCache:
    """Prepared portraits in one folder. Any thread; several processes may share the folder.

    It only saves time: where it cannot be read or written, or is damaged, portraits are prepared again.

    Args:
        folder: made when it is first needed.
        kept: how many portraits may lie there.
    """

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self._folder = folder
        self._kept = kept

    def key(self, image: Pixels, face: int | None, points: FivePoints | None) -> str:
        """The name under which what is made of a picture is kept."""
        told = hashlib.sha256(repr((PREPARATION, image.shape, face, points)).encode())
        told.update(np.ascontiguousarray(image).data)
        return told.hexdigest()

    def load(self, key: str) -> PortraitIdentity | None:
        """The portrait kept under `key`; None when there is none, or a damaged one."""
        path = self._path(key)
        try:
            identity = _identity_of(load_arrays(path, _SHAPES))
            os.utime(path)
        except (OSError, ValueError):
            return None
        return identity

    def keep(self, key: str, identity: PortraitIdentity) -> None:
        """Write a portrait, whole or not at all, and let the ones used longest ago go."""
        with contextlib.suppress(OSError):  # a full disk costs the next start some time, nothing more
            file = io.BytesIO()
            np.savez(file, allow_pickle=False, **_arrays_of(identity))
            write_whole(self._path(key), file.getvalue())
            self._let_go()

    def _let_go(self) -> None:
        files = sorted(self._folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
        for path in files[: -self._kept]:
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"


def _arrays_of(identity: PortraitIdentity) -> dict[str, np.ndarray]:
    pose = identity.pose
    return {
        "picture": identity.picture,
        "landmarks": identity.landmarks,
        "rotation": pose.rotation,
        "origin": pose.origin,
        "sizes": np.array([pose.scale, pose.misfit, identity.rest_gap]),
        "eye_opening": identity.eye_opening,
        "closing": identity.closing,
    }


def _identity_of(stored: dict[str, np.ndarray]) -> PortraitIdentity:
    for name, shape in _SHAPES.items():
        if stored[name].shape != shape:
            raise ValueError(f"{name} is {stored[name].shape}, not {shape}")
    scale, misfit, rest_gap = (float(value) for value in stored["sizes"])
    picture = np.ascontiguousarray(stored["picture"])
    return PortraitIdentity(
        key=hashlib.sha256(picture.tobytes()).hexdigest(),
        picture=picture,
        landmarks=stored["landmarks"],
        pose=Pose(stored["rotation"], scale, stored["origin"], misfit),
        rest_gap=rest_gap,
        eye_opening=stored["eye_opening"],
        closing=stored["closing"],
    )
