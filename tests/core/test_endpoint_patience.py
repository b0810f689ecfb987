"""How long an endpoint is waited for: its clock starts when it has the question, and runs until it says a word."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest

from core.dialogue.client import Patience
from core.dialogue.endpoint import Endpoint
from core.dialogue.exchange import Waiting
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Verdict
from core.errors import Problem
from core.media import AudioChunk
from tests.core.loopback import LoopbackServer
from tests.core.omni_server import DONE, Event, Head, Hold, OmniServer, Step, Wait, chunk, in_turn, vllm_sound, wav
from tests.core.omni_talk import FINISH, HELLO, PCM, Heard, ask, failure, talking

if TYPE_CHECKING:
    from collections.abc import Generator

SHORT = Patience(
    connect_s=1.0, sign_s=0.2, trusted_s=60.0, stall_s=1.2, loading_s=1.2, first_s=1.5, gap_s=0.2, turn_s=6.0
)
"""A tenth of the real one, more or less."""
LATE_S = 0.6
"""Longer than the sign of a dead connection and than a gap may last; shorter than the first word may take."""


def thinking(text: str) -> Event:
    return Event(chunk({"reasoning_content": text}))


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Wait(LATE_S), *HELLO], id="the head is late"),
        pytest.param([Head(), Wait(LATE_S), *HELLO[1:]], id="the first word is late"),
        pytest.param([Head(), Event(chunk({"role": "assistant"})), Wait(LATE_S), *HELLO[1:]], id="a role comes first"),
        pytest.param([*HELLO[:2], Wait(LATE_S), *HELLO[2:]], id="the voice is late"),
        pytest.param(
            [Head(), *(step for _ in range(12) for step in (thinking("hm"), Wait(0.12))), *HELLO[1:]],
            id="it thinks for longer than a first word may take, and shows it",
        ),
    ],
)
def test_what_comes_in_time_is_waited_for_and_asked_for_once(script: list[Step]) -> None:
    with talking(in_turn(script), SHORT) as (server, dialogue):
        reply = ask(dialogue)
        assert (reply.text, reply.pcm, reply.verdict, reply.restarts) == ("Hello.", PCM, Verdict.OK, 0)
        assert len(server.turns) == 1


def test_once_there_is_sound_the_next_piece_may_take_no_longer_than_a_gap() -> None:
    stalled = [*HELLO[:3], Wait(LATE_S), vllm_sound(wav(PCM)), FINISH, DONE]
    error, reply, requests = failure(stalled, patience=SHORT)
    assert (error.problem, reply.pcm, requests) == (Problem.ANSWER_CUT, PCM, 1)


def test_a_server_that_talks_without_end_is_left_when_the_time_of_a_turn_is_over() -> None:
    endless = [Head(), *(step for _ in range(60) for step in (thinking("hm"), Wait(0.1)))]
    error, _, requests = failure(endless, patience=replace(SHORT, turn_s=1.0))
    assert (error.problem, requests) == (Problem.ENDPOINT_SILENT, 1)
    rambling = [Head(), *(step for _ in range(60) for step in (vllm_sound(wav(PCM[:480])), Wait(0.1)))]
    error, reply, requests = failure(rambling, patience=replace(SHORT, turn_s=1.0))
    assert (error.problem, requests) == (Problem.ANSWER_CUT, 1)
    assert 5 * 480 <= len(reply.pcm) <= 11 * 480


def test_a_server_nearby_may_load_its_model_before_its_first_answer_and_not_before_the_second() -> None:
    loading = replace(SHORT, stall_s=0.4, first_s=0.6, loading_s=5.0)
    late = [Wait(2 * LATE_S), *HELLO]
    with talking(in_turn(late, late), loading) as (server, dialogue):
        reply = ask(dialogue)
        assert (reply.pcm, reply.verdict, len(server.turns)) == (PCM, Verdict.OK, 1)
        error = ask(dialogue, Heard(number=2)).error
    assert error is not None
    assert error.problem is Problem.ENDPOINT_SILENT


def test_a_server_nearby_that_never_answers_is_told_to_be_perhaps_loading_and_was_asked_once() -> None:
    error, _, requests = failure([Hold()], patience=replace(SHORT, loading_s=1.5))
    assert (error.problem, requests) == (Problem.ENDPOINT_SILENT, 1)
    assert "It may still be loading its model" in error.advice


@pytest.mark.parametrize(
    ("limits", "loading", "again"),
    [({}, False, True), ({"turn_s": 0.0}, False, False), ({"loading_s": 0.02}, True, False)],
)
def test_a_question_that_met_silence_may_be_asked_again_while_its_turn_has_time(
    limits: dict[str, float], loading: bool, again: bool
) -> None:
    async def met() -> bool:
        waiting = Waiting(replace(SHORT, **{"stall_s": 0.01, "first_s": 0.011, **limits}), loading=loading)
        with pytest.raises(TimeoutError):
            await waiting.for_first(asyncio.Event().wait())
        return waiting.may_ask_again

    assert asyncio.run(met()) is again


# -- the connection


def test_a_connection_that_was_idle_for_long_must_soon_show_life_and_its_successor_has_all_the_time() -> None:
    doubting = replace(SHORT, trusted_s=0.0, first_s=0.7)
    with talking(in_turn([Hold()], [Wait(LATE_S), *HELLO]), doubting) as (server, dialogue):
        reply = Heard()
        since = server.now()
        dialogue.start(reply.turn, (), reply)
        assert server.wait_until(lambda: len(server.turns) == 2)
        assert server.now() - since < doubting.stall_s / 2
        assert reply.wait().pcm == PCM


def test_a_new_connection_is_not_doubted() -> None:
    doubting = replace(SHORT, trusted_s=0.0)
    late = [Wait(LATE_S), *HELLO]
    with talking(in_turn(refusing_to_stay(), late), doubting) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert ask(dialogue, Heard(number=2)).pcm == PCM
        assert len(server.turns) == 2
        assert server.connections == 2


def test_a_server_that_spoke_until_just_now_is_not_doubted_however_long_ago_it_began() -> None:
    doubting = replace(SHORT, trusted_s=0.5, gap_s=1.2)
    long = [*HELLO[:3], Wait(0.8), *HELLO[2:]]
    with talking(in_turn(long, [Wait(LATE_S), *HELLO]), doubting) as (server, dialogue):
        assert ask(dialogue).pcm == PCM + PCM
        connections = server.connections
        assert ask(dialogue, Heard(number=2)).pcm == PCM
        assert (len(server.turns), server.connections) == (2, connections)


def refusing_to_stay() -> list[Step]:
    return [Head(headers=(("connection", "close"),)), *HELLO[1:]]


class NarrowRoad(LoopbackServer):
    """Between the client and a server: lets `per_s` bytes a second through, or none any more after `at_most`."""

    def __init__(self, to: int, per_s: float, at_most: int = 10**9) -> None:
        super().__init__("narrow-road")
        self._to = to
        self._pause_s = 8192 / per_s
        self._left = at_most

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    async def _serve(self) -> None:
        with socket.socket() as ear:
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            ear.bind(("127.0.0.1", 0))
            server = await asyncio.start_server(self._between, sock=ear, limit=4096)
            self._port = ear.getsockname()[1]
            self._listening.set()
            await self._over
            server.close()

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._to)
        back = asyncio.create_task(self._carry(up_reader, writer, 0.0))
        with contextlib.suppress(ConnectionError):
            await self._carry(reader, up_writer, self._pause_s)
        back.cancel()
        up_writer.close()
        writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause_s: float) -> None:
        while (data := await reader.read(8192)) and not self._over.done():
            if pause_s and self._left <= 0:
                await self._over
            self._left -= len(data) if pause_s else 0
            await asyncio.sleep(pause_s * len(data) / 8192)
            writer.write(data)
            await writer.drain()


@contextlib.contextmanager
def over_a_narrow_road(per_s: float, at_most: int = 10**9) -> Generator[tuple[OmniServer, OmniDialogue]]:
    with (
        OmniServer(in_turn(HELLO), (("m", "vllm"),)) as server,
        NarrowRoad(urlsplit(server.url).port or 0, per_s, at_most) as road,
    ):
        dialogue = OmniDialogue(Endpoint(road.url), SHORT)
        try:
            yield server, dialogue
        finally:
            dialogue.close()


SPEECH = AudioChunk(np.random.default_rng(2).uniform(-0.5, 0.5, 40 * 16_000).astype(np.float32), 0)
"""Forty seconds: 1.7 MB as it is sent."""


def test_the_time_it_takes_to_send_a_long_question_is_not_the_servers() -> None:
    with over_a_narrow_road(per_s=700_000) as (server, dialogue):
        since = server.now()
        reply = ask(dialogue, Heard(SPEECH))
        assert server.now() - since > SHORT.first_s
        assert (reply.pcm, reply.verdict) == (PCM, Verdict.OK)
        assert len(server.turns) == 1


def test_a_question_that_is_stuck_on_its_way_is_told_of() -> None:
    with over_a_narrow_road(per_s=4e6, at_most=200_000) as (_, dialogue):
        error = ask(dialogue, Heard(SPEECH)).error
    assert error is not None
    assert error.problem is Problem.ENDPOINT_SILENT
