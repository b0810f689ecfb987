"""Everything that can go wrong with an endpoint, and what the person is told of it."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from core.dialogue.client import Patience
from core.dialogue.endpoint import Endpoint
from core.dialogue.protocol import Verdict
from core.dialogue.trouble import key_refused, silent
from core.errors import Problem
from tests.core.omni_server import (
    DONE,
    Event,
    Head,
    Hold,
    Reset,
    Step,
    chunk,
    in_turn,
    vllm_sound,
    vllm_words,
    wav,
)
from tests.core.omni_talk import HELLO, IMPATIENT, KEY, PCM, Heard, ask, failure, refused, talking

if TYPE_CHECKING:
    from core.media import Samples


def test_a_wrong_key() -> None:
    error, _, requests = failure(refused(401, f"Incorrect API key: {KEY}"), key=KEY)
    assert (error.problem, error.title) == (Problem.KEY_REFUSED, "The endpoint did not accept the key.")
    assert (error.advice, error.retry_after_s, requests) == ("Check it in Settings.", None, 1)
    assert KEY not in f"{error.title}{error.advice}{error.detail}"


def test_a_missing_key_is_asked_for() -> None:
    error, _, _ = failure(refused(401))
    assert (error.problem, error.title) == (Problem.KEY_REFUSED, "The endpoint asks for a key.")


@pytest.mark.parametrize("key", ["schlüssel", "sk-one\nsk-two", "sk-\x00", "sk-\x7f"])
def test_a_key_with_letters_no_key_has_is_not_sent(key: str) -> None:
    error, _, requests = failure(HELLO, key=key)
    assert (error.problem, requests) == (Problem.KEY_REFUSED, 0)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("dashscope-intl.aliyuncs.com", "Singapore"),
        ("dashscope.aliyuncs.com", "Beijing"),
        ("ws1.cn-beijing.maas.aliyuncs.com", "Beijing"),
        ("ws1.ap-southeast-1.maas.aliyuncs.com", "Singapore"),
    ],
)
def test_a_key_that_is_refused_names_the_region_of_the_address(host: str, region: str) -> None:
    error = key_refused(Endpoint(f"https://{host}/compatible-mode/v1", key=KEY), "HTTP 401")
    assert error.advice.startswith("Check it in Settings.")
    assert f"belongs to {region}, and a key" in error.advice


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


@pytest.mark.parametrize(
    "answer",
    [
        refused(403, "x", code="AccessDenied"),
        refused(403, "x", code="AccessDenied.Unpurchased"),
        refused(400, "Overdue payment.", code="Arrearage"),
    ],
)
def test_what_the_account_does_not_allow_is_told_as_the_provider_says_it_and_asked_once(answer: list[Step]) -> None:
    error, _, requests = failure(answer)
    assert (error.title, requests) == ("The endpoint does not let this account use the model.", 1)
    assert "It says: “" in error.advice


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


def test_a_busy_endpoint_that_gives_no_time_is_asked_after_one_two_and_four_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("core.dialogue.omni.asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    error, _, requests = failure(refused(429, code="limit_requests"))
    assert (pauses, requests, error.retry_after_s) == ([1.0, 2.0], 3, 4.0)
    assert str(error) == "The endpoint is busy (429). Trying again in 4 s."


def test_a_used_up_account_is_not_worth_waiting_for() -> None:
    error, _, requests = failure(refused(429, "You exceeded your current quota", code="insufficient_quota"))
    assert (error.problem, error.retry_after_s, requests) == (Problem.ENDPOINT_BUSY, None, 1)


def test_a_server_error_is_tried_once_more() -> None:
    with talking(in_turn(refused(500), HELLO)) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2
    error, _, requests = failure(refused(503))
    assert (error.problem, error.retry_after_s, requests) == (Problem.ENDPOINT_UNREACHABLE, 0.0, 2)


def test_silence_is_told_after_the_time_it_lasted_and_asked_once_more_in_between() -> None:
    error, _, requests = failure([Hold()], patience=IMPATIENT)
    assert (error.problem, requests) == (Problem.ENDPOINT_SILENT, 2)
    assert error.advice.startswith("Your last question is kept.")


def test_the_words_for_ten_seconds_of_silence_are_those_of_the_design() -> None:
    assert Patience().first_s == 10
    assert str(silent(Patience().first_s)) == (
        "The endpoint did not answer for 10 seconds. Your last question is kept. "
        "Check the network, then try again, or let the built-in companion answer."
    )


def test_a_server_that_took_the_request_and_then_says_nothing_is_asked_once_more_within_the_limit() -> None:
    error, _, requests = failure([Head(), Hold()], patience=IMPATIENT)
    assert (error.problem, requests) == (Problem.ENDPOINT_SILENT, 2)
    with talking(in_turn([Head(), Hold()], HELLO), IMPATIENT) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2


def test_the_limits_of_patience_are_those_of_the_facts() -> None:
    patience = Patience()
    assert (patience.connect_s, patience.stall_s, patience.gap_s, patience.turn_s) == (3.0, 8.0, 5.0, 90.0)


def test_two_stalls_take_no_longer_than_the_limit_for_the_first_words() -> None:
    with talking(in_turn([Head(), Hold()]), IMPATIENT) as (server, dialogue):
        since = server.now()
        error = ask(dialogue).error
        assert error is not None
        assert server.wait_until(lambda: all(turn.gone_at for turn in server.turns))
        ends = [turn.gone_at - since for turn in server.turns if turn.gone_at]
    assert len(ends) == 2
    assert ends[0] >= IMPATIENT.stall_s - 0.05
    assert IMPATIENT.first_s - 0.05 <= ends[1] < 2 * IMPATIENT.first_s


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


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param([Hold()], id="a stall"),
        pytest.param([Reset()], id="reset"),
        pytest.param([DONE], id="no finish"),
        pytest.param([Event({"error": {"message": "out of memory", "code": 500}}), DONE], id="an error event"),
        pytest.param([Event({"error": {"message": "no slot", "code": "resource_exhausted"}}), DONE], id="overloaded"),
    ],
)
def test_words_whose_sound_never_came_are_taken_back_and_the_question_is_asked_once_more(ending: list[Step]) -> None:
    with talking(in_turn([Head(), vllm_words("Well"), *ending], HELLO), IMPATIENT) as (server, dialogue):
        reply = ask(dialogue)
        assert len(server.turns) == 2
    assert (reply.text, reply.pcm, reply.verdict, reply.restarts) == ("Hello.", PCM, Verdict.OK, 1)
    error, reply, requests = failure([Head(), vllm_words("Hello"), *ending], patience=IMPATIENT)
    assert (error.retry_after_s is not None, reply.text, requests) == (True, "Hello", 2)


def test_nothing_is_asked_again_once_something_was_heard() -> None:
    stalled = [Head(), vllm_words("Hello"), vllm_sound(wav(PCM)), Hold()]
    error, reply, requests = failure(stalled, patience=IMPATIENT)
    assert (error.problem, reply.pcm, reply.restarts, requests) == (Problem.ANSWER_CUT, PCM, 0, 1)


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
