"""One attempt at a turn over the wire: ask, read to the end, hand every piece over, within limits of time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeVar, cast

import openai

from core.dialogue.protocol import Verdict
from core.dialogue.trouble import Setback, failing, not_an_endpoint, of_failure, silent
from core.dialogue.wire import TurnDecoder, UnreadableReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from openai.types.chat import ChatCompletionMessageParam

    from core.dialogue.client import Patience
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.request import Request
    from core.dialogue.wire import Sound, Words

    Take = Callable[[Words | Sound], Awaitable[bool]]
    """Receives each piece; False when the reply is no longer wanted."""

T = TypeVar("T")


class Waiting:
    """The time spent waiting for the server in one turn, over all its attempts. What the listener's side takes to
    accept a piece is not counted. Lives on the loop."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._spent_s = 0.0
        self._first_attempt = True

    @property
    def spent_s(self) -> float:
        return self._spent_s

    @property
    def may_ask_again(self) -> bool:
        """Whether a second attempt would have time enough to be answered."""
        return self._patience.first_s - self._spent_s > self._patience.first_s / 8

    def begin_again(self) -> None:
        """Another attempt begins, which may take what is left."""
        self._first_attempt = False

    async def for_sign(self, answer: Awaitable[T]) -> T:
        return await self._limited(answer, min(self._patience.sign_s, self._first_left_s))

    async def for_first(self, chunk: Awaitable[T]) -> T:
        return await self._limited(chunk, self._first_left_s)

    async def for_next(self, chunk: Awaitable[T]) -> T:
        return await self._limited(chunk, min(self._patience.gap_s, self._patience.turn_s - self._spent_s))

    @property
    def _first_left_s(self) -> float:
        limit_s = self._patience.first_s
        return (min(self._patience.stall_s, limit_s) if self._first_attempt else limit_s) - self._spent_s

    async def _limited(self, answer: Awaitable[T], limit_s: float) -> T:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        finally:
            self._spent_s += loop.time() - since


async def read_reply(
    client: openai.AsyncOpenAI,
    endpoint: Endpoint,
    request: Request,
    waiting: Waiting,
    take: Take,
    decoder: TurnDecoder | None = None,
) -> Verdict:
    """Ask once and read the whole reply; `Verdict.CUT` only when `take` wanted no more. `decoder` is for who wants to
    look into it afterwards.

    Raises:
        Setback: the attempt failed. Whether anything was taken before is for the caller to know.
    """
    decoder = decoder or TurnDecoder()
    try:
        return await _read(client, request, decoder, waiting, take)
    except TimeoutError as error:
        if decoder.finished:
            return decoder.verdict
        raise Setback(silent(waiting.spent_s), again_after_s=(0.0,) if waiting.may_ask_again else ()) from error
    except openai.APIError as error:
        raise of_failure(error, endpoint, request.model) from error
    except UnreadableReply as error:
        raise Setback(not_an_endpoint(str(error))) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Setback(not_an_endpoint(type(error).__name__)) from error


async def _read(
    client: openai.AsyncOpenAI, request: Request, decoder: TurnDecoder, waiting: Waiting, take: Take
) -> Verdict:
    asked = client.chat.completions.create(
        model=request.model,
        messages=cast("list[ChatCompletionMessageParam]", request.messages),
        stream=True,
        extra_body=request.extras,
    )
    async with await waiting.for_sign(asked) as stream:
        chunks = aiter(stream)
        while True:
            limited = waiting.for_next if decoder.chunks else waiting.for_first
            chunk = await limited(anext(chunks, None))
            if chunk is None:
                return _ended(decoder)
            for piece in decoder.feed(chunk):
                if not await take(piece):
                    return Verdict.CUT


def _ended(decoder: TurnDecoder) -> Verdict:
    """The verdict of a stream that ended cleanly; without a finish reason the end is a cut all the same."""
    if not decoder.chunks:
        raise Setback(not_an_endpoint("an empty answer"), again_after_s=(0.5,))
    if decoder.verdict is Verdict.CUT:
        raise Setback(failing("the stream ended without a finish"), again_after_s=(0.0,))
    return decoder.verdict
