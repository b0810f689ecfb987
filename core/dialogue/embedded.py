"""EmbeddedDialogue: the built-in companion, which hears, thinks and speaks on this computer and nowhere else.

What it knows for certain it answers by itself (`known`); the rest is left to a small language model. A part that is
missing costs what that part gives and no more: typed text always gets an answer.
"""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.channel import Channel, Closed, TimedOut
from core.dialogue.abilities import Abilities, Lack
from core.dialogue.bugs import Bugs
from core.dialogue.composer import Composer
from core.dialogue.known import Known
from core.dialogue.mouth import Mouth
from core.dialogue.protocol import Message, Verdict
from core.dialogue.same_speech import same_speech
from core.dialogue.sentences import sentences
from core.media import AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from core.dialogue.abilities import Ears
    from core.dialogue.protocol import Reply
    from core.media import Samples, Turn

_CLEAR = 0.45
"""Recognition less sure than this is noise: speech lies above 0.6, noise mostly below 0.35."""
_NOISES = {"", "you", "uh", "um", "hmm", "mm", "mhm", "huh", "the"}
"""What Moonshine hears in a cough or a click."""
_NOT_CAUGHT = (
    "I didn't catch that.",
    "Sorry, I couldn't make that out. Could you say it again?",
    "I heard you, but not the words. Once more?",
)
_DEAF = "I can't understand speech yet, because a model is {lack}. Run in a terminal: {remedy}. Until then, type to me."
_MUTE = (
    "I have no voice here, so I answer in writing. To give me one, run in a terminal: sudo apt install flite. "
    "Or run: make run."
)


@dataclass(frozen=True, eq=False)
class _Anticipate:
    speech: AudioChunk


@dataclass(frozen=True, eq=False)
class _Introduce:
    name: str
    voice: str


@dataclass(frozen=True, eq=False)
class _Forget:
    pass


@dataclass(frozen=True, eq=False)
class _Start:
    turn: Turn
    history: tuple[Message, ...]
    reply: Reply


_Command = _Anticipate | _Introduce | _Forget | _Start


@dataclass(frozen=True, eq=False)
class _Understood:
    """The words of a piece of speech; empty when there were none."""

    speech: AudioChunk
    words: str


