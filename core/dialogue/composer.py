"""Composer: what the built-in companion says to what it was told, piece by piece as the words come."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.dialogue.known import plain
from core.dialogue.protocol import Message
from core.dialogue.sentences import Manner, SentenceCutter, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from core.dialogue.abilities import Abilities
    from core.dialogue.known import Known

_WORDLESS = (
    "I can't answer that, because my language model is missing. To get it, run in a terminal: make models.",
    "That is more than I know without my language model. This brings it: make models.",
)
_LOST_FOR_WORDS = (
    "I'm not sure what to say to that. Tell me a little more?",
    "That one is too big for me. A connected Qwen3-Omni endpoint could answer it.",
    "I don't know, I'm only a small model. What do you think?",
)
_QUESTION = re.compile(r"^(?:and |so |but )?(?:who|what|which|when|where|why|how|is|are|was|were|does|do|did|can)\b")
_CAUTION = ("Better check that, I'm only a small model.", "I may be wrong there, small as I am.")
_CAUTION_EVERY = 4
"""Answers of the model to questions of fact between two reminders that it may be wrong."""


class Composer:
    """Exact answers first, then the language model kept to its manner, then an honest line. Belongs to one thread.

    Composing may be broken off and begun again with the same words and history: what the model had said by then is
    kept and not worked out twice.
    """

    def __init__(self, able: Abilities, known: Known, clock: Callable[[], datetime]) -> None:
        self._able = able
        self._known = known
        self._clock = clock
        self._thought: _Thought | None = None

    def greet(self, history: Sequence[Message]) -> list[str]:
        """What it says first."""
        return sentences(self._known.greeting(history))

    def compose(
        self, said: str, history: tuple[Message, ...], wanted: Callable[[], bool], tell: Callable[[str], None]
    ) -> None:
        """Call `tell` with each piece of the answer to `said`, until it is complete or no longer `wanted`."""
        turn = sum(message.role == "user" for message in history)
        exact = self._known.answer(said, history, self._clock())
        if exact is None and self._able.words is None:
            exact = _WORDLESS[turn % len(_WORDLESS)]
        if exact is not None:
            for sentence in sentences(exact):
                if wanted():
                    tell(sentence)
            return
        if not self._improvise(said, history, wanted, tell) and wanted():
            tell(_LOST_FOR_WORDS[turn % len(_LOST_FOR_WORDS)])

    def _improvise(
        self, said: str, history: tuple[Message, ...], wanted: Callable[[], bool], tell: Callable[[str], None]
    ) -> bool:
        """Answer with the language model; False when nothing it said could be let through."""
        thought = self._thought
        if thought is None or thought.conversation != (*history, Message("user", said)):
            thought = self._thought = _Thought((*history, Message("user", said)))
        manner = Manner(" ".join(message.text for message in history[-4:] if message.role == "assistant"))
        cutter = SentenceCutter()
        told = False

        def pass_on(text: str) -> bool:
            nonlocal told
            for piece in cutter.feed(text):
                if wanted() and (admitted := manner.admit(piece)):
                    tell(admitted)
                    told = True
            return wanted() and not manner.full

        def hear(text: str) -> bool:
            thought.words += text
            return pass_on(text)

        if pass_on(thought.words) and not thought.complete:
            assert self._able.words is not None
            self._able.words.answer(thought.conversation, thought.words, hear)
            thought.complete = wanted()
        if wanted() and (last := manner.admit_last(cutter.rest())):
            tell(last)
            told = True
        if told and wanted() and (caution := _caution(said, history)):
            tell(caution)
        return told


def _caution(said: str, history: Sequence[Message]) -> str | None:
    """The reminder that a small model may be wrong, due after an answer to a question of fact."""
    if not _QUESTION.search(plain(said)) or re.search(r"\b(?:should|shall) (?:i|we)\b", plain(said)):
        return None
    mine = [message.text for message in history if message.role == "assistant"]
    if any(caution in text for text in mine[-_CAUTION_EVERY:] for caution in _CAUTION):
        return None
    return _CAUTION[any(_CAUTION[0] in text for text in mine)]


class _Thought:
    """The model's own words in `conversation` so far, and whether they are all of them."""

    def __init__(self, conversation: tuple[Message, ...]) -> None:
        self.conversation = conversation
        self.words = ""
        self.complete = False
