"""Known: what the built-in companion answers exactly by itself, never by the language model.

Time and date come from the clock it is given; what was said and told comes from the conversation, so that it survives
a conversation that is opened again.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from core.dialogue.arithmetic import solve
from core.dialogue.fixed_answers import fixed_answer
from core.dialogue.spoken_form import cardinal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.dialogue.protocol import Message

_CONTRACTIONS = (
    (r"\bwhat's\b", "what is"),
    (r"\bwho's\b", "who is"),
    (r"\bwhere's\b", "where is"),
    (r"\bhow's\b", "how is"),
    (r"\bthat's\b", "that is"),
    (r"\bit's\b", "it is"),
    (r"\bname's\b", "name is"),
    (r"\bcan't\b|\bcannot\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\bi'm\b", "i am"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"\bto-(?=day|morrow|night)", "to"),
    (r"\bthanx\b|\bthx\b", "thanks"),
)
_NAME_TOLD = re.compile(
    r"\b(?:my name(?:'s| is)|call me|people call me|i(?:'m| am) called|i am known as|the name(?:'s| is))\s+(?:just\s+)?"
    r"([^\W\d_][\w'-]*(?:\s[A-Z][\w'-]+)?)",
    re.IGNORECASE,
)
_NAME_SIMPLE = re.compile(
    r"^(?:(?:hi|hello|hey)[,.!]?\s+(?:there[,.!]?\s+)?)?(?:I'm|I am|This is)\s+([A-Z][a-z]+)[.!]?$"
)
_NO_NAMES = {
    "not", "what", "the", "a", "an", "so", "very", "unknown", "secret", "important", "too", "really", "that", "in", "on",
    "fine", "good", "great", "well", "okay", "ok", "sorry", "happy", "sad", "tired", "hungry", "bored", "here", "back",
    "ready", "lost", "sick", "busy", "home", "alone", "done", "sure", "late", "new", "old", "cold", "hot", "angry",
    "german", "french", "american", "english", "british", "italian", "spanish", "chinese", "japanese", "indian",
    "later", "when", "if", "tomorrow", "again", "it", "there", "confused", "excited", "worried", "sleepy",
}  # fmt: skip
_TOLD = re.compile(
    r"\bmy ([a-z][a-z' -]{1,30}?)(?:'s name)? (?:is|are) (?:called |named )?([^.,;!?]{1,40})", re.IGNORECASE
)
_ASKED_TOLD = re.compile(
    r"\b(?:what|who|when|where) (?:is|are|was) my ([a-z][a-z -]{1,30}?)(?:'s| s)?(?: (?:name|called|again))*$"
    r"|\bdo you (?:know|remember) my ([a-z][a-z -]{1,30}?)(?:'s| s)?(?: name)?$"
)
_DAYS_FROM = {"today": 0, "tomorrow": 1, "yesterday": -1, "the day after tomorrow": 2, "the day before yesterday": -2}


def plain(text: str) -> str:
    """`text` as patterns expect it: lower case, contractions written out, no punctuation but in numbers."""
    text = text.lower().replace("’", "'").strip()
    for pattern, words in _CONTRACTIONS:
        text = re.sub(pattern, words, text)
    return " ".join(re.sub(r"[^\w\s'.+*/%^()×÷²³-]|(?<!\d)[.]|[.](?!\d)", " ", text).split())


class Known:
    """Answers from the clock, the conversation, arithmetic and a table of fixed lines; pure, without state."""

    def __init__(self, name: str) -> None:
        self._name = name

    def greeting(self, history: Sequence[Message]) -> str:
        """What it says before anybody has spoken to it."""
        if not history:
            return f"Hello, I'm {self._name}. I'm a small companion that lives on this computer. Talk to me, or type."
        person = told_name(history)
        return f"Welcome back, {person}." if person else "Welcome back."

    def answer(self, said: str, history: Sequence[Message], now: datetime) -> str | None:
        """The exact answer to `said`, None when there is none."""
        question = plain(said)
        turn = sum(message.role == "user" for message in history)
        return (
            _names(said, question, history)
            or _time(question, now)
            or _said_before(question, history)
            or solve(question)
            or fixed_answer(question, self._name, turn)
            or _told(said, question, history)
        )


def told_name(history: Sequence[Message]) -> str | None:
    """The last name the person gave."""
    for message in reversed(history):
        if message.role == "user" and (name := _name_in(message.text)):
            return name
    return None


def _name_in(said: str) -> str | None:
    match = _NAME_TOLD.search(said) or _NAME_SIMPLE.match(said.strip())
    if not match or match[1].split()[0].lower() in _NO_NAMES or "?" in said:
        return None
    return " ".join(part[:1].upper() + part[1:] for part in match[1].split())


def _names(said: str, question: str, history: Sequence[Message]) -> str | None:
    if re.search(
        r"\b(?:what is|what was|do you (?:know|remember)|tell me|say|forgot(?:ten)?|guess) my name\b", question
    ) or (re.search(r"\bwho am i$|\bdo you (?:know|remember) (?:who i am|me)$", question)):
        name = told_name(history)
        return f"Your name is {name}." if name else "You haven't told me your name yet. What is it?"
    if name := _name_in(said):
        known = told_name(history)
        return f"Yes, {name}, I remember." if known == name else f"Nice to meet you, {name}."
    return None


def _time(question: str, now: datetime) -> str | None:
    if re.search(
        r"\b(?:what time is it|what is the time|what time do we have|do you (?:have|know) the time|tell me the time)\b|"
        r"^(?:the )?time(?: please)?$|\bhow late is it\b",
        question,
    ):
        place = re.search(r"\btime is it (?:now |right now )?in (?!the )(\w+)", question)
        here = "I only know the time on this computer. " if place else ""
        return f"{here}It's {_clock(now)}."
    if match := re.search(
        r"\b(?:what|which) (?:week)?day (?:of the week )?(?:is|was|will) (?:it )?(?:be )?(.*)$", question
    ):
        return _day(match[1], now)
    if match := re.search(r"\bwhat is (?:the |today's |tomorrow's )?date\b(.*)$|\bwhat date\b(.*)$", question):
        return _day("tomorrow" if "tomorrow" in question else (match[1] or match[2] or ""), now)
    if re.search(
        r"\b(?:what|which) (?:year|month) (?:is it|are we in|do we have)\b|\bwhat is the (?:year|month)\b", question
    ):
        return f"It's {now:%B} {now.year}."
    return None


def _clock(now: datetime) -> str:
    return (
        f"{now.hour}:{now.minute:02d}" if now.minute else f"{now.hour} o'clock" if now.hour <= 12 else f"{now.hour}:00"
    )


def _day(when: str, now: datetime) -> str:
    words = next((key for key in sorted(_DAYS_FROM, key=len, reverse=True) if key in when), "today")
    day = now + timedelta(days=_DAYS_FROM[words])
    verb = {0: "is", 1: "will be", 2: "will be"}.get(_DAYS_FROM[words], "was")
    return f"{words[0].upper()}{words[1:]} {verb} {day:%A}, {day.day} {day:%B} {day.year}."


def _said_before(question: str, history: Sequence[Message]) -> str | None:
    yours = [message.text for message in history if message.role == "user" and message.text]
    mine = [message.text for message in history if message.role == "assistant" and message.text]
    if re.search(
        r"\bwhat (?:did|was it) (?:i|that i) (?:just |first |last )?(?:say|said|tell you|ask|asked)\b|\bwhat was my (?:last |first )?"
        r"(?:question|message|sentence)\b|\brepeat what i (?:just )?said\b|\bwhat have i (?:just )?said\b",
        question,
    ):
        if not yours:
            return "You haven't said anything before this."
        first = "first" in question or "beginning" in question
        return f"{'First you said' if first else 'You said'}: {(yours[0] if first else yours[-1]).strip()}"
    if re.search(
        r"\bwhat (?:did|was it) (?:you|that you) (?:just |last )?(?:say|said)\b|^what was that$|^(?:sorry|pardon|pardon me|what|excuse me|huh)$|"
        r"\b(?:repeat|say) (?:that|it|this|yourself)(?: again| once more| please)*$|^(?:come again|again|once more|repeat)(?: please)?$|"
        r"\bdid not (?:hear|get|catch|understand) (?:that|you|it)\b|\bwhat was your (?:last )?answer\b",
        question,
    ):
        return f"I said: {mine[-1].strip()}" if mine else "I haven't said anything yet."
    if re.search(
        r"\bwhat (?:were|did|have) we (?:been )?(?:talking|talk|talked|discuss\w*|speaking|chat\w*) ?(?:about)?\b|\bdo you remember what (?:we|i)\b",
        question,
    ):
        return f"You spoke about this: {yours[-1].strip()}" if yours else "We have only just begun."
    if re.search(r"\bhow many (?:questions|things|messages) (?:did|have) i (?:ask|said|say|sent|written)", question):
        return f"So far you have spoken {cardinal(len(yours))} time{'' if len(yours) == 1 else 's'}."
    return None


def _told(said: str, question: str, history: Sequence[Message]) -> str | None:
    """ "My X is Y", when X is asked for later."""
    match = _ASKED_TOLD.search(question)
    if not match:
        return None
    subject = (match[1] or match[2]).removesuffix(" name").removesuffix("'s").strip()
    for message in reversed(history):
        if message.role != "user" or message.text.rstrip().endswith("?"):
            continue
        for told in _TOLD.finditer(message.text):
            if _same(told[1], subject):
                value = told[2].strip()
                return f"You told me: your {told[1].lower().removesuffix(chr(39) + 's')} is {value}."
    return f"You haven't told me about your {subject} yet."


def _same(told: str, asked: str) -> bool:
    def key(words: str) -> str:
        return re.sub(r"(?:'s)?(?: name)?$", "", words.lower()).replace("favorite", "favourite").strip()

    return key(told) == key(asked)
