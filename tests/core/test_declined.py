"""A filter that stops a turn, in all three forms: an apology is said, and the turn is not tried again."""

from __future__ import annotations

import numpy as np
import pytest

from core.dialogue.protocol import Message, Verdict
from core.dialogue.services import Local
from tests.core.live_server import Talk, spoken_events
from tests.core.omni_server import (
    DONE,
    Asked,
    Event,
    Head,
    Step,
    chunk,
    in_turn,
    tone,
    vllm_sound,
    vllm_words,
    voiced,
    wav,
)
from tests.core.omni_talk import PCM, Heard, ask, refused, spoken, talking
from tests.core.test_realtime import live

SORRY = "I'm sorry, I can't answer that."
HERE = (tone(0.25), 24_000)
FINISHED = [Event(chunk({"content": ""}, "content_filter")), DONE]
BROKEN = [Event({"error": {"message": "no", "code": "data_inspection_failed"}}), DONE]
WORDS: list[Step] = [Head(), vllm_words("Well,")]
SOUND: list[Step] = [*WORDS, vllm_sound(wav(PCM))]


def here(sentence: str) -> tuple[np.ndarray, int]:
    return np.frombuffer(HERE[0], "<i2").astype(np.float32) / 32768, HERE[1]


LOCAL = Local(None, here)
FORMS = {
    "400": refused(400, "x", code="data_inspection_failed"),
    "finish_reason": [Head(), *FINISHED],
    "finish_reason after words": [*WORDS, *FINISHED],
    "finish_reason after sound": [*SOUND, *FINISHED],
    "mid-stream": [Head(), *BROKEN],
    "mid-stream after words": [*WORDS, *BROKEN],
    "mid-stream after sound": [*SOUND, *BROKEN],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("speech", ["Hi.", spoken()], ids=["typed", "spoken"])
def test_every_form_of_refusal_is_followed_by_an_apology_that_is_said(form: str, speech: object) -> None:
    with talking(in_turn(FORMS[form]), local=LOCAL) as (server, dialogue):
        reply = ask(dialogue, Heard(speech))  # type: ignore[arg-type] - either of the two
        assert len(server.turns) == 1
    sounded = form.endswith("after sound")
    assert (reply.verdict, reply.error) == (Verdict.FILTERED, None)
    assert reply.text == (f"Well, {SORRY}" if sounded else SORRY)
    assert reply.pcm == (PCM if sounded else b"") + HERE[0]
    assert reply.restarts == form.endswith("after words")


@pytest.mark.parametrize("form", ["finish_reason after words", "mid-stream after words"])
def test_without_a_voice_nothing_is_taken_back(form: str) -> None:
    with talking(in_turn(FORMS[form])) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.pcm, reply.verdict, reply.restarts) == ("Well,", b"", Verdict.FILTERED, 0)


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_an_endpoint_that_speaks_is_not_asked_for_the_apology_and_no_service_is_told_of(status: int) -> None:
    with talking(in_turn(FORMS["400"]), local=LOCAL, voice_of=lambda _: refused(status)) as (server, dialogue):
        reply = ask(dialogue)
        assert server.asked_of("/audio/speech") == []
    assert (reply.text, reply.pcm, reply.told) == (SORRY, HERE[0], [])


def test_a_cascade_apologises_in_the_language_of_the_conversation() -> None:
    german = [Message("user", "Wie geht es dir heute?", 1), Message("assistant", "Mir geht es gut, danke.", 1)]
    said: list[str] = []

    def speak(asked: Asked) -> list[Step]:
        said.append(asked.body["input"])
        return voiced(PCM)

    written = [Head(), Event(chunk({"content": "Nun ja. Also"})), *FINISHED]
    with talking(in_turn(written), models=(("llama", "library"),), voice_of=speak) as (_, dialogue):
        reply = ask(dialogue, Heard("Und warum?", 2), german)
    assert reply.verdict is Verdict.FILTERED
    assert said[-1] == "Das kann ich leider nicht beantworten."
    assert reply.text.endswith(said[-1])


def test_a_live_server_that_stops_its_reply_by_rule_is_apologised_for() -> None:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        for event in spoken_events("nested", "Well,", PCM)[:-1]:
            await talk.send(event)
        response = {"id": "r1", "status": "incomplete", "status_details": {"reason": "content_filter"}}
        await talk.send({"type": "response.done", "response": response})
        await talk.hold()

    with live(script, local=LOCAL) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.verdict) == (f"Well, {SORRY}", Verdict.FILTERED)
    assert reply.pcm == PCM + HERE[0]
