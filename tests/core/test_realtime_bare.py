"""The live protocol that vLLM-Omni had of its own, before it took over OpenAI's: speech in, speech out, no memory."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from core.dialogue.protocol import Message, Verdict
from core.dialogue.realtime_events import RealtimeDecoder
from core.dialogue.wire import Sound
from core.errors import Problem
from tests.core.live_server import pcm_of
from tests.core.omni_server import pieces, tone
from tests.core.omni_talk import IMPATIENT, Heard, ask, spoken
from tests.core.test_realtime import live

if TYPE_CHECKING:
    from tests.core.live_server import Script, Talk

BARE = "vllm_omni_realtime_2026_04"
PCM = tone(1.0)


def reply_events(kind: str = "response.audio.delta", rate: int = 24_000, pcm: bytes = PCM) -> list[dict[str, object]]:
    sound = [base64.b64encode(piece).decode() for piece in pieces(pcm, 9601)]
    told = [{"type": kind, "audio": piece, "sample_rate_hz": rate, "format": "pcm16"} for piece in sound]
    return [
        {"type": "transcription.delta", "delta": "Hello "},
        *told[:1],
        {"type": "transcription.delta", "delta": "there."},
        {"type": "transcription.done", "text": "Hello there."},
        *told[1:],
        {"type": kind.replace("delta", "done"), "has_audio": bool(told)},
    ]


def answering(*events: dict[str, object]) -> Script:
    async def script(talk: Talk) -> None:
        await talk.send({"type": "session.created", "id": "s"})
        while not (await talk.until("input_audio_buffer.commit"))["final"]:
            pass
        for event in events:
            await talk.send(event)
        await talk.hold()

    return script


@pytest.mark.parametrize("kind", ["response.audio.delta", "response.output_audio.delta"])
def test_a_spoken_turn_is_opened_said_and_closed_and_every_word_and_sample_comes_down(kind: str) -> None:
    said = spoken(1.5)
    with live(answering(*reply_events(kind)), dialect=BARE, instructions="Be kind.") as (server, dialogue):
        reply = ask(dialogue, Heard(said))
        talk = server.talks[0]
    assert (reply.text, reply.pcm, reply.verdict) == ("Hello there.", PCM, Verdict.OK)
    assert talk.pcm == pcm_of(said.samples)
    assert talk.events[0] == {"type": "session.update", "model": "m"}
    assert [event["type"] for event in talk.events[1:]] == [
        "input_audio_buffer.commit",
        "input_audio_buffer.append",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
    ]
    assert [event["final"] for event in talk.of("input_audio_buffer.commit")] == [False, True]


def test_each_turn_has_a_connection_of_its_own_because_nothing_is_remembered() -> None:
    with live(answering(*reply_events()), dialect=BARE) as (server, dialogue):
        ask(dialogue, Heard(spoken()))
        dialogue.anticipate(spoken(0.5))
        history = [Message("user", "Hi.", 1), Message("assistant", "Hello there.", 1)]
        assert ask(dialogue, Heard(spoken(), number=2), history).text == "Hello there."
        asked = [talk for talk in server.talks if talk.of("input_audio_buffer.commit")]
    assert len(asked) == 2
    assert not [event for talk in asked for event in talk.of("conversation.item.create")]


def test_a_typed_turn_is_told_to_take_another_road() -> None:
    with live(answering(), dialect=BARE) as (_, dialogue):
        error = ask(dialogue, Heard("Hi.")).error
    assert error is not None
    assert error.problem is Problem.ENDPOINT_REFUSED
    assert error.title == "This live endpoint takes speech only."


def test_a_reply_without_sound_says_so() -> None:
    with live(answering(*reply_events(pcm=b"")), dialect=BARE) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert (reply.text, reply.verdict) == ("Hello there.", Verdict.NO_AUDIO)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([{"type": "error", "error": "model not loaded", "code": "server_error"}], Problem.ENDPOINT_UNREACHABLE),
        ([{"type": "error", "error": {"message": "No.", "code": "invalid_api_key"}}], Problem.KEY_REFUSED),
        (reply_events()[:3], Problem.ANSWER_CUT),
    ],
)
def test_trouble_is_told_in_the_words_of_a_turn(events: list[dict[str, object]], problem: Problem) -> None:
    with live(answering(*events), IMPATIENT, dialect=BARE) as (_, dialogue):
        error = ask(dialogue, Heard(spoken())).error
    assert error is not None
    assert error.problem is problem


def test_an_interruption_closes_the_connection() -> None:
    with live(answering(*reply_events()[:3]), dialect=BARE) as (server, dialogue):
        reply = Heard(spoken())
        dialogue.start(reply.turn, (), reply)
        assert reply.began.wait(5)
        reply.turn.cancel()
        dialogue.cancel(reply.turn)
        dialogue.heard(reply.turn, "Hello", 0.1)
        assert server.wait_until(lambda: server.talks[0].gone_at is not None)


@pytest.mark.parametrize("rate", [0, 1, 3_999, 384_001, "24000", None])
def test_a_rate_that_no_sound_has_is_not_believed(rate: object) -> None:
    event = {"type": "response.audio.delta", "delta": base64.b64encode(PCM).decode(), "sample_rate_hz": rate}
    (sound,) = RealtimeDecoder().feed(event)
    assert isinstance(sound, Sound)
    assert (sound.rate, len(sound.samples)) == (24_000, len(PCM) // 2)
