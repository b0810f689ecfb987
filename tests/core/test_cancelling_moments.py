"""Cancelling at awkward moments: while connecting, during slow headers, between attempts, while something beside the
answer is under way. The turn's connection is gone at once, nothing goes out after it, and the next turn is answered."""

from __future__ import annotations

import socket
import sys
import threading
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from core.dialogue.client import Patience
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.services import Local
from tests.core.live_server import LiveServer, speaking, spoken_events
from tests.core.loopback import LoopbackServer, Stopwatch
from tests.core.omni_server import (
    DONE,
    Asked,
    Event,
    Head,
    Hold,
    OmniServer,
    Step,
    chunk,
    heard_as,
    in_turn,
    tone,
    voiced,
)
from tests.core.omni_talk import FINISH, HELLO, PCM, Heard, ask, refused, spoken
from tests.core.test_cancelling import nothing_left

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Iterator

    from core.media import AudioChunk
    from tests.core.live_server import Talk

T = TypeVar("T")
_ALIVE = {"01", "02"}
"""ESTABLISHED and SYN_SENT in /proc/net/tcp (Linux, proc(5))."""
TIMES = 8
OLLAMA = (("llama", "library"),)
NOBODY_KNOWN = (("m", "somebody"),)
QUICK = Patience(sign_s=0.3)
"""A connection that is made ahead of the next turn is given up soon."""
CLOSED: list[Step] = [Head(200, (("connection", "close"),)), *HELLO[1:]]
"""An answer after which the next request needs a connection of its own."""


@contextmanager
def a_dialogue(server: OmniServer | LiveServer, dialect: str = "auto", **settings: Any) -> Iterator[OmniDialogue]:
    """With nothing left of it afterwards."""
    dialogue = OmniDialogue(Endpoint(server.url, "m", dialect=dialect), **settings)
    with nothing_left(dialogue, lambda: 0 if server.wait_until(lambda: not server.open_connections) else 1):
        yield dialogue


def begin(dialogue: OmniDialogue, speech: AudioChunk | str = "Hi.", number: int = 1) -> Heard:
    reply = Heard(speech, number)
    dialogue.start(reply.turn, (), reply)
    return reply


def cancel(dialogue: OmniDialogue, reply: Heard) -> None:
    reply.turn.cancel()
    dialogue.cancel(reply.turn)


def not_warming(dialogue: OmniDialogue) -> None:
    """Until no connection is being made for the next turn, so that it has to make its own."""

    def idle() -> bool:
        told: Future[bool] = Future()
        dialogue._call(lambda: told.set_result(not dialogue._tasks and dialogue._warming is None))
        return told.result(5)

    soon(idle)


