"""Delivery: a reply on its way to the conversation, at the media rate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import soxr

from core.dialogue.wire import Words
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.dialogue.wire import Sound
    from core.media import Samples

log = logging.getLogger(__name__)
_NO_SAMPLES: Samples = np.zeros(0, np.float32)
_FASTEST = 14.0 / 0.4
"""Letters a second beyond which the sound cannot hold its words: a reply with less than two fifths of the sound that
ordinary speech has is a known fault of servers (vllm-omni #609, #2953)."""
_WIDE_WEIGHT = 3.5
_SHORTEST = 40


class Delivery:
    """Hands a reply over. The resampler keeps its state from piece to piece. Lives on the loop.

    Args:
        speak: takes media samples and the words they say; False when the reply is no longer wanted.
        tell: takes the words of the person.
    """

    def __init__(
        self, speak: Callable[[Samples, str], Awaitable[bool]], tell: Callable[[str], Awaitable[object]]
    ) -> None:
        self._speak = speak
        self._tell = tell
        self._resampler: soxr.ResampleStream | None = None
        self._rate = MEDIA_RATE
        self._letters = 0.0
        self._seconds = 0.0
        self.text = ""
        self.begun = False
        self.sounded = False

    async def take(self, piece: Words | Sound) -> bool:
        """Hand `piece` over; False when the reply is no longer wanted."""
        if isinstance(piece, Words):
            return await self.together(piece.text, None)
        return await self.together("", piece)

    async def together(self, text: str, sound: Sound | None) -> bool:
        """Words and the sound that says them, either of which may be missing."""
        self.begun = True
        self.text += text
        self._letters += sum(_WIDE_WEIGHT if ord(letter) > 0x2E7F else 1.0 for letter in text)
        if sound is None:
            return await self._speak(_NO_SAMPLES, text)
        self.sounded = True
        self._seconds += len(sound.samples) / sound.rate
        await self._at_rate(sound.rate)
        samples = sound.samples if self._resampler is None else self._resampler.resample_chunk(sound.samples)
        return await self._speak(samples, text)

    async def add(self, sentence: str, sounds: Sequence[Sound]) -> None:
        """What somebody else says after all of the reply, nothing where there is no sound of it; the reply ends."""
        await self.end()
        apart = " " if self.text and not self.text[-1].isspace() else ""
        for sound in sounds:
            await self.together(apart + sentence, sound)
            apart = sentence = ""
        await self.end()

    async def user_said(self, text: str) -> None:
        """The words of the person's spoken turn became known."""
        await self._tell(text)

    def forget(self) -> None:
        """The reply begins again; so far there were only words."""
        self.text, self._letters, self.begun = "", 0.0, False

    async def end(self) -> None:
        """Give what the resampler still holds; note a reply whose sound is too short for its words."""
        await self._at_rate(MEDIA_RATE)
        if self.sounded and self._letters >= _SHORTEST and self._letters > _FASTEST * self._seconds:
            log.info("the endpoint spoke %.1f s for %.0f letters: its sound lacks words", self._seconds, self._letters)

    async def _at_rate(self, rate: int) -> None:
        if rate == self._rate:
            return
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(_NO_SAMPLES, last=True)
            await self._speak(rest, "")
        self._rate = rate
        self._resampler = None if rate == MEDIA_RATE else soxr.ResampleStream(rate, MEDIA_RATE, 1, dtype="float32")
