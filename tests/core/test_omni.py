"""Turns answered over HTTP by a scripted endpoint on loopback: what is heard, what is said of trouble, what is left."""

from __future__ import annotations

import base64
import io
import logging
import os
import threading
import wave
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import soxr

from core.dialogue import probe
from core.dialogue.client import Patience
from core.dialogue.endpoint import PROFILES, Endpoint, describe, without_refused
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Message, Verdict
from core.dialogue.request import WORDS_NOT_KNOWN
from core.errors import LiveTalkError, Problem, ServerError
from core.media import AudioChunk, Turn
from tests.core.omni_server import (
    DONE,
    USAGE,
    Event,
    Head,
    Hold,
    OmniServer,
    Reset,
    Script,
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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from core.media import Samples

PCM = tone(0.5)
IMPATIENT = Patience(connect_s=1.0, sign_s=0.25, first_s=0.5, gap_s=0.3, turn_s=5.0)
FINISH = Event(chunk({"content": ""}, "stop"))
HELLO: tuple[Step, ...] = (Head(), vllm_words("Hello."), vllm_sound(wav(PCM)), FINISH, Event(USAGE), DONE)
KEY = "sk-a-very-secret-key"


class Heard:
    """A `Reply` that keeps what it is given and lets the test wait for the end."""

    def __init__(self, speech: AudioChunk | str | None = "Hi.", number: int = 1) -> None:
        self.turn = Turn(number, speech)
        self.text = ""
        self.samples: list[Samples] = []
        self.verdict: Verdict | None = None
        self.error: LiveTalkError | None = None
        self._ended = threading.Event()
        self.began = threading.Event()

    def user_said(self, text: str) -> None:
        raise AssertionError("an endpoint does not tell what was said")

    def speak(self, samples: Samples, text: str) -> bool:
        self.samples.append(samples)
        self.text += text
        if samples.size:
            self.began.set()
        return not self.turn.cancelled

    def finish(self, verdict: Verdict = Verdict.OK) -> None:
        self.verdict = verdict
        self._ended.set()

    def fail(self, error: LiveTalkError) -> None:
        self.error = error
        self._ended.set()

    def wait(self) -> Heard:
        assert self._ended.wait(10)
        return self

    @property
    def pcm(self) -> bytes:
        joined = np.concatenate([*self.samples, np.zeros(0, np.float32)])
        assert joined.dtype == np.float32
        return (joined * 32768).astype("<i2").tobytes()


@contextmanager
def talking(
    script: Script, patience: Patience | None = None, models: Any = (("m", "vllm"),), **endpoint: Any
) -> Iterator[tuple[OmniServer, OmniDialogue]]:
    with OmniServer(script, models) as server:
        dialogue = OmniDialogue(Endpoint(**{"url": server.url, **endpoint}), patience)
        try:
            assert not patience or server.wait_until(lambda: bool(server.asked))
            yield server, dialogue
        finally:
            dialogue.close()


def ask(dialogue: OmniDialogue, reply: Heard | None = None, history: Sequence[Message] = ()) -> Heard:
    reply = reply or Heard()
    dialogue.start(reply.turn, history, reply)
    return reply.wait()


def failure(
    *scripts: Sequence[Step], patience: Patience | None = None, **endpoint: Any
) -> tuple[ServerError, Heard, int]:
    """The error that scripts end in, what was heard before it, and how many requests were made."""
    with talking(in_turn(*scripts), patience, **endpoint) as (server, dialogue):
        reply = ask(dialogue)
        assert isinstance(reply.error, ServerError)
        return reply.error, reply, len(server.turns)


def spoken(seconds: float = 0.1) -> AudioChunk:
    return AudioChunk(np.sin(np.arange(round(16_000 * seconds)) / 10).astype(np.float32), 0)


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


# What is said of trouble.


def refused(status: int, message: str = "no", headers: tuple[tuple[str, str], ...] = (), **body: object) -> list[Step]:
    return [Head(status, headers, {"error": {"message": message, **body}})]


def test_a_wrong_key() -> None:
    error, _, requests = failure(refused(401, f"Incorrect API key: {KEY}"), key=KEY)
    assert (error.problem, error.title) == (Problem.KEY_REFUSED, "The endpoint did not accept the key.")
    assert (error.advice, error.retry_after_s, requests) == ("Check it in Settings.", None, 1)
    assert KEY not in f"{error.title}{error.advice}{error.detail}"


def test_a_missing_key_is_asked_for() -> None:
    error, _, _ = failure(refused(401))
    assert (error.problem, error.title) == (Problem.KEY_REFUSED, "The endpoint asks for a key.")


def test_a_key_with_letters_no_key_has_is_not_sent() -> None:
    error, _, requests = failure(HELLO, key="schlüssel")
    assert (error.problem, requests) == (Problem.KEY_REFUSED, 0)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (refused(403, "Model not purchased."), "Model not purchased."),
        (refused(400, "Access denied, overdue payment.", code="Arrearage"), "overdue payment"),
        (refused(404, "The model `m` does not exist."), 'the model "m"'),
        (refused(400, "Something about a field"), "Something about a field"),
        (refused(413, "Request too large"), "too long"),
        ([Head(404, body={"detail": "Not Found"})], "usually ends in /v1"),
        ([Head(200, body="<html>hello</html>")], "usually ends in /v1"),
    ],
)
def test_a_refusal_is_told_in_words_a_person_can_act_on(answer: list[Step], part: str) -> None:
    error, _, _ = failure(answer)
    assert error.problem is Problem.ENDPOINT_REFUSED
    assert part in f"{error.title} {error.advice}"
    assert error.retry_after_s is None


