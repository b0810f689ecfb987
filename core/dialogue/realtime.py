"""Turns over a realtime WebSocket: one connection for a whole conversation, as long as both sides remember the same.

The server keeps the conversation for itself. When the person interrupts it is told how much they heard, where it can
be; when it must have another idea of the conversation than the person has all the same, the connection is closed, and a
new one is told what was really said.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, cast

from core.dialogue.context import fitting, room_for_history
from core.dialogue.protocol import Verdict
from core.dialogue.realtime_events import Complaint, commit, replay, session_update, text_item
from core.dialogue.realtime_link import Link
from core.dialogue.request import last_of
from core.dialogue.trouble import (
    Setback,
    failing,
    not_an_endpoint,
    of_refusal,
    of_status,
    of_words,
    points_elsewhere,
    silent,
    speech_only,
    tidy,
    unreachable,
)
from core.dialogue.way_out import certificates_for, proxy_of
from core.dialogue.wire import UnreadableReply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    import openai

    from core.dialogue.bugs import Bugs
    from core.dialogue.client import Patience
    from core.dialogue.delivery import Delivery
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.exchange import Waiting
    from core.dialogue.identify import Server
    from core.dialogue.profile import EndpointProfile
    from core.dialogue.protocol import Message
    from core.dialogue.request import Question
    from core.media import AudioChunk

_GOODBYE_S = 0.02
"""How long the other side may take to say goodbye before the connection is cut."""
_TRAILING_S = 2.0
"""Silence by which a server that listens for itself knows that the person has finished."""
_KEPT = {Verdict.OK, Verdict.NO_AUDIO, Verdict.LENGTH}


class RealtimeTransport:
    """Implements `core.dialogue.transport.Transport`."""

    def __init__(self, client: openai.AsyncOpenAI, endpoint: Endpoint, patience: Patience, bugs: Bugs) -> None:
        self._client = client
        self._endpoint = endpoint
        self._patience = patience
        self._bugs = bugs
        self._link: Link | None = None
        self._ahead: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._trust: ssl.SSLContext | None = None
        self._asked_of: tuple[int, int] | None = None
        """The number of the spoken turn that was asked last, and the capture sample at which it begins."""
        self._waits_at = -1
        """Drafts of the question that begins at this capture sample wait until the person has finished."""
        self._waits = False
        """All drafts do: the server does not forget when it is told to."""

    @property
    def ready(self) -> bool:
        return self._link is not None

    async def warm(self, server: Server) -> None:
        async with self._opening:
            if self._link is not None and self._now() - self._link.used_at > server.profile.idle_s:
                self._drop()
            if self._link is None:
                self._link = await self._open(server)

    def listen(self, server: Server, speech: AudioChunk) -> None:
        if server.profile.session != "bare" and (self._ahead is None or self._ahead.done()):
            self._ahead = self._beside(self._send_ahead(server, speech))

    async def attempt(self, server: Server, question: Question, waiting: Waiting, delivery: Delivery) -> Verdict:
        try:
            if self._ahead is not None:
                await asyncio.wait([self._ahead])
            link = await self._link_for(server, question, waiting)
            link.read_no_more()
            async with link.reading:
                verdict = await self._exchange(link, server, question, waiting, delivery)
        except BaseException as trouble:
            if not (isinstance(trouble, asyncio.CancelledError) and self._link and self._link.outlives_its_turn):
                self._drop()
            setback = self._setback(trouble, server)
            if setback is None:
                raise
            raise setback from trouble
        link.used_at = self._now()
        link.answered(delivery.text)
        if server.profile.session == "bare":
            self._drop()  # it remembers nothing, and the next turn is as well told to another
        elif verdict not in _KEPT and not (verdict is Verdict.CUT and link.can_be_told):
            self._drop()
        elif link.words.awaited:
            link.lingering = self._beside(self._linger(link))
        return verdict

    def interrupted(self, number: int) -> None:
        """The person heard less than the server believes it has said: it stops, and is to be told what was heard; where
        it cannot be told, the connection ends."""
        link = self._link
        if link is None or link.turn != number or not link.can_be_told:
            self._drop()
        elif not link.interrupted:
            link.interrupted = True
            link.read_no_more()
            link.settling = self._beside(self._settle(link, link.forget_unheard))

    def withdrawn(self, number: int) -> None:
        """The person went on: the server is to know nothing of the draft. Where it cannot forget, the connection ends,
        and nothing more is asked of what they say until they have finished."""
        link = self._link
        if self._asked_of is None or self._asked_of[0] != number:
            return  # it was not asked; what was sent ahead is the beginning of what comes
        self._waits_at = self._asked_of[1]
        if link is not None and link.turn == number and link.forgets and not self._waits:
            self._waits_at = -1
            link.interrupted = link.withdrawn = True
            link.read_no_more()
            link.settling = self._beside(self._settle(link, link.forget_question))
        elif link is not None and link.turn == number:
            self._drop()

    def heard(self, number: int, text: str, seconds: float) -> None:
        """What was heard of the reply to the turn that was interrupted."""
        link = self._link
        if link is not None and link.interrupted and link.turn == number and not link.heard.done():
            link.heard.set_result((text, seconds))

    def forget(self) -> None:
        """Another conversation begins, of which no server may know what it knows of this one."""
        if self._ahead is not None or (self._link is not None and self._link.used):
            self._drop()

    async def close(self) -> None:
        self._drop()
        if self._leaving:
            await asyncio.wait(self._leaving)

    # -- the connection

    async def _open(self, server: Server) -> Link:
        if self._leaving:
            await asyncio.wait(self._leaving)  # who interrupts waits for the old one's end, not for the new one
        options: dict[str, Any] = {
            "max_size": None,
            "compression": None,
            "open_timeout": self._patience.sign_s,
            "close_timeout": _GOODBYE_S,
        }
        options["proxy"] = proxy_of(self._endpoint)
        if self._endpoint.base_url.startswith("https:"):
            options["ssl"] = self._trust = self._trust or certificates_for(self._endpoint)
        connecting = cast("Any", self._client.realtime.connect)  # the SDK names only some of the options it passes on
        opening = connecting(model=server.model, websocket_connection_options=options).enter()
        link: Link | None = None
        try:
            link = Link(await opening, server.profile.rate_in, self._now())
            await link.say(session_update(server.profile, server.model, server.voice, self._endpoint.instructions))
        except BaseException as trouble:
            if link is not None:
                self._leave(link)
            setback = self._setback(trouble, server, connecting=True)
            if setback is None:
                raise
            raise setback from trouble
        return link

    async def _link_for(self, server: Server, question: Question, waiting: Waiting) -> Link:
        """A connection whose server remembers the conversation as it was, by having been there or by being told."""
        link, history = self._link, question.history
        if link is not None and link.settling is not None and (link.withdrawn or link.heard.done()):
            await waiting.for_sign(asyncio.wait([link.settling]))
        if link is not None and not (link.settled and _agrees(link.told, history)):
            self._drop()
        await waiting.for_sign(self.warm(server))
        link = self._link
        assert link is not None, "warm leaves a link or raises"
        if not link.told and history:
            link.clean = False
            room = room_for_history(server.profile, self._endpoint.instructions, "")
            told = fitting(history, {}, room, halved=question.halved)
            persona = self._endpoint.instructions
            for event in replay(server.profile, server.model, server.voice, persona, told.messages):
                await link.say(event)
            link.told, link.clean = list(history), True
        return link

    def _drop(self) -> None:
        """Close the connection beside the loop's other work; it is gone within the time of a goodbye."""
        link, self._link = self._link, None
        if self._ahead is not None:
            self._ahead.cancel()
            self._ahead = None
        if link is not None:
            link.give_up()
            self._leave(link)

    def _leave(self, link: Link) -> None:
        task = asyncio.get_running_loop().create_task(_leave(link))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _send_ahead(self, server: Server, speech: AudioChunk) -> None:
        """What cannot be sent now is sent with the turn."""
        try:
            await self.warm(server)
            if self._link is not None:
                await self._link.hear(speech)
        except Exception as trouble:
            if self._setback(trouble, server) is None:
                raise
            link, self._link = self._link, None
            if link is not None:
                self._leave(link)

    def _beside(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Begin what no turn waits for the end of."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._bugs.watch)
        return task

    async def _settle(self, link: Link, forget: Callable[[], Awaitable[None]]) -> None:
        """Have the server forget; a connection on which that fails is left."""
        try:
            await forget()
        except Exception as trouble:
            if not isinstance(trouble, Complaint | TimeoutError) and self._setback(trouble, None) is None:
                raise
            self._waits |= link.withdrawn
            if self._link is link:
                self._drop()

    async def _linger(self, link: Link) -> None:
        """Hear what is told when the reply is over; a connection that ends meanwhile is left."""
        try:
            await link.hear_late()
        except Exception as trouble:
            if self._setback(trouble, None) is None:
                raise
            if self._link is link:
                self._drop()

    # -- a turn

    async def _exchange(
        self, link: Link, server: Server, question: Question, waiting: Waiting, delivery: Delivery
    ) -> Verdict:
        if question.released is not None and self._must_wait(server.profile, question):
            await self._until_released(link, server.profile, question, question.released)
        link.clean = False
        decoder = link.begin(question, server.profile)
        await waiting.for_sign(self._ask(link, server, question, delivery))
        limited = waiting.for_sign
        try:
            while not decoder.ended:
                event = json.loads(await limited(link.connection.recv_bytes()))
                if not isinstance(event, dict):
                    raise UnreadableReply("an event that is no object")
                if not str(event.get("type")).startswith("session."):
                    limited = waiting.for_next if decoder.begun else waiting.for_first
                await link.words.take(cast("dict[str, Any]", event))
                for piece in decoder.feed(cast("dict[str, Any]", event)):
                    if not await delivery.take(piece):
                        return Verdict.CUT
        except TimeoutError as error:
            if not decoder.finished:
                raise Setback(silent(waiting.spent_s), again_after_s=(0.0,) if waiting.may_ask_again else ()) from error
        await delivery.end()
        if decoder.verdict is Verdict.CUT:
            raise Setback(failing("the server ended its reply early"), again_after_s=(0.0,))
        return decoder.verdict

    def _must_wait(self, profile: EndpointProfile, question: Question) -> bool:
        """Whether a draft is only sent ahead: a server that listens for itself answers whatever it has heard, and one
        that cannot forget has answered a part of this question already."""
        speech = question.speech
        return (
            profile.turns == "server" or self._waits or (not isinstance(speech, str) and speech.start == self._waits_at)
        )

    async def _until_released(
        self, link: Link, profile: EndpointProfile, question: Question, released: asyncio.Event
    ) -> None:
        if not isinstance(question.speech, str) and profile.session != "bare" and profile.turns == "manual":
            link.clean = False
            await link.hear(last_of(question.speech, profile.longest_s))
            link.clean = True
        await released.wait()

    async def _ask(self, link: Link, server: Server, question: Question, delivery: Delivery) -> None:
        profile = server.profile
        if isinstance(question.speech, str):
            if profile.session == "bare":
                raise Setback(speech_only())
            await link.say(text_item(profile, "user", question.speech))
            await link.say({"type": "response.create"})
            return
        if profile.session == "bare":
            await link.say(commit(profile, final=False))
        await link.hear(last_of(question.speech, profile.longest_s))
        await link.end(_TRAILING_S if profile.turns == "server" else 0.0)
        link.question = link.words.begin(delivery.user_said)
        self._asked_of = question.number, question.speech.start
        if profile.turns == "manual":
            await link.say(commit(profile))
            if profile.session != "bare":
                await link.say({"type": "response.create"})

    def _setback(self, trouble: BaseException, server: Server | None, *, connecting: bool = False) -> Setback | None:
        """What `trouble` means for the turn; None for a cancellation, a bug, or what is a setback already."""
        from websockets.exceptions import ConnectionClosed, InvalidStatus, ProxyError, SecurityError, WebSocketException

        model = server.model if server else self._endpoint.model
        match trouble:
            case Complaint():
                code, said = trouble.code, tidy(trouble.said, self._endpoint)
                if trouble.begun:
                    return of_words(code, said, self._endpoint, model)
                return of_refusal(code, said, self._endpoint, model)
            case InvalidStatus(response=response):
                said = tidy((response.body or b"").decode("utf-8", "replace"), self._endpoint)
                header = response.headers.get("retry-after", "")
                return of_status(response.status_code, "", said, header, self._endpoint, model)
            case ConnectionClosed():
                return Setback(failing("the connection was closed"), again_after_s=(0.0,))
            case UnreadableReply() | json.JSONDecodeError() | UnicodeDecodeError():
                return Setback(not_an_endpoint(type(trouble).__name__))
            case SecurityError():  # the SDK follows no redirect to another host
                return Setback(points_elsewhere("a redirect"))
            case OSError() | ProxyError() if not isinstance(trouble, TimeoutError):
                error = unreachable(type(trouble).__name__, connected=not connecting)
                return Setback(error, again_after_s=() if connecting else (0.0,))
            case WebSocketException():
                return Setback(not_an_endpoint(type(trouble).__name__))
            case TimeoutError():
                return Setback(silent(self._patience.sign_s), again_after_s=(0.0,))
            case _:
                return None

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def _leave(link: Link) -> None:
    with contextlib.suppress(OSError):
        await link.connection.close()


def _agrees(believed: Sequence[Message], told: Sequence[Message]) -> bool:
    """Whether a server that `believed` this remembers a conversation of which it would be `told` that. The words of a
    spoken turn may be known on one side only; the oldest may have been left out."""
    if not believed:
        return True
    if not told or len(told) > len(believed):
        return False
    return all(
        one.role == other.role and ((one.role == "user" and not one.text) or _bare(one.text) == _bare(other.text))
        for one, other in zip(believed[len(believed) - len(told) :], told, strict=True)
    )


def _bare(text: str) -> str:
    return " ".join(text.split())
