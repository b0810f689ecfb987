"""Filler: a short sentence said while a busy endpoint is waited for. It holds nobody up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import soxr

from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.dialogue.bugs import Bugs
    from core.dialogue.wire import Sound
    from core.media import Samples

    Speak = Callable[[Samples, str], Awaitable[bool]]


class Filler:
    """At most one sentence, before any sound of one answer. Lives on the loop; `close` ends what is under way.

    Args:
        voice: makes the whole sound of a sentence, none where there is no voice for it.
        hand: gives samples and words to the listener, as something that is no part of the answer.
    """

    def __init__(self, voice: Callable[[str], Awaitable[Sequence[Sound]]], hand: Speak, bugs: Bugs) -> None:
        self._voice = voice
        self._hand = hand
        self._bugs = bugs
        self._saying: asyncio.Task[None] | None = None
        self._handing = False

    def say(self, words: str) -> None:
        """Begin to; returns at once."""
        if self._saying is None:
            self._saying = asyncio.get_running_loop().create_task(self._say(words))

    def first(self, speak: Speak) -> Speak:
        """`speak`, for the answer: what is being handed over goes before it, and what is not ready is not said."""

        async def after(samples: Samples, text: str) -> bool:
            if self._saying is not None and not self._saying.done():
                await self.close(unless_handing=True)
            return await speak(samples, text)

        return after

    async def ready(self, limit_s: float) -> None:
        """Wait until it was handed over, for so long at most."""
        if self._saying is not None:
            await asyncio.wait([self._saying], timeout=limit_s)

    async def close(self, *, unless_handing: bool = False) -> None:
        """Nothing is said any more; what is being handed over is let through where it is told so."""
        if self._saying is None:
            return
        if not (unless_handing and self._handing):
            self._saying.cancel()
        await asyncio.wait([self._saying])

    async def _say(self, words: str) -> None:
        try:
            samples = _joined(await self._voice(words))
            self._handing = True
            await self._hand(samples, words)
        except Exception as bug:  # noqa: BLE001 - the answer does not need it
            self._bugs.note(bug)


def _joined(sounds: Sequence[Sound]) -> Samples:
    if not sounds:
        return np.zeros(0, np.float32)
    samples, rate = np.concatenate([sound.samples for sound in sounds]), sounds[0].rate
    return samples if rate == MEDIA_RATE else soxr.resample(samples, rate, MEDIA_RATE).astype(np.float32)
