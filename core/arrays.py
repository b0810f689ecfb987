"""Reading arrays that numpy saved together in one file (.npz)."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_WRITTEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What numpy packs them with."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError)
"""What is raised for a damaged one: numpy and zipfile have no kind of their own for all of it."""


def load_arrays(path: Path, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays called `names` in the file that `numpy.savez` wrote, or `savez_compressed`. Each is compared with its
    checksum before it is looked into; none is an object.

    Raises:
        OSError: the file is not there or cannot be read.
        ValueError: it is damaged, is none of these, or lacks an array.
    """
    whole = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as file:
            return {name: _array(file, f"{name}.npy") for name in names}
    except _DAMAGED as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error


def _array(file: zipfile.ZipFile, name: str) -> NDArray[Any]:
    if file.getinfo(name).compress_type not in _WRITTEN:
        raise ValueError(f"{name} is packed in another way")
    return np.lib.format.read_array(io.BytesIO(file.read(name)), allow_pickle=False)
