"""LocalVoice: this computer's voice for an endpoint that has none."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from core.dialogue.voice import VoiceFailed, find_voice
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from core.dialogue.voice import Voice
    from core.media import Samples

log = logging.getLogger(__name__)


class LocalVoice:
    """Says a sentence at a time. Any thread; a voice that is missing is looked for again each time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._voice: Voice | None = None

    def __call__(self, sentence: str) -> tuple[Samples, int]:
        """Mono samples and their rate; no samples where there is no voice for the words."""
        voice = self._voice = self._voice or find_voice(self._name)
        if voice is None:
            return np.zeros(0, np.float32), MEDIA_RATE
        try:
            spoken = voice.say(sentence)
        except VoiceFailed as error:
            log.info("a sentence stays without sound: %s", error)
            return np.zeros(0, np.float32), MEDIA_RATE
        return spoken.samples, spoken.rate
