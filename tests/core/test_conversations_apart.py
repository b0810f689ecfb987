"""Nothing of one conversation goes into a request of another: not its words, not its sound, not a server's memory."""

from __future__ import annotations

import base64
import io
import json
import wave
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest

from core.dialogue.endpoint import Endpoint
from core.dialogue.history import Entry, History
from core.dialogue.omni import OmniDialogue
from core.dialogue.services import Local
from core.events import Replying
from tests.core.live_server import LiveServer, speaking
from tests.core.omni_server import (
    Hold,
    OmniServer,
    in_turn,
    tone,
)
from tests.core.omni_talk import HELLO
from tests.fakes import until
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from core.dialogue.protocol import Dialogue
    from tests.core.omni_server import Asked, Script
    from tests.fakes import ScriptedDialogue

NOBODY_KNOWS = Local(lambda _: "")
"""Ears that make nothing out: what was said stays sound."""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Another conversation, whose first turn was spoken and never written down."""
    with History("amara", "2026-01-01T10:00:00", tmp_path) as history:
        history.put(Entry(1, "user", "", "2026-01-01T10:00:01", spoken=True))
        history.put(Entry(1, "assistant", "Hello.", "2026-01-01T10:00:02"))
    assert history.path is not None
    return history.path


@contextmanager
def talking_over(dialogue: Dialogue, history: History | None = None) -> Generator[ConversationRig]:
    rig = ConversationRig(cast("ScriptedDialogue", dialogue), history=history)
    try:
        rig.crank(0.3)
        yield rig
    finally:
        rig.session.interrupt()
        rig.crank(0.1)
        dialogue.close()


def answered(rig: ConversationRig, times: int) -> None:
    """Crank until that many answers were heard to their end."""

    def over() -> bool:
        rig.crank(0.05)
        return sum(reply.done for reply in rig.events.of(Replying)) == times

    until(over)


def sounds_in(asked: Asked) -> list[float]:
    """Seconds of every piece of sound in a request."""
    parts = [
        part
        for message in asked.body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
    ]
    return [seconds(part["input_audio"]["data"]) for part in parts if part["type"] == "input_audio"]


def seconds(encoded: str) -> float:
    with wave.open(io.BytesIO(base64.b64decode(encoded))) as reader:
        return reader.getnframes() / reader.getframerate()


def reopened(rig: ConversationRig, saved: Path) -> None:
    rig.session.open_conversation(saved)


def begun_anew(rig: ConversationRig, _: Path) -> None:
    rig.session.new_conversation(private=False)


def begun_in_private(rig: ConversationRig, _: Path) -> None:
    rig.session.new_conversation(private=True)


def from_private_to_saved(rig: ConversationRig, saved: Path) -> None:
    rig.session.new_conversation(private=True)
    rig.crank(0.1)
    rig.session.open_conversation(saved)


@pytest.mark.parametrize("leave", [reopened, begun_anew, begun_in_private, from_private_to_saved])
def test_the_sound_of_one_conversation_is_in_no_request_of_the_next(
    leave: Callable[[ConversationRig, Path], None], saved: Path
) -> None:
    with OmniServer(in_turn(HELLO), (("m", "vllm"),)) as server:
        with talking_over(OmniDialogue(Endpoint(server.url), local=NOBODY_KNOWS)) as rig:
            rig.speak(2.0)
            answered(rig, 1)
            before = len(server.turns)
            leave(rig, saved)
            rig.crank(0.1)
            rig.session.say("What did I tell you?")
            assert_asked(server, rig, before + 1)
        assert len(sounds_in(server.turns[0])) == 1
        assert [sounds_in(turn) for turn in server.turns[before:]] == [[]]


def assert_asked(server: OmniServer, rig: ConversationRig, times: int) -> None:
    def reached() -> bool:
        rig.crank(0.05)
        return len(server.turns) >= times

    until(reached)


def test_a_private_conversation_leaves_nothing_behind_for_the_one_that_is_opened_after_it(saved: Path) -> None:
    with OmniServer(in_turn(HELLO), (("m", "vllm"),)) as server:
        with talking_over(OmniDialogue(Endpoint(server.url), local=NOBODY_KNOWS), History("a", "", None)) as rig:
            rig.speak(2.0)
            answered(rig, 1)
            rig.session.say("A private word.")
            answered(rig, 2)
            private = len(server.turns)
            rig.session.open_conversation(saved)
            rig.crank(0.1)
            rig.session.say("And now?")
            assert_asked(server, rig, private + 1)
        (last,) = server.turns[private:]
    assert sounds_in(last) == []
    assert "private" not in json.dumps(last.body)


def test_the_rest_of_an_answer_is_asked_for_without_the_sound_of_another_conversation(tmp_path: Path) -> None:
    """Continue, in a conversation that was opened again after another one was spoken in."""
    with History("amara", "2026-01-01T10:00:00", tmp_path) as history:
        history.put(Entry(1, "user", "", "2026-01-01T10:00:01", spoken=True))
        history.put(Entry(1, "assistant", "Once upon", "2026-01-01T10:00:02", cut=True, broken=True))
    assert history.path is not None
    with OmniServer(in_turn(HELLO), (("m", "vllm"),)) as server:
        with talking_over(OmniDialogue(Endpoint(server.url), local=NOBODY_KNOWS)) as rig:
            rig.speak(2.0)
            answered(rig, 1)
            rig.session.open_conversation(history.path)
            rig.crank(0.1)
            rig.session.go_on()
            assert_asked(server, rig, 2)
        last = server.turns[-1]
    assert sounds_in(last) == []
    assert last.body["messages"][-1]["content"] == "Please go on."


def test_what_somebody_was_saying_when_they_left_a_conversation_is_not_said_in_the_next(saved: Path) -> None:
    """Neither what they were saying, nor the part of the question that was asked already."""
    with OmniServer(in_turn([Hold()], HELLO), (("m", "vllm"),)) as server:
        with talking_over(OmniDialogue(Endpoint(server.url), local=NOBODY_KNOWS)) as rig:
            rig.speak(2.0)
            rig.crank(1.0)
            assert_asked(server, rig, 1)
            rig.speak(1.0)  # the question goes on
            rig.session.open_conversation(saved)
            rig.speak(1.2)
            rig.crank(1.0)
            assert_asked(server, rig, 2)
        (sound,) = sounds_in(server.turns[1])
    assert sound < 1.9


def test_words_of_the_conversation_before_are_not_asked_for_any_more(saved: Path) -> None:
    def script(asked: Asked) -> list[object]:
        if "Write down" in str(asked.body["messages"][0]["content"]):
            return [Hold()]
        return list(HELLO)

    with OmniServer(cast("Script", script), (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url), local=NOBODY_KNOWS, ask_for_words=True)
        with talking_over(dialogue) as rig:
            rig.speak(1.0)
            answered(rig, 1)
            assert_asked(server, rig, 2)
            rig.session.open_conversation(saved)
            rig.crank(0.1)
            assert server.wait_until(lambda: server.turns[1].gone_at is not None)


@pytest.mark.parametrize(("dialect", "kind"), [("openai_realtime", "nested"), ("dashscope_realtime", "flat")])
def test_a_live_server_that_remembers_one_conversation_is_not_asked_in_another(
    dialect: str, kind: str, saved: Path
) -> None:
    """Even where both look the same: something spoken, and the same answer."""
    with LiveServer(speaking(kind, "Hello.", tone(0.5))) as server:
        with talking_over(OmniDialogue(Endpoint(server.url, "m", dialect=dialect), local=NOBODY_KNOWS)) as rig:
            rig.speak(2.0)
            answered(rig, 1)
            rig.session.open_conversation(saved)
            rig.crank(0.1)
            rig.session.say("What did I tell you?")

            def asked_again() -> bool:
                rig.crank(0.05)
                return sum(len(talk.of("response.create")) for talk in server.talks) == 2

            until(asked_again)
        first, second = (talk for talk in server.talks if talk.of("response.create"))
    assert len(first.pcm) > 2 * 16_000
    assert second.pcm == b""
