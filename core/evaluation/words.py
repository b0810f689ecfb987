"""Where one word ends and the next begins in an English recording, found by pocketsphinx."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from core.media import Samples

RATE = 16_000
_FRAME = RATE // 100


class WordFinder:
    """pocketsphinx with its own English models.

    Raises:
        ModuleNotFoundError: pocketsphinx is not installed.
    """

    def __init__(self) -> None:
        import pocketsphinx  # only here: 38 MB that nothing but evaluation needs

        self._decoder: Any = pocketsphinx.Decoder(samprate=RATE, loglevel="FATAL")

    def borders(self, sound: Samples, text: str) -> tuple[int, ...]:
        """The samples of `sound` (mono, 16 kHz) at which a word is over, the last one left out. `text` is aligned to
        it; where that fails, or it has words that the dictionary lacks, what pocketsphinx hears itself is."""
        words = re.findall(r"[a-z][a-z']*", text.lower())
        ends: list[int] = []
        if len(words) > 1 and all(self._decoder.lookup_word(word) for word in words):
            self._decoder.set_align_text(" ".join(words))
            ends = self._ends(sound)
        if not ends:
            self._decoder.activate_search()
            ends = self._ends(sound)
        return tuple(ends[:-1])

    def _ends(self, sound: Samples) -> list[int]:
        raw = (sound.clip(-1, 1) * 32767).astype(np.int16).tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(raw, full_utt=True)
        self._decoder.end_utt()
        return [(part.end_frame + 1) * _FRAME for part in self._decoder.seg() or () if part.word[:1] not in "<["]
