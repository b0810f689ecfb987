"""What of a long conversation a model is told: by its own context, sound before words, exchanges before the persona."""

from __future__ import annotations

import msgspec
import pytest

from core.dialogue.context import estimated_tokens, fitting, room_for_history
from core.dialogue.history import Entry, History
from core.dialogue.profile import known_profiles
from core.dialogue.protocol import Message
from core.dialogue.request import WORDS_NOT_KNOWN, Question, build_request
from tests.core.omni_server import in_turn
from tests.core.omni_talk import HELLO, Heard, ask, refused, spoken, talking
from tests.rig import ConversationRig

PERSONA = "You are Mira. " + "You are kind. " * 20
LONG = [
    message
    for turn in range(1, 401)
    for message in (
        Message("user", f"Question number {turn}, which is a sentence of some length.", turn),
        Message("assistant", f"Answer number {turn}, which is a sentence of some length.", turn),
    )
]


@pytest.mark.parametrize("context", [1_000, 2_000, 8_000, 32_000, 1_000_000])
def test_the_context_of_the_profile_decides_how_much_of_the_conversation_is_told(context: int) -> None:
    profile = msgspec.structs.replace(known_profiles()["vllm_omni"], context_tokens=context)
    request = build_request(profile, "m", "", PERSONA, Question("And now?", tuple(LONG)))
    persona, *told, newest = [message["content"] for message in request.messages]
    spent = sum(map(estimated_tokens, (persona, *told, newest)))
    assert persona == PERSONA.strip()
    assert newest == "And now?"
    assert told == [message.text for message in LONG[len(LONG) - len(told) :]]
    assert len(told) % 2 == 0
    assert spent <= context
    assert len(told) == len(LONG) or spent > 0.5 * context - 100


def test_a_conversation_of_hours_reaches_the_dialogue_whole() -> None:
    history = History("amara", "2026-11-20T20:00:00", None)
    for message in LONG:
        history.put(Entry(message.turn, message.role, message.text, "2026-11-20T20:00:00"))
    rig = ConversationRig(history=history)
    rig.session.say("And now?")
    rig.crank(0.2)
    assert len(rig.dialogue.histories[0]) == len(LONG)


@pytest.mark.parametrize(("profile", "fewer_than"), [("text", 200), ("dashscope", 801)])
def test_each_kind_of_server_is_asked_with_what_it_can_hold(profile: str, fewer_than: int) -> None:
    with talking(in_turn(HELLO), dialect=profile, model="m", instructions=PERSONA) as (server, dialogue):
        ask(dialogue, history=LONG)
        messages = server.turns[0].body["messages"]
    assert messages[0]["content"].startswith(PERSONA.strip())
    assert messages[-2]["content"] == LONG[-1].text
    assert len(messages) - 2 < fewer_than
    assert len(messages) > (2 if profile == "text" else 600)


def test_the_oldest_sound_gives_way_to_words_before_any_exchange_is_left_out() -> None:
    history = [
        Message("user", "", 1),
        Message("assistant", "One.", 1),
        Message("user", "", 2),
        Message("assistant", "Two.", 2),
    ]
    sounds = {1: 8.0, 2: 8.0}  # a hundred tokens each
    assert fitting(history, sounds, 300).as_sound == {1, 2}
    one = fitting(history, sounds, 200)
    assert (one.as_sound, len(one.messages)) == ({2}, 4)
    none = fitting(history, sounds, 90)
    assert (none.as_sound, len(none.messages)) == (set(), 4)
    assert [message.turn for message in fitting(history, sounds, 12).messages] == [2, 2]
    assert fitting(history, sounds, 5).messages == ()


def test_sound_that_no_longer_fits_is_told_as_something_spoken() -> None:
    profile = msgspec.structs.replace(known_profiles()["vllm_omni"], context_tokens=600)
    history = (Message("user", "", 1), Message("assistant", "One.", 1), Message("user", "", 2))
    kept = {1: spoken(20), 2: spoken(10)}
    request = build_request(profile, "m", "", "", Question(spoken(10), history, kept))
    first, _, second, newest = [message["content"] for message in request.messages]
    assert first == WORDS_NOT_KNOWN
    assert [part["type"] for part in (*second, *newest)] == ["input_audio", "input_audio"]


def test_no_answer_is_told_without_its_question() -> None:
    for room in range(0, 4_000, 37):
        messages = fitting(LONG, {}, room).messages
        assert not messages or messages[0].role == "user"


def test_what_proved_too_much_is_halved_from_what_was_sent_and_not_from_what_was_left_out() -> None:
    refusal = refused(413, "Request too large")
    with talking(in_turn(refusal, HELLO), dialect="text", model="m") as (server, dialogue):
        ask(dialogue, Heard("Now"), LONG)
        first, second = (turn.body["messages"] for turn in server.turns)
    assert len(second) < 0.6 * len(first)
    assert second[-2:] == first[-2:]


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 4), ("Hello there.", 7), ("你好。", 7), ("Привет", 7), ("a" * 400, 104)]
)
def test_tokens_are_estimated_by_the_script(text: str, tokens: int) -> None:
    assert estimated_tokens(text) == tokens


def test_a_persona_larger_than_the_context_is_sent_all_the_same() -> None:
    profile = msgspec.structs.replace(known_profiles()["vllm_omni"], context_tokens=100)
    request = build_request(profile, "m", "", PERSONA, Question("Hi.", tuple(LONG)))
    assert room_for_history(profile, PERSONA, "Hi.") == 0
    assert [message["content"] for message in request.messages] == [PERSONA.strip(), "Hi."]