class EmbeddedDialogue:
    """Implements `core.dialogue.protocol.Dialogue` with the models in `models` (see `app.setup.models`).

    Every method may be called from any thread and returns at once; the work, the loading of the models included,
    happens on one thread named "dialogue". Making one starts the thread, `close` ends it. A bug fails the turn
    it happened in, and the thread goes on with the next.

    Args:
        models: holds the folders moonshine and smollm2.
        name: what the companion calls itself.
        clock: the local time of day.
        voice: a voice of flite ("rms" is a man's, "slt" a woman's).
        seed: the same conversation gets the same answers with the same seed.
    """

    def __init__(
        self,
        models: Path,
        name: str,
        clock: Callable[[], datetime],
        *,
        voice: str = "rms",
        seed: int = 0,
        ears: Callable[[], Ears] | None = None,
    ) -> None:
        self._able = Abilities(models, voice, seed, ears)
        self._bugs = Bugs("The built-in companion")
        self._composer = Composer(self._able, Known(name), clock)
        self._mouth = Mouth(self._able)
        self._inbox = Channel[_Command](capacity=8)
        self._closing = threading.Event()
        self._understood: _Understood | None = None
        self._expected: tuple[Message, ...] = ()
        self._misses = 0
        self._mute_told = False
        self._spare: Iterator[None] = self._able.loading()
        self._resting = False
        self._thread = threading.Thread(target=self._run, name="dialogue")
        self._thread.start()

    def anticipate(self, speech: AudioChunk) -> None:
        """Recognise `speech` and think of an answer, as long as nothing else is asked."""
        self._inbox.drop(lambda command: isinstance(command, _Anticipate))
        self._inbox.offer(_Anticipate(speech))

    def start(self, turn: Turn, history: Sequence[Message], reply: Reply, *, draft: bool = False) -> None:
        """Answer `turn`. Speech whose words nobody knows tells it nothing."""
        self._inbox.offer(_Start(turn, tuple(message for message in history if message.text), reply))

    def release(self, turn: Turn) -> None:
        """A draft is answered like a turn; a history tells of it only when it was one."""

    def cancel(self, turn: Turn) -> None:
        """Forget `turn` if it was not begun. An answer under way looks at `turn.cancelled` before every word."""
        self._inbox.drop(lambda command: isinstance(command, _Start) and command.turn is turn)

    def heard(self, turn: Turn, text: str, seconds: float) -> None:
        """It is told with the history of the next turn."""

    def forget(self) -> None:
        """What was understood and expected in this conversation is of no use in the next."""
        self._inbox.offer(_Forget())

    def introduce(self, name: str, voice: str) -> None:
        """Have another name and another voice of flite, from the next turn on; an answer under way ends as it began.
        The models stay loaded; what was thought ahead is forgotten."""
        self._inbox.drop(lambda command: isinstance(command, _Introduce))
        self._inbox.offer(_Introduce(name, voice))

    def close(self) -> None:
        """End the thread; waits for the word, the sentence or the model under way."""
        self._closing.set()
        self._inbox.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._step()
        except Closed:
            pass

    def _step(self) -> None:
        """Obey the next command; while there is none, load and learn."""
        try:
            command = self._inbox.take(None if self._resting else 0.0)
        except TimedOut:
            command = None
        try:
            self._obey(command)
        except Closed:  # nobody listens to this answer any more
            pass
        except Exception as bug:  # noqa: BLE001 - the next turn must find this thread alive
            self._bugs.note(bug)

    def _obey(self, command: _Command | None) -> None:
        match command:
            case _Anticipate(speech):
                self._think_ahead(speech)
            case _Start():
                self._answer(command)
            case _Introduce(name, voice):
                self._composer.introduce(Known(name))
                self._able.speak_as(voice)
                self._mouth.forget()
            case _Forget():
                self._understood, self._expected = None, ()
            case None:
                self._resting = next(self._spare, self) is self

    def _think_ahead(self, speech: AudioChunk) -> None:
        """Understand `speech`; then, with the conversation as it is expected to be, begin the answer."""
        self._understood = None
        words = self._understand(speech.samples, lambda: not self._closing.is_set())  # a start will want it whole
        if words is None:
            return
        self._understood = _Understood(speech, words)
        pieces = itertools.count()

        def tell(piece: str) -> None:
            if next(pieces) == 0:
                self._mouth.prepare(piece)

        if words:
            self._composer.compose(words, self._expected, self._undisturbed, tell)

    def _understand(self, samples: Samples, wanted: Callable[[], bool]) -> str | None:
        """The words in `samples`, empty when there are none to be made out; None without a recogniser."""
        with self._able.hearing() as ears:
            if ears is None:
                return None
            heard = ears(samples, wanted)
        text = re.sub(r"\b([Tt]o)-(day|morrow|night)\b", r"\1\2", heard.text)
        noise = heard.confidence < _CLEAR or re.sub(r"[^\w ]", "", text).lower().strip() in _NOISES
        return "" if noise else text

    def _undisturbed(self) -> bool:
        return not self._closing.is_set() and len(self._inbox) == 0

    def _answer(self, start: _Start) -> None:
        answer = _Spoken(start, self._mouth, self._closing)
        if not answer.wanted():
            return
        try:
            said = self._respond(start, answer)
            self._tell_of_muteness(answer)
        except Closed:
            raise
        except Exception as bug:  # noqa: BLE001 - the turn must not wait for ever
            start.reply.fail(self._bugs.ended_a_turn(bug))
            return
        if answer.wanted():
            start.reply.finish(answer.verdict)
            self._bugs.all_well()
            self._expect((*start.history, *said, Message("assistant", answer.text)))

    def _respond(self, start: _Start, answer: _Spoken) -> list[Message]:
        """Speak the answer; returns what the person said, as the conversation will keep it."""
        if start.turn.speech is None:
            answer.tell_all(self._composer.greet(start.history))
            return []
        words = self._words_of(start, answer)
        if words is None:
            lack = self._able.deaf or Lack.MISSING
            answer.tell_all(sentences(_DEAF.format(lack=lack.value, remedy=lack.remedy)))
            return []
        if not words.strip():
            answer.tell_all(sentences(_NOT_CAUGHT[self._misses % len(_NOT_CAUGHT)]))
            self._misses += 1
            return []
        self._misses = 0
        if isinstance(start.turn.speech, AudioChunk):
            start.reply.user_said(words)
        self._composer.compose(words, start.history, answer.wanted, answer.tell)
        return [Message("user", words)]

    def _tell_of_muteness(self, answer: _Spoken) -> None:
        """Once, where no voice is installed."""
        if not self._mute_told and self._able.voice is None and answer.wanted():
            self._mute_told = True
            answer.tell_all(sentences(_MUTE))

    def _words_of(self, start: _Start, answer: _Spoken) -> str | None:
        speech = start.turn.speech
        understood, self._understood = self._understood, None
        if not isinstance(speech, AudioChunk):
            return speech
        if understood is not None and same_speech(understood.speech, speech):
            return understood.words
        return self._understand(speech.samples, answer.wanted)

    def _expect(self, conversation: tuple[Message, ...]) -> None:
        """Remember how the conversation stands when the reply is heard to its end, and read it in spare time."""
        self._expected = conversation
        self._spare = itertools.chain(self._spare, self._able.learn(conversation))
        self._resting = False


class _Spoken:
    """One answer on its way to the conversation: what was said of it, and whether it had sound."""

    def __init__(self, start: _Start, mouth: Mouth, closing: threading.Event) -> None:
        self._turn = start.turn
        self._reply = start.reply
        self._mouth = mouth
        self._closing = closing
        self._refused = False
        self._sounded = False
        self.text = ""

    @property
    def verdict(self) -> Verdict:
        return Verdict.OK if self._sounded else Verdict.NO_AUDIO

    def wanted(self) -> bool:
        return not (self._turn.cancelled or self._closing.is_set() or self._refused)

    def tell(self, piece: str) -> None:
        """Say `piece`, unless the answer is no longer wanted."""
        if not self.wanted():
            return
        if not self.text:
            self._reply.worded()
        samples = self._mouth.say(piece)
        text = piece if not self.text else " " + piece
        if self.wanted():
            self._refused = not self._reply.speak(samples, text)
            self._sounded |= samples.size > 0
            self.text += text

    def tell_all(self, pieces: Sequence[str]) -> None:
        for piece in pieces:
            self.tell(piece)
