"""An interruption over a realtime WebSocket: the server stops, forgets what was not heard, and the connection stays."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import pytest

from core.dialogue.protocol import Message, Verdict
from core.dialogue.realtime_link import Link
from tests.core.live_server import spoken_events
from tests.core.loopback import Stopwatch
from tests.core.omni_server import tone
from tests.core.omni_talk import Heard, ask, spoken
from tests.core.test_cancelling import nothing_left
from tests.core.test_realtime import FLAT, NESTED, live
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.dialogue.omni import OmniDialogue
    from tests.core.live_server import LiveServer, Script, Talk

PCM = tone(1.0)
TEXT = "Once upon a time."
HEARD = [Message("user", "Tell me", 1), Message("assistant", "Once upon", 1)]


def confirm(event: dict[str, object]) -> dict[str, object]:
    return {"type": "conversation.item.truncated", "item_id": event["item_id"]}


def stopped(number: int = 1) -> dict[str, object]:
    details = {"reason": "client_cancelled"}
    return {"type": "response.done", "response": {"id": f"r{number}", "status": "cancelled", "status_details": details}}


async def answer_again(talk: Talk, number: int = 2) -> None:
    await talk.until("response.create")
    for event in spoken_events("nested", "And now.", PCM, number, item=f"i{number}"):
        await talk.send(event)
    await talk.hold()


def unfinished(*late: dict[str, object]) -> Script:
    """Half a reply; once it is cancelled `late` events, the end of it and the confirmation."""

    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        for event in spoken_events("nested", TEXT, PCM, item="i1")[:5]:
            await talk.send(event)
        await talk.until("response.cancel")
        for event in late:
            await talk.send(event)
        await talk.send(stopped())
        await talk.send(confirm(await talk.until("conversation.item.truncate")))
        await answer_again(talk)

    return script


async def whole(talk: Talk) -> None:
    """A reply that was generated to its end long before it was heard."""
    await talk.until("response.create")
    for event in spoken_events("nested", TEXT, PCM, item="i1"):
        await talk.send(event)
    await talk.send(confirm(await talk.until("conversation.item.truncate")))
    await answer_again(talk)


def interrupted(dialogue: OmniDialogue, *, over: bool, text: str = "Once upon", seconds: float = 0.15) -> None:
    reply = Heard("Tell me")
    dialogue.start(reply.turn, (), reply)
    assert reply.wait() if over else reply.began.wait(5)
    reply.turn.cancel()
    dialogue.cancel(reply.turn)
    dialogue.heard(reply.turn, text, seconds)
    assert reply.error is None


def kinds(talk: Talk) -> list[str]:
    return [event["type"] for event in talk.events]


@pytest.mark.parametrize("dialect", [NESTED, "vllm_omni_realtime", "compatible_realtime"])
@pytest.mark.parametrize("over", [False, True])
def test_the_server_forgets_what_was_not_heard_and_the_conversation_goes_on_over_the_same_connection(
    dialect: str, over: bool
) -> None:
    with live(whole if over else unfinished(), dialect=dialect) as (server, dialogue):
        interrupted(dialogue, over=over)
        reply = ask(dialogue, Heard("And now?", number=2), HEARD)
        (talk,) = server.talks
    assert (reply.text, reply.pcm, reply.verdict) == ("And now.", PCM, Verdict.OK)
    (cut,) = talk.of("conversation.item.truncate")
    assert cut == {
        "type": "conversation.item.truncate",
        "item_id": "i1",
        "content_index": 0,
        "audio_end_ms": 150,
    }
    assert ("response.cancel" in kinds(talk)) is not over
    asked = [event["item"]["content"][0]["text"] for event in talk.of("conversation.item.create")]
    assert asked == ["Tell me", "And now?"]


def test_what_still_came_of_the_reply_that_was_cut_is_not_heard_with_the_next() -> None:
    late = spoken_events("nested", TEXT, PCM, item="i1")[5:-1]
    with live(unfinished(*late)) as (server, dialogue):
        interrupted(dialogue, over=False)
        reply = ask(dialogue, Heard("And now?", number=2), HEARD)
        assert len(server.talks) == 1
    assert (reply.text, reply.pcm) == ("And now.", PCM)


def test_a_server_that_had_finished_when_it_was_told_to_stop_is_no_trouble() -> None:
    error = {"type": "error", "error": {"code": "response_cancel_not_active", "message": "Nothing to cancel."}}
    with live(unfinished(error)) as (server, dialogue):
        interrupted(dialogue, over=False)
        assert ask(dialogue, Heard("And now?", number=2), HEARD).text == "And now."
        assert len(server.talks) == 1


def test_no_more_is_said_to_have_been_heard_than_was_sent() -> None:
    with live(unfinished()) as (server, dialogue):
        interrupted(dialogue, over=False, seconds=30.0)
        ask(dialogue, Heard("And now?", number=2), HEARD)
        (cut,) = server.talks[0].of("conversation.item.truncate")
    assert 0 < cut["audio_end_ms"] <= 1000


def test_a_reply_of_which_nothing_was_heard_is_cut_at_its_beginning_and_was_not_said() -> None:
    with live(unfinished()) as (server, dialogue):
        interrupted(dialogue, over=False, text="", seconds=0.0)
        assert ask(dialogue, Heard("And now?", number=2), HEARD[:1]).text == "And now."
        (talk,) = server.talks
    assert talk.of("conversation.item.truncate")[0]["audio_end_ms"] == 0


def refusing(*answers: dict[str, object]) -> Script:
    """The n-th connection: it does not truncate; the next one answers."""
    connections = iter(range(100))

    async def script(talk: Talk) -> None:
        if next(connections):
            await talk.until("response.create")
            for event in spoken_events("nested", "And now.", PCM):
                await talk.send(event)
            await talk.hold()
        await talk.until("response.create")
        for event in spoken_events("nested", TEXT, PCM, item="i1")[:5]:
            await talk.send(event)
        await talk.until("conversation.item.truncate")
        for answer in answers:
            await talk.send(answer)
        await talk.hold()

    return script


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([{"type": "error", "error": {"code": "x", "message": "audio_end_ms is too long."}}], id="error"),
        pytest.param([stopped(), {"type": "error", "error": "unknown event"}], id="unknown"),
        pytest.param([stopped()], id="never confirmed"),
        pytest.param([], id="silence"),
    ],
)
def test_where_the_server_does_not_forget_another_connection_is_told_what_was_heard(
    answers: Sequence[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.dialogue.realtime_link.SETTLE_S", 0.1)
    with live(refusing(*answers)) as (server, dialogue):
        interrupted(dialogue, over=False)
        assert ask(dialogue, Heard("And now?", number=2), HEARD).text == "And now."
        assert len(server.talks) == 2
        items = [event["item"]["content"][0]["text"] for event in server.talks[1].of("conversation.item.create")]
    assert items == ["Tell me", "Once upon", "And now?"]


@pytest.mark.parametrize(("dialect", "item"), [(FLAT, "i1"), ("sglang_omni_realtime", "i1"), (NESTED, "")])
def test_a_dialect_that_cannot_forget_a_part_loses_its_connection_at_once(dialect: str, item: str) -> None:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        for event in spoken_events("flat" if dialect != NESTED else "nested", TEXT, PCM, item=item)[:4]:
            await talk.send(event)
        await talk.hold()

    with live(script, dialect=dialect) as (server, dialogue):
        interrupted(dialogue, over=False)
        assert server.wait_until(lambda: server.talks[0].gone_at is not None)
        assert not server.talks[0].of("response.cancel")


def test_a_turn_of_which_nobody_says_what_was_heard_is_not_built_upon() -> None:
    """A question that goes on is asked again as a whole."""
    with live(refusing()) as (server, dialogue):
        begun = Heard(spoken(0.1), number=7)
        dialogue.start(begun.turn, (), begun)
        assert begun.began.wait(5)
        begun.turn.cancel()
        dialogue.cancel(begun.turn)
        assert server.wait_until(lambda: bool(server.talks[0].of("response.cancel")) or server.talks[0].gone_at)
        assert ask(dialogue, Heard(spoken(0.3), number=7)).text == "And now."
        assert len(server.talks) == 2


def test_sixty_interruptions_go_over_one_connection_and_each_reaches_the_server_at_once() -> None:
    async def script(talk: Talk) -> None:
        for number in range(60):
            await talk.until("response.create")
            for event in spoken_events("nested", TEXT, PCM, number, item=f"i{number}")[:5]:
                await talk.send(event)
            await talk.until("response.cancel")
            stopwatch.taken.append(server.now() - since)
            await talk.send(stopped(number))
            await talk.send(confirm(await talk.until("conversation.item.truncate")))
        await talk.hold()

    told = list[Message]()
    with live(script) as (server, dialogue), nothing_left(dialogue, lambda: still_open(server)):
        stopwatch = Stopwatch(server)
        for number in range(60):
            reply = Heard(f"Tell me {number}", number)
            dialogue.start(reply.turn, tuple(told), reply)
            assert reply.began.wait(5)
            since = stopwatch.start()
            reply.turn.cancel()
            dialogue.cancel(reply.turn)
            dialogue.heard(reply.turn, "Once upon", 0.15)
            told += [Message("user", f"Tell me {number}", number), Message("assistant", "Once upon", number)]
        assert server.wait_until(lambda: len(server.talks[0].of("conversation.item.truncate")) == 60)
        assert len(server.talks) == 1
    stopwatch.assert_at_once()


def still_open(server: LiveServer) -> int:
    return 0 if server.wait_until(lambda: not server.open_connections) else 1


def test_closing_while_a_server_is_being_told_leaves_nothing() -> None:
    with live(refusing()) as (server, dialogue):
        interrupted(dialogue, over=False)
        dialogue.close()
        assert server.wait_until(lambda: not server.open_connections)


def test_the_dialogue_is_told_what_was_heard_of_a_reply_that_was_interrupted() -> None:
    rig = ConversationRig()
    rig.session.say("Hello")
    rig.crank(1.3)
    rig.session.interrupt()
    rig.crank(0.1)
    ((number, text, seconds),) = rig.dialogue.told_heard
    assert (number, text) == (1, rig.session.history.entries[-1].text)
    assert text.startswith("Hello there.")
    assert seconds == pytest.approx(rig.session.history.entries[-1].heard_s)


def test_an_interruption_and_another_conversation_at_once_leave_nothing_undone(
    recwarn: pytest.WarningsRecorder,
) -> None:
    at_once = threading.Event()
    with live(whole) as (server, dialogue):
        reply = ask(dialogue, Heard("Tell me"))
        dialogue._call(at_once.wait)
        dialogue.cancel(reply.turn)
        dialogue.forget()
        at_once.set()
        assert ask(dialogue).text == TEXT
        assert len(server.talks) == 2
    gc.collect()
    assert [str(warning.message) for warning in recwarn if "never awaited" in str(warning.message)] == []


def test_a_bug_while_the_server_forgets_is_noted_and_the_conversation_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Link) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Link, "forget_unheard", broken)
    with live(whole) as (_, dialogue):
        interrupted(dialogue, over=True)
        assert ask(dialogue, Heard("And now?", number=2), HEARD).text == TEXT
    assert "LiveTalk met a bug" in caplog.text
    assert "never retrieved" not in caplog.text
