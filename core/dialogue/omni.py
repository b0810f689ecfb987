"""OmniDialogue: answers turns through an endpoint, whatever kind of server it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from core.channel import Closed
from core.dialogue.acquaintance import Acquaintance
from core.dialogue.bugs import Bugs
from core.dialogue.chat import ChatTransport
from core.dialogue.client import Patience, open_client
from core.dialogue.delivery import Delivery
from core.dialogue.dictation import Dictation
from core.dialogue.exchange import Waiting
from core.dialogue.filler import Filler
from core.dialogue.listener import Listener
from core.dialogue.muteness import Muteness
from core.dialogue.phrases import language_among, phrases_for
from core.dialogue.protocol import Verdict
from core.dialogue.realtime import RealtimeTransport
from core.dialogue.request import Question
from core.dialogue.services import Local, Services, Speech
from core.dialogue.trouble import Setback, broken_off, silent, unknown_voice
from core.errors import Problem, ServerError
from core.media import AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.dialogue.endpoint import Endpoint
    from core.dialogue.identify import Server
    from core.dialogue.protocol import Message, Reply
    from core.dialogue.transport import Transport
    from core.dialogue.verdicts import Verdicts
    from core.dialogue.wire import Sound
    from core.media import Turn

log = logging.getLogger(__name__)
T = TypeVar("T")
STILL_WARM_S = 4.0
"""A connection used this recently is not warmed again (local servers close theirs after five seconds)."""
JOIN_LIMIT_S = 10.0
_WORTH_A_WORD_S = 0.5
"""A busy endpoint that is free again sooner is waited for in silence: the answer would come before the sentence."""
_LONGEST_FILLER_S = 1.0
"""How long the countdown waits for the sentence that is said before it."""
_HANDS = 4


@dataclass
class _Chances:
    """What was tried in a turn already; `spent`: it was asked before, with all its chances."""

    spent: bool = False
    repeated: int = 0
    shortened: bool = False


class OmniDialogue:
    """A `Dialogue` over an endpoint: chat.completions or a realtime WebSocket, with sound or with words.

    One asyncio loop on the thread "dialogue" owns the connections; each turn is a task there, and cancelling it closes
    its socket. A reply is handed over on the threads "dialogue-hands", because the listener may let it wait; names are
    looked up there too. A bug fails the turn it happened in, and the thread goes on with the next.

    Args:
        local: this computer's own ears and voice. They serve where the endpoint has none; and the ears write down what
            the person said beside an endpoint that hears by itself, for the transcript and for later turns.
        services: ears and a voice elsewhere than at the endpoint.
        verdicts: where what was found out about endpoints is remembered; None finds out anew each time.
        ask_for_words: let the endpoint write down what the local ears could not and it did not tell, after it has
            answered.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        patience: Patience | None = None,
        *,
        local: Local | None = None,
        services: Services | None = None,
        verdicts: Verdicts | None = None,
        ask_for_words: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._patience = patience or Patience()
        self._client = open_client(endpoint, self._patience)
        local = local or Local()
        self._speech = Speech(endpoint, services or Services(), local, self._patience)
        self._chat = ChatTransport(self._client, endpoint, self._patience, self._speech)
        self._bugs = Bugs("LiveTalk")
        self._live = RealtimeTransport(self._client, endpoint, self._patience, self._bugs)
        self._who = Acquaintance(self._client, endpoint, self._patience, verdicts)
        self._muteness = Muteness()
        self._excused = -1
        self._answered = False
        self._paused: AudioChunk | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._drafts: dict[int, asyncio.Event] = {}
        self._warming: asyncio.Task[None] | None = None
        self._used_at = -STILL_WARM_S
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_HANDS, thread_name_prefix="dialogue-hands"))
        self._dictation = Dictation(self._client, endpoint, self._patience)
        asked = self._dictation.write_down if ask_for_words else None
        self._listener = Listener(self._loop, self._speech.here, asked, self._bugs)
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name="dialogue")
        self._thread.start()

    def anticipate(self, speech: AudioChunk) -> None:
        """Have a connection open by the time the person has finished, and their words ahead on the way."""
        self._call(self._prepare, speech)

    def start(self, turn: Turn, history: Sequence[Message], reply: Reply, *, draft: bool = False) -> None:
        """Answer `turn`. The avatar does not open a conversation over an endpoint: such a turn ends without words."""
        self._call(self._begin, turn, tuple(history), reply, draft)

    def release(self, turn: Turn) -> None:
        """Keep what the person said in the draft of `turn`, and have it written down."""
        self._call(self._release, turn.number)

    def cancel(self, turn: Turn) -> None:
        """Close the connection of `turn`, or have a live server stop."""
        self._call(self._abandon, turn.number)

    def heard(self, turn: Turn, text: str, seconds: float) -> None:
        """Have a live server believe no more than that of the reply that was cut."""
        self._call(self._live.heard, turn.number, text, seconds)

    def forget(self) -> None:
        """Keep no sound for later requests, and no connection whose server remembers."""
        self._call(self._forget)

    def close(self) -> None:
        """End every turn, the connections and the threads. Turns must be cancelled before, or their listener closed."""
        self._call(self._finish)
        self._thread.join(JOIN_LIMIT_S)
        if self._thread.is_alive():
            log.error("the thread of the endpoint did not end within %.0f s", JOIN_LIMIT_S)

    def _call(self, method: Callable[..., None], *values: object) -> None:
        """Have `method` called on the loop; nothing happens once that is closed."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(method, *values)

    # From here on everything runs on the loop.

    @property
    def _transport(self) -> Transport:
        return self._live if self._endpoint.transport == "realtime" else self._chat

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
            await self._listener.close()
            await self._dictation.close()
            await self._chat.close()
            await self._live.close()
            await self._client.close()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _prepare(self, speech: AudioChunk) -> None:
        self._warm()
        self._paused = speech
        self._listen()

    def _listen(self) -> None:
        """Send ahead what the person said before their pause, once nothing else is under way."""
        if self._paused is not None and self._who.server is not None and not self._tasks:
            self._transport.listen(self._who.server, self._paused)
            self._paused = None

    def _begin(self, turn: Turn, history: tuple[Message, ...], reply: Reply, draft: bool) -> None:
        self._paused = None
        released = asyncio.Event() if draft else None
        if released:
            self._drafts[turn.number] = released
        task = self._tasks[turn.number] = self._loop.create_task(self._answer(turn, history, reply, released))
        task.add_done_callback(lambda task: self._ended(turn.number, task))

    def _abandon(self, number: int) -> None:
        if number in self._tasks:
            self._tasks[number].cancel()
        if number == self._excused:
            self._excused = -1
        if self._drafts.pop(number, None):
            self._listener.withdraw(number)
            self._live.withdrawn(number)
        else:
            self._live.interrupted(number)
        self._warm()

    def _release(self, number: int) -> None:
        if released := self._drafts.pop(number, None):
            released.set()
            self._listener.release(number)

    def _forget(self) -> None:
        self._paused = None
        self._muteness = Muteness()
        self._listener.forget()
        self._chat.forget()
        self._live.forget()
        self._warm()

    def _ended(self, number: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(number) is task:
            del self._tasks[number]
        self._bugs.watch(task)
        self._used_at = self._loop.time()
        if not self._over.done():
            self._warm()
            self._listen()

    def _warm(self) -> None:
        """Have a connection, unless there is one that was used just now."""
        cold = self._loop.time() - self._used_at >= STILL_WARM_S or not self._transport.ready
        if self._warming is None and not self._tasks and cold:
            self._warming = self._loop.create_task(self._connect())
            self._warming.add_done_callback(self._warmed)

    def _warmed(self, task: asyncio.Task[None]) -> None:
        self._warming = None
        self._bugs.watch(task)

    async def _connect(self) -> None:
        _ = self._client.chat.completions  # the SDK imports what it needs for this on first use
        try:
            known = self._who.server is not None
            server = await self._who.make()
            if known or self._endpoint.transport == "realtime":
                await self._transport.warm(server)
        except Setback as setback:
            log.info("the endpoint is not ready: %s", setback.error.detail)
        self._used_at = self._loop.time()

    async def _answer(
        self, turn: Turn, history: tuple[Message, ...], reply: Reply, released: asyncio.Event | None
    ) -> None:
        if turn.speech is None:
            await self._hand(reply.finish, Verdict.NO_AUDIO)
            return
        self._listener.make_room(turn.number)
        if isinstance(turn.speech, AudioChunk):
            keep = self._listener.draft if released and not released.is_set() else self._listener.keep
            keep(turn.number, turn.speech)
        question = Question(turn.speech, history, self._listener.kept, turn.number, released=released)
        filler = Filler(self._sound_of, partial(self._hand, reply.aside), self._bugs)
        speak = filler.first(partial(self._hand, reply.speak))
        delivery = Delivery(speak, partial(self._tell_words, turn, reply))
        try:
            outcome = await self._outcome(turn, question, reply, delivery, filler)
            await filler.close()
            if question.certain and (notice := self._speech.notice()):
                await self._hand(reply.tell, notice)
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
            self._answered |= delivery.begun
            self._listener.answered(turn.number, delivery.text)
            await filler.close()

    async def _tell_words(self, turn: Turn, reply: Reply, words: str) -> None:
        """The endpoint told what it heard the person say."""
        self._listener.told(turn.number)
        await self._hand(reply.user_said, words)

    async def _outcome(
        self, turn: Turn, question: Question, reply: Reply, delivery: Delivery, filler: Filler
    ) -> Verdict | ServerError:
        try:
            return await self._ask(turn, question, reply, delivery, filler)
        except ServerError as error:
            if not delivery.begun:
                self._excuse(error, error.retry_after_s or 0.0, question, filler)
                await filler.ready(_LONGEST_FILLER_S)
            log.info("turn %d failed: %s (%s)", turn.number, error.problem.value, error.detail)
            return error

    def _excuse(self, error: ServerError, wait_s: float, question: Question, filler: Filler) -> None:
        """Have the person told in a word that a busy endpoint is waited for, once a turn."""
        if error.problem is Problem.ENDPOINT_BUSY and wait_s >= _WORTH_A_WORD_S and self._excused != question.number:
            self._excused = question.number
            filler.say(phrases_for([*question.texts, self._endpoint.instructions]).moment)

    async def _ask(self, turn: Turn, question: Question, reply: Reply, delivery: Delivery, filler: Filler) -> Verdict:
        """Ask, and ask again where that helps and nothing was given."""
        loading = self._endpoint.nearby and self._endpoint.transport == "chat" and not self._answered
        waiting, chances = Waiting(self._patience, loading=loading), _Chances(spent=turn.repeated)
        language = language_among([*question.texts, self._endpoint.instructions])
        while True:
            try:
                server = self._muteness.asked(await self._known_server(waiting))
                if server.hears:
                    self._listener.write_down(server, turn, reply, language)
                verdict = await self._transport.attempt(server, question, waiting, delivery)
                if verdict is Verdict.FILTERED:
                    return await self._declined(question, reply, delivery)
                return self._muteness.judge(server, verdict)
            except Setback as setback:
                if setback.filtered:
                    return await self._declined(question, reply, delivery)
                knew_voice = self._who.sends_voice
                question = await self._again(setback, question, delivery, chances, filler)
                if knew_voice and not self._who.sends_voice:
                    await self._hand(reply.tell, unknown_voice(self._endpoint.voice))
                if delivery.begun:
                    delivery.forget()
                    await self._hand(reply.anew)
                waiting.begin_again()

    async def _again(
        self, setback: Setback, question: Question, delivery: Delivery, chances: _Chances, filler: Filler
    ) -> Question:
        """What to ask after a setback: with a switch of the profile turned that the server named, less of it where it
        was too long, or the same after a while.

        Raises:
            ServerError: the turn ends here.
        """
        if delivery.sounded:
            await delivery.end()
            raise broken_off(setback.error.detail or setback.error.title) from setback
        if self._who.learn(setback):
            return question
        if setback.too_long and not chances.shortened:
            chances.shortened = True
            return question.shorter()
        if chances.spent or chances.repeated >= len(setback.again_after_s):
            raise setback.error from setback
        wait_s = setback.again_after_s[chances.repeated]
        self._excuse(setback.error, wait_s, question, filler)
        await asyncio.sleep(wait_s)
        chances.repeated += 1
        return question

    async def _declined(self, question: Question, reply: Reply, delivery: Delivery) -> Verdict:
        """A filter stopped the turn: say so, as far as there is a voice, in place of words that were not said."""
        sorry = phrases_for([*question.texts, self._endpoint.instructions]).sorry
        sounds = await self._sound_of(sorry)
        if sounds and delivery.begun and not delivery.sounded:
            delivery.forget()
            await self._hand(reply.anew)
        await delivery.add(sorry, sounds)
        return Verdict.FILTERED

    async def _sound_of(self, words: str) -> list[Sound]:
        """All of the sound of `words`, which are not the model's."""
        server = self._who.server
        return await self._speech.aside(words, speaks=server is None or server.profile.speaks)

    async def _known_server(self, waiting: Waiting) -> Server:
        """Learn who answers, from the warming that is under way if there is one."""
        try:
            if self._warming and self._who.server is None:
                await waiting.for_server(asyncio.wait([self._warming]))
            return await waiting.for_server(self._who.make())
        except TimeoutError as error:
            raise Setback(silent(waiting.spent_s)) from error

    async def _hand(self, give: Callable[..., T], *values: object) -> T:
        """Call a method of the reply, which may wait, beside the loop."""
        return await self._loop.run_in_executor(None, give, *values)
