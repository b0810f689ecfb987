"""Abilities: the ears, the words and the voice of the built-in companion, each loaded when first needed."""

from __future__ import annotations

import enum
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.dialogue.language import LanguageModel
from core.dialogue.recognizer import Recognizer
from core.dialogue.voice import Voice, VoiceFailed, find_voice
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from core.dialogue.protocol import Message
    from core.dialogue.recognizer import Heard
    from core.media import Samples

log = logging.getLogger(__name__)


class Lack(enum.Enum):
    """Why a model cannot be had, as the companion says it."""

    MISSING = "missing"
    DAMAGED = "damaged"

    @property
    def remedy(self) -> str:
        """The command that brings the model."""
        return "livetalk models fetch" if self is Lack.DAMAGED else "make models"


class Ears(Protocol):
    """The words of speech; returns early once `wanted` is false (`Recognizer`)."""

    def __call__(self, speech: Samples, wanted: Callable[[], bool] = ...) -> Heard: ...


class Abilities:
    """What can be had of `models` (the folder with moonshine and smollm2) and of the voices installed. Belongs to one
    thread; a part that cannot be had is None. `ears` makes a recogniser that is shared with others."""

    def __init__(self, models: Path, voice: str, seed: int, ears: Callable[[], Ears] | None = None) -> None:
        self._models = models
        self._make_ears = ears or (lambda: Recognizer(models / "moonshine"))
        self._voice_name = voice
        self._seed = seed
        self._voice: Voice | None = None
        self._ears: Ears | None = None
        self._words: LanguageModel | None = None
        self._deaf: Lack | None = None
        self._wordless: Lack | None = None

    @property
    def voice(self) -> Voice | None:
        """Looked for again as long as there is none: it may be installed meanwhile."""
        if self._voice is None:
            self._voice = find_voice(self._voice_name)
        return self._voice

    def speak_as(self, voice: str) -> None:
        """Have another voice from now on."""
        self._voice_name, self._voice = voice, None

    @property
    def ears(self) -> Ears | None:
        if self._ears is None and self._deaf is None:
            try:
                self._ears = self._make_ears()
            except (OSError, ValueError) as error:
                self._deaf = _lack("speech recognition", error)
        return self._ears

    @property
    def deaf(self) -> Lack | None:
        """Why there are no ears; None when there are."""
        return None if self.ears is not None else self._deaf

    @property
    def words(self) -> LanguageModel | None:
        if self._words is None and self._wordless is None:
            try:
                self._words = LanguageModel(self._models / "smollm2", self._seed)
            except (OSError, ImportError, ValueError) as error:
                self._wordless = _lack("language model", error)
        return self._words

    @property
    def wordless(self) -> Lack | None:
        """Why there are no words; None when there are."""
        return None if self.words is not None else self._wordless

    @contextmanager
    def hearing(self) -> Generator[Ears | None]:
        """The ears, for one use; broken ones are loaded anew for the next."""
        try:
            yield self.ears
        except Exception:
            self._ears = None
            raise

    @contextmanager
    def wording(self) -> Generator[LanguageModel | None]:
        """The words, for one use; broken ones are loaded anew for the next."""
        try:
            yield self.words
        except Exception:
            self._words = None
            raise

    def loading(self) -> Iterator[None]:
        """Load every part and use it once, so that the first turn finds it warm; one step at a time."""
        if self.voice is not None:
            try:
                self.voice.say("Hello.")
            except VoiceFailed as error:
                log.info("no voice: %s", error)
        yield
        if self.ears is not None:
            yield
            with self.hearing() as ears:
                if ears is not None:
                    ears(np.zeros(CAPTURE_RATE, np.float32))
        yield
        if self.words is not None:
            yield
            yield from self.learn(())

    def learn(self, conversation: Sequence[Message]) -> Iterator[None]:
        """`LanguageModel.learn`, where there is one."""
        with self.wording() as words:
            if words is not None:
                yield from words.learn(conversation)


def _lack(part: str, error: Exception) -> Lack:
    lack = Lack.DAMAGED if isinstance(error, ValueError) else Lack.MISSING
    log.info("no %s: %s: %s", part, lack.value, error)
    return lack
