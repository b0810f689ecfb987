"""A conversation in another language: no English is made of it, by nobody, and whoever can write it down is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.dialogue.protocol import Message, Verdict
from core.dialogue.services import Local, Service, Services
from core.errors import Problem
from tests.core.live_server import spoken_events
from tests.core.omni_server import (
    DONE,
    Event,
    Head,
    OmniServer,
    answering,
    chunk,
    heard_as,
    in_turn,
    vllm_words,
    voiced,
)
from tests.core.omni_talk import FINISH, HELLO, PCM, Heard, ask, refused, spoken, talking
from tests.core.test_realtime import live

if TYPE_CHECKING:
    from core.media import AudioChunk, Samples
    from tests.core.live_server import Talk

GERMAN = "Heute ist es schön, und ich gehe mit dir in den Park."
EARLIER = [Message("user", "", 1), Message("assistant", GERMAN, 1)]
WRITTEN = [Head(), vllm_words("Wie geht es dir?"), FINISH, DONE]


def nonsense(_: AudioChunk) -> str:
    """What ears that know English only make of anything."""
    return "We gate as deer."


def said_here(sentence: str) -> tuple[Samples, int]:
    return np.zeros(2400, np.float32), 24_000


@pytest.mark.parametrize(
    ("history", "instructions"),
    [(EARLIER, ""), ([], "Du bist Mira. Du sprichst immer und nur Deutsch mit mir."), ([], "你是小美，请说中文。")],
)
def test_where_the_conversation_is_not_english_the_ears_of_this_computer_are_not_believed(
    history: list[Message], instructions: str
) -> None:
    with talking(in_turn(HELLO, WRITTEN), local=Local(nonsense), ask_for_words=True, instructions=instructions) as (
        server,
        dialogue,
    ):
        reply = ask(dialogue, Heard(spoken(), number=2), history)
        assert reply.understood.wait(5)
        assert len(server.turns) == 2
    assert reply.said == "Wie geht es dir?"


def test_the_answer_tells_the_language_of_the_first_turn() -> None:
    scripts = in_turn(list(answering(GERMAN, PCM)(None)), WRITTEN)  # type: ignore[arg-type] - it looks at nothing
    with talking(scripts, local=Local(nonsense), ask_for_words=True) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        assert reply.understood.wait(5)
    assert reply.said == "Wie geht es dir?"


def test_where_nobody_may_be_asked_the_turn_stays_sound_and_is_never_english() -> None:
    with talking(in_turn(HELLO), local=Local(nonsense)) as (server, dialogue):
        first = ask(dialogue, Heard(spoken(), number=2), EARLIER)
        history = [*EARLIER, Message("user", "", 2), Message("assistant", "Gut.", 2)]
        ask(dialogue, Heard(spoken(), number=3), history)
        messages = server.turns[1].body["messages"]
    assert first.said == ""
    assert messages[2]["content"][0]["type"] == "input_audio"
    assert "gate" not in str(messages)


def test_words_that_a_live_server_tells_are_not_replaced_by_those_of_this_computer() -> None:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        await talk.send({"type": "conversation.item.input_audio_transcription.completed", "transcript": "Grüß Gott."})
        for event in spoken_events("nested", "Hi there, how are you today?", PCM):
            await talk.send(event)
        await talk.hold()

    with live(script, local=Local(nonsense)) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        dialogue.close()
    assert reply.said == "Grüß Gott."


def test_a_model_that_reads_is_not_given_english_for_what_was_said_in_another_language() -> None:
    with talking(in_turn(HELLO), models=(("llama", "library"),), local=Local(nonsense)) as (server, dialogue):
        error = ask(dialogue, Heard(spoken(), number=2), EARLIER).error
        assert server.turns == []
    assert error is not None
    assert (error.problem, error.title) == (
        Problem.ENDPOINT_REFUSED,
        "This computer writes down English only, and the endpoint takes words only.",
    )


def test_a_speech_service_writes_down_any_language() -> None:
    written = in_turn([Head(), Event(chunk({"content": "Gut, danke."})), FINISH, DONE])
    models = (("llama", "library"),)
    with talking(
        written, models=models, ears=lambda _: heard_as("Wie geht es dir?"), voice_of=lambda _: voiced(PCM)
    ) as (
        server,
        dialogue,
    ):
        reply = ask(dialogue, Heard(spoken(), number=2), EARLIER)
        assert server.turns[0].body["messages"][-1]["content"] == "Wie geht es dir?"
    assert (reply.text, reply.pcm) == ("Gut, danke.", PCM)


def test_this_computers_voice_does_not_read_another_language_aloud() -> None:
    written = in_turn([Head(), Event(chunk({"content": GERMAN})), FINISH, DONE])
    with talking(written, models=(("llama", "library"),), local=Local(None, said_here)) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.pcm, reply.verdict) == (GERMAN, b"", Verdict.NO_AUDIO)


def test_the_apology_for_what_a_filter_stopped_is_in_the_language_of_the_conversation() -> None:
    stopped = in_turn(refused(400, "x", code="data_inspection_failed"))
    with OmniServer(in_turn(()), voice=lambda _: voiced(PCM)) as service:
        services = Services(voice=Service(service.url, "tts"))
        with talking(stopped, services=services) as (_, dialogue):
            reply = ask(dialogue, Heard("Und wie ist es mit dir?", number=2), EARLIER)
    assert (reply.text, reply.verdict) == ("Das kann ich leider nicht beantworten.", Verdict.FILTERED)
