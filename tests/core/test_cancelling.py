"""A turn that is no longer wanted: gone at once, at any moment, over any road, and nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.services import Local
from tests.core.live_server import LiveServer, spoken_events
from tests.core.loopback import Stopwatch
from tests.core.omni_server import Event, Head, Hold, OmniServer, Step, Wait, chunk, voiced
from tests.core.omni_talk import HELLO, PCM, Heard, spoken
from tests.fakes import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.media import Samples
    from tests.core.live_server import Talk

MOST_TASKS = 5
"""The dialogue itself, its warming, the connection that is being left and the one that is being made."""
MOMENTS: tuple[list[Step], ...] = (
    [Hold()],
    [Head(), Hold()],
    [Wait(0.005), *HELLO[:2], Hold()],
    [*HELLO[:3], Hold()],
    [*HELLO[:3], Wait(0.002), *HELLO[2:4], Hold()],
)


@contextmanager
def nothing_left(dialogue: OmniDialogue, opened: Callable[[], int]) -> Iterator[None]:
    """No thread, socket or task more than before, and none at all once it is closed."""
    before = threading.active_count()
    try:
        yield
        assert threading.active_count() <= before + 4, "the hands that give a reply over are kept for the next"
        until(lambda: len(asyncio.all_tasks(dialogue._loop)) <= MOST_TASKS)  # what was cancelled last is still ending
    finally:
        dialogue.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("dialogue")]
    assert opened() == 0
    until(lambda: not half_closed())  # a server closes its side a little later


def half_closed() -> list[object]:
    """Sockets of this process whose other side is gone."""
    own = psutil.Process(os.getpid()).net_connections()
    return [connection for connection in own if connection.status == psutil.CONN_CLOSE_WAIT]


def at_some_moment(chance: random.Random, reply: Heard, asked: Callable[[], bool]) -> None:
    """Wait for the request to arrive, or for the first sound, or not at all."""
    if chance.random() < 0.1:
        return
    assert asked()
    if chance.random() < 0.5:
        reply.began.wait(0.02)


def seen(server: OmniServer, call: str, before: int) -> bool:
    """Wait until there were more requests for `call` than `before`."""
    return server.wait_until(lambda: len(server.asked_of(call)) > before)


def test_two_hundred_turns_cancelled_at_any_moment_leave_nothing_and_are_gone_within_fifty_milliseconds() -> None:
    chance = random.Random(7)
    with OmniServer(lambda _: chance.choice(MOMENTS), (("m", "vllm"),)) as server:
        stopwatch = Stopwatch(server)
        dialogue = OmniDialogue(Endpoint(server.url))
        with nothing_left(dialogue, lambda: 0 if server.wait_until(lambda: not server.open_connections) else 1):
            for number in range(200):
                reply, before = Heard(spoken() if number % 2 else "Hi.", number), len(server.turns)
                dialogue.start(reply.turn, (), reply)
                at_some_moment(chance, reply, lambda before=before: seen(server, "/chat/completions", before))
                since = stopwatch.start()
                reply.turn.cancel()
                dialogue.cancel(reply.turn)
                assert server.wait_until(lambda before=before: all(turn.gone_at for turn in server.turns[before:]))
                stopwatch.taken += [turn.gone_at - since for turn in server.turns[before:] if turn.gone_at]
                assert (reply.verdict, reply.error) == (None, None)
                assert server.open_connections <= 3
    stopwatch.assert_at_once()


def test_live_turns_cancelled_at_any_moment_leave_nothing_and_are_gone_within_fifty_milliseconds() -> None:
    chance = random.Random(8)

    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        events = spoken_events("nested", "Hello.", PCM)
        for event in events[: chance.randrange(len(events))]:
            await talk.send(event)
        await talk.hold()

    def asked(server: LiveServer) -> int:
        return sum(len(talk.of("response.create")) for talk in server.talks)

    with LiveServer(script) as server:
        stopwatch = Stopwatch(server)
        dialogue = OmniDialogue(Endpoint(server.url, "m", dialect="openai_realtime"))
        with nothing_left(dialogue, lambda: 0 if server.wait_until(lambda: not server.open_connections) else 1):
            for number in range(60):
                reply, before = Heard(spoken(), number), asked(server)
                dialogue.start(reply.turn, (), reply)
                assert server.wait_until(lambda before=before: asked(server) > before)
                if chance.random() < 0.5:
                    reply.began.wait(0.02)
                talk = next(talk for talk in server.talks if talk.of("response.create") and talk.gone_at is None)
                since = stopwatch.start()
                reply.turn.cancel()
                dialogue.cancel(reply.turn)
                assert server.wait_until(lambda talk=talk: talk.gone_at is not None)
                stopwatch.taken.append((talk.gone_at or 0) - since)
                assert reply.error is None
    stopwatch.assert_at_once()


def test_turns_that_are_read_aloud_leave_nothing_when_they_are_cancelled() -> None:
    chance = random.Random(9)
    written: list[Step] = [Head(), Event(chunk({"content": "Hello there. How are you? And so"})), Hold()]

    def ears(_: object) -> list[Step]:
        return chance.choice([[Hold()], [Wait(0.003), Head(200, body={"text": "Well?"})]])

    def voice(_: object) -> list[Step]:
        return chance.choice([[Hold()], [*voiced(PCM), Hold()], voiced(PCM)])

    with OmniServer(lambda _: written, (("llama", "library"),), ears, voice) as server:
        dialogue = OmniDialogue(Endpoint(server.url))
        with nothing_left(dialogue, lambda: 0 if server.wait_until(lambda: not server.open_connections) else 1):
            for number in range(60):
                reply, before = Heard(spoken(), number), len(server.asked)
                dialogue.start(reply.turn, (), reply)
                at_some_moment(chance, reply, lambda before=before: seen(server, "", before))
                reply.turn.cancel()
                dialogue.cancel(reply.turn)
            assert server.wait_until(lambda: server.open_connections <= 4)


def test_a_turn_whose_voice_is_this_computers_ends_with_the_sentence_under_way() -> None:
    begun, go_on = threading.Event(), threading.Event()
    said: list[str] = []

    def say(sentence: str) -> tuple[Samples, int]:
        said.append(sentence)
        begun.set()
        assert go_on.wait(5)
        return np.zeros(2400, np.float32), 24_000

    text = " ".join(f"Sentence number {number}." for number in range(20))
    with OmniServer(lambda _: [Head(), Event(chunk({"content": text})), Hold()], (("llama", "library"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url), local=Local(None, say))
        try:
            reply = Heard("Hi.")
            dialogue.start(reply.turn, (), reply)
            assert begun.wait(5)
            reply.turn.cancel()
            dialogue.cancel(reply.turn)
            assert server.wait_until(lambda: server.turns[0].gone_at is not None)
        finally:
            go_on.set()
            dialogue.close()
    assert len(said) < 8


@pytest.mark.parametrize("number", [1, 99])
def test_cancelling_a_turn_that_is_not_under_way_disturbs_nobody(number: int) -> None:
    with OmniServer(lambda _: HELLO, (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url))
        first = Heard(number=1)
        dialogue.start(first.turn, (), first)
        first.wait()
        dialogue.cancel(Heard(number=number).turn)
        second = Heard(number=2)
        dialogue.start(second.turn, (), second)
        assert second.wait().pcm == PCM
        dialogue.close()
