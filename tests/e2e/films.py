"""Films as a player sees them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import av
import av.error

if TYPE_CHECKING:
    from pathlib import Path


def shown_s(film: Path) -> float:
    """Seconds of picture that a player shows: up to the place where the file was torn off, if it was."""
    frames = 0
    with av.open(str(film)) as opened:
        assert {stream.type for stream in opened.streams} == {"audio", "video"}
        with contextlib.suppress(av.error.InvalidDataError):
            for _ in opened.decode(video=0):
                frames += 1
    return frames / 25
