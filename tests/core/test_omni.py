"""Turns answered over HTTP by a scripted endpoint on loopback: what is asked, what is heard, and what is left."""

from __future__ import annotations

import base64
import io
import logging
import threading
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr

from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Message, Verdict
from core.dialogue.request import WORDS_NOT_KNOWN
from core.dialogue.services import Local
from core.errors import LiveTalkError, Problem
from core.media import AudioChunk, Turn
from tests.core.omni_server import (
    DONE,
    Event,
    Head,
    Hold,
    OmniServer,
    Step,
    Wait,
    answering,
    chunk,
    dashscope_sound,
    dashscope_words,
    in_turn,
    pieces,
    tone,
    vllm_sound,
    vllm_words,
    wav,
)
from tests.core.omni_talk import FINISH, HELLO, KEY, PCM, Heard, ask, failure, refused, spoken, talking

if TYPE_CHECKING:
    from core.media import Samples


# What is heard.


@pytest.mark.parametrize("fragment_s", [0.32, 2.0])
@pytest.mark.parametrize("dialect", ["dashscope", "vllm_omni"])
def test_every_sample_and_every_word_of_a_reply_arrives(dialect: str, fragment_s: float) -> None:
    pcm = tone(3.0)
    with talking(answering("Hello there.", pcm, dialect=dialect, fragment_s=fragment_s)) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.verdict) == ("Hello there.", Verdict.OK)
    assert reply.pcm == pcm


@pytest.mark.parametrize("size", [1, 3, 641])
def test_samples_torn_between_chunks_are_put_together(size: int) -> None:
    pcm = tone(0.02)
    script = [Head(), dashscope_words("Hi."), *map(dashscope_sound, pieces(pcm, size)), FINISH, DONE]
    with talking(in_turn(script)) as (_, dialogue):
        assert ask(dialogue).pcm == pcm


def test_sound_of_another_rate_is_resampled_without_a_seam() -> None:
    pcm = tone(1.0, 16_000)
    with talking(answering("Hello.", pcm, rate=16_000, fragment_s=0.05)) as (_, dialogue):
        reply = ask(dialogue)
    whole = soxr.resample(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768, 16_000, 24_000)
    np.testing.assert_allclose(np.concatenate(reply.samples), whole, atol=1e-4)


def test_sound_that_follows_the_first_finish_is_heard() -> None:
    early = Event(chunk({"content": " there."}, "stop", modality="text"))
    script = [Head(), vllm_words("Hello"), early, *(vllm_sound(wav(part)) for part in pieces(PCM, 9600)), DONE]
    with talking(in_turn(script)) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.pcm, reply.verdict) == ("Hello there.", PCM, Verdict.OK)


def test_a_reply_is_handed_over_while_it_still_comes() -> None:
    with talking(in_turn([Head(), vllm_words("Hello."), vllm_sound(wav(PCM)), Hold(), *HELLO[2:]])) as (
        server,
        dialogue,
    ):
        reply = Heard()
        dialogue.start(reply.turn, (), reply)
        assert reply.began.wait(5)
        assert reply.verdict is None
        server.release()
        assert reply.wait().verdict is Verdict.OK


@pytest.mark.parametrize(("finish", "verdict"), [("length", Verdict.LENGTH), ("content_filter", Verdict.FILTERED)])
def test_a_reply_that_ends_early_by_rule_says_so(finish: str, verdict: Verdict) -> None:
    with talking(in_turn([*HELLO[:3], Event(chunk({}, finish)), DONE])) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.verdict, reply.pcm) == (verdict, PCM)


def test_a_server_without_a_speech_stage_is_a_reply_without_sound() -> None:
    with talking(in_turn([Head(), vllm_words("Hello."), FINISH, DONE])) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.verdict) == ("Hello.", Verdict.NO_AUDIO)


def test_the_avatar_does_not_open_a_conversation_over_an_endpoint() -> None:
    with talking(in_turn(HELLO)) as (server, dialogue):
        assert ask(dialogue, Heard(speech=None)).verdict is Verdict.NO_AUDIO
        assert server.turns == []


def test_the_words_of_a_spoken_turn_become_known_beside_the_answer_and_hold_nothing_up() -> None:
    may_write = threading.Event()

    def transcribe(speech: AudioChunk) -> str:
        assert may_write.wait(5)
        return f"{len(speech.samples)} samples"

    with talking(in_turn(HELLO), local=Local(transcribe)) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken(0.1)))
        assert (reply.verdict, reply.said) == (Verdict.OK, "")
        may_write.set()
        assert reply.understood.wait(5)
        assert reply.said == "1600 samples"
        assert ask(dialogue, Heard("Hi.", number=2)).said == ""


