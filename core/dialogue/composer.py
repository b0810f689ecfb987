"""Composer: what the built-in companion says to what it was told, piece by piece as the words come."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from core.dialogue.known import plain
from core.dialogue.language import Manner
from core.dialogue.protocol import Message
from core.dialogue.reactions import reaction
from core.dialogue.sentences import Propriety, SentenceCutter, sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from core.dialogue.abilities import Abilities
    from core.dialogue.known import Known

_WORDLESS = (
    "I can't answer that, because my language model is {lack}. To get it, run in a terminal: {remedy}.",
    "That is more than I know, with my language model {lack}. This brings it: {remedy}.",
)
_LOST = (
    "That one is too big for me. A connected Qwen3-Omni endpoint could answer it.",
    "I don't know, I'm only a small model. What do you think?",
)
_GO_ON = ("Tell me a little more?", "How was that for you?", "What else happened?")
_QUESTION = re.compile(
    r"^(?:and |so |but |please |well )*(?:who|what|which|when|where|why|how|is|are|was|were|does|do|did|can|could|"
    r"would|should|will|give|tell|explain|describe|recommend|suggest|list|name|show|help|teach|write|define|compare)\b"
)
_ADVICE = re.compile(r"\b(?:should|shall) (?:i|we)\b|\byou think\b")
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
        self._conversation: tuple[Message, ...] = ()
        self._thoughts: dict[str, _Thought] = {}

    def introduce(self, known: Known) -> None:
        """Be somebody else from now on; what was thought ahead is forgotten."""
        self._known, self._conversation = known, ()

    def greet(self, history: Sequence[Message]) -> list[str]:
        """What it says first."""
        return sentences(self._known.greeting(history))

    def compose(
        self, said: str, history: tuple[Message, ...], wanted: Callable[[], bool], tell: Callable[[str], None]
    ) -> None:
        """Call `tell` with each piece of the answer to `said`, until it is complete or no longer `wanted`."""
        turn = sum(message.role == "user" for message in history)
        exact = self._known.answer(said, history, self._clock())
        if exact is None and (lack := self._able.wordless):
            exact = _WORDLESS[turn % len(_WORDLESS)].format(lack=lack.value, remedy=lack.remedy)
        if exact is not None:
            for sentence in sentences(exact):
                if wanted():
                    tell(sentence)
            return
        conversation = (*history, Message("user", said))
        if asks(said):
            self._explain(said, conversation, wanted, tell)
        else:
            self._chat(said, conversation, wanted, tell)

    def _explain(
        self, said: str, conversation: tuple[Message, ...], wanted: Callable[[], bool], tell: Callable[[str], None]
    ) -> None:
        """Answer a question; when nothing fit to be said comes, once more from the words "I think"."""
        telling = _Telling(conversation, wanted, tell, most=2)
        for opening in ("", "I think"):
            if wanted() and not telling.told:
                self._improvise(Manner.EXPLAIN, conversation, opening, telling)
        if wanted() and not telling.told:
            tell(_LOST[len(conversation) // 2 % len(_LOST)])
        elif wanted() and (caution := _caution(said, conversation)):
            tell(caution)

    def _chat(
        self, said: str, conversation: tuple[Message, ...], wanted: Callable[[], bool], tell: Callable[[str], None]
    ) -> None:
        """Take up what was told: a kind word at once, then a question about it."""
        kind = reaction(plain(said), [message.text for message in conversation if message.role == "assistant"])
        tell(kind)
        telling = _Telling(conversation, wanted, tell, most=1)
        if wanted():
            self._improvise(Manner.CHAT, conversation, kind, telling, begun=True)
        if wanted() and not telling.told:
            tell(_GO_ON[len(conversation) // 2 % len(_GO_ON)])

    def _improvise(
        self,
        manner: Manner,
        conversation: tuple[Message, ...],
        opening: str,
        telling: _Telling,
        *,
        begun: bool = False,
    ) -> None:
        """Let the language model answer, with `opening` as its first words; `begun`: they are told already."""
        if conversation != self._conversation:
            self._conversation, self._thoughts = conversation, {}
        thought = self._thoughts.setdefault(opening, _Thought(opening))

        def hear(text: str) -> bool:
            thought.words += text
            return telling.hear(text)

        if telling.hear(thought.words.removeprefix(opening) if begun else thought.words) and not thought.complete:
            with self._able.wording() as words:
                assert words is not None
                words.answer(manner, conversation, thought.words, hear)
            thought.complete = telling.wanted()
        telling.end()


class _Telling:
    """Streamed words on their way out: cut into pieces, kept to what is proper, told."""

    def __init__(
        self, conversation: Sequence[Message], wanted: Callable[[], bool], tell: Callable[[str], None], most: int
    ) -> None:
        self._recent = " ".join(message.text for message in conversation[-5:] if message.role == "assistant")
        self._most = most
        self.wanted = wanted
        self._tell = tell
        self._cutter = SentenceCutter()
        self._propriety = Propriety(self._recent, most)
        self.told = False

    def hear(self, text: str) -> bool:
        """Take streamed text; False when no more of it is of use."""
        for piece in self._cutter.feed(text):
            self._pass_on(self._propriety.admit(piece))
        return self.wanted() and not self._propriety.full

    def end(self) -> None:
        """No more text comes of this answer; what comes is another."""
        self._pass_on(self._propriety.admit_last(self._cutter.rest()))
        self._cutter = SentenceCutter()
        self._propriety = Propriety(self._recent, self._most)

    def _pass_on(self, piece: str) -> None:
        if piece and self.wanted():
            self._tell(piece)
            self.told = True


def asks(said: str) -> bool:
    """Whether `said` wants an answer, rather than somebody to listen."""
    return said.rstrip().endswith("?") or bool(_QUESTION.search(plain(said)))


def _caution(said: str, conversation: Sequence[Message]) -> str | None:
    """The reminder that a small model may be wrong, due after an answer to a question of fact."""
    if _ADVICE.search(plain(said)):
        return None
    mine = [message.text for message in conversation if message.role == "assistant"]
    if any(caution in text for text in mine[-_CAUTION_EVERY:] for caution in _CAUTION):
        return None
    return _CAUTION[any(_CAUTION[0] in text for text in mine)]


class _Thought:
    """The model's own words so far, and whether they are all of them."""

    def __init__(self, opening: str) -> None:
        self.words = opening
        self.complete = False
