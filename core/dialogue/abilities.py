"""Abilities: the ears, the words and the voice of the built-in companion, each loaded when first needed."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from core.dialogue.language import LanguageModel
from core.dialogue.recognizer import Recognizer
from core.dialogue.voice import Voice, VoiceFailed, find_voice
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

log = logging.getLogger(__name__)


class Abilities:
    """What can be had of `models` (the folder with moonshine and smollm2) and of the voices installed. Belongs to one
    thread; a part that is missing or damaged is None."""

    def __init__(self, models: Path, voice: str, seed: int) -> None:
        self._models = models
        self._voice_name = voice
        self._seed = seed

    @cached_property
    def voice(self) -> Voice | None:
        return find_voice(self._voice_name)

    @cached_property
    def ears(self) -> Recognizer | None:
        try:
            return Recognizer(self._models / "moonshine")
        except (OSError, ValueError) as error:
            log.info("no speech recognition: %s", error)
            return None

    @cached_property
    def words(self) -> LanguageModel | None:
        try:
            return LanguageModel(self._models / "smollm2", self._seed)
        except (OSError, ImportError, ValueError) as error:
            log.info("no language model: %s", error)
            return None

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
            self.ears(np.zeros(CAPTURE_RATE, np.float32))
        yield
        if self.words is not None:
            yield
            yield from self.words.learn(())
