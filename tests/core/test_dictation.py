"""The words of a spoken turn, written down by the server that heard it: after its answer, in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from core.dialogue.dictation import over_http
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.profile import known_profiles
from core.dialogue.protocol import Verdict
from core.dialogue.services import Local
from tests.core.live_server import LiveServer, spoken_events
from tests.core.loopback import LoopbackServer
from tests.core.omni_server import DONE, Head, Hold, OmniServer, Step, in_turn, vllm_words
from tests.core.omni_talk import FINISH, KEY, PCM, Heard, ask, refused, spoken
from tests.core.test_realtime_bare import reply_events
from tests.fakes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import AudioChunk
    from tests.core.live_server import Script, Talk

GERMAN = "Heute ist es schön, und ich gehe mit dir in den Park."
VLLM = (("m", "vllm"),)
WRITTEN: list[Step] = [Head(), vllm_words("Wie geht "), vllm_words("es dir?"), FINISH, DONE]


class Front(LoopbackServer):
    """One address for both roads: WebSockets go to one server, everything else to the other."""

    def __init__(self, live: LiveServer, chat: OmniServer) -> None:
        super().__init__("front")
        self._ports = {True: live.port, False: chat.port}

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/v1"

    async def _serve(self) -> None:
        await self._listen(self._connection)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            there, back = await asyncio.open_connection(
                "127.0.0.1", self._ports[b"/realtime" in head.split(b"\r\n")[0]]
            )
            back.write(head)
            await asyncio.wait(
                [asyncio.ensure_future(_carry(reader, back)), asyncio.ensure_future(_carry(there, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            back.close()
        writer.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()


def nonsense(_: AudioChunk) -> str:
    """What ears that know English only make of anything."""
    return "We gate as deer."


async def in_german(talk: Talk) -> None:
    for number in range(1, 100):
        await talk.until("response.create")
        for event in spoken_events("nested", GERMAN, PCM, number):
            await talk.send(event)


async def bare(talk: Talk) -> None:
    while not (await talk.until("input_audio_buffer.commit"))["final"]:
        pass
    for event in reply_events(pcm=PCM):
        await talk.send({**event, **({"delta": f"{GERMAN} "} if event["type"] == "transcription.delta" else {})})
    await talk.hold()


@contextmanager
def both(
    *written: list[Step], live: Script = in_german, ask_for_words: bool = True, **endpoint: Any
) -> Iterator[tuple[OmniServer, OmniDialogue]]:
    with LiveServer(live) as heard, OmniServer(in_turn(*written), VLLM) as chat, Front(heard, chat) as front:
        asked = Endpoint(**{"url": front.url, **endpoint})
        dialogue = OmniDialogue(asked, local=Local(nonsense), ask_for_words=ask_for_words)
        try:
            yield chat, dialogue
        finally:
            dialogue.close()


@pytest.mark.parametrize(("live", "dialect"), [(in_german, "auto"), (bare, "vllm_omni_realtime_2026_04")])
def test_a_live_server_that_tells_no_words_writes_them_down_over_its_other_road(live: Script, dialect: str) -> None:
    with both(WRITTEN, live=live, dialect=dialect, key=KEY) as (chat, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert reply.verdict is Verdict.OK
        assert reply.understood.wait(5)
        (asked,) = chat.turns
    assert reply.said == "Wie geht es dir?"
    assert (asked.body["model"], asked.body["modalities"]) == ("m", ["text"])
    (part,) = asked.body["messages"][-1]["content"]
    assert part["input_audio"]["data"].startswith("UklGR")
    assert "voice" not in asked.body
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_nobody_waits_for_it() -> None:
    with both([Head(), Hold(), *WRITTEN[1:]]) as (chat, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert (reply.verdict, reply.pcm, reply.said) == (Verdict.OK, PCM, "")
        assert chat.wait_until(lambda: len(chat.turns) == 1)
        chat.release()
        assert reply.understood.wait(5)


def test_it_is_given_up_when_the_next_turn_begins() -> None:
    with both([Head(), Hold()]) as (chat, dialogue):
        ask(dialogue, Heard(spoken()))
        assert chat.wait_until(lambda: len(chat.turns) == 1)
        assert ask(dialogue, Heard("Und?", number=2)).pcm == PCM
        assert chat.wait_until(lambda: chat.turns[0].gone_at is not None)


def test_where_it_is_forbidden_the_sound_goes_nowhere_else() -> None:
    with both(WRITTEN, ask_for_words=False) as (chat, dialogue):
        assert ask(dialogue, Heard(spoken())).said == ""
        assert ask(dialogue, Heard(spoken(), number=2)).said == ""
        dialogue.close()
        assert chat.turns == []


@pytest.mark.parametrize(
    ("trouble", "asked"), [(refused(404), 1), (refused(401), 1), (refused(400, "No audio."), 1), (refused(500), 2)]
)
def test_a_server_that_refuses_is_not_asked_again_and_the_turns_are_answered_as_ever(
    trouble: list[Step], asked: int
) -> None:
    with both(trouble) as (chat, dialogue):
        for number in range(2):
            reply = ask(dialogue, Heard(spoken(), number))
            assert (reply.pcm, reply.said) == (PCM, "")
            until(lambda: not dialogue._listener._writing)
            assert len(chat.turns) == min(number + 1, asked)
        assert ask(dialogue, Heard("Und?", 3)).pcm == PCM
        assert len(chat.turns) == asked


def test_a_server_that_tells_the_words_by_itself_is_not_asked() -> None:
    async def tells(talk: Talk) -> None:
        await talk.until("response.create")
        await talk.send({"type": "conversation.item.input_audio_transcription.completed", "transcript": "Grüß Gott."})
        for event in spoken_events("nested", GERMAN, PCM):
            await talk.send(event)
        await talk.hold()

    with both(WRITTEN, live=tells) as (chat, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert reply.understood.wait(5)
        dialogue.close()
        assert chat.turns == []
    assert reply.said == "Grüß Gott."


@pytest.mark.parametrize(
    ("url", "model", "form", "base"),
    [
        ("ws://localhost:8091/v1/realtime", "", "vllm_omni", "http://localhost:8091/v1"),
        ("wss://gpu.example.org/omni/v1", "", "vllm_omni", "https://gpu.example.org/omni/v1"),
        (
            "wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime",
            "qwen3-omni-flash-realtime",
            "dashscope",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        ),
        (
            "wss://w1.ap-southeast-1.maas.aliyuncs.com/api-ws/v1/realtime",
            "",
            "dashscope",
            "https://w1.ap-southeast-1.maas.aliyuncs.com/compatible-mode/v1",
        ),
    ],
)
def test_the_other_road_begins_where_the_profile_says(url: str, model: str, form: str, base: str) -> None:
    there = over_http(Endpoint(url, model, KEY), known_profiles()[form])
    assert (there.base_url, there.transport, there.key) == (base, "chat", KEY)


def test_every_profile_that_names_another_names_one_that_is_there_and_hears() -> None:
    profiles = known_profiles()
    named = {profile.key: profiles[profile.writes_down] for profile in profiles.values() if profile.writes_down}
    assert {"vllm_omni_realtime", "dashscope_realtime"} <= set(named)
    assert all(form.transport == "chat" and form.sound_in != "none" for form in named.values())
