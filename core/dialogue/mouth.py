"""Mouth: sentences as media samples, with one sentence ready ahead of its time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import soxr

from core.dialogue.voice import VoiceFailed
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from core.dialogue.abilities import Abilities
    from core.media import Samples

log = logging.getLogger(__name__)


class Mouth:
    """The voice at `MEDIA_RATE`. Belongs to one thread."""

    def __init__(self, able: Abilities) -> None:
        self._able = able
        self._ready: tuple[str, Samples] | None = None

    def prepare(self, text: str) -> None:
        """Have the sound of `text` ready; what was ready before is forgotten."""
        self._ready = (text, self._sound(text))

    def forget(self) -> None:
        """What was ready is not wanted, or in another's voice."""
        self._ready = None

    def say(self, text: str) -> Samples:
        """The sound of `text`, mono float32; empty when there is no voice for it."""
        ready, self._ready = self._ready, None
        return ready[1] if ready and ready[0] == text else self._sound(text)

    def _sound(self, text: str) -> Samples:
        if self._able.voice is None:
            return np.zeros(0, np.float32)
        try:
            spoken = self._able.voice.say(text)
        except VoiceFailed as error:
            log.info("a sentence stays without sound: %s", error)
            return np.zeros(0, np.float32)
        return soxr.resample(spoken.samples, spoken.rate, MEDIA_RATE).astype(np.float32)
