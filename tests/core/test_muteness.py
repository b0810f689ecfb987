"""An endpoint that gives no sound is asked for words for a while, then for sound again, and never remembered so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Verdict
from core.dialogue.services import Local
from core.dialogue.verdicts import Verdicts
from tests.core.omni_server import DONE, Head, OmniServer, Step, in_turn, vllm_words
from tests.core.omni_talk import FINISH, HELLO, PCM, Heard, ask, refused, talking

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.omni_server import Asked, Script

YES: list[Step] = [Head(), vllm_words("Yes."), FINISH, DONE]
BOTH, WORDS = ["text", "audio"], ["text"]
LOCAL = Local(None, lambda _: (np.full(2_400, 0.25, np.float32), 24_000))


def mute_until(turn: int) -> Script:
    """Sound from the n-th turn on, where it is asked for."""
    count = iter(range(1, 1000))

    def script(asked: Asked) -> list[Step]:
        return list(HELLO) if next(count) >= turn and asked.body["modalities"] == BOTH else YES

    return script


def turns(dialogue: OmniDialogue, *numbers: int) -> list[Heard]:
    return [ask(dialogue, Heard(number=number)) for number in numbers]


def conversation(server: OmniServer, found: Verdicts, *numbers: int) -> None:
    dialogue = OmniDialogue(Endpoint(server.url), local=LOCAL, verdicts=found)
    turns(dialogue, *numbers)
    dialogue.close()


def modalities(server: OmniServer) -> list[object]:
    return [turn.body["modalities"] for turn in server.turns]


def test_two_answers_of_one_word_are_not_remembered_beyond_the_conversation(tmp_path: Path) -> None:
    with OmniServer(in_turn(YES), (("m", "vllm"),)) as server:
        for _ in range(2):
            conversation(server, Verdicts(tmp_path / "found.json"), 1, 2, 3)
        assert modalities(server) == 2 * [BOTH, BOTH, WORDS]


def test_an_endpoint_that_was_mute_by_chance_is_heard_again() -> None:
    with talking(mute_until(3), local=LOCAL) as (server, dialogue):
        replies = turns(dialogue, *range(1, 11))
    assert modalities(server) == [BOTH, BOTH, WORDS, WORDS, WORDS, WORDS, BOTH, BOTH, BOTH, BOTH]
    assert [reply.verdict for reply in replies[:2]] == [Verdict.NO_AUDIO, Verdict.MUTE]
    assert all(reply.pcm == PCM for reply in replies[6:])


def test_one_that_stays_mute_is_told_of_once_and_asked_now_and_then() -> None:
    with talking(in_turn(YES), local=LOCAL) as (server, dialogue):
        replies = turns(dialogue, *range(1, 13))
    assert modalities(server) == [BOTH, BOTH, *[WORDS] * 4, BOTH, *[WORDS] * 4, BOTH]
    assert [reply.verdict for reply in replies].count(Verdict.MUTE) == 1
    assert all(len(reply.pcm) == 4_800 for reply in replies)


def test_another_conversation_asks_for_sound_and_knows_nothing_of_the_muteness() -> None:
    with talking(in_turn(YES), local=LOCAL) as (server, dialogue):
        turns(dialogue, 1, 2, 3)
        dialogue.forget()
        again = turns(dialogue, 1, 2, 3)
    assert modalities(server) == 2 * [BOTH, BOTH, WORDS]
    assert [reply.verdict for reply in again[:2]] == [Verdict.NO_AUDIO, Verdict.MUTE]


@pytest.mark.parametrize("between", [1, 2])
def test_what_a_refusal_teaches_is_remembered_without_the_muteness(tmp_path: Path, between: int) -> None:
    found = Verdicts(tmp_path / "found.json")
    no_usage = refused(400, "Unknown field: stream_options")
    with OmniServer(in_turn(YES, YES, no_usage, YES), (("m", "vllm"),)) as server:
        conversation(server, found, 1, 2, *range(3, 3 + between))
        before = len(server.turns)
        conversation(server, found, 9)
    assert modalities(server)[before:] == [BOTH]
    assert "stream_options" not in server.turns[before].body


def test_a_server_that_says_it_has_no_speech_stage_is_remembered(tmp_path: Path) -> None:
    """A refusal that names it is no chance."""
    found = Verdicts(tmp_path / "found.json")
    with talking(in_turn(refused(400, "Unsupported output modalities"), YES), verdicts=found) as (_, dialogue):
        turns(dialogue, 1)
    assert "modalities" in (tmp_path / "found.json").read_text()
