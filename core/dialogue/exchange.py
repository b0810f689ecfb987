"""One attempt at a turn over the wire: ask, read to the end, hand every piece over, within limits of time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeVar, cast

import openai

from core.dialogue.protocol import Verdict
from core.dialogue.sending import Sending
from core.dialogue.trouble import Setback, failing, not_an_endpoint, of_body, of_failure, silent
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
    """The time spent waiting for the server in one turn, over all its attempts. What it takes to send a request is not
    counted, nor what the listener's side takes to accept a piece. Lives on the loop.

    `loading`: the server may have to load its model before it answers for the first time, and begins anew when the
    connection is closed.
    """

    def __init__(self, patience: Patience, *, loading: bool = False) -> None:
        self._patience = patience
        self.loading = loading and patience.loading_s > patience.stall_s
        self._first_s = patience.loading_s if self.loading else min(patience.stall_s, patience.first_s)
        self._spent_s = 0.0
        self._attempt_s = 0.0
        self._over_dead_connection = False

    @property
    def spent_s(self) -> float:
        return self._spent_s

    @property
    def may_ask_again(self) -> bool:
        """Whether silence is worth a second attempt: there is time left in the turn, and the server was not loading a
        model, which it would begin anew."""
        return self._spent_s < self._patience.turn_s and not self.loading

    def begin_again(self) -> None:
        """Another attempt begins, which may take what is left; all the time there is where the one before it never
        reached the server."""
        self._first_s, self._attempt_s, self._over_dead_connection = self._second_s, 0.0, False
        self.loading = False

    async def for_server(self, answer: Awaitable[T]) -> T:
        """Wait for what must be known before the server can be asked."""
        attempt_s = self._attempt_s
        try:
            return await self.for_first(answer)
        finally:
            self._attempt_s = attempt_s

    async def for_sign(self, answer: Awaitable[T]) -> T:
        return await self._limited(answer, min(self._patience.sign_s, self._first_left_s))

    async def for_head(self, answer: Awaitable[T], sending: Sending) -> T:
        """The clock starts when all of the request was sent. A connection that was idle for long must show soon that it
        is alive."""
        loop, patience = asyncio.get_running_loop(), self._patience
        since, sent = loop.time(), False

        def moved() -> None:
            nonlocal since, sent
            if not limit.expired() and not (sent and sending.sent):
                since, sent = loop.time(), sending.sent
                limit.reschedule(since + (self._head_s(sending) if sent else patience.stall_s))

        try:
            async with asyncio.timeout(patience.stall_s) as limit:
                sending.moved = moved
                with sending.followed():
                    return await answer
        except TimeoutError:
            self._over_dead_connection = sent and self._doubted(sending)
            raise
        finally:
            sending.moved = lambda: None
            self._count(loop.time() - since)

    async def for_first(self, chunk: Awaitable[T]) -> T:
        return await self._limited(chunk, min(self._first_left_s, self._patience.turn_s - self._spent_s))

    async def for_next(self, chunk: Awaitable[T], *, voice_due: bool = False) -> T:
        """`voice_due`: there are words, and the sound that says them has not begun."""
        self.loading = False
        gap_s = self._patience.stall_s if voice_due else self._patience.gap_s
        return await self._limited(chunk, min(gap_s, self._patience.turn_s - self._spent_s))

    def go_on(self) -> None:
        """The server is alive, though neither a word nor a sound has come."""
        self._first_s = max(self._first_s, self._attempt_s + self._patience.gap_s)

    @property
    def _first_left_s(self) -> float:
        return self._first_s - self._attempt_s

    @property
    def _second_s(self) -> float:
        patience = self._patience
        if self._over_dead_connection:
            return patience.stall_s
        return min(patience.stall_s, max(patience.first_s - self._spent_s, patience.first_s - patience.stall_s))

    def _doubted(self, sending: Sending) -> bool:
        return sending.reused and sending.idle_s > self._patience.trusted_s

    def _head_s(self, sending: Sending) -> float:
        return min(self._first_left_s, self._patience.sign_s) if self._doubted(sending) else self._first_left_s

    def _count(self, seconds: float) -> None:
        self._spent_s += seconds
        self._attempt_s += seconds

    async def _limited(self, answer: Awaitable[T], limit_s: float) -> T:
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        finally:
            self._count(loop.time() - since)


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
        return await _read(client, endpoint, request, decoder, waiting, take)
    except TimeoutError as error:
        if decoder.finished:
            return decoder.verdict
        told = silent(waiting.spent_s, loading=waiting.loading)
        raise Setback(told, again_after_s=(0.0,) if waiting.may_ask_again else ()) from error
    except openai.APIError as error:
        raise of_failure(error, endpoint, request.model) from error
    except UnreadableReply as error:
        raise Setback(not_an_endpoint(str(error))) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Setback(not_an_endpoint(type(error).__name__)) from error


async def _read(
    client: openai.AsyncOpenAI,
    endpoint: Endpoint,
    request: Request,
    decoder: TurnDecoder,
    waiting: Waiting,
    take: Take,
) -> Verdict:
    asked = client.chat.completions.create(
        model=request.model,
        messages=cast("list[ChatCompletionMessageParam]", request.messages),
        stream=True,
        extra_body=request.extras,
    )
    speaks = "audio" in request.extras.get("modalities", ())
    async with await waiting.for_head(asked, Sending()) as stream:
        if "json" in stream.response.headers.get("content-type", ""):
            body = await waiting.for_first(stream.response.aread())
            raise of_body(json.loads(body), endpoint, request.model)
        chunks = aiter(stream)
        while True:
            found = decoder.landing
            if found.words or found.sound:
                chunk = await waiting.for_next(anext(chunks, None), voice_due=speaks and not found.sound)
            else:
                chunk = await waiting.for_first(anext(chunks, None))
                waiting.go_on()
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
