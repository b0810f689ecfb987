"""How likely it is that somebody has finished: the tone of their voice and the words they said, weighed together."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """What was understood of a turn so far. `sure` 0..1 is the mean probability of it; `closing` that of the full
    stop, question or exclamation mark after it, 0 where it ends without one."""

    text: str
    sure: float
    closing: float


LEAST_SURE = 0.6
"""Words of which the recogniser is less sure are no words: another language, a cough, music."""
WEIGHTS = (-0.61, 0.11, 0.44, -0.89, -1.24)
"""Of `features`, by logistic regression (`python -m core.evaluation.turns --fit`)."""
_UNCLOSED = 0.3
"""What words without a mark at the end say of it: recognisers leave marks out at the end of whole sentences too."""
_EDGE = 0.005
_OPEN_TEXT = """
    a an the my your his its our their
    of to in on at for from with by about into over under between than as
    and or but so because if when while which who whose where
    is are was were be been am has have had do does did will would can could should may might must
    not very really just i he she we they um uh er erm hmm
"""
_OPEN_WORDS = frozenset(_OPEN_TEXT.split())
"""Words after which English sentences go on, and the sounds of somebody who looks for the next word."""
_SIGN_TEXT = """
    mm mhm mmhm mm-hm mmm hm hmm uh-huh uhhuh huh ah oh aha yeah yep yes yup ok okay right sure really wow nice good
    great cool true exactly indeed ha haha hah heh hehe i-see
"""
_SIGNS = frozenset(_SIGN_TEXT.split())
"""Signs of listening, and laughter."""
_LONGEST_SIGN = 4


def finished(tone: float | None, words: Words | None) -> float | None:
    """The probability (0..1) that a turn is over; None when neither is known.

    Args:
        tone: the same by the sound alone (`TurnEnding`).
        words: what was understood.
    """
    if words is None or words.sure < LEAST_SURE or not _spoken(words.text):
        return tone
    score = sum(weight * value for weight, value in zip(WEIGHTS, features(tone, words), strict=True))
    return 1 / (1 + math.exp(-score))


def features(tone: float | None, words: Words) -> tuple[float, float, float, float, float]:
    """What the decision looks at: 1, the tone, how surely the words are closed, whether they end in a comma, and
    whether their last word asks for another. Probabilities as the logarithm of their odds."""
    last = _spoken(words.text)[-1:]
    return (
        1.0,
        _logit(0.5 if tone is None else tone),
        _logit(words.closing or _UNCLOSED),
        float(words.text.rstrip().endswith(",")),
        float(bool(last) and last[0] in _OPEN_WORDS),
    )


def is_sign_of_listening(words: Words) -> bool:
    """Whether `words`, said while somebody else speaks, ask for nothing: "mm-hm", "yeah, right", laughter."""
    said = _spoken(words.text.lower().replace("i see", "i-see"))
    return 0 < len(said) <= _LONGEST_SIGN and all(word in _SIGNS for word in said)


def _spoken(text: str) -> list[str]:
    return re.findall(r"[a-z][a-z'-]*", text.lower())


def _logit(probability: float) -> float:
    inside = min(1 - _EDGE, max(_EDGE, probability))
    return math.log(inside / (1 - inside))
