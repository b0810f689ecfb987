"""What an endpoint says of its trouble: meant for the person, whatever road it comes by, and for no log."""

from __future__ import annotations

import logging

import pytest

from core.dialogue import probe
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.profile import known_profiles, without_refused
from core.dialogue.protocol import Verdict
from core.dialogue.trouble import tidy, unknown_voice
from core.errors import Problem, ServerError
from core.events import Failed, Replying
from tests.core.live_server import LiveServer, Talk
from tests.core.omni_server import DONE, Event, Head, OmniServer, Step, in_turn, vllm_words
from tests.core.omni_talk import HELLO, KEY, PCM, Heard, ask, failure, refused, talking
from tests.fakes import ScriptedDialogue, tone
from tests.rig import ConversationRig


def event(message: str, **more: object) -> list[Step]:
    """An error in the stream, before any word."""
    return [Head(), Event({"error": {"message": message, **more}}), DONE]


def whole(message: str, **more: object) -> list[Step]:
    """An error as the body of an answer that is said to be well."""
    return [Head(200, body={"error": {"message": message, **more}})]


# -- an error is the same one, by whatever road it comes


@pytest.mark.parametrize("road", [event, whole])
@pytest.mark.parametrize(
    ("message", "more", "problem", "told", "requests"),
    [
        ("Used up.", {"code": "insufficient_quota"}, Problem.ENDPOINT_BUSY, "is used up (429)", 1),
        ("Bad key.", {"code": "invalid_api_key"}, Problem.KEY_REFUSED, "did not accept the key", 1),
        ("Overdue.", {"code": "Arrearage"}, Problem.ENDPOINT_REFUSED, "does not let this account use the model", 1),
        ("No.", {"code": 403, "type": "Forbidden"}, Problem.ENDPOINT_REFUSED, "does not let this account", 1),
        ("We are overloaded.", {}, Problem.ENDPOINT_UNREACHABLE, "trouble of its own", 2),
        ("Engine died.", {"code": 500, "type": "InternalServerError"}, Problem.ENDPOINT_UNREACHABLE, "of its own", 2),
        ("n must be 1.", {"code": 400, "type": "BadRequestError"}, Problem.ENDPOINT_REFUSED, "refused what it was", 1),
    ],
)
def test_an_error_in_an_answer_that_is_said_to_be_well_is_told_for_what_it_is(
    road: type, message: str, more: dict[str, object], problem: Problem, told: str, requests: int
) -> None:
    error, _, asked = failure(road(message, **more), key=KEY)
    assert (error.problem, asked) == (problem, requests)
    assert told in error.title
    assert message in error.advice or problem is Problem.KEY_REFUSED


@pytest.mark.parametrize("road", [event, whole])
def test_a_filter_that_speaks_in_an_answer_that_is_said_to_be_well_stops_the_turn(road: type) -> None:
    with talking(in_turn(road("No.", code="data_inspection_failed"))) as (_, dialogue):
        assert ask(dialogue).verdict is Verdict.FILTERED


