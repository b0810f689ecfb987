"""FixedAnswers: the built-in companion's own lines, for what a language model must not make up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.dialogue.about_itself import APP, ITSELF, LIMITS, PRIVACY
from core.dialogue.small_talk import CARE, COURTESY, FEELINGS, PIECES

if TYPE_CHECKING:
    from collections.abc import Sequence

_ORDER = (CARE, COURTESY, ITSELF, PRIVACY, APP, LIMITS, FEELINGS, PIECES)
"""By precedence: the first pattern that fits answers."""


class FixedAnswers:
    """The tables of `small_talk` and `about_itself`, for a companion called `name`."""

    def __init__(self, name: str) -> None:
        self._entries = [
            (re.compile("|".join(entry.patterns).replace("NAME", re.escape(name.lower()))), entry.lines)
            for table in _ORDER
            for entry in table
        ]
        self._name = name

    def answer(self, question: str, said: Sequence[str]) -> str | None:
        """The line for `question` (in the plain form of `known`). Where there are several, the first that is not in
        `said`, what the companion said so far; when all are, they begin again."""
        for pattern, lines in self._entries:
            if pattern.search(question):
                spoken = [line.format(name=self._name) for line in lines]
                times = [sum(line in text for text in said) for line in spoken]
                return spoken[times.index(min(times))]
        return None
