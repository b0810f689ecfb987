"""The Test button of Settings, and what an address tells."""

from __future__ import annotations

import pytest

from core.dialogue import probe
from core.dialogue.endpoint import Endpoint, describe
from core.dialogue.profile import known_profiles, without_refused
from core.errors import Problem, ServerError
from tests.core.omni_server import (
    DONE,
    Head,
    OmniServer,
    answering,
    in_turn,
    vllm_words,
)
from tests.core.omni_talk import FINISH, HELLO, KEY, PCM, refused


def test_a_working_endpoint_reports_its_time_its_sound_and_its_models() -> None:
    with OmniServer(answering("Hello.", PCM, delay_s=0.05), models=(("a", "vllm"), ("b", "vllm"))) as server:
        report = probe.try_endpoint(Endpoint(server.url))
    assert 0.05 <= report.seconds < 2
    assert (report.with_sound, report.models, report.model) == (True, ("a", "b"), "a")
    assert report.profile == known_profiles()["vllm_omni"]


def test_an_endpoint_without_speech_is_reported_so() -> None:
    with OmniServer(in_turn([Head(), vllm_words("Hello."), FINISH, DONE])) as server:
        assert not probe.try_endpoint(Endpoint(server.url)).with_sound


def test_an_endpoint_that_refuses_is_reported_in_the_words_of_a_turn() -> None:
    with OmniServer(in_turn(refused(401))) as server, pytest.raises(ServerError) as trouble:
        probe.try_endpoint(Endpoint(server.url, key=KEY))
    assert trouble.value.problem is Problem.KEY_REFUSED
    with OmniServer(in_turn(refused(400, "Invalid speaker"))) as server, pytest.raises(ServerError) as trouble:
        probe.try_endpoint(Endpoint(server.url, voice="nobody"))
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
    profile = describe(Endpoint(url))
    assert (profile.key if profile else None) == dialect


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
    assert without_refused(known_profiles()["vllm_omni"], "Internal disagreement") is None


@pytest.mark.parametrize(
    ("dialect", "models", "asked_for"),
    [
        ("dashscope", (("qwen-max", "system"), ("qwen3-omni-flash", "system")), "qwen3-omni-flash"),
        ("dashscope", None, "qwen3-omni-flash"),
        ("dashscope", (("qwen-max", "x"), ("qwen9-omni-realtime", "x"), ("qwen9-omni", "x")), "qwen9-omni"),
        ("auto", (("a", "somebody"), ("b", "somebody")), "a"),
        ("auto", (("whisper", "vllm"), ("Qwen/Qwen3-Omni-30B", "vllm")), "Qwen/Qwen3-Omni-30B"),
    ],
)
def test_without_a_model_set_one_is_asked_for_that_can_speak(
    dialect: str, models: tuple[tuple[str, str], ...] | None, asked_for: str
) -> None:
    with OmniServer(in_turn(HELLO), models) as server:
        assert probe.try_endpoint(Endpoint(server.url, dialect=dialect)).model == asked_for