def test_a_content_filter_ends_the_turn_without_an_error() -> None:
    with talking(in_turn(refused(400, "Input may be inappropriate", code="data_inspection_failed"))) as (_, dialogue):
        assert ask(dialogue).verdict is Verdict.FILTERED


def test_a_busy_endpoint_tells_when_to_come_back() -> None:
    error, _, requests = failure(refused(429, headers=(("retry-after", "8"),)))
    assert (error.problem, error.retry_after_s, requests) == (Problem.ENDPOINT_BUSY, 8.0, 1)
    assert str(error) == "The endpoint is busy (429). Trying again in 8 s."


def test_a_busy_endpoint_that_asks_for_a_moment_is_given_it() -> None:
    with talking(in_turn(refused(429, headers=(("retry-after", "0.05"),)), HELLO)) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2


def test_a_used_up_account_is_not_worth_waiting_for() -> None:
    error, _, requests = failure(refused(429, "You exceeded your current quota", code="insufficient_quota"))
    assert (error.problem, error.retry_after_s, requests) == (Problem.ENDPOINT_BUSY, None, 1)


def test_a_server_error_is_tried_once_more() -> None:
    with talking(in_turn(refused(500), HELLO)) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2
    error, _, requests = failure(refused(503))
    assert (error.problem, error.retry_after_s, requests) == (Problem.ENDPOINT_UNREACHABLE, 5.0, 2)


def test_silence_is_told_after_the_time_it_lasted_and_asked_once_more_in_between() -> None:
    error, _, requests = failure([Hold()], patience=IMPATIENT)
    assert (error.problem, requests) == (Problem.ENDPOINT_SILENT, 2)
    assert error.advice.startswith("Your last question is kept.")


def test_the_words_for_ten_seconds_of_silence_are_those_of_the_design() -> None:
    from core.dialogue.trouble import silent

    assert Patience().first_s == 10
    assert str(silent(Patience().first_s)) == (
        "The endpoint did not answer for 10 seconds. Your last question is kept. "
        "Check the network, then try again, or let the built-in companion answer."
    )


def test_a_server_that_took_the_request_and_then_says_nothing_is_not_asked_twice_beyond_the_limit() -> None:
    error, _, requests = failure([Head(), Hold()], patience=IMPATIENT)
    assert (error.problem, requests) == (Problem.ENDPOINT_SILENT, 1)


def test_a_dead_connection_is_replaced_before_anybody_notices() -> None:
    with talking(in_turn([Hold()], HELLO), IMPATIENT) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2


