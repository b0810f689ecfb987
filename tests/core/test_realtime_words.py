"""The words of spoken turns, as a live server tells them: late, out of order, and only of those that were spoken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from core.dialogue.protocol import Message
from core.dialogue.realtime_link import Link
from core.media import AudioChunk
from tests.core.live_server import spoken_events
from tests.core.omni_server import tone
from tests.core.omni_talk import Heard, ask, spoken
from tests.core.test_realtime import live
from tests.fakes import until
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.dialogue.omni import OmniDialogue
    from tests.core.live_server import Talk
    from tests.fakes import ScriptedDialogue

PCM = tone(0.3)
TOLD = "conversation.item.input_audio_transcription.completed"
FAILED = "conversation.item.input_audio_transcription.failed"


def committed(name: str) -> dict[str, Any]:
    return {"type": "input_audio_buffer.committed", "item_id": name, "previous_item_id": None}


def created(name: str, kind: str = "input_audio", event: str = "conversation.item.created") -> dict[str, Any]:
    return {"type": event, "item": {"id": name, "type": "message", "role": "user", "content": [{"type": kind}]}}


def told(name: str, words: str) -> dict[str, Any]:
    return {"type": TOLD, "item_id": name, "content_index": 0, "transcript": words}


async def replying(talk: Talk, number: int, *before: dict[str, Any]) -> None:
    """Wait for a turn, send `before`, then a whole reply."""
    await talk.until("response.create")
    for event in (*before, *spoken_events("nested", f"Reply {number}.", PCM, number, item=f"i{number}")):
        await talk.send(event)


def said(number: int) -> AudioChunk:
    return AudioChunk(spoken(0.3).samples, 16_000 * number)


def history(*replies: Heard) -> list[Message]:
    return [
        message
        for reply in replies
        for message in (
            Message("user", reply.said if isinstance(reply.turn.speech, AudioChunk) else str(reply.turn.speech)),
            Message("assistant", reply.text),
        )
    ]


def turns(dialogue: OmniDialogue, speeches: Sequence[AudioChunk | str]) -> list[Heard]:
    replies: list[Heard] = []
    for number, speech in enumerate(speeches, 1):
        replies.append(ask(dialogue, Heard(speech, number), history(*replies)))
    return replies


@pytest.mark.parametrize("naming", [committed, created], ids=["committed", "created"])
def test_words_that_come_with_the_next_turn_belong_to_the_one_before(naming: Any) -> None:
    async def script(talk: Talk) -> None:
        await replying(talk, 1, naming("u1"))
        await replying(talk, 2, told("u1", "First."), naming("u2"))
        await replying(talk, 3, naming("u3"), told("u3", "Third."), told("u2", "Second."))
        await talk.hold()

    with live(script) as (server, dialogue):
        replies = turns(dialogue, [said(1), said(2), said(3)])
        assert [reply.said for reply in replies] == ["First.", "Second.", "Third."]
        assert len(server.talks) == 1


def test_words_that_come_after_the_reply_are_known_before_the_next_turn() -> None:
    async def script(talk: Talk) -> None:
        await replying(talk, 1, committed("u1"))
        await talk.send(told("u1", "First."))
        await replying(talk, 2, committed("u2"))
        await talk.hold()

    with live(script) as (server, dialogue):
        first = ask(dialogue, Heard(said(1), 1))
        assert first.understood.wait(5)
        second = ask(dialogue, Heard(said(2), 2), history(first))
        assert (first.said, second.said, second.text) == ("First.", "", "Reply 2.")
        assert len(server.talks) == 1


def test_a_server_that_names_no_item_is_believed_only_where_no_other_turn_can_be_meant() -> None:
    nameless = {"type": TOLD, "transcript": "Whose?"}

    async def script(talk: Talk) -> None:
        await replying(talk, 1)
        await replying(talk, 2, nameless)
        await replying(talk, 3, {**nameless, "transcript": "Second or third?"})
        await talk.hold()

    with live(script) as (_, dialogue):
        replies = turns(dialogue, [said(1), said(2), said(3)])
    assert [reply.said for reply in replies] == ["", "", ""]


def test_a_turn_whose_words_could_not_be_made_out_leaves_them_to_the_next_turn() -> None:
    async def script(talk: Talk) -> None:
        await replying(talk, 1, committed("u1"), {"type": FAILED, "item_id": "u1", "error": {"message": "No."}})
        await replying(talk, 2, {"type": TOLD, "transcript": "Second."})
        await talk.hold()

    with live(script) as (_, dialogue):
        replies = turns(dialogue, [said(1), said(2)])
    assert [reply.said for reply in replies] == ["", "Second."]


def test_a_typed_turn_is_an_item_too_and_keeps_its_own_words() -> None:
    async def script(talk: Talk) -> None:
        await replying(talk, 1, committed("u1"))
        await replying(talk, 2, created("t2", "input_text", "conversation.item.added"), told("u1", "Spoken."))
        await talk.hold()

    with live(script) as (_, dialogue):
        spoken_turn, typed = turns(dialogue, [said(1), "Typed."])
    assert (spoken_turn.said, typed.said) == ("Spoken.", "")


def test_late_words_of_a_spoken_turn_do_not_take_the_place_of_what_was_typed() -> None:
    async def script(talk: Talk) -> None:
        await replying(talk, 1)
        await replying(talk, 2, told("u1", "SPOKEN words of turn one"))
        await talk.hold()

    with live(script) as (_, dialogue):
        rig = ConversationRig(cast("ScriptedDialogue", dialogue))
        rig.crank(0.3)
        rig.speak(1.5)
        answered(rig, 1)
        rig.session.say("TYPED words of turn two")
        answered(rig, 2)
        told_of = {(entry.turn, entry.role): entry.text for entry in rig.session.history.entries}
    assert told_of[2, "user"] == "TYPED words of turn two"
    assert told_of[1, "user"] in ("", "SPOKEN words of turn one")


def answered(rig: ConversationRig, turn: int) -> None:
    def over() -> bool:
        rig.crank(0.05)
        return any((entry.turn, entry.role) == (turn, "assistant") for entry in rig.session.history.entries)

    until(over)


def test_nobody_overwrites_what_was_typed() -> None:
    rig = ConversationRig()
    rig.dialogue.hold = True
    rig.session.say("Typed.")
    rig.crank(0.1)
    rig.dialogue.replies[0].user_said("Something else.")
    rig.crank(0.1)
    assert [entry.text for entry in rig.session.history.entries] == ["Typed."]


def test_a_connection_that_ends_after_the_reply_is_made_anew_before_the_next_turn() -> None:
    connections = iter(range(9))

    async def script(talk: Talk) -> None:
        first = next(connections) == 0
        await replying(talk, 1, committed("u1"))
        if first:
            talk.abort()
        await talk.hold()

    with live(script) as (server, dialogue):
        first = ask(dialogue, Heard(said(1), 1))
        assert ask(dialogue, Heard(said(2), 2), history(first)).text == "Reply 1."
        assert len(server.talks) == 2
    told_again = server.talks[1].of("conversation.item.create")[0]["item"]["content"][0]["text"]
    assert told_again == "(something spoken)"


def test_a_bug_while_late_words_are_waited_for_is_noted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Link) -> None:
        raise ZeroDivisionError

    async def script(talk: Talk) -> None:
        await replying(talk, 1, committed("u1"))
        await talk.hold()

    monkeypatch.setattr(Link, "hear_late", broken)
    with live(script) as (_, dialogue):
        assert turns(dialogue, [said(1)])[0].text == "Reply 1."
        until(lambda: "LiveTalk met a bug" in caplog.text)
    assert "never retrieved" not in caplog.text


def test_turns_that_are_over_are_not_kept_in_mind() -> None:
    """Neither one whose words came with the reply, nor one whose words came later."""

    async def script(talk: Talk) -> None:
        await replying(talk, 1, committed("u1"), told("u1", "First."))
        await replying(talk, 2, committed("u2"))
        await talk.send(told("u2", "Second."))
        await talk.hold()

    with live(script) as (_, dialogue):
        second = turns(dialogue, [said(1), said(2)])[1]
        assert second.understood.wait(5)
        until(lambda: not dialogue._listener._known)
