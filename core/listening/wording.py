"""Wording: how likely it is that English words are all that somebody wanted to say, by a small recurrent network and
what people often say."""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.arrays import load_arrays
from core.listening.model import not_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.media import Samples

UNKNOWN = 1
"""Row of the table for every word that is not in it; row 0 is padding, of which only training knows."""
_ARRAYS = ("table", "inward", "onward", "outward", "usual")
_LATEST = 30
"""Words that are looked at: training saw no more."""

LONGEST_PHRASE = 5
"""Words of the sentences that are looked up."""
_OPENERS = frozenset(("um", "uh", "er", "so", "and", "but", "well", "okay", "ok", "oh", "hey", "hi", "yes", "no"))
"""What people put before a sentence."""


def read_words(text: str) -> list[str]:
    """The words of `text` as the network knows them: lower case, without marks, every number the same."""
    found = re.findall(r"[a-z']*[a-z]|[0-9]+", text.lower().replace("\u2019", "'"))
    return ["#" if word.isdigit() else word for word in found]


def phrase_key(words: Sequence[str]) -> int:
    """What a short sentence is looked up by: none is written in the file."""
    return zlib.crc32(" ".join(words).encode())


def read_phrase(text: str) -> list[str]:
    """The words of the last sentence of `text`, without what may stand before one."""
    words = next(filter(None, map(read_words, reversed(re.split(r"[.?!]+", text)))), [])
    first = next((at for at, word in enumerate(words) if word not in _OPENERS), 0)
    return words[first:]


@dataclass(frozen=True, eq=False)
class Wording:
    """A gated recurrent unit (Cho et al. 2014, in PyTorch's form) over words, and one probability after each. Short
    sentences that it would take for the beginning of longer ones, because it saw so many of those, are looked up. What
    both learned from is in assets/models/turns/MODEL_CARD.md. Any one thread."""

    rows: dict[str, int]
    table: Samples
    """[words, size] what a word means."""
    inward: Samples
    """[size + 1, 3 states] from a word to reset, update and new state; the last row is the bias."""
    onward: Samples
    """[states + 1, 3 states] the same from the state before."""
    outward: Samples
    """[states + 1] from the state to the logarithm of the odds."""
    usual: Samples
    """[lengths] that logarithm for so few words, whichever they are, in what was learned from. It is taken off: turns
    of a few words are commoner than such sentences in a collection."""
    phrases: dict[int, float]
    """For the `phrase_key` of short sentences that end there rather than go on, the logarithm of the odds of it."""

    @classmethod
    def read(cls, path: Path) -> Wording:
        """What `core.evaluation.wording` wrote.

        Raises:
            LiveTalkError: the file is missing or is none of these.
        """
        try:
            saved = load_arrays(path, ("words", *_ARRAYS, "phrases", "phrase_odds"))
            rows = {word: row for row, word in enumerate(str(saved["words"]).split("\n"), UNKNOWN + 1)}
            arrays = [saved[name].astype(np.float32) for name in _ARRAYS]
            phrases = dict(zip(saved["phrases"].tolist(), saved["phrase_odds"].tolist(), strict=True))
        except (OSError, ValueError) as error:
            title = "The model that knows when a sentence is complete is missing or damaged."
            until_then = "the tone of your voice alone tells when you have finished."
            raise not_whole(title, until_then, path, error) from error
        return cls(rows, *arrays, phrases=phrases)

    def __call__(self, text: str) -> float:
        """The probability (0..1) that somebody who said `text` has finished; 0 when there are no words."""
        words = read_words(text)[-_LATEST:]
        if not words:
            return 0.0
        phrase = self.phrases.get(phrase_key(read_phrase(text)), -math.inf)
        return 1 / (1 + math.exp(-max(self._odds(words), phrase)))

    def _odds(self, words: Sequence[str]) -> float:
        state = np.zeros(len(self.outward) - 1, np.float32)
        for word in words:
            state = self._step(self.table[self.rows.get(word, UNKNOWN)], state)
        odds = float(state @ self.outward[:-1] + self.outward[-1])
        return odds - float(self.usual[min(len(words), len(self.usual)) - 1])

    def _step(self, word: Samples, state: Samples) -> Samples:
        new = word @ self.inward[:-1] + self.inward[-1]
        old = state @ self.onward[:-1] + self.onward[-1]
        gates = 1 / (1 + np.exp(-(new[: 2 * len(state)] + old[: 2 * len(state)])))
        reset, update = gates[: len(state)], gates[len(state) :]
        proposed = np.tanh(new[2 * len(state) :] + reset * old[2 * len(state) :])
        return (1 - update) * proposed + update * state
