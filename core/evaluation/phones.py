"""When p, b and m are said in an English recording, found by pocketsphinx: words freely decoded, then aligned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from core.media import Samples

NAMES = frozenset(("P", "B", "M"))
HOPS_PER_S = 100
"""Frames of the recogniser in a second."""
PIECE_S = 12.0
"""Longest piece that is decoded at once; it ends where the sound is softest."""
RATE = 16_000


class PhoneFinder:
    """pocketsphinx with its own English models.

    Raises:
        ModuleNotFoundError: pocketsphinx is not installed.
    """

    def __init__(self) -> None:
        import pocketsphinx  # only here: 38 MB that nothing but this look needs

        self._decoder: Any = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")

    def lips_meet(self, sound: Samples) -> list[tuple[float, float]]:
        """Beginning and end in seconds of every p, b and m in `sound` (mono, 16 kHz). Words may be misheard."""
        found: list[tuple[float, float]] = []
        for start, end in _pieces(sound):
            piece = (sound[start:end].clip(-1, 1) * 32767).astype(np.int16).tobytes()
            at = start / RATE
            found.extend((at + begin, at + until) for begin, until in self._of_piece(piece))
        return found

    def _of_piece(self, piece: bytes) -> list[tuple[float, float]]:
        """The same in one piece, from its beginning."""
        decoder = self._decoder
        self._hear(piece)
        if decoder.hyp() is None or not decoder.hyp().hypstr:
            return []
        decoder.set_alignment()
        self._hear(piece)
        phones = [(phone.name, phone.start, phone.start + phone.duration) for phone in decoder.get_alignment().phones()]
        decoder.activate_search()  # back to words
        return [(begin / HOPS_PER_S, end / HOPS_PER_S) for name, begin, end in phones if name in NAMES]

    def _hear(self, piece: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(piece, full_utt=True)
        self._decoder.end_utt()


def _pieces(sound: Samples) -> list[tuple[int, int]]:
    """[start, end) of pieces no longer than `PIECE_S`, cut where it is softest in their second half."""
    longest, window = int(PIECE_S * RATE), RATE // 10
    pieces: list[tuple[int, int]] = []
    start = 0
    while len(sound) - start > longest:
        half = sound[start + longest // 2 : start + longest].astype(np.float64)
        loud = np.convolve(half**2, np.ones(window) / window, "same")
        end = start + longest // 2 + int(loud.argmin())
        pieces.append((start, end))
        start = end
    return [*pieces, (start, len(sound))]
