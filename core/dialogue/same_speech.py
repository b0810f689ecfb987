"""Whether two recordings are the same speech, so that what was understood of one holds for the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from core.media import AudioChunk, Samples

_SILENT = 0.1
_LONGEST_TAIL = 3 * CAPTURE_RATE


def same_speech(first: AudioChunk, second: AudioChunk) -> bool:
    """Whether both begin at the same sample and differ by a silent end only."""
    shorter, longer = sorted((first.samples, second.samples), key=len)
    tail = longer[len(shorter) :]
    if first.start != second.start or not len(shorter) or len(tail) > _LONGEST_TAIL:
        return False
    if not np.array_equal(shorter, longer[: len(shorter)]):
        return False
    return not len(tail) or _loudness(tail) < max(_SILENT * _loudness(shorter), 1e-4)


def _loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))