def test_the_words_of_a_turn_become_known_though_its_answer_was_interrupted() -> None:
    may_write = threading.Event()

    def transcribe(_: AudioChunk) -> str:
        assert may_write.wait(5)
        return "Wait."

    with talking(in_turn([*HELLO[:3], Hold()]), local=Local(transcribe)) as (_, dialogue):
        reply = Heard(spoken())
        dialogue.start(reply.turn, (), reply)
        assert reply.began.wait(5)
        reply.turn.cancel()
        dialogue.cancel(reply.turn)
        may_write.set()
        assert reply.understood.wait(5)


def test_a_question_that_goes_on_is_written_down_as_a_whole_and_once_though_it_is_asked_twice() -> None:
    gate = threading.Event()
    lengths: list[int] = []

    def transcribe(speech: AudioChunk) -> str:
        lengths.append(len(speech.samples))
        assert gate.wait(5)
        return f"{len(speech.samples)} samples"

    script = in_turn([*HELLO[:3], Hold()], refused(500), HELLO)
    with talking(script, local=Local(transcribe)) as (_, dialogue):
        begun = Heard(spoken(0.1), number=7)
        dialogue.start(begun.turn, (), begun)
        assert begun.began.wait(5)
        begun.turn.cancel()
        dialogue.cancel(begun.turn)
        whole = Heard(spoken(0.3), number=7)
        dialogue.start(whole.turn, (), whole)
        gate.set()
        assert whole.wait().verdict is Verdict.OK
        assert whole.understood.wait(5)
    assert (begun.said, whole.said) == ("", "4800 samples")
    assert sorted(lengths) == [1600, 4800]


def test_a_spoken_turn_whose_words_cannot_be_known_is_answered_all_the_same() -> None:
    def transcribe(_: AudioChunk) -> str:
        raise LiveTalkError(Problem.MODEL_MISSING, "No ears.", "Fetch them.")

    with talking(in_turn(HELLO), local=Local(transcribe)) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert (reply.said, reply.verdict, reply.pcm) == ("", Verdict.OK, PCM)


def test_words_that_cannot_be_made_out_here_are_asked_of_the_endpoint_after_its_answer() -> None:
    written = [Head(), vllm_words("Grüß "), vllm_words("Gott."), FINISH, DONE]
    with talking(in_turn(HELLO, written), local=Local(lambda _: ""), ask_for_words=True) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert reply.understood.wait(5)
        answer, words = (turn.body for turn in server.turns)
    assert reply.said == "Grüß Gott."
    assert (answer["modalities"], words["modalities"]) == (["text", "audio"], ["text"])


def test_an_earlier_turn_whose_words_nobody_knows_is_sent_as_sound_again_and_as_words_once_they_are_known() -> None:
    with talking(in_turn(HELLO)) as (server, dialogue):
        ask(dialogue, Heard(spoken(0.2)))
        ask(dialogue, Heard(spoken(), number=2), [Message("user", "", 1), Message("assistant", "Hello.", 1)])
        ask(dialogue, Heard(spoken(), number=3), [Message("user", "Hi there.", 1), Message("user", "", 0)])
        _, second, third = (turn.body["messages"] for turn in server.turns)
    assert [part["type"] for part in second[0]["content"]] == ["input_audio"]
    assert second[1] == {"role": "assistant", "content": "Hello."}
    assert [message["content"] for message in third[:2]] == ["Hi there.", WORDS_NOT_KNOWN]


# What is asked.


def test_a_spoken_turn_goes_out_as_a_wav_with_the_history_as_text() -> None:
    history = [
        Message("user", "I am Leo."),
        Message("assistant", "Hello Leo."),
        Message("user", ""),
        Message("assistant", ""),
    ]
    with talking(in_turn(HELLO), model="q", voice="ethan", instructions="Be kind.", key=KEY) as (server, dialogue):
        ask(dialogue, Heard(spoken()), history)
        (asked,) = server.turns
    body = asked.body
    assert (body["model"], body["stream"], body["modalities"]) == ("q", True, ["text", "audio"])
    assert (body["voice"], body["audio"]) == ("ethan", {"format": "wav"})
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert body["messages"][:-1] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "I am Leo."},
        {"role": "assistant", "content": "Hello Leo."},
        {"role": "user", "content": WORDS_NOT_KNOWN},
    ]
    (part,) = body["messages"][-1]["content"]
    with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"]))) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (16_000, 1, 2)
        sent = np.frombuffer(reader.readframes(reader.getnframes()), "<i2") / 32768
    np.testing.assert_allclose(sent, spoken().samples, atol=1e-4)


