"""Every dialect and every known fault, over a real socket: the text, every sample, and how the reply ended."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING

import pytest

from core.dialogue.client import Patience
from core.dialogue.protocol import Message, Verdict
from core.dialogue.request import WORDS_NOT_KNOWN
from core.errors import LiveTalkError, Problem
from tests.core.conformance import LONG, SHORT, SIZES, TEXT, WORDS
from tests.core.omni_server import (
    DONE,
    USAGE,
    Event,
    Head,
    Hold,
    Reset,
    Step,
    Wait,
    chunk,
    dashscope_sound,
    dashscope_words,
    in_turn,
    openai_words,
    pieces,
    sglang_sound,
    vllm_sound,
    vllm_words,
    wav,
)
from tests.core.omni_talk import FINISH, IMPATIENT, Heard, ask, refused, spoken, talking

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENT = Patience(sign_s=0.15, stall_s=1.5, loading_s=1.5, first_s=8.0, gap_s=1.0)
"""A stall is over soon, and a busy computer is none."""
HALF = LONG[:48_000]
"""One second."""


# -- dialects


def raw(pcm: bytes) -> list[Event]:
    return [dashscope_sound(pcm)]


def wav_in_content(pcm: bytes) -> list[Event]:
    return [vllm_sound(wav(pcm))]


def raw_in_content(pcm: bytes) -> list[Event]:
    return [vllm_sound(pcm)]


def wav_in_delta(pcm: bytes) -> list[Event]:
    return [sglang_sound(wav(pcm))]


def typed_without_modality(pcm: bytes) -> list[Event]:
    """A proxy dropped what says that the content is sound."""
    return [Event(chunk({"content": base64.b64encode(wav(pcm)).decode()}))]


DIALECTS = {
    "dashscope": (dashscope_words, raw),
    "qwen-omni-turbo": (openai_words, raw),
    "vllm-omni": (vllm_words, wav_in_content),
    "vllm-omni raw": (vllm_words, raw_in_content),
    "vllm-omni behind a proxy": (dashscope_words, typed_without_modality),
    "sglang-omni": (dashscope_words, wav_in_delta),
    "openai": (openai_words, raw),
}
WHOLE_FILES = {"vllm-omni", "vllm-omni behind a proxy", "sglang-omni"}


def stream(dialect: str, pcm: bytes, size: int) -> list[Step]:
    """A whole answer: words run ahead, the rest of them lies among the sound."""
    words, speak = DIALECTS[dialect]
    sound = [event for piece in pieces(pcm, size) for event in speak(piece)]
    told = [words(word) for word in WORDS]
    middle = len(sound) // 2
    return [Head(), *told[:2], *sound[:middle], *told[2:], *sound[middle:], FINISH, Event(USAGE), DONE]


@pytest.mark.parametrize(
    ("dialect", "size"),
    [(dialect, size) for dialect in DIALECTS for size in SIZES if dialect not in WHOLE_FILES or size % 2 == 0],
)
def test_every_dialect_in_fragments_of_every_size_gives_every_word_and_every_sample(dialect: str, size: int) -> None:
    pcm = SHORT if size < 100 else LONG
    with talking(in_turn(stream(dialect, pcm, size))) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert (reply.text, reply.verdict) == (TEXT, Verdict.OK)
    assert reply.pcm == pcm


def header_first(speak: Callable[[bytes], Event]) -> list[Step]:
    first, *rest = pieces(LONG, 9601)
    return [Head(), vllm_words(TEXT), speak(wav(first + rest[0])), *map(speak, rest[1:]), FINISH, DONE]


def header_alone() -> list[Step]:
    whole = wav(LONG)
    sound = [dashscope_sound(piece) for piece in (whole[:44], *pieces(whole[44:], 7777))]
    return [Head(), dashscope_words(TEXT), *sound, FINISH, DONE]


def proxied_header_first() -> list[Step]:
    """The header on the first chunk only, and no word that the content is sound."""
    first, *rest = pieces(LONG, 9600)
    sound = [wav(first), *rest]
    told = [Event(chunk({"content": base64.b64encode(piece).decode()})) for piece in sound]
    return [Head(), dashscope_words(TEXT), *told, FINISH, DONE]


def early_finish() -> list[Step]:
    sound = [vllm_sound(wav(piece)) for piece in pieces(LONG, 96_000)]
    early = Event(chunk({"content": ""}, "stop", modality="text"))
    return [Head(), vllm_words(TEXT), early, *sound, Event(USAGE), DONE]


def empty_pieces() -> list[Step]:
    nothing = Event(chunk({"role": "assistant", "content": ""}, modality="audio"))
    sound = [vllm_sound(wav(piece)) for piece in pieces(LONG, 96_000)]
    between = itertools.chain.from_iterable((nothing, event) for event in sound)
    return [Head(), nothing, vllm_words(TEXT), *between, nothing, vllm_sound(wav(b"")), FINISH, DONE]


def odd_then_file() -> list[Step]:
    """Half a sample is left over when a new file begins."""
    return [Head(), dashscope_words(TEXT), dashscope_sound(HALF + b"\x01"), sglang_sound(wav(LONG)), FINISH, DONE]


def slow_head() -> list[Step]:
    return [Wait(4 * PATIENT.sign_s), *stream("vllm-omni", LONG, 96_000)]


def usage_on_every_chunk() -> list[Step]:
    return [*stream("vllm-omni", LONG, 96_000)[:-3], FINISH, Event({**USAGE, "choices": None}), Event(USAGE), DONE]


@pytest.mark.parametrize(
    ("script", "pcm"),
    [
        pytest.param(header_first(lambda data: vllm_sound(data)), LONG, id="header on the first chunk of content"),
        pytest.param(header_first(lambda data: dashscope_sound(data)), LONG, id="header on the first chunk of audio"),
        pytest.param(header_alone(), LONG, id="a chunk that is nothing but a header"),
        pytest.param(proxied_header_first(), LONG, id="header on the first chunk behind a proxy"),
        pytest.param(early_finish(), LONG, id="the words finish before the sound"),
        pytest.param(empty_pieces(), LONG, id="empty pieces of sound"),
        pytest.param(odd_then_file(), HALF + LONG, id="an odd byte before a new file"),
        pytest.param(slow_head(), LONG, id="slow headers"),
        pytest.param(usage_on_every_chunk(), LONG, id="chunks without choices"),
        pytest.param([*stream("dashscope", LONG, 4801)[:-1]], LONG, id="no [DONE]"),
        pytest.param([*stream("dashscope", LONG, 4801)[:-2], Hold()], LONG, id="finished and never closed"),
    ],
)
def test_what_is_odd_and_harmless_costs_nothing(script: list[Step], pcm: bytes) -> None:
    with talking(in_turn(script), PATIENT) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert len(server.turns) == 1
    assert (reply.text, reply.verdict) == (TEXT, Verdict.OK)
    assert reply.pcm == pcm


# -- how a reply ends

BEGUN: tuple[Step, ...] = (Head(), vllm_words("Hello"), vllm_sound(wav(HALF)))
WRITTEN: tuple[Step, ...] = (Head(), vllm_words("Hello"))


@pytest.mark.parametrize(
    ("script", "text", "pcm", "outcome"),
    [
        pytest.param([*BEGUN, Event(chunk({}, "length")), DONE], "Hello", HALF, Verdict.LENGTH, id="length"),
        pytest.param([*BEGUN, Event(chunk({}, "content_filter"))], "Hello", HALF, Verdict.FILTERED, id="filtered"),
        pytest.param([*WRITTEN, FINISH, DONE], "Hello", b"", Verdict.NO_AUDIO, id="no sound at all"),
        pytest.param([*WRITTEN, vllm_sound(wav(b"")), FINISH], "Hello", b"", Verdict.NO_AUDIO, id="empty sound"),
        pytest.param(
            [Head(), vllm_words("word " * 60), vllm_sound(wav(HALF)), FINISH, DONE],
            "word " * 60,
            HALF,
            Verdict.OK,
            id="more words than sound",
        ),
        pytest.param([*BEGUN, DONE], "Hello", HALF, Problem.ANSWER_CUT, id="no finish"),
        pytest.param([*BEGUN], "Hello", HALF, Problem.ANSWER_CUT, id="a clean end without finish"),
        pytest.param([*BEGUN, Reset()], "Hello", HALF, Problem.ANSWER_CUT, id="reset"),
        pytest.param([*BEGUN, Hold()], "Hello", HALF, Problem.ANSWER_CUT, id="stall"),
        pytest.param(
            [*BEGUN, Event({"error": {"message": "CUDA out of memory", "code": 500}}), DONE],
            "Hello",
            HALF,
            Problem.ANSWER_CUT,
            id="an error in the middle",
        ),
        pytest.param(
            [*BEGUN, Event({"error": {"message": "no", "code": "data_inspection_failed"}}), DONE],
            "Hello",
            HALF,
            Verdict.FILTERED,
            id="filtered in the middle",
        ),
        pytest.param([*BEGUN, Event("{broken"), DONE], "Hello", HALF, Problem.ANSWER_CUT, id="a broken line"),
        pytest.param(
            [*BEGUN, Event(chunk({"audio": {"data": "!"}}))], "Hello", HALF, Problem.ANSWER_CUT, id="no base64"
        ),
        pytest.param(
            [Head(200, body={"error": {"message": "overloaded"}})],
            "",
            b"",
            Problem.ENDPOINT_UNREACHABLE,
            id="200 and an error",
        ),
        pytest.param([Head(200, body="<html>")], "", b"", Problem.ENDPOINT_REFUSED, id="200 and a page"),
        pytest.param(refused(401), "", b"", Problem.KEY_REFUSED, id="401"),
        pytest.param(refused(403), "", b"", Problem.ENDPOINT_REFUSED, id="403"),
        pytest.param(refused(400, "Overdue.", code="Arrearage"), "", b"", Problem.ENDPOINT_REFUSED, id="arrears"),
        pytest.param(refused(400, "x", code="data_inspection_failed"), "", b"", Verdict.FILTERED, id="filtered before"),
        pytest.param(
            refused(429, headers=(("retry-after", "30"),)), "", b"", Problem.ENDPOINT_BUSY, id="429 with a time"
        ),
        pytest.param(refused(429, code="insufficient_quota"), "", b"", Problem.ENDPOINT_BUSY, id="429 used up"),
        pytest.param([Reset()], "", b"", Problem.ENDPOINT_UNREACHABLE, id="reset before the head"),
        pytest.param([Hold()], "", b"", Problem.ENDPOINT_SILENT, id="no head"),
        pytest.param([Head(), Hold()], "", b"", Problem.ENDPOINT_SILENT, id="a head and nothing else"),
    ],
)
def test_each_end_is_told_for_what_it_is_and_what_came_before_it_is_kept(
    script: list[Step], text: str, pcm: bytes, outcome: Verdict | Problem
) -> None:
    stalls = any(isinstance(step, Hold) for step in script)
    with talking(in_turn(script), IMPATIENT if stalls else None) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert (reply.text, reply.pcm) == (text, pcm)
    if isinstance(outcome, Verdict):
        assert (reply.verdict, reply.error) == (outcome, None)
    else:
        assert isinstance(reply.error, LiveTalkError)
        assert (reply.verdict, reply.error.problem) == (None, outcome)
        assert reply.error.title.endswith(".")
        assert reply.error.advice


GOOD: list[Step] = stream("vllm-omni", HALF, 9600)
WANTS_WORDS = [
    {"loc": ["body", "messages", 0, "content"], "msg": "Input should be a valid string", "input": ["a secret"]},
    "not what FastAPI sends",
]


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(refused(500), id="500"),
        pytest.param(refused(503), id="503"),
        pytest.param(refused(429, headers=(("retry-after", "0.05"),)), id="429 with a moment"),
        pytest.param(refused(429), id="429 without a time"),
        pytest.param(refused(400, "Invalid speaker 'x'."), id="400 naming the voice"),
        pytest.param(refused(400, "Unknown parameter: stream_options"), id="400 naming a field"),
        pytest.param(refused(413, "Request too large"), id="413"),
        pytest.param(refused(400, "maximum context length is 4096"), id="400 too long"),
        pytest.param(refused(400, "Range of input length should be [1, 30720]"), id="400 too long for DashScope"),
        pytest.param(refused(429, headers=(("retry-after", "nan"),)), id="429 with a time that is none"),
        pytest.param([Head(422, body={"detail": WANTS_WORDS})], id="422 naming a field as FastAPI does"),
        pytest.param([Reset()], id="reset"),
        pytest.param([Head(), Reset()], id="reset after the head"),
        pytest.param([Head()], id="an empty answer"),
        pytest.param([Hold()], id="a dead connection"),
    ],
)
def test_what_one_more_request_mends_nobody_notices(trouble: list[Step]) -> None:
    with talking(in_turn(trouble, GOOD), PATIENT, voice="x") as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert len(server.turns) == 2
    assert (reply.text, reply.pcm, reply.verdict) == (TEXT, HALF, Verdict.OK)


def test_what_was_too_long_is_asked_again_with_the_newer_half_of_the_conversation() -> None:
    history = [
        Message("user", "One"),
        Message("assistant", "Two"),
        Message("user", "Three"),
        Message("assistant", "Four"),
    ]
    with talking(in_turn(refused(413), GOOD)) as (server, dialogue):
        ask(dialogue, Heard("Now"), history)
        first, second = ([message["content"] for message in turn.body["messages"]] for turn in server.turns)
    assert first == ["One", "Two", "Three", "Four", "Now"]
    assert second == ["Three", "Four", "Now"]


def test_a_reply_whose_sound_cannot_hold_its_words_is_noted_without_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "core")
    script = [Head(), vllm_words("secret " * 40), vllm_sound(wav(HALF)), FINISH, DONE]
    with talking(in_turn(script)) as (_, dialogue):
        ask(dialogue)
    assert "its sound lacks words" in caplog.text
    assert "secret" not in caplog.text


def test_fields_that_fastapi_refuses_are_told_without_the_input_that_it_repeats() -> None:
    faults = [{"type": "x", "loc": ["body", "temperature"], "msg": "Field required", "input": "a secret"}]
    with talking(in_turn([Head(422, body={"detail": faults})])) as (_, dialogue):
        error = ask(dialogue, Heard(spoken())).error
    assert error is not None
    assert "body.temperature: Field required" in error.advice
    assert "secret" not in f"{error.advice}{error.detail}"


def test_a_server_whose_content_is_words_only_is_given_the_sound_beside_them() -> None:
    with talking(in_turn([Head(422, body={"detail": WANTS_WORDS})], GOOD)) as (server, dialogue):
        ask(dialogue, Heard(spoken()))
        first, second = (turn.body for turn in server.turns)
    assert isinstance(first["messages"][-1]["content"], list)
    assert second["messages"][-1]["content"] == ""
    assert second["audios"][0].startswith("data:audio/wav;base64,UklGR")


def test_a_server_that_takes_one_sound_in_a_request_is_told_of_earlier_ones_without() -> None:
    earlier = [Message("user", "", 1), Message("assistant", "Hello.", 1)]
    no = refused(400, "At most 1 audio(s) may be provided in one prompt.")
    with talking(in_turn(GOOD, no, GOOD)) as (server, dialogue):
        ask(dialogue, Heard(spoken()))
        assert ask(dialogue, Heard(spoken(), number=2), earlier).verdict is Verdict.OK
        _, refusal, second = (turn.body["messages"] for turn in server.turns)
    assert [isinstance(message["content"], list) for message in refusal] == [True, False, True]
    assert [message["content"] for message in second[:2]] == [WORDS_NOT_KNOWN, "Hello."]
    assert isinstance(second[2]["content"], list)
