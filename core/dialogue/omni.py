"""OmniDialogue: answers turns through a Qwen3-Omni endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import soxr

from core.channel import Closed
from core.dialogue.bugs import Bugs
from core.dialogue.client import Patience, identify, list_models, open_client
from core.dialogue.endpoint import without_refused
from core.dialogue.exchange import Waiting, read_reply
from core.dialogue.protocol import Verdict
from core.dialogue.request import build_request
from core.dialogue.trouble import Setback, broken_off, silent
from core.dialogue.wire import Words
from core.errors import LiveTalkError, ServerError
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from core.dialogue.client import Server
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.protocol import Message, Reply
    from core.dialogue.wire import Sound
    from core.media import AudioChunk, Samples, Turn

log = logging.getLogger(__name__)
T = TypeVar("T")
STILL_WARM_S = 4.0
"""A connection used this recently is not warmed again (local servers close theirs after five seconds)."""
JOIN_LIMIT_S = 10.0
_NO_SAMPLES: Samples = np.zeros(0, np.float32)


class OmniDialogue:
    """A `Dialogue` over ``chat.completions`` with sound in and out.

    One asyncio loop on the thread "dialogue" owns the connection; each turn is a task there, and cancelling it closes
    its socket. A reply is handed over on the threads "dialogue-hands", because the listener may let it wait; names are
    looked up there too. A bug fails the turn it happened in, and the thread goes on with the next.

    No endpoint tells what it heard. `transcribe` (called on one of the hands) may, so that the transcript and later
    turns have the person's words; it runs beside the request and holds back at most the end of the reply.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        patience: Patience | None = None,
        transcribe: Callable[[AudioChunk], str] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._transcribe = transcribe
        self._patience = patience or Patience()
        self._client = open_client(endpoint, self._patience)
        self._bugs = Bugs("LiveTalk")
        self._server: Server | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._warming: asyncio.Task[None] | None = None
        self._used_at = -STILL_WARM_S
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(3, thread_name_prefix="dialogue-hands"))
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="dialogue")
        self._thread.start()

    def anticipate(self, speech: AudioChunk) -> None:
        """Have a connection open by the time the person has finished."""
        del speech
        self._call(self._warm)

    def start(self, turn: Turn, history: Sequence[Message], reply: Reply) -> None:
        """Answer `turn`. The avatar does not open a conversation over an endpoint: such a turn ends without words."""
        self._call(self._begin, turn, tuple(history), reply)

    def cancel(self, turn: Turn) -> None:
        """Close the connection of `turn`; nothing happens when it has ended."""
        self._call(self._abandon, turn.number)

    def close(self) -> None:
        """End every turn, the connection and the threads. Turns must be cancelled before, or their listener closed."""
        self._call(self._finish)
        self._thread.join(JOIN_LIMIT_S)
        if self._thread.is_alive():
            log.error("the thread of the endpoint did not end within %.0f s", JOIN_LIMIT_S)

    def _call(self, method: Callable[..., None], *values: object) -> None:
        """Have `method` called on the loop; nothing happens once that is closed."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(method, *values)

    # From here on everything runs on the loop.

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._warm()
        try:
            await self._over
        finally:
            tasks = [*self._tasks.values(), *([self._warming] if self._warming else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.close()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _begin(self, turn: Turn, history: tuple[Message, ...], reply: Reply) -> None:
        task = self._tasks[turn.number] = self._loop.create_task(self._answer(turn, history, reply))
        task.add_done_callback(lambda task: self._ended(turn.number, task))

    def _abandon(self, number: int) -> None:
        if number in self._tasks:
            self._tasks[number].cancel()

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(number) is task:
            del self._tasks[number]
        self._note_a_bug(task)

    def _note_a_bug(self, task: asyncio.Task[None]) -> None:
        bug = None if task.cancelled() else task.exception()
        if isinstance(bug, Exception) and not isinstance(bug, Closed):
            self._bugs.note(bug)

    def _warm(self) -> None:
        if self._warming is None and not self._tasks and self._loop.time() - self._used_at >= STILL_WARM_S:
            self._warming = self._loop.create_task(self._connect())
            self._warming.add_done_callback(self._warmed)

    def _warmed(self, task: asyncio.Task[None]) -> None:
        self._warming = None
        self._note_a_bug(task)

    async def _connect(self) -> None:
        _ = self._client.chat.completions  # the SDK imports what it needs for this on first use
        try:
            if self._server is None:
                self._server = await identify(self._client, self._endpoint, self._patience)
            else:
                await list_models(self._client, self._endpoint, self._patience)
        except Setback as setback:
            log.info("the endpoint is not ready: %s", setback.error.detail)
        self._used_at = self._loop.time()

    async def _answer(self, turn: Turn, history: tuple[Message, ...], reply: Reply) -> None:
        if turn.speech is None:
            await self._hand(reply.finish, Verdict.NO_AUDIO)
            return
        noting = self._loop.create_task(self._note_words(turn.speech, reply))
        try:
            outcome = await self._outcome(turn, turn.speech, history, reply)
            await noting
            if isinstance(outcome, Verdict):
                await self._hand(reply.finish, outcome)
            else:
                await self._hand(reply.fail, outcome)
            self._bugs.all_well()
        except Closed:
            raise
        except Exception as bug:  # noqa: BLE001 - the turn must not wait for ever
            await self._hand(reply.fail, self._bugs.ended_a_turn(bug))
        finally:
            noting.cancel()
            self._used_at = self._loop.time()

    async def _note_words(self, speech: AudioChunk | str, reply: Reply) -> None:
        if self._transcribe is None or isinstance(speech, str):
            return
        try:
            words = await self._hand(self._transcribe, speech)
        except LiveTalkError as error:
            log.info("the words of a spoken turn are not known: %s", error.problem.value)
            return
        except Exception as bug:  # noqa: BLE001 - the answer does not need them
            self._bugs.note(bug)
            return
        if words:
            await self._hand(reply.user_said, words)

    async def _outcome(
        self, turn: Turn, speech: AudioChunk | str, history: tuple[Message, ...], reply: Reply
    ) -> Verdict | ServerError:
        try:
            return await self._ask(speech, history, reply)
        except ServerError as error:
            log.info("turn %d failed: %s (%s)", turn.number, error.problem.value, error.detail)
            return error

    async def _ask(self, speech: AudioChunk | str, history: tuple[Message, ...], reply: Reply) -> Verdict:
        """Ask, and ask once more where that helps and nothing was given; turn a switch of the profile when the server
        refuses the form of the request and names it."""
        waiting, delivery = Waiting(self._patience), Delivery(reply, self._hand)
        may_retry = True
        while True:
            try:
                return await self._attempt(speech, history, waiting, delivery)
            except Setback as setback:
                if setback.filtered:
                    return Verdict.FILTERED
                if delivery.sounded:
                    await delivery.end()
                    raise broken_off(setback.error.detail or setback.error.title) from setback
                if delivery.begun:
                    raise setback.error from setback
                if self._reshape(setback):
                    continue
                if not may_retry or setback.again_after_s is None:
                    raise setback.error from setback
                may_retry = False
                await asyncio.sleep(setback.again_after_s)

    async def _attempt(
        self, speech: AudioChunk | str, history: tuple[Message, ...], waiting: Waiting, delivery: Delivery
    ) -> Verdict:
        server = self._server or await self._identify(waiting)
        request = build_request(
            server.profile, server.model, server.voice, self._endpoint.instructions, history, speech
        )
        verdict = await read_reply(self._client, self._endpoint, request, waiting, delivery.take)
        await delivery.end()
        return verdict

    async def _identify(self, waiting: Waiting) -> Server:
        """Learn who answers, from the warming that is under way if there is one."""
        try:
            if self._warming:
                await waiting.for_sign(asyncio.wait([self._warming]))
            if not self._server:
                self._server = await waiting.for_sign(identify(self._client, self._endpoint, self._patience))
        except TimeoutError as error:
            raise Setback(silent(waiting.spent_s)) from error
        return self._server

    def _reshape(self, setback: Setback) -> bool:
        """Turn the switch that the refusal names, for this and all later turns; False when there is none to turn."""
        server = self._server
        profile = without_refused(server.profile, setback.refusal) if server and setback.refusal else None
        if not server or not profile:
            return False
        log.info("the endpoint wants another form of request: %s", ", ".join(sorted(profile.refused)))
        self._server = server.asked_as(profile)
        return True

    async def _hand(self, give: Callable[..., T], *values: object) -> T:
        """Call a method of the reply, which may wait, beside the loop."""
        return await self._loop.run_in_executor(None, give, *values)


class Delivery:
    """Hands a reply over at the media rate. The resampler keeps its state from piece to piece."""

    def __init__(self, reply: Reply, hand: Callable[..., Awaitable[bool]]) -> None:
        self._reply = reply
        self._hand = hand
        self._resampler: soxr.ResampleStream | None = None
        self._rate = MEDIA_RATE
        self.begun = False
        self.sounded = False

    async def take(self, piece: Words | Sound) -> bool:
        self.begun = True
        if isinstance(piece, Words):
            return await self._hand(self._reply.speak, _NO_SAMPLES, piece.text)
        self.sounded = True
        await self._at_rate(piece.rate)
        samples = piece.samples if self._resampler is None else self._resampler.resample_chunk(piece.samples)
        return await self._hand(self._reply.speak, samples, "")

    async def end(self) -> None:
        """Give what the resampler still holds."""
        await self._at_rate(MEDIA_RATE)

    async def _at_rate(self, rate: int) -> None:
        if rate == self._rate:
            return
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            await self._hand(self._reply.speak, rest, "")
        self._rate = rate
        self._resampler = None if rate == MEDIA_RATE else soxr.ResampleStream(rate, MEDIA_RATE, 1, dtype="float32")