def test_a_reset_before_the_first_sound_is_tried_once_more() -> None:
    with talking(in_turn([Head(), Reset()], HELLO)) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param([Reset()], id="reset"),
        pytest.param([], id="a clean end without a finish"),
        pytest.param([DONE], id="done without a finish"),
        pytest.param([Hold()], id="a stall"),
        pytest.param([Event({"error": {"message": "out of memory", "code": 500}}), DONE], id="an error event"),
        pytest.param([Event("{not json"), DONE], id="a broken line"),
        pytest.param([Event(chunk({"audio": {"data": "not base64"}}))], id="sound that cannot be read"),
        pytest.param([Event(chunk({}, "abort")), DONE], id="an abort"),
    ],
)
def test_a_reply_that_breaks_off_keeps_what_was_heard_and_says_so(ending: list[Step]) -> None:
    error, reply, requests = failure([Head(), vllm_words("Hello"), vllm_sound(wav(PCM)), *ending], patience=IMPATIENT)
    assert (error.problem, error.title) == (Problem.ANSWER_CUT, "The answer broke off half-way.")
    assert (reply.text, reply.pcm, reply.verdict, requests) == ("Hello", PCM, None, 1)


def test_a_stream_that_ends_before_it_began_is_tried_once_more_and_then_told() -> None:
    error, reply, requests = failure([Head(), Event(chunk({"role": "assistant"}))])
    assert (error.problem, reply.text, requests) == (Problem.ENDPOINT_UNREACHABLE, "", 2)


def test_words_without_their_sound_are_not_asked_for_again() -> None:
    error, reply, requests = failure([Head(), vllm_words("Hello"), Hold()], patience=IMPATIENT)
    assert (error.problem, reply.text, requests) == (Problem.ENDPOINT_SILENT, "Hello", 1)


def test_a_stall_after_the_finish_is_an_end() -> None:
    with talking(in_turn([*HELLO[:4], Hold()]), IMPATIENT) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.verdict, reply.pcm) == (Verdict.OK, PCM)


def test_a_listener_that_takes_its_time_is_not_taken_for_a_silent_server() -> None:
    class Slow(Heard):
        def speak(self, samples: Samples, text: str) -> bool:
            threading.Event().wait(2 * IMPATIENT.gap_s)
            return super().speak(samples, text)

    with talking(in_turn(HELLO), IMPATIENT) as (_, dialogue):
        assert ask(dialogue, Slow()).verdict is Verdict.OK


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "no address at all", "http://[::bad/v1", "http://host:99999", ""]
)
def test_an_address_where_nobody_is(url: str) -> None:
    error, _, requests = failure(HELLO, url=url, model="m", dialect="vllm_omni")
    assert (error.problem, error.title, requests) == (
        Problem.ENDPOINT_UNREACHABLE,
        "The endpoint could not be reached.",
        0,
    )


def test_a_server_without_a_list_of_models_needs_one_named() -> None:
    error, _, _ = failure(HELLO, models=None, dialect="vllm_omni")
    assert (error.problem, error.advice) == (Problem.ENDPOINT_REFUSED, "Choose a model in Settings.")
    with talking(in_turn(HELLO), models=None, model="m") as (_, dialogue):
        assert ask(dialogue).verdict is Verdict.OK


def test_after_trouble_the_next_turn_is_answered() -> None:
    with talking(in_turn([*HELLO[:3], Reset()], HELLO)) as (_, dialogue):
        assert ask(dialogue).error
        assert ask(dialogue, Heard(number=2)).pcm == PCM


# What is left.


def cancelled_while_speaking(server: OmniServer, dialogue: OmniDialogue, number: int) -> float:
    """Cancel a turn in the middle of its sound; returns after how many seconds the server saw the connection go."""
    reply = Heard(number=number)
    dialogue.start(reply.turn, (), reply)
    assert reply.began.wait(5)
    asked = server.turns[-1]
    since = server.now()
    reply.turn.cancel()
    dialogue.cancel(reply.turn)
    assert server.wait_until(lambda: asked.gone_at is not None)
    assert (reply.verdict, reply.error) == (None, None)
    assert asked.gone_at is not None
    return asked.gone_at - since


def test_cancelling_closes_the_connection_within_fifty_milliseconds() -> None:
    with talking(in_turn([*HELLO[:3], Hold()])) as (server, dialogue):
        taken = [cancelled_while_speaking(server, dialogue, number) for number in range(9)]
    assert sorted(taken)[4] < 0.05


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


