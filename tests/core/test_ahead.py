"""An answer that is begun in a pause: there at once when the person had finished, gone when they had not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.dialogue.connect import connect
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Message, Verdict
from core.dialogue.services import Local
from core.media import AudioChunk
from core.settings import DialogueSettings
from tests.core.omni_server import Hold, OmniServer, in_turn
from tests.core.omni_talk import HELLO, PCM, Heard, ask, refused, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = [Message("user", "Hi.", 1), Message("assistant", "Hello.", 1)]


def paused(start: int = 50_000, seconds: float = 0.5) -> tuple[AudioChunk, AudioChunk]:
    """Speech up to a pause, and the same with the silence of the pause."""
    said = spoken(seconds).samples
    return AudioChunk(said, start), AudioChunk(np.concatenate([said, np.zeros(3200, np.float32)]), start)


@pytest.fixture
def begun(request: pytest.FixtureRequest) -> Iterator[tuple[OmniServer, OmniDialogue]]:
    """A conversation after its first turn."""
    with OmniServer(in_turn(*request.param), (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url), ahead=True)
        ask(dialogue)
        yield server, dialogue
        dialogue.close()


def asked_ahead(server: OmniServer, count: int = 2) -> bool:
    return server.wait_until(lambda: len(server.turns) == count)


HELD = (HELLO, [*HELLO[:3], Hold(), *HELLO[3:]], HELLO)


@pytest.mark.parametrize("begun", [HELD], indirect=True)
def test_the_answer_asked_for_in_the_pause_is_that_of_the_turn(begun: tuple[OmniServer, OmniDialogue]) -> None:
    server, dialogue = begun
    pause, whole = paused()
    dialogue.anticipate(pause)
    assert asked_ahead(server)
    reply = Heard(whole, number=2)
    dialogue.start(reply.turn, FIRST, reply)
    assert reply.began.wait(5), "what had come is handed over before the rest is there"
    server.release()
    assert (reply.wait().text, reply.pcm, reply.verdict) == ("Hello.", PCM, Verdict.OK)
    assert len(server.turns) == 2
    assert [message["content"] for message in server.turns[1].body["messages"][:2]] == ["Hi.", "Hello."]


@pytest.mark.parametrize("begun", [HELD], indirect=True)
@pytest.mark.parametrize("case", ["went on", "heard otherwise", "typed", "paused again"])
def test_what_was_asked_in_vain_is_given_up_and_the_turn_is_asked_as_it_is(
    begun: tuple[OmniServer, OmniDialogue], case: str
) -> None:
    server, dialogue = begun
    pause, whole = paused()
    dialogue.anticipate(pause)
    assert asked_ahead(server)
    longer = AudioChunk(spoken(1.5).samples, pause.start)
    reply = Heard({"went on": longer, "typed": "Never mind."}.get(case, whole), number=2)
    history = [FIRST[0], Message("assistant", "Hel", 1)] if case == "heard otherwise" else FIRST
    if case == "paused again":
        reply = Heard(longer, number=2)
        dialogue.anticipate(longer)
        assert server.wait_until(lambda: server.turns[1].gone_at is not None)
    dialogue.start(reply.turn, history, reply)
    assert reply.wait().pcm == PCM
    assert server.wait_until(lambda: server.turns[1].gone_at is not None)
    assert len(server.turns) == 3


@pytest.mark.parametrize("begun", [(HELLO, refused(500), HELLO)], indirect=True)
def test_trouble_with_what_was_asked_ahead_is_mended_like_any_other(begun: tuple[OmniServer, OmniDialogue]) -> None:
    server, dialogue = begun
    pause, whole = paused()
    dialogue.anticipate(pause)
    assert asked_ahead(server)
    reply = ask(dialogue, Heard(whole, number=2), FIRST)
    assert (reply.pcm, len(server.turns)) == (PCM, 3)


@pytest.mark.parametrize("begun", [HELD], indirect=True)
def test_cancelling_the_turn_closes_what_was_asked_ahead_for_it(begun: tuple[OmniServer, OmniDialogue]) -> None:
    server, dialogue = begun
    pause, whole = paused()
    dialogue.anticipate(pause)
    assert asked_ahead(server)
    reply = Heard(whole, number=2)
    dialogue.start(reply.turn, FIRST, reply)
    assert reply.began.wait(5)
    reply.turn.cancel()
    dialogue.cancel(reply.turn)
    assert server.wait_until(lambda: server.turns[1].gone_at is not None)
    pause, whole = paused(90_000)
    dialogue.anticipate(pause)  # nobody knows yet how much of the reply was heard
    assert ask(dialogue, Heard(whole, number=3), FIRST).verdict is Verdict.OK
    assert len(server.turns) == 3


def test_words_that_became_known_meanwhile_are_no_other_conversation() -> None:
    with OmniServer(in_turn(*HELD), (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url), ahead=True, local=Local(lambda _: "Hi."))
        first = ask(dialogue, Heard(spoken()))
        assert first.understood.wait(5)
        pause, whole = paused()
        dialogue.anticipate(pause)
        assert asked_ahead(server)
        server.release()
        assert ask(dialogue, Heard(whole, number=2), FIRST).pcm == PCM
        dialogue.close()
        assert len(server.turns) == 2


@pytest.mark.parametrize(
    ("url", "chosen", "ahead"),
    [
        ("http://127.0.0.1:1/v1", "auto", True),
        ("http://192.168.1.5:8091", "auto", True),
        ("https://example.org/v1", "auto", False),
        ("https://example.org/v1", "always", True),
        ("http://127.0.0.1:1/v1", "never", False),
    ],
)
def test_it_is_asked_ahead_in_ones_own_network_unless_chosen_otherwise(url: str, chosen: str, ahead: bool) -> None:
    wanted = DialogueSettings(url=url, model="m", ask_ahead=chosen)  # type: ignore[arg-type] - one of three words
    dialogue = connect(wanted, lambda _, __: "", lambda _: "", "rms")
    try:
        assert dialogue._thinks_ahead is ahead
    finally:
        dialogue.close()
