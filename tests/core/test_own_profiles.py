"""Kinds of endpoints that a person describes: used when named or recognised, and told of when they cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.dialogue import probe
from core.dialogue.endpoint import Endpoint
from core.dialogue.profile import known_profiles, own_profiles_path, shipped_profiles
from core.dialogue.protocol import Verdict
from core.errors import Problem, ServerError, SettingsError
from tests.core.live_server import LiveServer, speaking
from tests.core.omni_server import OmniServer, in_turn
from tests.core.omni_talk import HELLO, PCM, Heard, ask, failure, talking

if TYPE_CHECKING:
    from pathlib import Path

MINE = """
[[profile]]
key = "mine"
title = "The one in the cellar"
owners = ["cellar"]
sound_in = "data_uri"
voice_field = "top"
sound_format = "pcm16"
voices = [["", "Vera"]]
context_tokens = 2_000
"""
LIVE = """
[[profile]]
key = "mine_live"
title = "The one in the cellar, live"
transport = "realtime"
session = "nested"
rate_in = 24_000
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIVETALK_CONFIG", str(tmp_path))
    return own_profiles_path()


def test_the_file_lies_beside_the_settings(own: Path, tmp_path: Path) -> None:
    assert own == tmp_path / "endpoints.toml"
    assert known_profiles() == shipped_profiles()


@pytest.mark.parametrize(("dialect", "owner"), [("mine", "vllm"), ("auto", "cellar")])
def test_a_kind_of_ones_own_is_used_when_it_is_named_and_when_it_is_recognised(
    own: Path, dialect: str, owner: str
) -> None:
    own.write_text(MINE)
    with talking(in_turn(HELLO), models=(("m", owner),), dialect=dialect) as (server, dialogue):
        assert ask(dialogue).verdict is Verdict.OK
        body = server.turns[0].body
    assert (body["voice"], body["audio"]) == ("Vera", {"format": "pcm16"})


def test_ones_own_take_the_place_of_their_namesakes_and_stand_first(own: Path) -> None:
    own.write_text(MINE.replace('"mine"', '"openai"'))
    assert next(iter(known_profiles())) == "openai"
    assert known_profiles()["openai"].title == "The one in the cellar"
    assert len(known_profiles()) == len(shipped_profiles())


def test_a_live_kind_that_is_named_is_spoken_to_live_whatever_the_address_says(own: Path) -> None:
    own.write_text(LIVE)
    with LiveServer(speaking("nested", "Hi.", PCM)) as server:
        report = probe.try_endpoint(Endpoint(server.url.replace("ws:", "http:"), "m", dialect="mine_live"))
    assert report.with_sound
    assert Endpoint("ws://127.0.0.1/v1", dialect="vllm_omni").transport == "chat"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (MINE.replace("sound_in", "sound_inn"), "unknown field `sound_inn` - at `$.profile[0]`"),
        (MINE.replace('"data_uri"', '"loud"'), "Invalid enum value 'loud' - at `$.profile[0].sound_in`"),
        (MINE.replace("2_000", "0"), "at `$.profile[0].context_tokens`"),
        (MINE.replace('key = "mine"\n', ""), "missing required field `key`"),
        (MINE.replace('"mine"', '"auto"'), "the key 'auto' is taken"),
        (MINE + MINE, "the key 'mine' is there twice"),
        (MINE.replace("[[profile]]", "[[profile]"), "line 2"),
        ("\xff", "utf-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_of_with_its_place_and_the_reason(own: Path, text: str, reason: str) -> None:
    own.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError) as trouble:
        known_profiles()
    assert trouble.value.title == "Your own kinds of endpoints, in endpoints.toml, could not be read."
    assert reason in trouble.value.advice
    assert str(own) in trouble.value.advice
    error, _, requests = failure(HELLO)
    assert (error.problem, error.title, requests) == (Problem.ENDPOINT_REFUSED, trouble.value.title, 0)
    with OmniServer(in_turn(HELLO)) as server, pytest.raises(ServerError, match="could not be read"):
        probe.try_endpoint(Endpoint(server.url))


def test_once_the_file_is_mended_the_next_turn_is_answered(own: Path) -> None:
    own.write_text("[[profile]")
    with talking(in_turn(HELLO), dialect="mine") as (_, dialogue):
        assert ask(dialogue).error
        own.write_text(MINE)
        assert ask(dialogue, Heard(number=2)).verdict is Verdict.OK


def test_a_kind_that_is_named_and_not_there_is_told_of(own: Path) -> None:
    error, _, requests = failure(HELLO, dialect="mine")
    assert (error.title, requests) == ('There is no kind of endpoint called "mine".', 0)
