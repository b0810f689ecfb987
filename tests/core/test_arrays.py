"""Arrays in a file: read as they were written, and never as anything else."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.arrays import load_arrays

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRITTEN = {"words": np.array("a\nb"), "table": np.arange(6, dtype=np.float16).reshape(3, 2), "none": np.zeros(0)}


def read_back(path: Path) -> bool:
    """Whether `path` holds what was written; False where it is told to be damaged."""
    try:
        found = load_arrays(path, WRITTEN)
    except ValueError:
        return False
    assert all(np.array_equal(found[name], array) for name, array in WRITTEN.items())
    return True


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_file_is_told_and_never_read_as_another(save: Callable[..., None], tmp_path: Path) -> None:
    file = io.BytesIO()
    save(file, **WRITTEN)
    whole, path = file.getvalue(), tmp_path / "one.npz"
    path.write_bytes(whole)
    assert read_back(path)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        read_back(path)
        path.write_bytes(whole[:place])
        assert not read_back(path), f"{place} bytes"


def test_an_array_that_is_not_there_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", here=np.zeros(3))
    with pytest.raises(ValueError, match="there"):
        load_arrays(tmp_path / "one.npz", ["there"])
    with pytest.raises(FileNotFoundError):
        load_arrays(tmp_path / "none.npz", ["there"])


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", here=np.array([{}], object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_arrays(tmp_path / "one.npz", ["here"])


def test_what_numpy_does_not_pack_with_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "one.npz", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("here.npy", b"x" * 100)
    with pytest.raises(ValueError, match="another way"):
        load_arrays(tmp_path / "one.npz", ["here"])
