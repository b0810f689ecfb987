"""Who answers at an address: by its name, its list of models, or a question of one word; remembered and mended."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from core.dialogue import probe
from core.dialogue.context import room_for_history
from core.dialogue.endpoint import Endpoint, describe
from core.dialogue.identify import ONE_WORD
from core.dialogue.profile import FILE, known_profiles, without_refused
from core.dialogue.protocol import Verdict
from core.dialogue.request import Question, build_request, last_of
from core.dialogue.verdicts import Verdicts, verdicts_path
from core.errors import Problem, SettingsError
from core.media import AudioChunk
from core.settings import config_folder
from tests.core.omni_server import (
    DONE,
    Event,
    Head,
    Step,
    chunk,
    dashscope_sound,
    dashscope_words,
    in_turn,
    openai_words,
    sglang_sound,
    vllm_sound,
    vllm_words,
    wav,
)
from tests.core.omni_talk import FINISH, HELLO, KEY, PCM, Heard, ask, refused, spoken, talking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOBODY_KNOWN = (("m", "somebody"),)


def one(*events: Event) -> list[Step]:
    return [Head(), *events, FINISH, DONE]


ANSWERS = {
    "vllm_omni": one(vllm_words("Yes."), vllm_sound(wav(PCM))),
    "sglang_omni": one(dashscope_words("Yes."), sglang_sound(wav(PCM))),
    "openai": one(openai_words("Yes."), dashscope_sound(PCM)),
    "compatible": one(dashscope_words("Yes."), dashscope_sound(PCM)),
    "text": one(dashscope_words("Yes.")),
}


@pytest.mark.parametrize("key", ANSWERS)
def test_where_the_sound_lands_tells_who_answers(key: str) -> None:
    with talking(in_turn(ANSWERS[key]), models=NOBODY_KNOWN, verdicts=Verdicts(verdicts_path())) as (server, dialogue):
        assert ask(dialogue).verdict in {Verdict.OK, Verdict.NO_AUDIO}
        first, second = server.turns
        profile = Verdicts(verdicts_path()).recall(Endpoint(server.url), known_profiles())
    assert first.body["messages"][-1]["content"] == ONE_WORD
    assert second.body["messages"][-1]["content"] == "Hi."
    assert profile is not None
    assert profile.key == key


def test_what_was_found_out_is_not_asked_again_and_lies_in_the_cache_without_address_or_key() -> None:
    verdicts = Verdicts(verdicts_path())
    with talking(in_turn(HELLO), models=NOBODY_KNOWN, verdicts=verdicts, key=KEY) as (server, dialogue):
        ask(dialogue)
        url = server.url
        with talking(in_turn(HELLO), models=NOBODY_KNOWN, verdicts=verdicts, url=url) as (_, again):
            ask(again)
        asked = [turn.body["messages"][-1]["content"] for turn in server.turns]
    assert asked == [ONE_WORD, "Hi.", "Hi."]
    kept = verdicts_path().read_text()
    assert "127.0.0.1" not in kept
    assert KEY not in kept
    assert [entry["profile"] for entry in json.loads(kept).values()] == ["vllm_omni"]


def test_a_switch_that_was_turned_stays_turned_in_the_next_conversation_but_for_the_voice() -> None:
    verdicts = Verdicts(verdicts_path())
    scripts = [refused(400, "Unknown field: stream_options"), refused(400, "Invalid speaker"), HELLO]
    with talking(in_turn(*scripts), verdicts=verdicts, voice="x") as (server, dialogue):
        ask(dialogue)
        with talking(in_turn(HELLO), url=server.url, verdicts=verdicts, voice="y") as (_, again):
            ask(again)
        bodies = [turn.body for turn in server.turns]
    assert ["stream_options" in body for body in bodies] == [True, False, False, False]
    assert [body.get("voice") for body in bodies] == ["x", "x", None, "y"]


CRASHES = (
    "CUDA error in the modality encoder",
    "RuntimeError('the talker cannot be loaded: base64 table missing')",
    "worker died; 'modality_encoder' is gone",
    "bad stream_options table in shared memory",
)


@pytest.mark.parametrize("said", CRASHES)
@pytest.mark.parametrize("road", [lambda said: refused(500, said), lambda said: [Head(), broken_off(said), DONE]])
def test_a_server_that_breaks_down_once_is_asked_as_before(said: str, road: Callable[[str], list[Step]]) -> None:
    verdicts = Verdicts(verdicts_path())
    with talking(in_turn(road(said), HELLO), verdicts=verdicts) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        assert ask(dialogue, Heard(number=2)).pcm == PCM
        first, *later = [turn.body for turn in server.turns]
        assert [body["modalities"] for body in later] == [["text", "audio"]] * 2
        assert all(body.keys() == first.keys() for body in later)
        assert verdicts.recall(Endpoint(server.url), known_profiles()) is None


def broken_off(said: str) -> Event:
    return Event({"error": {"message": said, "code": 500, "type": "InternalServerError"}})


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        (refused(500, "Unsupported output modalities: audio"), "modalities"),
        (refused(500, "unexpected keyword argument 'modalities'"), "modalities"),
        (refused(500, "Unknown field “stream_options”"), "stream_options"),
        (refused(500, "no such field", param="stream_options"), "stream_options"),
        ([Head(500, body={"detail": [{"loc": ["body", "stream_options"], "msg": "no"}]})], "stream_options"),
    ],
)
def test_what_a_server_names_outright_when_it_breaks_down_is_asked_otherwise_but_not_remembered(
    answer: list[Step], field: str
) -> None:
    verdicts = Verdicts(verdicts_path())
    with talking(in_turn(answer, refused(400, "audio.format must be 'pcm16'"), HELLO), verdicts=verdicts) as (
        server,
        dialogue,
    ):
        ask(dialogue)
        ask(dialogue, Heard(number=2))
        asked = [turn.body.get(field) for turn in server.turns]
        remembered = verdicts.recall(Endpoint(server.url), known_profiles())
    assert asked[1:] == [asked[1]] * 3
    assert asked[0] != asked[1]
    assert remembered is not None
    assert remembered.refused == {"format"}


def test_a_form_that_made_a_server_break_down_while_it_was_identified_is_not_remembered() -> None:
    verdicts = Verdicts(verdicts_path())
    answers = in_turn(refused(500, "no such field", param="stream_options"), HELLO)
    with talking(answers, models=NOBODY_KNOWN, verdicts=verdicts) as (server, dialogue):
        assert ask(dialogue).pcm == PCM
        found = verdicts.recall(Endpoint(server.url), known_profiles())
    assert found is not None
    assert (found.key, found.usage) == ("vllm_omni", True)


def test_what_is_remembered_of_an_address_holds_no_longer_when_another_server_lives_there() -> None:
    verdicts = Verdicts(verdicts_path())
    with talking(in_turn(HELLO), models=(("m", "vllm"),)) as (server, _):
        verdicts.keep(Endpoint(server.url), known_profiles()["text"])
        with talking(in_turn(HELLO), url=server.url, verdicts=verdicts) as (_, dialogue):
            assert ask(dialogue).pcm == PCM
        assert server.turns[-1].body["modalities"] == ["text", "audio"]


def test_a_remembered_form_that_is_refused_again_is_forgotten() -> None:
    verdicts = Verdicts(verdicts_path())
    with talking(in_turn(refused(400, "audio.format must be something else")), verdicts=verdicts) as (server, dialogue):
        assert ask(dialogue).error is not None
        assert len(server.turns) == 2
        assert verdicts.recall(Endpoint(server.url), known_profiles()) is None


@pytest.mark.parametrize("content", [b"", b"not json", b'{"a": 1}', b"\xff\xfe", b'{"\xff": {"profile": "text"}}'])
def test_a_cache_that_cannot_be_read_is_an_empty_one(content: bytes) -> None:
    verdicts_path().parent.mkdir(parents=True)
    verdicts_path().write_bytes(content)
    verdicts, endpoint = Verdicts(verdicts_path()), Endpoint("http://localhost:1/v1")
    assert verdicts.recall(endpoint, known_profiles()) is None
    verdicts.keep(endpoint, known_profiles()["text"])
    found = verdicts.recall(endpoint, known_profiles())
    assert found is not None
    assert found.key == "text"


def test_a_cache_that_cannot_be_written_costs_a_question_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = Verdicts(tmp_path / "file" / "endpoints.json")
    with talking(in_turn(HELLO), models=NOBODY_KNOWN, verdicts=blocked) as (_, dialogue):
        assert ask(dialogue).verdict is Verdict.OK


def test_a_probe_that_is_refused_asks_in_the_other_form() -> None:
    scripts = [refused(400, "stream_options is not allowed"), ANSWERS["compatible"], HELLO]
    with talking(in_turn(*scripts), models=NOBODY_KNOWN) as (server, dialogue):
        assert ask(dialogue).verdict is Verdict.OK
        assert ["stream_options" in turn.body for turn in server.turns] == [True, False, False]


def test_the_test_button_finds_out_anew() -> None:
    verdicts = Verdicts(verdicts_path())
    with talking(in_turn(HELLO), models=NOBODY_KNOWN) as (server, _):
        verdicts.keep(Endpoint(server.url), known_profiles()["text"])
        report = probe.try_endpoint(Endpoint(server.url), verdicts=verdicts)
        remembered = verdicts.recall(Endpoint(server.url), known_profiles())
    assert report.with_sound
    assert report.profile.key == "vllm_omni"
    assert remembered is not None
    assert remembered.key == "vllm_omni"


@pytest.mark.parametrize(
    ("url", "model", "key"),
    [
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen3-omni-flash", "dashscope"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen3-omni-flash-realtime", "dashscope_realtime"),
        ("wss://dashscope.aliyuncs.com/api-ws/v1/realtime", "", "dashscope_realtime"),
        ("wss://w1.ap-southeast-1.maas.aliyuncs.com", "", "dashscope_realtime"),
        ("https://api.openai.com/v1", "gpt-realtime", "openai_realtime"),
        ("https://api.openai.com/v1", "", "openai"),
        ("ws://localhost:8091/v1/realtime", "", None),
    ],
)
def test_the_address_and_the_model_tell_by_which_road_turns_travel(url: str, model: str, key: str | None) -> None:
    profile = describe(Endpoint(url, model))
    assert (profile.key if profile else None) == key


@pytest.mark.parametrize(
    ("url", "model", "base"),
    [
        ("wss://dashscope.aliyuncs.com/api-ws/v1/realtime", "", "https://dashscope.aliyuncs.com/api-ws/v1"),
        ("dashscope-intl.aliyuncs.com", "qwen3.5-omni-plus-realtime", "https://dashscope-intl.aliyuncs.com/api-ws/v1"),
        (
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "qwen3-omni-flash-realtime",
            "https://dashscope-intl.aliyuncs.com/api-ws/v1",
        ),
        ("ws://localhost:8091/v1/realtime", "", "http://localhost:8091/v1"),
        ("ws://localhost:8091", "", "http://localhost:8091/v1"),
    ],
)
def test_an_address_of_a_live_endpoint_may_be_typed_as_people_type_it(url: str, model: str, base: str) -> None:
    assert Endpoint(url, model).base_url == base


@pytest.mark.parametrize(
    ("owner", "model", "hears", "speaks"),
    [
        ("vllm", "Qwen/Qwen3-Omni-30B", True, True),
        ("sglang-omni", "Qwen/Qwen3-Omni-30B", True, True),
        ("library", "qwen3:8b", False, False),
        ("llamacpp", "Qwen3-Omni-30B-GGUF", True, False),
        ("organization_owner", "gemma-3-4b", False, False),
    ],
)
def test_the_owner_of_a_model_tells_whether_it_hears_and_speaks(
    owner: str, model: str, hears: bool, speaks: bool
) -> None:
    with talking(in_turn(HELLO), models=((model, owner),)) as (server, _):
        report = probe.try_endpoint(Endpoint(server.url))
    assert (report.hears, report.profile.speaks) == (hears, speaks)


# -- profiles as data


def own_profiles(text: str) -> None:
    config_folder().mkdir(parents=True, exist_ok=True)
    (config_folder() / FILE).write_text(text)


def test_a_person_may_describe_a_server_of_their_own() -> None:
    own_profiles(
        '[[profile]]\nkey = "mine"\ntitle = "Mine"\nowners = ["me"]\nvoice_field = "top"\nsound_format = "wav"\n'
        'sound_in = "data_uri"\nsystem_role = false\n'
    )
    with talking(in_turn(HELLO), models=(("m", "me"),), voice="x", instructions="Be kind.") as (server, dialogue):
        ask(dialogue, Heard(spoken()))
        body = server.turns[0].body
    assert (body["voice"], body["audio"]) == ("x", {"format": "wav"})
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "input_audio"]
    assert body["messages"][0]["content"][1]["input_audio"]["data"].startswith("data:;base64,")


def test_a_profile_of_ones_own_takes_the_place_of_its_namesake() -> None:
    own_profiles('[[profile]]\nkey = "dashscope"\ntitle = "Mine"\nhosts = ["example.org"]\n')
    assert known_profiles()["dashscope"].title == "Mine"
    assert describe(Endpoint("https://api.example.org/v1")) == known_profiles()["dashscope"]
    assert describe(Endpoint("https://dashscope.aliyuncs.com")) is None
    assert "vllm_omni" in known_profiles()


@pytest.mark.parametrize(
    "text", ["not toml [", '[[profile]]\nkey = "x"\n', '[[profile]]\nkey="x"\ntitle="y"\nvoise="z"\n']
)
def test_profiles_that_cannot_be_read_are_told_of(text: str) -> None:
    own_profiles(text)
    with pytest.raises(SettingsError) as broken:
        known_profiles()
    assert broken.value.problem is Problem.SETTINGS_BROKEN
    assert FILE in broken.value.title


# -- requests


def test_sound_at_the_top_of_the_request_where_the_content_must_be_words() -> None:
    profile = known_profiles()["sglang_omni_2026_06"]
    request = build_request(profile, "m", "", "Be kind.", Question(spoken()))
    assert request.messages == [{"role": "system", "content": "Be kind."}, {"role": "user", "content": ""}]
    (audio,) = request.extras["audios"]
    assert base64.b64decode(audio.removeprefix("data:audio/wav;base64,"))[:4] == b"RIFF"


def test_a_server_that_wants_words_in_the_content_is_recognised_by_its_refusal() -> None:
    other = without_refused(known_profiles()["sglang_omni"], "messages.0.content: Input should be a valid string")
    assert other is not None
    assert (other.sound_in, other.earlier_sound) == ("top_level", False)


def test_instructions_stand_before_the_sound_where_a_message_holds_one_kind() -> None:
    own_profiles('[[profile]]\nkey = "strict"\ntitle = "Strict"\none_modality = true\nsystem_role = false\n')
    messages = build_request(known_profiles()["strict"], "m", "", "Be kind.", Question(spoken())).messages
    assert [message["role"] for message in messages] == ["user", "user"]
    assert messages[0]["content"] == "Be kind."


def test_a_turn_is_cut_to_what_the_server_takes_and_keeps_its_end() -> None:
    profile = known_profiles()["dashscope"]
    assert 110 < profile.longest_s <= 234
    assert profile.longest_s * 32_000 * 4 / 3 < 10_000_000
    long = AudioChunk(spoken(200).samples, 100)
    sent = last_of(long, profile.longest_s)
    assert len(sent.samples) == round(profile.longest_s * 16_000)
    assert sent.start == 100 + len(long.samples) - len(sent.samples)
    assert sent.samples[-1] == long.samples[-1]


def test_a_long_turn_leaves_less_room_for_what_was_said_before() -> None:
    profile = known_profiles()["vllm_omni"]
    typed, said = room_for_history(profile, "", "Hi."), room_for_history(profile, "", 100.0)
    assert typed - said == pytest.approx(1250, abs=5)


def test_a_chunk_with_nothing_to_land_on_tells_nothing() -> None:
    with talking(in_turn(one(Event(chunk({}))), HELLO), models=NOBODY_KNOWN) as (server, dialogue):
        ask(dialogue)
        assert len(server.turns) == 2
