"""Recollection: what the conversation itself answers. Names told, things told, and what was said before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.dialogue.protocol import Message

_NAME_TOLD = re.compile(
    r"\b(?:my name(?:'s| is)|(?:people |they |just |you can )?call me|i(?:'m| am) called|the name(?:'s| is))\s+"
    r"(?:just\s+)?([^\W\d_][\w'-]*(?:\s(?-i:[A-Z])[\w'-]+)?)",
    re.IGNORECASE,
)
_NAME_SHORT = re.compile(
    r"^(?:(?:hi|hello|hey)(?: there)?[,.!]?\s+)?(?:I'm|I am|This is)\s+((?-i:[A-Z])[a-z]+)[.!]?$", re.IGNORECASE
)
_NO_NAME = re.compile(
    r"(?:not|what|the|an?|so|very|unknown|secret|important|too|really|that|in|on|fine|good|great|well|okay|ok|"
    r"sorry|happy|"
    r"sad|tired|hungry|bored|here|back|ready|lost|sick|busy|home|alone|done|sure|late|new|old|cold|hot|angry|"
    r"later|when|"
    r"if|tomorrow|again|it|there|confused|excited|worried|sleepy|german|french|american|english|british|italian|"
    r"spanish|"
    r"chinese|japanese|indian|dutch)",
    re.IGNORECASE,
)
_NAME_ASKED = re.compile(
    r"\b(?:what is|what was|do you (?:know|remember)|tell me|say|forgot(?:ten)?|guess) my name\b|\bwho am i$|"
    r"\bdo you (?:know|remember) (?:who i am|me)$"
)
_I_SAID = re.compile(
    r"\bwhat (?:did i|was it (?:that )?i|have i) (?:just |first |last )?(?:say|said|tell you|told you|ask(?:ed)?)\b|"
    r"\bwhat was my (?:last |first )?(?:question|message|sentence)\b|\brepeat what i (?:just )?said\b"
)
_YOU_SAID = re.compile(
    r"\bwhat (?:did you|was it (?:that )?you|have you) (?:just |last )?(?:say|said)\b|^what was that$|"
    r"^(?:sorry|pardon|pardon me|what|excuse me|huh)$|\bwhat was your (?:last )?answer\b|"
    r"\b(?:repeat|say) (?:that|it|this|yourself)(?: again| once more| please)*$|"
    r"^(?:please )?(?:come again|again|once more|repeat|one more time)(?: please)?$|"
    r"\bdid not (?:hear|get|catch|understand) (?:that|you|it)\b"
)
_TOPIC = re.compile(
    r"\bwhat (?:were|did|have|are) we (?:been )?(?:talk\w*|discuss\w*|speaking|chat\w*)\b|"
    r"\bdo you remember what (?:we|i) (?:said|talked|spoke|told)\b"
)
_TOLD = re.compile(
    r"\bmy ([a-z][a-z' -]{1,30}?)(?:'s name)? (?:is|are) (?:called |named )?([^.,;!?]{1,40})", re.IGNORECASE
)
_TOLD_ASKED = re.compile(
    r"\b(?:what|who|when|where) (?:is|are|was) my ([a-z][a-z' -]{1,30}?)(?: called| again)*$"
    r"|\b(?:do you (?:know|remember)|tell me) (?:what is )?my ([a-z][a-z' -]{1,30}?)$"
)
_TELLING = re.compile(
    r"^(?:and |well |also )?my (?:[a-z' -]+'s name is|[a-z' -]+ (?:is|are) (?:called|named)|favou?rite [a-z -]+ "
    r"is|birthday is(?: on)?)"
    r"\s+([^.,;!?]{1,40})[.!]?$",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"^(?:I said: |You said: |First you said: |You spoke about this: )+")


def told_name(history: Sequence[Message]) -> str | None:
    """The last name the person gave."""
    for message in reversed(history):
        if message.role == "user" and (name := _name_in(message.text)):
            return name
    return None


def name_answer(said: str, question: str, history: Sequence[Message]) -> str | None:
    """The answer to a name that is asked for or told in `said` (`question` in plain form)."""
    if _NAME_ASKED.search(question):
        name = told_name(history)
        return f"Your name is {name}." if name else "You haven't told me your name yet. What is it?"
    if name := _name_in(said):
        return f"Yes, {name}, I remember." if told_name(history) == name else f"Nice to meet you, {name}."
    return None


def said_answer(question: str, history: Sequence[Message]) -> str | None:
    """The answer to a question about what was said before. What was cut off is not repeated: it was not heard."""
    yours = [message.text.strip() for message in history if message.role == "user" and message.text.strip()]
    mine = [message.text.strip() for message in history if message.role == "assistant" and message.text.strip()]
    if _I_SAID.search(question):
        if not yours:
            return "You haven't said anything before this."
        first = bool(re.search(r"\bfirst\b|\bbeginning\b", question))
        return f"First you said: {yours[0]}" if first else f"You said: {yours[-1]}"
    if _YOU_SAID.search(question):
        return f"I said: {_REPEATED.sub('', mine[-1])}" if mine else "I haven't said anything yet."
    if _TOPIC.search(question):
        topics = [text for text in yours if not _TOPIC.search(text.lower())]
        return f"You spoke about this: {topics[-1]}" if topics else "We have only just begun."
    return None


def recalled_answer(said: str, question: str, history: Sequence[Message]) -> str | None:
    """What the person told of something of theirs ("my X is Y") when it is asked for; a nod when they tell it."""
    if telling := _TELLING.match(said.strip()):
        return f"{telling[1][:1].upper()}{telling[1][1:].strip()}. I'll remember that."
    match = _TOLD_ASKED.search(question)
    if not match:
        return None
    asked = match[1] or match[2]
    for message in reversed(history):
        if message.role != "user" or message.text.rstrip().endswith("?"):
            continue
        for told in _TOLD.finditer(message.text):
            if _same_thing(told[1]) == _same_thing(asked):
                named = "'s name" if re.search(r"'s name\b|\b(?:called|named)\b", told[0]) else ""
                return f"You told me: your {told[1].lower().removesuffix(_S)}{named} is {told[2].strip()}."
    return f"You haven't told me about your {_same_thing(asked)} yet."


_S = "'s"


def _name_in(said: str) -> str | None:
    """The name told in one of the sentences of `said`; a question tells none."""
    for sentence in re.split(r"(?<=[.!?])\s+", said.strip()):
        match = _NAME_TOLD.search(sentence) or _NAME_SHORT.match(sentence)
        if match and not _NO_NAME.fullmatch(match[1].split()[0]) and not sentence.endswith("?"):
            return " ".join(part[:1].upper() + part[1:] for part in match[1].split())
    return None


def _same_thing(words: str) -> str:
    """The bare name of a thing: "cat's name", "cat name" and "cat" are one, and so are both spellings of favourite."""
    words = words.lower().replace("favorite", "favourite").replace("color", "colour")
    return re.sub(r"(?:'s)?(?: name)?$", "", words).strip()