def test_dashscope_gets_a_data_uri_and_the_voice_beside_the_format() -> None:
    with talking(in_turn(HELLO), dialect="dashscope", model="qwen3.5-omni-flash") as (server, dialogue):
        ask(dialogue, Heard(spoken()))
        body = server.turns[0].body
    assert body["audio"] == {"format": "wav", "voice": "Tina"}
    assert "voice" not in body
    assert body["messages"][-1]["content"][0]["input_audio"]["data"].startswith("data:;base64,UklGR")


def test_a_local_server_without_key_model_or_voice_is_asked_for_its_own_model_and_sent_no_voice() -> None:
    with talking(in_turn(HELLO), models=(("Qwen/Qwen3-Omni", "vllm"),)) as (server, dialogue):
        ask(dialogue)
        body = server.turns[0].body
    assert body["model"] == "Qwen/Qwen3-Omni"
    assert "voice" not in json_keys(body)


def json_keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in json_keys(inner)}
    return {key for inner in value for key in json_keys(inner)} if isinstance(value, list) else set()


def test_credentials_of_other_programs_in_the_environment_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "another-secret")
    with talking(in_turn(HELLO)) as (server, dialogue):
        ask(dialogue)
        assert all("another-secret" not in str(asked.headers) for asked in server.asked)


def test_a_proxy_does_not_come_between_this_computer_and_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with talking(in_turn(HELLO)) as (_, dialogue):
        assert ask(dialogue).verdict is Verdict.OK


def test_one_connection_serves_the_warming_and_turn_after_turn() -> None:
    with talking(in_turn(HELLO)) as (server, dialogue):
        for number in range(3):
            dialogue.anticipate(spoken())
            ask(dialogue, Heard(number=number))
        assert server.connections == 1


def test_the_first_turn_finds_a_connection_that_was_opened_before_it() -> None:
    with talking(in_turn(HELLO)) as (server, dialogue):
        assert server.wait_until(lambda: server.connections == 1)
        assert server.turns == []
        ask(dialogue)
        assert server.connections == 1


