"""Turns over a realtime WebSocket, in both layouts: what is sent, what is heard, and what both sides remember."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr

from core.dialogue import probe
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Message, Verdict
from core.errors import Problem
from core.media import AudioChunk
from tests.core.live_server import LiveServer, one_after_another, pcm_of, speaking, spoken_events
from tests.core.omni_server import tone
from tests.core.omni_talk import IMPATIENT, KEY, Heard, ask, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.dialogue.client import Patience
    from core.dialogue.services import Local
    from tests.core.live_server import Script, Talk

PCM = tone(0.5)
FLAT, NESTED = "dashscope_realtime", "openai_realtime"


@contextmanager
def live(
    script: Script, patience: Patience | None = None, refuse: Any = None, local: Local | None = None, **endpoint: Any
) -> Iterator[tuple[LiveServer, OmniDialogue]]:
    with LiveServer(script, refuse) as server:
        asked = {"url": server.url, "model": "m", "dialect": NESTED, **endpoint}
        dialogue = OmniDialogue(Endpoint(**asked), patience, local=local)
        try:
            yield server, dialogue
        finally:
            dialogue.close()


@pytest.mark.parametrize(("dialect", "kind", "rate"), [(FLAT, "flat", 16_000), (NESTED, "nested", 24_000)])
def test_a_spoken_turn_goes_up_and_the_whole_reply_comes_down(dialect: str, kind: str, rate: int) -> None:
    said = AudioChunk(spoken(2.5).samples / 2, 0)
    with live(speaking(kind, "Hello there.", PCM), dialect=dialect, voice="x", instructions="Be kind.") as (
        server,
        dialogue,
    ):
        reply = ask(dialogue, Heard(said))
        (talk,) = server.talks
    assert (reply.text, reply.pcm, reply.verdict) == ("Hello there.", PCM, Verdict.OK)
    expected = said.samples if rate == 16_000 else soxr.resample(said.samples, 16_000, rate)
    assert len(talk.pcm) // 2 == len(expected)
    np.testing.assert_allclose(np.frombuffer(talk.pcm, "<i2") / 32768, expected, atol=2e-3)
    kinds = [event["type"] for event in talk.events]
    assert kinds[0] == "session.update"
    assert kinds[-2:] == ["input_audio_buffer.commit", "response.create"]
    assert talk.path == "/v1/realtime?model=m"


def test_the_flat_session_is_as_dashscope_wants_it_and_who_has_the_floor_stays_with_us() -> None:
    with live(
        speaking("flat", "Hi.", PCM), dialect=FLAT, model="qwen3.5-omni-flash-realtime", instructions="Be kind."
    ) as (server, dialogue):
        ask(dialogue)
        session = server.talks[0].session
    assert session == {
        "modalities": ["text", "audio"],
        "instructions": "Be kind.",
        "input_audio_format": "pcm",
        "output_audio_format": "pcm",
        "turn_detection": None,
        "voice": "Tina",
    }


def test_the_nested_session_is_as_openai_wants_it() -> None:
    with live(speaking("nested", "Hi.", PCM), voice="ash", key=KEY) as (server, dialogue):
        ask(dialogue)
        (talk,) = server.talks
    session = talk.session
    assert (session["type"], session["output_modalities"]) == ("realtime", ["audio"])
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
    assert session["audio"]["input"]["turn_detection"] is None
    assert session["audio"]["output"]["voice"] == "ash"
    assert talk.headers["Authorization"] == f"Bearer {KEY}"


def test_a_typed_turn_is_an_item_and_turn_after_turn_goes_over_one_connection() -> None:
    with live(speaking("nested", "Hi.", PCM)) as (server, dialogue):
        ask(dialogue, Heard("One"))
        ask(dialogue, Heard("Two", number=2), [Message("user", "One"), Message("assistant", "Hi.")])
        (talk,) = server.talks
    items = [event["item"] for event in talk.of("conversation.item.create")]
    assert [(item["role"], item["content"][0]) for item in items] == [
        ("user", {"type": "input_text", "text": "One"}),
        ("user", {"type": "input_text", "text": "Two"}),
    ]


@pytest.mark.parametrize(("dialect", "kind"), [(FLAT, "flat"), (NESTED, "nested")])
def test_a_reply_that_was_not_heard_whole_is_told_as_it_was_heard(dialect: str, kind: str) -> None:
    heard = [Message("user", "Tell me", 1), Message("assistant", "Once upon", 1)]
    with live(speaking(kind, "Once upon a time.", PCM), dialect=dialect, instructions="Be kind.") as (server, dialogue):
        reply = ask(dialogue, Heard("Tell me"))
        reply.turn.cancel()
        dialogue.cancel(reply.turn)  # it was still sounding
        assert server.wait_until(lambda: server.talks[0].gone_at is not None)
        ask(dialogue, Heard("And now?", number=2), heard)
        talk = server.talks[1]
    assert len(server.talks) == 2
    if dialect == FLAT:
        told = talk.of("session.update")[-1]["session"]["instructions"]
        assert told == "Be kind.\nThe conversation so far:\nPerson: Tell me\nYou: Once upon"
    else:
        items = [event["item"] for event in talk.of("conversation.item.create")]
        assert [item["content"][0]["text"] for item in items] == ["Tell me", "Once upon", "And now?"]
        assert items[1]["content"][0]["type"] == "output_text"


def test_another_conversation_is_not_mixed_with_the_one_the_server_remembers() -> None:
    with live(speaking("nested", "Hi.", PCM)) as (server, dialogue):
        ask(dialogue, Heard("One"))
        ask(dialogue, Heard("Something else", number=2), [])
        assert len(server.talks) == 2


def test_what_was_sent_ahead_in_a_pause_is_not_sent_again() -> None:
    whole = spoken(2.0)
    with live(speaking("flat", "Hi.", PCM), dialect=FLAT) as (server, dialogue):
        assert server.wait_until(lambda: bool(server.talks) and bool(server.talks[0].of("session.update")))
        dialogue.anticipate(AudioChunk(whole.samples[:16_000], 0))
        ask(dialogue, Heard(whole))
        (talk,) = server.talks
    assert talk.pcm == pcm_of(whole.samples)
    assert not talk.of("input_audio_buffer.clear")


def test_speech_sent_ahead_that_did_not_become_the_turn_is_cleared() -> None:
    said = AudioChunk(spoken(0.5).samples, 40_000)
    with live(speaking("flat", "Hi.", PCM), dialect=FLAT) as (server, dialogue):
        dialogue.anticipate(spoken(1.0))
        ask(dialogue, Heard(said))
        (talk,) = server.talks
        kinds = [event["type"] for event in talk.events]
    if "input_audio_buffer.clear" in kinds:  # what was sent ahead had gone out before the turn began
        after = kinds.index("input_audio_buffer.clear")
        talk.events = talk.events[after:]
    assert talk.pcm == pcm_of(said.samples)


def test_the_words_of_the_person_are_taken_from_the_server_where_it_tells_them() -> None:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        await talk.send({"type": "conversation.item.input_audio_transcription.completed", "transcript": " Grüß Gott. "})
        for event in spoken_events("nested", "Hi.", PCM):
            await talk.send(event)
        await talk.hold()

    with live(script) as (_, dialogue):
        assert ask(dialogue, Heard(spoken())).said == "Grüß Gott."


def test_the_end_of_the_reply_before_does_not_end_the_next_one() -> None:
    async def script(talk: Talk) -> None:
        first, second = spoken_events("nested", "One.", PCM, 1), spoken_events("nested", "Two.", PCM, 2)
        await talk.until("response.create")
        for event in first[:-1]:
            await talk.send(event)
        await talk.until("response.create")
        for event in (first[-1], first[2], *second):
            await talk.send(event)
        await talk.hold()

    with live(script, IMPATIENT) as (_, dialogue):
        assert ask(dialogue, Heard("One")).verdict is Verdict.OK  # it ended by its item, as some servers do
        history = [Message("user", "One"), Message("assistant", "One.")]
        reply = ask(dialogue, Heard("Two", number=2), history)
    assert (reply.text, reply.pcm, reply.verdict) == ("Two.", PCM, Verdict.OK)


def ended(status: str, reason: str = "") -> Script:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        for event in spoken_events("nested", "Hi.", PCM)[:-1]:
            await talk.send(event)
        response = {"id": "r1", "status": status, "status_details": {"reason": reason}}
        await talk.send({"type": "response.done", "response": response})
        await talk.hold()

    return script


@pytest.mark.parametrize(
    ("reason", "verdict"), [("max_output_tokens", Verdict.LENGTH), ("content_filter", Verdict.FILTERED)]
)
def test_a_reply_that_ends_early_by_rule_says_so(reason: str, verdict: Verdict) -> None:
    with live(ended("incomplete", reason)) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.verdict, reply.pcm) == (verdict, PCM)


def test_a_reply_that_the_server_interrupts_by_itself_broke_off() -> None:
    with live(ended("cancelled", "turn_detected")) as (_, dialogue):
        reply = ask(dialogue)
    assert reply.error is not None
    assert (reply.error.problem, reply.pcm) == (Problem.ANSWER_CUT, PCM)


def test_words_without_sound_are_a_reply_without_sound() -> None:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        await talk.send({"type": "response.output_text.delta", "delta": "Only words."})
        await talk.send({"type": "response.done", "response": {"status": "completed"}})
        await talk.hold()

    with live(script) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.verdict) == ("Only words.", Verdict.NO_AUDIO)


async def dropped(talk: Talk) -> None:
    await talk.until("response.create")
    talk.abort()


async def stalled(talk: Talk) -> None:
    await talk.until("response.create")
    await talk.hold()


def complaining(**error: object) -> Script:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        await talk.send({"type": "error", "error": error})
        await talk.hold()

    return script


async def babbling(talk: Talk) -> None:
    await talk.until("response.create")
    await talk.send_text("not json")
    await talk.hold()


@pytest.mark.parametrize("trouble", [dropped, stalled, complaining(type="server_error", message="Internal.")])
def test_trouble_before_the_first_sound_is_tried_once_more_over_another_connection(trouble: Script) -> None:
    with live(one_after_another(trouble, speaking("nested", "Hi.", PCM)), IMPATIENT) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.talks) == 2


@pytest.mark.parametrize(
    ("trouble", "problem"),
    [
        (dropped, Problem.ENDPOINT_UNREACHABLE),
        (stalled, Problem.ENDPOINT_SILENT),
        (babbling, Problem.ENDPOINT_REFUSED),
        (complaining(code="invalid_api_key", message="No."), Problem.KEY_REFUSED),
        (complaining(code="insufficient_quota", message="Used up."), Problem.ENDPOINT_BUSY),
        (complaining(type="invalid_request_error", message="Something."), Problem.ENDPOINT_REFUSED),
    ],
)
def test_trouble_that_stays_is_told_in_the_words_of_a_turn(trouble: Script, problem: Problem) -> None:
    with live(trouble, IMPATIENT) as (_, dialogue):
        error = ask(dialogue).error
    assert error is not None
    assert error.problem is problem


def test_a_filter_that_stops_the_turn_is_a_verdict() -> None:
    with live(complaining(code="data_inspection_failed", message="Inappropriate.")) as (_, dialogue):
        assert ask(dialogue).verdict is Verdict.FILTERED


def test_a_reply_that_breaks_off_keeps_what_was_heard() -> None:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        for event in spoken_events("nested", "Hi.", PCM)[:4]:
            await talk.send(event)
        talk.abort()

    with live(script) as (_, dialogue):
        reply = ask(dialogue)
    assert reply.error is not None
    assert (reply.error.problem, reply.text) == (Problem.ANSWER_CUT, "Hi.")
    assert PCM.startswith(reply.pcm)
    assert reply.pcm


@pytest.mark.parametrize(
    ("refuse", "problem", "retry_after_s"),
    [
        ((401, {}, "wrong key"), Problem.KEY_REFUSED, None),
        ((403, {}, "Model not purchased."), Problem.ENDPOINT_REFUSED, None),
        ((404, {}, ""), Problem.ENDPOINT_REFUSED, None),
        ((429, {"retry-after": "8"}, ""), Problem.ENDPOINT_BUSY, 8.0),
        ((503, {}, ""), Problem.ENDPOINT_UNREACHABLE, 0.0),
    ],
)
def test_a_handshake_that_is_refused_is_told_in_the_words_of_a_turn(
    refuse: Any, problem: Problem, retry_after_s: float | None
) -> None:
    with live(speaking("nested", "Hi.", PCM), refuse=refuse, key=KEY) as (_, dialogue):
        error = ask(dialogue).error
    assert error is not None
    assert (error.problem, error.retry_after_s) == (problem, retry_after_s)
    assert KEY not in f"{error}{error.detail}"


def test_nobody_at_the_address_is_told() -> None:
    with live(speaking("nested", "Hi.", PCM), url="ws://127.0.0.1:1/v1") as (_, dialogue):
        error = ask(dialogue).error
    assert error is not None
    assert error.problem is Problem.ENDPOINT_UNREACHABLE


def test_a_voice_the_server_does_not_know_is_left_out_from_then_on() -> None:
    async def script(talk: Talk) -> None:
        await talk.until("session.update")
        if "voice" in talk.session["audio"]["output"]:
            await talk.send({"type": "error", "error": {"code": "invalid_value", "message": "Voice 'x' is unknown."}})
            await talk.hold()
        await talk.until("response.create")
        for event in spoken_events("nested", "Hi.", PCM):
            await talk.send(event)
        await talk.hold()

    with live(script, voice="x") as (server, dialogue):
        assert ask(dialogue).verdict is Verdict.OK
        assert len(server.talks) == 2


@pytest.mark.parametrize(
    ("dialect", "before", "after"), [(FLAT, "pcm", "pcm16"), ("sglang_omni_realtime", "pcm16", "pcm")]
)
@pytest.mark.parametrize("message", ["Invalid value for input_audio_format.", "Invalid value. Supported: 'pcm16'."])
def test_a_server_that_calls_its_sound_otherwise_is_asked_in_its_words(
    dialect: str, before: str, after: str, message: str
) -> None:
    async def script(talk: Talk) -> None:
        await talk.until("session.update")
        if talk.session["input_audio_format"] == before:
            await talk.send({"type": "error", "error": {"code": "invalid_value", "message": message}})
            await talk.hold()
        await talk.until("response.create")
        for event in spoken_events("flat", "Hi.", PCM):
            await talk.send(event)
        await talk.hold()

    with live(script, dialect=dialect) as (server, dialogue):
        assert ask(dialogue, Heard(spoken())).pcm == PCM
        sessions = [talk.session for talk in server.talks]
    assert [session["input_audio_format"] for session in sessions] == [before, after]
    assert [session["output_audio_format"] for session in sessions] == [before, after]


def test_a_server_that_listens_for_itself_is_given_the_silence_it_waits_for() -> None:
    async def script(talk: Talk) -> None:
        while len(talk.pcm) < 2 * 24_000 * 2:
            await talk.until("input_audio_buffer.append")
        for event in spoken_events("nested", "Hi.", PCM):
            await talk.send(event)
        await talk.hold()

    with live(script, dialect="own_ears") as (server, dialogue):
        assert ask(dialogue, Heard(spoken(0.5))).verdict is Verdict.OK
        (talk,) = server.talks
    assert talk.session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert not talk.of("input_audio_buffer.commit")
    assert not talk.of("response.create")


def test_the_test_button_of_settings_tries_a_live_endpoint_over_its_own_road() -> None:
    with LiveServer(speaking("nested", "Hi.", PCM)) as server:
        report = probe.try_endpoint(Endpoint(server.url, "m", dialect=NESTED))
        assert server.wait_until(lambda: not server.open_connections)
    assert (report.with_sound, report.voice_from, report.hears) == (True, "model", True)


@pytest.fixture(autouse=True)
def own_profile(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("config")
    lines = [
        "[[profile]]",
        'key = "own_ears"',
        'title = "Mine"',
        'transport = "realtime"',
        'turns = "server"',
        "rate_in = 24_000",
    ]
    (folder / "endpoints.toml").write_text("\n".join(lines))
    monkeypatch.setenv("LIVETALK_CONFIG", str(folder))
