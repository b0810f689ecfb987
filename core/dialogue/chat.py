"""Turns over chat.completions: with the model's own ears and voice, or with those of speech services."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from core.dialogue.aloud import Aloud
from core.dialogue.client import list_models
from core.dialogue.exchange import Waiting, read_reply
from core.dialogue.phrases import ENGLISH, language_among, phrases_for
from core.dialogue.protocol import Verdict
from core.dialogue.request import Question, build_request
from core.dialogue.same_speech import same_speech
from core.dialogue.sentences import sentences
from core.dialogue.wire import Words
from core.media import AudioChunk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import openai

    from core.dialogue.client import Patience
    from core.dialogue.delivery import Delivery
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.identify import Server
    from core.dialogue.request import Request
    from core.dialogue.services import Speech

log = logging.getLogger(__name__)


class ChatTransport:
    """Implements `core.dialogue.transport.Transport`. A model that takes no sound is given the words, one that gives
    none is read aloud sentence by sentence."""

    def __init__(self, client: openai.AsyncOpenAI, endpoint: Endpoint, patience: Patience, speech: Speech) -> None:
        self._client = client
        self._endpoint = endpoint
        self._patience = patience
        self._speech = speech
        self._hearing: tuple[AudioChunk, asyncio.Task[str]] | None = None
        self._english = True
        """Whether the conversation may be in English, as far as is known."""

    @property
    def ready(self) -> bool:
        """Connections are the SDK's; how long ago one was used is for the caller to know."""
        return True

    async def warm(self, server: Server) -> None:
        """Have a connection open; `server` was found over it."""
        await list_models(self._client, self._endpoint, self._patience)

    def listen(self, server: Server, speech: AudioChunk) -> None:
        """Have the words ready where they are needed; a request itself cannot be begun before the turn has ended."""
        if not server.hears:
            self._hear(speech)

    async def attempt(self, server: Server, question: Question, waiting: Waiting, delivery: Delivery) -> Verdict:
        if isinstance(question.speech, AudioChunk) and not server.hears:
            texts = [*question.texts, self._endpoint.instructions]
            self._english = language_among(texts) in ("", ENGLISH)
            words = await self._hear(question.speech)
            if self._speech.hears_here and not self._english:
                raise self._speech.deafness
            if not words:
                await self._say(phrases_for(texts).not_caught, delivery)
                return Verdict.OK
            await delivery.user_said(words)
            question = replace(question, speech=words)
        instructions = self._endpoint.instructions
        request = build_request(server.profile, server.model, server.voice, instructions, question)
        if server.profile.speaks:
            return await self._read(request, waiting, delivery)
        return await self._read_aloud(request, waiting, delivery)

    def forget(self) -> None:
        """Another conversation begins."""
        self._forget_hearing()

    async def close(self) -> None:
        self._forget_hearing()
        await self._speech.close()

    def _hear(self, speech: AudioChunk) -> asyncio.Task[str]:
        """The words of `speech`, from what was heard ahead if it was that."""
        if self._hearing is None or not same_speech(self._hearing[0], speech) or _failed(self._hearing[1]):
            self._forget_hearing()
            hearing = self._speech.hear(speech, english=self._english)
            self._hearing = speech, asyncio.get_running_loop().create_task(hearing)
        return self._hearing[1]

    def _forget_hearing(self) -> None:
        if self._hearing is not None:
            self._hearing[1].cancel()
            _failed(self._hearing[1])
            self._hearing = None

    async def _read(self, request: Request, waiting: Waiting, delivery: Delivery) -> Verdict:
        verdict = await read_reply(self._client, self._endpoint, request, waiting, delivery.take)
        await delivery.end()
        if verdict is Verdict.NO_AUDIO:
            await self._make_up_for_sound(delivery)
        return verdict

    async def _make_up_for_sound(self, delivery: Delivery) -> None:
        """The words are there: have them said by whoever can."""
        for sentence in sentences(delivery.text):
            async for sound in self._speech.say(sentence):
                if not await delivery.take(sound):
                    return
        await delivery.end()

    async def _read_aloud(self, request: Request, waiting: Waiting, delivery: Delivery) -> Verdict:
        async with self._aloud(delivery) as aloud:
            verdict = await read_reply(self._client, self._endpoint, request, waiting, aloud.take)
            await aloud.end()
            await delivery.end()
        return Verdict.OK if verdict is Verdict.NO_AUDIO and delivery.sounded else verdict

    async def _say(self, words: str, delivery: Delivery) -> None:
        async with self._aloud(delivery) as aloud:
            await aloud.take(Words(words))
            await aloud.end()

    @contextlib.asynccontextmanager
    async def _aloud(self, delivery: Delivery) -> AsyncGenerator[Aloud]:
        aloud = Aloud(self._speech.say, delivery)
        try:
            yield aloud
        finally:
            await aloud.close()


def _failed(hearing: asyncio.Task[str]) -> bool:
    """Whether it gave no words, or will give none because the turn that waited for it was cancelled."""
    if not hearing.done():
        return hearing.cancelling() > 0
    return hearing.cancelled() or hearing.exception() is not None
