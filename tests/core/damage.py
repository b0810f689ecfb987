"""Files of arrays as a broken disk or a download that stopped leaves them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


def _flipped(whole: bytes) -> bytes:
    place = len(whole) // 2
    return whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]


def _bare(_: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3, np.float32), allow_pickle=False)
    return file.getvalue()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no such file at all": lambda _: b"nothing",
    "truncated": lambda whole: whole[: len(whole) // 2],
    "flipped": _flipped,
    "a bare array": _bare,
}
