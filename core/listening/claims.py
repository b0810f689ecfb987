"""What somebody means who speaks into a reply, by the first half second of it: its sound, and its first words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from core.arrays import load_arrays
from core.listening.finished import LEAST_SURE, is_sign_of_listening
from core.listening.model import not_whole

if TYPE_CHECKING:
    from pathlib import Path

    from core.listening.finished import Words
    from core.media import Samples

SURE = 0.5
"""Less than for words in general: so few count here that chance seldom gives one."""
_SO_FAR_SURE = 0.45
"""Of a sign of listening that goes on: half a word is never sure, and taking it for one costs little."""
_MAYBE, _SIGN, _SURE_SIGN, _CLAIM, _SURE_CLAIM = 0.0, 1.0, 1.5, -1.0, -4.0
"""Leanings from which on it may be a sign while it goes on, is taken for one, and is one when it is over; and up to
which it is a claim, and one beyond doubt.
Chosen on the voices that `Leaning` learned from, each left out in turn."""
_ARRAYS = ("mean", "scale", "inner", "inner_bias", "outer", "outer_bias")
_CLAIM_TEXT = """
    stop wait no nope hold hang hey sorry excuse listen enough quiet pause please
    what why how who where when can could tell
"""
_CLAIMS = frozenset(_CLAIM_TEXT.split())


def claims_the_floor(words: Words, leaning: float | None) -> bool:
    """Whether the beginning of what somebody says into a reply wants it to stop: by its words ("no", "wait", "can
    you"), or by its sound before there are any."""
    if leaning is not None and leaning <= _CLAIM:
        return True
    first = re.match(r"\W*([a-z]+)", words.text.lower())
    said = first is not None and first[1] in _CLAIMS and words.sure >= SURE
    return said and (leaning is None or leaning < _SIGN)


def claims_surely(leaning: float | None) -> bool:
    """Whether it wants the reply to stop beyond doubt, by its sound."""
    return leaning is not None and leaning <= _SURE_CLAIM


def is_sign_so_far(words: Words, leaning: float | None) -> bool | None:
    """Whether the beginning of what somebody says into a reply sounds like "yeah"; None: it may be."""
    if leaning is not None:
        return None if _MAYBE <= leaning < _SIGN else leaning >= _SIGN
    return words.sure >= _SO_FAR_SURE and is_sign_of_listening(words)


def was_sign(words: Words, leaning: float | None) -> bool | None:
    """Whether what somebody said into a reply before they fell silent asks for nothing; None: nobody can tell."""
    if leaning is not None and leaning >= _SURE_SIGN:
        return True
    return is_sign_of_listening(words) if words.sure >= LEAST_SURE and words.text.strip() else None


class Leaning:
    """Tells "yeah" from "stop" before the word is over: a small network over the states of the recogniser's encoder.
    What it learned from is in assets/models/intrusion/MODEL_CARD.md. Any one thread.

    Args:
        mean, scale: of the features (`summary`).
        inner, inner_bias: [features, hidden], [hidden].
        outer, outer_bias: [hidden], [1].
    """

    def __init__(
        self, mean: Samples, scale: Samples, inner: Samples, inner_bias: Samples, outer: Samples, outer_bias: Samples
    ) -> None:
        self._arrays = (mean, scale, inner, inner_bias, outer, outer_bias)

    @classmethod
    def read(cls, folder: Path) -> Leaning:
        """From assets/models/intrusion.

        Raises:
            LiveTalkError: the file is missing or damaged.
        """
        path = folder / "leaning.npz"
        try:
            return cls(*(array.astype(np.float32) for array in load_arrays(path, _ARRAYS).values()))
        except (OSError, ValueError) as error:
            title = 'The numbers that tell "yeah" from "stop" are missing or damaged.'
            until_then = "a short word may stop the avatar."
            raise not_whole(title, until_then, path, error) from error

    def save(self, path: Path) -> None:
        """In half precision."""
        arrays = {name: array.astype(np.float16) for name, array in zip(_ARRAYS, self._arrays, strict=True)}
        np.savez(path, allow_pickle=False, **arrays)

    def __call__(self, states: Samples, before_s: float, voice_s: float) -> float:
        """The logarithm of the odds that this is a sign of listening: 0 when nobody can tell.

        Args:
            states: [positions, 288] of a sound that begins `before_s` before the voice in it, and ends `voice_s` after.
        """
        mean, scale, inner, inner_bias, outer, outer_bias = self._arrays
        features = (summary(states, before_s, voice_s) - mean) / scale
        return float(np.maximum(features @ inner + inner_bias, 0) @ outer + outer_bias[0])


def summary(states: Samples, before_s: float, voice_s: float) -> Samples:
    """What `Leaning` looks at, [3 * 288 + 1]: the mean state since the voice began, that of either half, and how long
    that is."""
    first = min(len(states) - 2, int(len(states) * before_s / (before_s + voice_s)))
    voice = states[max(0, first) :]
    half = len(voice) // 2
    means = [part.mean(0) for part in (voice, voice[:half], voice[half:])]
    return np.concatenate([*means, [2 * voice_s]]).astype(np.float32)
