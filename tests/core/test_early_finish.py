"""A stream that says it has finished while its sound is still to come, and what is made of it when it stalls."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from core.dialogue.client import Patience
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Verdict
from core.errors import LiveTalkError, Problem
from tests.core.omni_server import (
    DONE,
    Event,
    Head,
    Hold,
    OmniServer,
    Step,
    Wait,
    chunk,
    in_turn,
    tone,
    vllm_sound,
    wav,
)
from tests.core.omni_server import vllm_words as words
from tests.core.omni_talk import FINISH, Heard, ask, spoken, talking
from tests.fakes import until
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from tests.fakes import ScriptedDialogue

TEXT = "One two three four five six seven eight."
PCM = tone(2.0)
HALF = PCM[: len(PCM) // 2]
OF_THE_WORDS = Event(chunk({"content": ""}, "stop", modality="text"))
"""What vLLM-Omni sends when the words are complete; builds before May 2026 do not say of what it is the end."""
SHORT = Patience(connect_s=1.0, sign_s=0.5, stall_s=1.2, first_s=2.0, gap_s=0.4, turn_s=8.0)


def sound(pcm: bytes) -> Event:
    return vllm_sound(wav(pcm))


@pytest.mark.parametrize("early", [OF_THE_WORDS, FINISH], ids=["of the words", "of nobody knows what"])
def test_a_stall_after_a_part_of_the_sound_is_a_cut_although_the_words_had_finished(early: Event) -> None:
    script: list[Step] = [Head(), words(TEXT), early, sound(HALF), Hold()]
    with talking(in_turn(script), SHORT) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert len(server.turns) == 1
    assert isinstance(reply.error, LiveTalkError)
    assert (reply.error.problem, reply.text, reply.pcm, reply.verdict) == (Problem.ANSWER_CUT, TEXT, HALF, None)


def test_a_stall_while_the_words_alone_are_said_to_have_finished_is_a_cut() -> None:
    """Half of the sound came before them."""
    script: list[Step] = [Head(), words(TEXT), sound(HALF), OF_THE_WORDS, Hold()]
    with talking(in_turn(script), SHORT) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert isinstance(reply.error, LiveTalkError)
    assert (reply.error.problem, reply.pcm) == (Problem.ANSWER_CUT, HALF)


@pytest.mark.parametrize("early", [OF_THE_WORDS, FINISH], ids=["of the words", "of nobody knows what"])
def test_the_first_sound_may_come_late_though_the_words_have_finished(early: Event) -> None:
    late = Wait(2 * SHORT.gap_s)
    script: list[Step] = [Head(), words(TEXT), early, late, sound(HALF), sound(HALF), DONE]
    with talking(in_turn(script), SHORT) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert len(server.turns) == 1
    assert (reply.text, reply.pcm, reply.verdict) == (TEXT, 2 * HALF, Verdict.OK)


def test_a_finish_of_everything_is_the_end_though_the_connection_stays_open() -> None:
    script: list[Step] = [Head(), words(TEXT), OF_THE_WORDS, sound(PCM), FINISH, Hold()]
    with talking(in_turn(script), SHORT) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert (reply.text, reply.pcm, reply.verdict) == (TEXT, PCM, Verdict.OK)


def test_words_that_have_finished_and_whose_sound_never_comes_are_an_answer_without_sound() -> None:
    with talking(in_turn([Head(), words(TEXT), OF_THE_WORDS, Hold()]), SHORT) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert len(server.turns) == 1
    assert (reply.text, reply.verdict, reply.error) == (TEXT, Verdict.NO_AUDIO, None)


def test_words_that_were_never_said_do_not_count_as_heard() -> None:
    script: list[Step] = [Head(), words(TEXT), OF_THE_WORDS, sound(HALF), Hold()]
    with OmniServer(in_turn(script), (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url), SHORT)
        rig = ConversationRig(cast("ScriptedDialogue", dialogue))
        rig.crank(0.3)
        rig.session.say("Count.")

        def over() -> bool:
            rig.crank(0.05)
            return any(entry.role == "assistant" and entry.broken for entry in rig.session.history.entries)

        until(over)
        dialogue.close()
    (answer,) = [entry for entry in rig.session.history.entries if entry.role == "assistant"]
    assert answer.cut
    assert answer.text.startswith("One two")
    assert "eight" not in answer.text
    assert answer.full_text == TEXT