@pytest.mark.parametrize(
    ("said", "of_dialect", "before", "after"),
    [
        ("Invalid speaker 'x'.", "vllm_omni", {"voice": "x"}, {"voice": None}),
        (
            "Voice 'x' is not supported.",
            "dashscope",
            {"audio": {"format": "wav", "voice": "x"}},
            {"audio": {"format": "wav"}},
        ),
        (
            "Unknown field: stream_options",
            "vllm_omni",
            {"stream_options": {"include_usage": True}},
            {"stream_options": None},
        ),
        ("audio.format must be 'pcm16'", "vllm_omni", {"audio": {"format": "wav"}}, {"audio": {"format": "pcm16"}}),
        ("Unsupported output modalities", "vllm_omni", {"modalities": ["text", "audio"]}, {"modalities": ["text"]}),
    ],
)
def test_a_refusal_that_names_a_switch_turns_it_once_and_for_good(
    said: str, of_dialect: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    refusal = [Head(400, body={"error": {"message": said, "type": "invalid_request_error", "code": None}})]
    with talking(in_turn(refusal, HELLO), dialect=of_dialect, model="m", voice="x") as (server, dialogue):
        assert ask(dialogue).verdict is Verdict.OK
        assert ask(dialogue, Heard(number=2)).verdict is Verdict.OK
        first, *later = [asked.body for asked in server.turns]
    assert {name: first.get(name) for name in before} == before
    assert [{name: body.get(name) for name in after} for body in later] == [after, after]


def test_a_refused_system_role_moves_the_instructions_in_front_of_the_first_words() -> None:
    refusal = [Head(400, body={"error": {"message": "system role is not supported with audio output"}})]
    with talking(in_turn(refusal, HELLO), instructions="Be kind.") as (server, dialogue):
        ask(dialogue, Heard(spoken()))
        ask(dialogue, Heard("And now?", number=2), [Message("assistant", "Hello."), Message("user", "Hi.")])
        _, spoken_turn, typed_turn = [asked.body["messages"] for asked in server.turns]
    assert [part["type"] for part in spoken_turn[0]["content"]] == ["text", "input_audio"]
    assert [message["content"] for message in typed_turn] == ["Hello.", "Be kind.\n\nHi.", "And now?"]


def test_a_switch_is_not_turned_back_and_forth() -> None:
    refusal = [Head(400, body={"error": {"message": "input_audio: base64 cannot be read"}})]
    error, _, requests = failure(refusal)
    assert (error.problem, requests) == (Problem.ENDPOINT_REFUSED, 2)


# What is left.


@pytest.mark.parametrize("script", [[Hold()], [Head(), Hold()], [Wait(0.01), *HELLO[:3], Hold()]])
def test_a_turn_can_be_cancelled_at_any_moment_and_the_next_is_answered(script: list[Step]) -> None:
    with talking(in_turn(script, HELLO)) as (server, dialogue):
        reply = Heard(number=1)
        dialogue.start(reply.turn, (), reply)
        assert server.wait_until(lambda: bool(server.turns))
        reply.turn.cancel()
        dialogue.cancel(reply.turn)
        assert server.wait_until(lambda: server.turns[0].gone_at is not None)
        assert ask(dialogue, Heard(number=2)).pcm == PCM
        assert (reply.verdict, reply.error) == (None, None)


def test_cancelling_what_has_ended_or_never_began_does_nothing() -> None:
    with talking(in_turn(HELLO)) as (_, dialogue):
        reply = ask(dialogue)
        dialogue.cancel(reply.turn)
        dialogue.cancel(Turn(99, "never begun"))
        assert ask(dialogue, Heard(number=2)).verdict is Verdict.OK


def test_closing_in_the_middle_of_a_reply_ends_the_thread_and_the_connection() -> None:
    with OmniServer(in_turn([*HELLO[:3], Hold()])) as server:
        threads = threading.active_count()
        dialogue = OmniDialogue(Endpoint(server.url))
        reply = Heard()
        dialogue.start(reply.turn, (), reply)
        assert reply.began.wait(5)
        reply.turn.cancel()
        dialogue.close()
        dialogue.close()
        assert server.wait_until(lambda: server.open_connections == 0)
        assert threading.active_count() == threads


def test_neither_the_key_nor_what_was_said_is_logged_even_when_everything_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = answering("A private answer.", PCM)
    with talking(answer, key=KEY, instructions="A private instruction.") as (_, dialogue):
        ask(dialogue, Heard("A private question."))
    failure(refused(400, "A private field"), key=KEY)
    assert KEY not in caplog.text
    for words in ("private question", "private answer", "private instruction"):
        assert words not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith(("openai", "httpx", "httpcore"))]


class Broken(Heard):
    """A listener with a bug, which it meets with the first piece it is given."""

    def speak(self, samples: Samples, text: str) -> bool:
        raise ValueError(f"a bug about: {text}")


def test_a_bug_fails_its_turn_is_logged_without_words_and_the_next_turn_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    titles: list[str] = []
    with talking(in_turn(HELLO)) as (_, dialogue):
        for number in range(4):
            reply = ask(dialogue, Broken(number=number))
            assert isinstance(reply.error, LiveTalkError)
            assert reply.error.problem is Problem.UNEXPECTED
            titles.append(reply.error.title)
        assert ask(dialogue, Heard(number=9)).verdict is Verdict.OK
        titles.append(getattr(ask(dialogue, Broken(number=10)).error, "title", ""))
    wrong, lost = "Something went wrong while answering.", "LiveTalk can't answer."
    assert titles == [wrong, wrong, lost, lost, wrong]
    assert "Traceback" in caplog.text
    assert "ValueError" in caplog.text
    assert "a bug about: Hello" not in caplog.text


def test_a_bug_in_writing_down_the_words_costs_no_more_than_the_words(expected_log: list[str]) -> None:
    expected_log.append("met a bug")

    def transcribe(_: AudioChunk) -> str:
        raise ZeroDivisionError

    with talking(in_turn(HELLO), local=Local(transcribe)) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert (reply.said, reply.verdict) == ("", Verdict.OK)


def test_nothing_happens_once_it_is_closed() -> None:
    with talking(in_turn(HELLO)) as (_, dialogue):
        reply = ask(dialogue)
        dialogue.close()
        dialogue.anticipate(spoken())
        dialogue.cancel(reply.turn)
        late = Heard(number=2)
        dialogue.start(late.turn, (), late)
        dialogue.close()
    assert (late.verdict, late.error) == (None, None)