def test_fifty_cancelled_turns_leave_no_thread_and_no_socket_behind() -> None:
    with talking(in_turn([*HELLO[:3], Hold()])) as (server, dialogue):
        before = threading.active_count()
        sockets: list[int] = []
        for number in range(50):
            cancelled_while_speaking(server, dialogue, number)
            sockets.append(server.open_connections)
        assert max(sockets) <= 2
        assert threading.active_count() <= before + 3
        dialogue.close()
        assert server.wait_until(lambda: server.open_connections == 0)
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("dialogue")]
        own = psutil.Process(os.getpid()).net_connections()
        assert not [connection for connection in own if connection.status == psutil.CONN_CLOSE_WAIT]


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
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_bug_in_a_listener_ends_the_thread_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    loud = threading.Event()
    bugs: list[object] = []

    def hook(arguments: threading.ExceptHookArgs) -> None:
        bugs.append(arguments.exc_value)
        loud.set()

    class Broken(Heard):
        def speak(self, samples: Samples, text: str) -> bool:
            raise ZeroDivisionError

    monkeypatch.setattr(threading, "excepthook", hook)
    with talking(in_turn(HELLO)) as (_, dialogue):
        reply = Broken()
        dialogue.start(reply.turn, (), reply)
        assert loud.wait(5)
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


# The Test button, and what an address tells.


def test_a_working_endpoint_reports_its_time_its_sound_and_its_models() -> None:
    with OmniServer(answering("Hello.", PCM, delay_s=0.05), models=(("a", "vllm"), ("b", "vllm"))) as server:
        report = probe.test_endpoint(Endpoint(server.url))
    assert 0.05 <= report.seconds < 2
    assert (report.with_sound, report.models, report.model) == (True, ("a", "b"), "a")
    assert report.profile == PROFILES["vllm_omni"]


def test_an_endpoint_without_speech_is_reported_so() -> None:
    with OmniServer(in_turn([Head(), vllm_words("Hello."), FINISH, DONE])) as server:
        assert not probe.test_endpoint(Endpoint(server.url)).with_sound


def test_an_endpoint_that_refuses_is_reported_in_the_words_of_a_turn() -> None:
    with OmniServer(in_turn(refused(401))) as server, pytest.raises(ServerError) as trouble:
        probe.test_endpoint(Endpoint(server.url, key=KEY))
    assert trouble.value.problem is Problem.KEY_REFUSED
    with OmniServer(in_turn(refused(400, "Invalid speaker"))) as server, pytest.raises(ServerError) as trouble:
        probe.test_endpoint(Endpoint(server.url, voice="nobody"))
    assert trouble.value.problem is Problem.ENDPOINT_REFUSED


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "dashscope"),
        ("w1.cn-beijing.maas.aliyuncs.com", "dashscope"),
        ("https://api.openai.com/v1", "openai"),
        ("http://localhost:8091/v1", None),
        ("https://aliyuncs.com.example.org/v1", None),
        ("https://notaliyuncs.com/v1", None),
    ],
)
def test_the_host_tells_what_is_known_and_no_more(url: str, dialect: str | None) -> None:
    profile = describe(url)
    assert (profile.dialect if profile else None) == dialect


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("localhost:8091", "http://localhost:8091/v1"),
        (" http://10.0.0.2:8091/ ", "http://10.0.0.2:8091/v1"),
        ("dashscope-intl.aliyuncs.com", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("https://x.example/v1/chat/completions", "https://x.example/v1"),
        ("https://x.example/proxy/v1/", "https://x.example/proxy/v1"),
    ],
)
def test_an_address_may_be_typed_as_people_type_them(typed: str, meant: str) -> None:
    assert Endpoint(typed).base_url == meant


def test_the_key_does_not_show_when_an_endpoint_is_printed() -> None:
    assert KEY not in repr(Endpoint("http://localhost", key=KEY))


def test_a_refusal_that_names_nothing_turns_nothing() -> None:
    assert without_refused(PROFILES["vllm_omni"], "Internal disagreement") is None
