"""reaction: the first thing to say to what somebody tells, before any thought: kind, and known at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TABLE = (
    (
        re.compile(
            r"\b(?:died|dead|death|funeral|passed away|cancer|miscarriage|divorc\w+|broke up|breakup|lost my|"
            r"fired|laid off|"
            r"accident|hospital|stolen|robbed|cheated)\b"
        ),
        ("I'm so sorry to hear that.", "That's very hard. I'm sorry."),
    ),
    (
        re.compile(
            r"\b(?:sick|ill|hurts?|pain|aches?|headache|broken|broke|fell|fight|fought|argu\w+|fail\w*|late|"
            r"missed|cancel\w+|"
            r"problems?|trouble|terrible|awful|horrible|bad|worst|sad|angry|afraid|worried|stress\w*|tired|hungry|"
            r"thirsty|loud|"
            r"noisy|rude|"
            r"difficult|hard|annoy\w+|stuck|lost|alone|nobody|can not sleep|cold|flu|fever|debt|rent|war)\b"
        ),
        ("I'm sorry to hear that.", "That sounds hard.", "Oh, that's not easy."),
    ),
    (
        re.compile(
            r"\bi (?:do not|never|can not) (?:like|enjoy|want|care|stand|know|think|understand)\b|\bi (?:hate|"
            r"dislike)\b"
        ),
        ("I understand.", "Fair enough.", "I see."),
    ),
    (
        re.compile(
            r"\b(?:love|loved|great|wonderful|amazing|beautiful|happy|won|win|pass(?:ed)?|married|wedding|baby|"
            r"born|birthday|"
            r"holidays?|vacation|trip|travel\w*|party|new|present|gift|fun|enjoy\w*|excited|finally|proud|best|sunny|"
            r"promotion|graduat\w+|puppy|kitten|concert|weekend|christmas|favou?rite)\b"
        ),
        ("How lovely!", "That's wonderful!", "That sounds great!", "How nice!"),
    ),
    (re.compile(""), ("Nice to know.", "I see.", "That's interesting.", "Ah, good to know.")),
)


def reaction(told: str, recent: Sequence[str]) -> str:
    """A short sentence that fits the tone of `told` (in the plain form of `known`), and was not said in `recent`."""
    lines = next(lines for pattern, lines in _TABLE if pattern.search(told))
    return next((line for line in lines if not any(line in text for text in recent[-3:])), lines[0])
