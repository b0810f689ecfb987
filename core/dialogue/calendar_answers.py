"""time_answer: the hour, the day and the date of this computer, when they are asked for."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_TIME = re.compile(
    r"\b(?:what time is it|what is the (?:current )?time|what time do we have|do you (?:have|know) (?:the|what) time|"
    r"tell me the time|how late is it)\b|^(?:the )?time(?: please| now)?$"
)
_ELSEWHERE = re.compile(r"\btime (?:is it )?(?:now |right now )?in (?!the (?:morning|evening)|here)[a-z]+")
_DAY = re.compile(
    r"\b(?:what|which) (?:week)?day (?:of the week )?(?:is|was|will|do we have)\b|\bis it (?:mon|tues|wednes|thurs|fri|"
    r"satur|sun)day\b|\b(?:what|which) (?:is )?(?:the |today's |tomorrow's |yesterday's )?date\b|\bwhat is today$"
)
_YEAR = re.compile(
    r"\b(?:what|which) (?:year|month) (?:is it|is this|are we in|do we have)\b|"
    r"\bwhat is the (?:current )?(?:year|month)\b"
)
_DAYS = (
    ("day after tomorrow", "The day after tomorrow will be", 2),
    ("day before yesterday", "The day before yesterday was", -2),
    ("tomorrow", "Tomorrow will be", 1),
    ("yesterday", "Yesterday was", -1),
    ("", "Today is", 0),
)


def time_answer(question: str, now: datetime) -> str | None:
    """The answer to a question (plain form) about `now`, the local time; None when it asks for something else."""
    if _TIME.search(question):
        here = "I only know the time on this computer. " if _ELSEWHERE.search(question) else ""
        return f"{here}It's {_clock(now)}."
    if _YEAR.search(question):
        return f"It's {now:%B} {now.year}."
    if _DAY.search(question):
        begin, days = next((begin, days) for words, begin, days in _DAYS if words in question)
        day = now + timedelta(days=days)
        return f"{begin} {day:%A}, {day.day} {day:%B} {day.year}."
    return None


def _clock(now: datetime) -> str:
    if now.minute:
        return f"{now.hour}:{now.minute:02d}"
    return {0: "midnight", 12: "noon"}.get(now.hour, f"{(now.hour - 1) % 12 + 1} o'clock")
