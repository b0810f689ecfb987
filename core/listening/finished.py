"""How likely it is that somebody has finished: the tone of their voice and the words they said, weighed together."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.listening.model import not_whole
from core.listening.wording import Wording

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from core.media import Samples


@dataclass(frozen=True)
class Words:
    """What was understood of a turn so far. `sure` 0..1 is the mean probability of it; `closing` that of the full
    stop, question or exclamation mark after it, 0 where it ends without one."""

    text: str
    sure: float
    closing: float
    states: Samples | None = field(default=None, compare=False)
    """The recogniser's own of the sound, [positions, 288], 24 ms each; None where nobody asked."""


LEAST_SURE = 0.6
"""Words of which the recogniser is less sure are no words: another language, a cough, music."""
_HEARD = 0.45
"""Less sure words do not tell either whether a turn is over. Other languages are heard as English with up to 0.41."""
ALONE = ("bias", "tone")
FEATURES = (*ALONE, "closing", "comma", "wording")
"""What the decision looks at, as named in the file of weights; without words, and with them."""
_UNCLOSED = 0.3
"""What words without a mark at the end say of it: recognisers leave marks out at the end of whole sentences too."""
_EDGE = 0.005
_SIGN_TEXT = """
    mm mhm mmhm mm-hm mmm hm hmm uh-huh uhhuh huh ah oh aha yeah yep yes yup ok okay right sure really wow nice good
    great cool true exactly indeed ha haha hah heh hehe i-see
"""
_SIGNS = frozenset(_SIGN_TEXT.split())
"""Signs of listening, and laughter."""
_LONGEST_SIGN = 4


class Finished:
    """Weighs what is known of a pause. Any one thread.

    Args:
        wording: the probability that a text is all somebody wanted to say (`Wording`).
        alone, weights: by the names in `ALONE` and `FEATURES`; two logistic regressions.
    """

    def __init__(
        self, wording: Callable[[str], float], alone: Mapping[str, float], weights: Mapping[str, float]
    ) -> None:
        self.wording = wording
        self.weights = {"tone_alone": dict(alone), "tone_and_words": dict(weights)}
        self._alone = tuple(alone[name] for name in ALONE)
        self._weights = tuple(weights[name] for name in FEATURES)

    @classmethod
    def read(cls, folder: Path) -> Finished:
        """From assets/models/turns.

        Raises:
            LiveTalkError: a file is missing or damaged.
        """
        path = folder / "weights.toml"
        try:
            saved = tomllib.loads(path.read_text("utf-8"))
            return cls(Wording.read(folder / "wording.npz"), saved["tone_alone"], saved["tone_and_words"])
        except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
            title = "The numbers that weigh tone and words are missing or damaged."
            until_then = "the tone of your voice alone tells when you have finished."
            raise not_whole(title, until_then, path, error) from error

    def __call__(self, tone: float | None, words: Words | None) -> float | None:
        """The probability (0..1) that a turn is over; None when nothing is known.

        Args:
            tone: the same by the sound alone (`TurnEnding`).
            words: what was understood.
        """
        if words is not None and is_heard(words):
            return _weighed(self._weights, features(tone, words, self.wording))
        return None if tone is None else _weighed(self._alone, tone_alone(tone))


def is_heard(words: Words) -> bool:
    """Whether the words of a turn say anything about its end."""
    return words.sure >= _HEARD and bool(_spoken(words.text))


def tone_alone(tone: float) -> tuple[float, ...]:
    """The values of `ALONE`."""
    return 1.0, _logit(tone)


def features(tone: float | None, words: Words, wording: Callable[[str], float]) -> tuple[float, ...]:
    """The values of `FEATURES`: 1, the tone, how surely the words are closed, whether they end in a comma,
    and whether they could be all. Probabilities as the logarithm of their odds."""
    return (
        *tone_alone(0.5 if tone is None else tone),
        _logit(words.closing or _UNCLOSED),
        float(words.text.rstrip().endswith(",")),
        _logit(wording(words.text)),
    )


def is_sign_of_listening(words: Words) -> bool:
    """Whether `words`, said while somebody else speaks, ask for nothing: "mm-hm", "yeah, right", laughter."""
    said = _spoken(words.text.lower().replace("i see", "i-see"))
    return 0 < len(said) <= _LONGEST_SIGN and all(word in _SIGNS for word in said)


def _spoken(text: str) -> list[str]:
    return re.findall(r"[a-z][a-z'-]*", text.lower())


def _weighed(weights: Sequence[float], values: Sequence[float]) -> float:
    return 1 / (1 + math.exp(-sum(weight * value for weight, value in zip(weights, values, strict=True))))


def _logit(probability: float) -> float:
    inside = min(1 - _EDGE, max(_EDGE, probability))
    return math.log(inside / (1 - inside))