@pytest.mark.parametrize("road", [event, whole])
def test_a_busy_endpoint_is_asked_again_by_whatever_road_it_says_so(
    road: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.dialogue.trouble._QUIET_WAITS_S", (0.01,))
    with talking(in_turn(road("Slow down.", code="limit_requests"), HELLO)) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2


@pytest.mark.parametrize("body", [{"detail": "Not here."}, {"object": "chat.completion", "choices": []}, [], 3])
def test_json_where_a_stream_was_asked_for_is_no_endpoint_or_says_why_not(body: object) -> None:
    error, _, _ = failure([Head(200, body=body)])
    assert error.problem is Problem.ENDPOINT_REFUSED
    assert ("Not here." in error.advice) == ("detail" in str(body))


def test_an_account_that_must_pay_is_told_so() -> None:
    error, _, requests = failure(refused(402, "Payment required."))
    assert (error.title, requests) == ("The endpoint does not let this account use the model.", 1)
    assert "account" in error.advice
    assert "Payment required." in error.advice


def test_a_server_that_waited_in_vain_for_the_question_is_sent_it_once_more() -> None:
    with talking(in_turn(refused(408), HELLO)) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert len(server.turns) == 2


# -- the list of models


@pytest.mark.parametrize(
    ("status", "key", "problem", "title"),
    [
        (401, "", Problem.KEY_REFUSED, "The endpoint asks for a key."),
        (401, KEY, Problem.KEY_REFUSED, "The endpoint did not accept the key."),
        (403, KEY, Problem.ENDPOINT_REFUSED, "The endpoint does not let this account use the model."),
        (429, KEY, Problem.ENDPOINT_BUSY, "The endpoint is busy (429)."),
        (503, KEY, Problem.ENDPOINT_UNREACHABLE, "The endpoint has trouble of its own and could not answer."),
    ],
)
def test_why_no_model_is_known_is_told(
    status: int, key: str, problem: Problem, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.dialogue.trouble._QUIET_WAITS_S", (0.01,))
    with OmniServer(in_turn(HELLO), Head(status, body={"error": "Unauthorized"})) as server:
        dialogue = OmniDialogue(Endpoint(server.url, key=key))
        try:
            error = ask(dialogue).error
        finally:
            dialogue.close()
        assert error is not None
        assert (error.problem, error.title, server.turns) == (problem, title, [])
        with pytest.raises(ServerError) as told:
            probe.try_endpoint(Endpoint(server.url, key=key))
        assert told.value.title == title


def test_a_server_that_is_still_loading_is_asked_again_for_its_models() -> None:
    class Loading(OmniServer):
        async def _list_models(self, writer: object) -> None:
            loaded, self._models = self._models, Head(503, body={"error": {"message": "Loading model"}})
            if len([asked for asked in self.asked if asked.path.endswith("/models")]) > 2:
                self._models = loaded
            await super()._list_models(writer)  # type: ignore[arg-type] - as it came
            self._models = loaded

    with Loading(in_turn(HELLO), (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url))
        try:
            assert server.wait_until(lambda: bool(server.asked))
            assert ask(dialogue).pcm == PCM
        finally:
            dialogue.close()


def test_a_key_that_may_not_list_models_may_ask_one() -> None:
    with talking(in_turn(HELLO), models=Head(403, body={"error": "no"}), dialect="vllm_omni", model="m") as (_, talk):
        assert ask(talk).pcm == PCM


# -- the voice


REFUSED_VOICES = (
    "Invalid speaker 'x'.",
    "Voice 'x' is not supported.",
    "The voice x does not exist",
    "Unknown parameter: 'voice'.",
    "Speaker 'x' not available. Choose from: ['ethan']",
    "Requested voice 'x' not found",
    "audio.voice must be one of alloy, ash",
)
SPOKEN_OF = (
    "content policy: the speaker asks for something we do not allow",
    "input_audio: voice activity not found in the recording",
    "the speaker's words could not be recognised",
)


@pytest.mark.parametrize("said", REFUSED_VOICES)
def test_a_voice_that_is_refused_is_left_out_and_the_person_is_told(said: str) -> None:
    with talking(in_turn(refused(400, said), HELLO), voice="x") as (server, dialogue):
        reply = ask(dialogue)
        assert (reply.pcm, [turn.body.get("voice") for turn in server.turns]) == (PCM, ["x", None])
        assert [str(error) for error in reply.told] == [
            'The endpoint does not know the voice "x". It speaks in its own. Choose another voice in Settings.'
        ]
        assert ask(dialogue, Heard(number=2)).told == []


def test_what_the_person_should_know_of_an_endpoint_is_told_while_it_answers() -> None:
    rig = ConversationRig(ScriptedDialogue(hold=True))
    rig.session.say("Hello")
    rig.crank(0.1)
    rig.dialogue.replies[-1].tell(unknown_voice("x"))
    rig.crank(0.1)
    assert [(told.title, told.turn) for told in rig.events.of(Failed)] == [(unknown_voice("x").title, None)]
    rig.dialogue.replies[-1].speak(tone(0.2), "Hello.")
    rig.dialogue.replies[-1].finish()
    rig.crank(1.0)
    assert rig.events.of(Replying)[-1].done


def test_a_voice_that_nobody_chose_is_left_out_without_a_word() -> None:
    script = in_turn(refused(400, "Voice 'Tina' is not supported."), HELLO)
    with talking(script, dialect="dashscope", model="qwen3.5-omni-flash") as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.pcm, reply.told) == (PCM, [])


@pytest.mark.parametrize("answer", [*(refused(400, said) for said in SPOKEN_OF), refused(500, "bad speaker embedding")])
def test_a_voice_that_is_only_spoken_of_stays(answer: list[Step]) -> None:
    with talking(in_turn(answer), voice="x", dialect="vllm_omni", model="m") as (server, dialogue):
        assert ask(dialogue).error is not None
        assert {turn.body.get("voice") for turn in server.turns} == {"x"}


def test_a_crash_that_speaks_of_the_voice_is_asked_again_once_as_any_other() -> None:
    _, _, requests = failure(refused(500, "Invalid speaker embedding"), voice="x")
    assert requests == 2


def test_a_field_that_is_named_beside_the_message_is_the_one_that_is_left_out() -> None:
    said = "Invalid value: 'x'. Supported values are: 'alloy', 'ash'."
    script = in_turn(refused(400, said, param="audio.voice"), HELLO)
    with talking(script, voice="x", dialect="openai", model="m") as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert [turn.body["audio"].get("voice") for turn in server.turns] == ["x", None]


def test_a_voice_is_not_left_out_twice() -> None:
    profile = without_refused(known_profiles()["vllm_omni"], "Invalid speaker")
    assert profile is not None
    assert without_refused(profile, "Invalid speaker") is None


# -- what is logged

PRIVATE = "my PRIVATE words"
ECHOES = (
    refused(400, f"1 validation error: input_value='{PRIVATE}'"),
    refused(400, "no", code=PRIVATE, type=PRIVATE),
    refused(500, f"crashed at '{PRIVATE}'"),
    refused(403, PRIVATE),
    refused(404, f"model for '{PRIVATE}' not found"),
    refused(413, f"too long: {PRIVATE}"),
    refused(429, PRIVATE),
    refused(429, PRIVATE, code="insufficient_quota"),
    event(f"prompt '{PRIVATE}' failed"),
    whole(f"prompt '{PRIVATE}' failed"),
    [Head(), vllm_words("Well"), Event({"error": {"message": PRIVATE, "code": PRIVATE}}), DONE],
    [Head(200, body=f"<html>{PRIVATE}")],
    [Head(302, (("location", f"http://127.0.0.1/{PRIVATE}"),), {"error": PRIVATE})],
)


@pytest.mark.parametrize("answer", ECHOES)
def test_an_error_that_repeats_what_was_said_is_not_written_to_the_log(
    answer: list[Step], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.dialogue.trouble._QUIET_WAITS_S", ())
    caplog.set_level(logging.DEBUG)
    with talking(in_turn(answer), models=(("m", "somebody"),)) as (_, dialogue):
        error = ask(dialogue, Heard(PRIVATE)).error
    assert error is not None
    assert "turn 1 failed" in caplog.text
    assert "PRIVATE" not in caplog.text + error.detail


def test_a_live_error_that_repeats_what_was_said_is_not_written_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def echoing(talk: Talk) -> None:
        await talk.send({"type": "session.created", "session": {"id": "s"}})
        await talk.until("response.create")
        await talk.send({"type": "error", "error": {"message": PRIVATE, "code": PRIVATE, "type": "bad"}})
        await talk.hold()

    caplog.set_level(logging.DEBUG)
    with LiveServer(echoing) as server:
        dialogue = OmniDialogue(Endpoint(server.url, "m", dialect="openai_realtime"))
        error = ask(dialogue, Heard(PRIVATE)).error
        dialogue.close()
    assert error is not None
    assert PRIVATE in error.advice
    assert "turn 1 failed" in caplog.text
    assert "PRIVATE" not in caplog.text + error.detail


def test_the_status_and_the_code_are_written_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    failure(refused(400, PRIVATE, code="bad_thing", type="invalid_request_error"))
    assert "turn 1 failed: endpoint_refused (HTTP 400 bad_thing invalid_request_error)" in caplog.text


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_server_that_repeats_the_key_does_not_show_it(status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error, _, _ = failure(refused(status, f"no such key: {KEY}, sorry"), key=KEY)
    assert "no such key: …, sorry" in error.advice
    assert KEY not in f"{error.title}{error.advice}{error.detail}{caplog.text}"


def test_what_a_server_says_is_shown_short_and_on_one_line() -> None:
    endpoint = Endpoint("http://localhost/v1", key=KEY)
    assert tidy(f"one\n  two\t{KEY} three", endpoint) == "one two … three"
    assert len(tidy("word " * 100, endpoint)) == 200
    assert tidy("a sentence", Endpoint("http://localhost/v1")) == "a sentence"
