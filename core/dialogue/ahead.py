"""Ahead: an answer begun while the person pauses, and kept back until it is known that they had finished."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.dialogue.delivery import Delivery
from core.dialogue.same_speech import same_speech
from core.media import AudioChunk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from core.dialogue.protocol import Message, Verdict
    from core.dialogue.request import Question
    from core.media import Samples


class Ahead:
    """One attempt before its time: what it gives is kept, until a turn adopts it. Lives on the loop.

    Args:
        question: the speech so far, and the conversation as it is expected to be.
        attempt: asks, and delivers to what it is given.
    """

    def __init__(self, question: Question, attempt: Callable[[Delivery], Coroutine[object, object, Verdict]]) -> None:
        self._question = question
        self._kept: list[tuple[Samples, str]] = []
        self._heard = ""
        self._speak: Callable[[Samples, str], Awaitable[bool]] | None = None
        self._tell: Callable[[str], Awaitable[object]] | None = None
        self.delivery = Delivery(self._take, self._understand)
        self._task = asyncio.get_running_loop().create_task(attempt(self.delivery))
        self._task.add_done_callback(_forgive)

    def answers(self, speech: AudioChunk | str | None, history: Sequence[Message]) -> bool:
        """Whether this is the answer to `speech` after `history`."""
        asked = self._question.speech
        return (
            isinstance(speech, AudioChunk)
            and isinstance(asked, AudioChunk)
            and same_speech(asked, speech)
            and same_conversation(self._question.history, history)
        )

    async def adopt(
        self, speak: Callable[[Samples, str], Awaitable[bool]], tell: Callable[[str], Awaitable[object]]
    ) -> Verdict:
        """Hand over what was kept, then the rest as it comes; once at most.

        Raises:
            Setback: the attempt failed.
        """
        try:
            if self._heard:
                await tell(self._heard)
            while self._kept:
                await speak(*self._kept.pop(0))
            self._speak, self._tell = speak, tell
            return await self._task
        finally:
            self._task.cancel()

    def cancel(self) -> None:
        """Nobody wants it: its connection closes."""
        self._task.cancel()

    async def _take(self, samples: Samples, text: str) -> bool:
        if self._speak is not None:
            return await self._speak(samples, text)
        self._kept.append((samples, text))
        return True

    async def _understand(self, text: str) -> object:
        if self._tell is not None:
            return await self._tell(text)
        self._heard = text
        return None


def same_conversation(expected: Sequence[Message], told: Sequence[Message]) -> bool:
    """Whether both hold the same turns; the words of a spoken one may have become known since."""
    return len(expected) == len(told) and all(
        one.role == other.role and (bare(one.text) == bare(other.text) or (one.role == "user" and not one.text))
        for one, other in zip(expected, told, strict=True)
    )


def bare(text: str) -> str:
    return " ".join(text.split())


def _forgive(task: asyncio.Task[Verdict]) -> None:
    """The trouble of an attempt that nobody waited for is no trouble."""
    if not task.cancelled():
        task.exception()
