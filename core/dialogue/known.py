"""Known: what the built-in companion answers exactly by itself, never by the language model.

Time and date come from the clock it is given; what was said and told comes from the conversation, so that it survives
a conversation that is opened again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.dialogue.arithmetic import solve
from core.dialogue.calendar_answers import time_answer
from core.dialogue.fixed_answers import FixedAnswers
from core.dialogue.recollection import name_answer, recalled_answer, said_answer, told_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.dialogue.protocol import Message

_CONTRACTIONS = (
    (r"\b(what|who|where|how|that|it|name|there)'s\b", r"\1 is"),
    (r"\b(?:can't|cannot)\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\bi'm\b", "i am"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"\bto-(?=day|morrow|night)", "to"),
    (r"\b(?:thanx|thx)\b", "thanks"),
)


class Known:
    """Answers from the clock, the conversation, arithmetic and fixed lines; keeps nothing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._fixed = FixedAnswers(name)

    def greeting(self, history: Sequence[Message]) -> str:
        """What it says before anybody has spoken to it."""
        if not history:
            return f"Hello, I'm {self._name}. I'm a small companion that lives on this computer. Talk to me, or type."
        person = told_name(history)
        return f"Welcome back, {person}." if person else "Welcome back."

    def answer(self, said: str, history: Sequence[Message], now: datetime) -> str | None:
        """The exact answer to `said`, None when there is none."""
        if foreign(said):
            return "I only understand English. A connected Qwen3-Omni endpoint speaks many languages."
        question = plain(said)
        mine = [message.text for message in history if message.role == "assistant"]
        return (
            name_answer(said, question, history)
            or time_answer(question, now)
            or said_answer(question, history)
            or solve(question)
            or self._fixed.answer(question, mine)
            or recalled_answer(said, question, history)
        )


def plain(text: str) -> str:
    """`text` as patterns expect it: lower case, contractions written out, no punctuation but in numbers."""
    text = text.lower().replace("’", "'").strip()
    for pattern, words in _CONTRACTIONS:
        text = re.sub(pattern, words, text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return " ".join(re.sub(r"[^\w\s'.+*/%^()×÷²³-]|(?<!\d)[.]|[.](?!\d)", " ", text).split())


def foreign(text: str) -> bool:
    """Whether most letters of `text` belong to another script than English."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter > "ɏ" for letter in letters) * 2 > len(letters)