def sockets_to(port: int) -> set[str]:
    """The local ports of connections to `port`, those that are still being made included."""
    rows = [line.split()[1:4] for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return {local for local, remote, state in rows if remote.endswith(f":{port:04X}") and state in _ALIVE}


def soon(found: Callable[[], T]) -> T:
    """What `found` gives, once that is something."""
    pause = threading.Event()
    for _ in range(5_000):
        if result := found():
            return result
        pause.wait(0.001)
    raise AssertionError("it did not come about within five seconds")


# -- while connecting


@pytest.mark.skipif(sys.platform != "linux", reason="its sockets are seen in /proc")
@pytest.mark.parametrize("full", [False, True], ids=["nobody accepts", "no room to wait in"])
@pytest.mark.parametrize("road", ["chat", "cascade", "live"])
def test_a_connection_that_is_being_made_is_given_up_at_once(road: str, full: bool) -> None:
    """To a listening socket that accepts nobody: the connection is there and silent, or it is not even answered."""
    server: OmniServer | LiveServer
    if road == "live":
        server = LiveServer(speaking("flat", "Hi.", PCM))
    else:
        server = OmniServer(in_turn(CLOSED), OLLAMA if road == "cascade" else (("m", "vllm"),))
    with server, ExitStack() as crowd:
        dialect = "dashscope_realtime" if road == "live" else "auto"
        dialogue = OmniDialogue(Endpoint(server.url, "m", dialect=dialect), QUICK)
        try:
            ask(dialogue)
            before = sockets_to(server.port)
            server.accept_nobody(0 if full else 100)
            if full:
                crowd.enter_context(crowded(server.port))
                before |= sockets_to(server.port)
            stopwatch = Stopwatch(server)
            for number in range(2, 2 + TIMES):
                not_warming(dialogue)
                before |= sockets_to(server.port)
                reply = begin(dialogue, number=number)
                mine = soon(lambda before=before: sockets_to(server.port) - before)
                since = stopwatch.start()
                cancel(dialogue, reply)
                soon(lambda mine=mine: not mine & sockets_to(server.port))
                stopwatch.taken.append(server.now() - since)
                assert (reply.verdict, reply.error) == (None, None)
        finally:
            dialogue.close()
    stopwatch.assert_at_once()


@contextmanager
def crowded(port: int) -> Iterator[None]:
    """Nobody more finds room in the queue of those who wait to be accepted."""
    with ExitStack() as stack:
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield


# -- slow headers


class HalfAHead(LoopbackServer):
    """Says half of what an answer begins with, and no more. Lists no models."""

    def __init__(self) -> None:
        super().__init__("half-a-head")
        self.begun = 0
        self.gone: list[float] = []

    @property
    def open_connections(self) -> int:
        return self.begun - len(self.gone)

    async def _serve(self) -> None:
        await self._listen(self._connection)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/models" in head.split(b"\r\n", 1)[0]:
            writer.write(b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 101 Switching\r\nupg" if b"pgrade:" in head else b"HTTP/1.1 200 OK\r\ncontent-ty")
            self._note(lambda: setattr(self, "begun", self.begun + 1))
            try:
                while await reader.read(1000):
                    pass
            except ConnectionError:
                pass  # it was cut
            self._note(lambda: self.gone.append(self.now()))
        writer.close()


@pytest.mark.parametrize("dialect", ["vllm_omni", "text", "openai_realtime"])
def test_an_answer_whose_head_is_not_complete_is_given_up_at_once(dialect: str) -> None:
    with HalfAHead() as server:
        stopwatch = Stopwatch(server)
        dialogue = OmniDialogue(Endpoint(f"http://127.0.0.1:{server.port}/v1", "m", dialect=dialect), QUICK)
        with nothing_left(dialogue, lambda: 0 if server.wait_until(lambda: not server.open_connections) else 1):
            for number in range(TIMES):
                not_warming(dialogue)
                assert server.wait_until(lambda: server.open_connections == 0)
                count = len(server.gone)
                reply = begin(dialogue, number=number)
                assert server.wait_until(lambda: server.open_connections == 1)
                since = stopwatch.start()
                cancel(dialogue, reply)
                assert server.wait_until(lambda count=count: len(server.gone) > count)
                stopwatch.taken.append(server.gone[count] - since)
                assert (reply.verdict, reply.error) == (None, None)
    stopwatch.assert_at_once()


# -- between two attempts


@pytest.mark.parametrize("trouble", [refused(429, headers=(("retry-after", "2"),)), refused(429), refused(503)])
@pytest.mark.parametrize("where", ["chat", "ears"])
def test_a_turn_that_waits_for_its_next_attempt_makes_none(trouble: list[Step], where: str) -> None:
    chat = in_turn(HELLO) if where == "ears" else in_turn(trouble, HELLO)
    ears = in_turn(trouble, heard_as("Well?"))
    models = OLLAMA if where == "ears" else (("m", "vllm"),)
    call = "/audio/transcriptions" if where == "ears" else "/chat/completions"
    with OmniServer(chat, models, ears) as server, a_dialogue(server) as dialogue:
        waiting = begin(dialogue, spoken())
        assert server.wait_until(lambda: len(server.asked_of(call)) == 1)
        cancel(dialogue, waiting)
        assert ask(dialogue, Heard(spoken(), number=2)).pcm == PCM
        assert len(server.asked_of(call)) == 2, "one of each turn"
    assert (waiting.verdict, waiting.error) == (None, None)


def test_a_live_turn_that_waits_for_its_next_attempt_makes_none() -> None:
    refusals = iter([True, False])

    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        if next(refusals, False):
            await talk.send({"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Slow down."}})
            await talk.hold()
        for event in spoken_events("nested", "Hi.", PCM):
            await talk.send(event)
        await talk.hold()

    with LiveServer(script) as server, a_dialogue(server, "openai_realtime") as dialogue:
        waiting = begin(dialogue)
        assert server.wait_until(lambda: bool(server.talks) and server.talks[0].gone_at is not None)
        cancel(dialogue, waiting)
        assert ask(dialogue, Heard("Now?", number=2)).text == "Hi."
        items = [event["item"]["content"][0]["text"] for talk in server.talks for event in talk.of(ITEM)]
    assert items == ["Hi.", "Now?"]


ITEM = "conversation.item.create"


# -- while it is found out who answers


def test_a_turn_that_waits_for_the_probe_asks_nothing_and_the_next_has_the_verdict() -> None:
    probe: list[Step] = [Head(), Hold(), *HELLO[1:]]
    with (
        OmniServer(in_turn(probe, HELLO), NOBODY_KNOWN) as server,
        a_dialogue(server) as dialogue,
    ):
        assert server.wait_until(lambda: len(server.turns) == 1)
        waiting = begin(dialogue)
        cancel(dialogue, waiting)
        server.release()
        assert ask(dialogue, Heard("Now?", number=2)).pcm == PCM
        asked = [turn.body["messages"][-1]["content"] for turn in server.turns]
    assert asked == ["Say: yes.", "Now?"]


def test_a_probe_that_the_turn_itself_began_is_closed_with_it() -> None:
    """The one at the start failed, and it is the turn that asks who answers."""
    with OmniServer(in_turn([Head(), Hold()]), NOBODY_KNOWN) as server:
        stopwatch = Stopwatch(server)
        dialogue = OmniDialogue(Endpoint("http://127.0.0.1:1/v1", "m"))
        with nothing_left(dialogue, lambda: 0 if server.wait_until(lambda: not server.open_connections) else 1):
            ask(dialogue)  # nobody is there
            dialogue._client.base_url = server.url
            for number in range(2, 2 + TIMES):
                reply = begin(dialogue, number=number)
                count = number - 1
                assert server.wait_until(lambda count=count: len(server.turns) == count)
                since = stopwatch.start()
                cancel(dialogue, reply)
                assert server.wait_until(lambda: server.turns[-1].gone_at is not None)
                stopwatch.taken.append((server.turns[-1].gone_at or 0) - since)
    stopwatch.assert_at_once()


# -- while something beside the answer is under way


@pytest.mark.parametrize("following", ["spoken", "typed"])
def test_words_that_are_asked_for_beside_the_answer_make_room_for_the_next_turn_at_once(following: str) -> None:
    """A cancelled turn keeps its question: its words are asked for until somebody else needs the endpoint."""

    def script(asked: Asked) -> Iterable[Step]:
        return [Head(), Hold()] if asked.body["modalities"] == ["text"] else HELLO

    def sides() -> list[Asked]:
        return [turn for turn in server.turns if turn.body["modalities"] == ["text"]]

    with OmniServer(script, (("m", "vllm"),)) as server:
        stopwatch, under_way = Stopwatch(server), list[Asked]()
        with a_dialogue(server, local=Local(lambda _: ""), ask_for_words=True) as dialogue:
            for number in range(2 * TIMES):
                speech = "Hi." if following == "typed" and number % 2 else spoken()
                before, since = len(sides()), stopwatch.start()
                reply = begin(dialogue, speech, number)
                for side in under_way:
                    assert server.wait_until(lambda side=side: side.gone_at is not None)
                    stopwatch.taken.append((side.gone_at or 0) - since)
                under_way.clear()
                assert reply.wait().pcm == PCM
                if not isinstance(speech, str):
                    assert server.wait_until(lambda before=before: len(sides()) > before)
                    under_way.append(sides()[-1])
                    cancel(dialogue, reply)
    assert len(stopwatch.taken) >= TIMES
    stopwatch.assert_at_once()


SENTENCES = Event(chunk({"content": "Hello there. How are you? And so"}))


@pytest.mark.parametrize(
    ("script", "voice"),
    [
        pytest.param([Head(), SENTENCES, Hold()], [*voiced(PCM), Hold()], id="the voice is speaking"),
        pytest.param([Head(), SENTENCES, Hold()], [Hold()], id="the voice takes its time"),
        pytest.param([Head(), SENTENCES, FINISH, DONE], [*voiced(PCM), Hold()], id="all is written"),
        pytest.param([Head(), SENTENCES, Hold()], voiced(tone(0.1)), id="between two sentences"),
    ],
)
def test_a_turn_that_is_read_aloud_is_gone_at_once_with_all_its_connections(
    script: list[Step], voice: list[Step]
) -> None:
    calls = {"completions": script, "speech": voice}
    with OmniServer(lambda _: script, OLLAMA, voice=lambda _: voice) as server:
        stopwatch = Stopwatch(server)
        with a_dialogue(server) as dialogue:
            for number in range(TIMES):
                before = len(server.asked)
                reply = begin(dialogue, number=number)
                assert server.wait_until(lambda before=before: said(server, before) >= 2)
                if len(voice) > 1:
                    assert reply.began.wait(5)
                stalled = {call for call, steps in calls.items() if isinstance(steps[-1], Hold)}
                under_way = [one for one in server.asked[before:] if one.path.rsplit("/", 1)[-1] in stalled]
                since = stopwatch.start()
                cancel(dialogue, reply)
                assert server.wait_until(lambda asked=under_way: all(one.gone_at is not None for one in asked))
                stopwatch.taken += [(one.gone_at or 0) - since for one in under_way]
                assert (reply.verdict, reply.error) == (None, None)
    stopwatch.assert_at_once()


def said(server: OmniServer, before: int) -> int:
    return sum(one.path.endswith("/audio/speech") for one in server.asked[before:])
