"""An answer asked for in a pause, and given up because the person went on: nothing of it is left anywhere."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from core.dialogue.protocol import Message, Verdict
from core.dialogue.services import Local
from core.media import AudioChunk
from tests.core.live_server import spoken_events
from tests.core.omni_server import DONE, Event, Head, Hold, chunk, heard_as, in_turn, vllm_words
from tests.core.omni_talk import FINISH, HELLO, PCM, Heard, ask, spoken, talking
from tests.core.test_realtime import live
from tests.core.test_realtime_words import committed
from tests.fakes import until
from tests.rig import ConversationRig, ScriptedEar

if TYPE_CHECKING:
    from core.dialogue.omni import OmniDialogue
    from tests.core.live_server import Script as LiveScript
    from tests.core.live_server import Talk
    from tests.core.omni_server import Asked, OmniServer, Script
    from tests.fakes import ScriptedDialogue

DEAF = Local(lambda _: "")
EARLIER = [Message("user", "", 1), Message("assistant", "Hello.", 1)]
WHOLE = AudioChunk(np.random.default_rng(3).uniform(-0.5, 0.5, 32_000).astype(np.float32), 40_000)
"""A question with pauses in it."""
ASKED_TO_WRITE = "Write down"


def until_pause(seconds: float) -> AudioChunk:
    return AudioChunk(WHOLE.samples[: round(seconds * 16_000)], WHOLE.start)


def sounds(asked: Asked) -> list[int]:
    """The numbers of the messages that hold sound."""
    return [index for index, message in enumerate(asked.body["messages"]) if isinstance(message["content"], list)]


def drafted(dialogue: OmniDialogue, speech: AudioChunk, number: int, *, history: Any = ()) -> Heard:
    reply = Heard(speech, number)
    dialogue.start(reply.turn, history, reply, draft=True)
    return reply


def withdraw(dialogue: OmniDialogue, reply: Heard) -> None:
    reply.turn.cancel()
    dialogue.cancel(reply.turn)


def gone(server: OmniServer, times: int) -> bool:
    """Wait until so many requests were given up."""
    return server.wait_until(lambda: sum(turn.gone_at is not None for turn in server.turns) == times)


def writing(*answers: Any) -> Script:
    """Answers turns with the n-th of `answers`, and requests for words with what was said."""
    turns = in_turn(*answers)
    written = [Head(), vllm_words("What was said."), FINISH, DONE]
    return lambda asked: written if ASKED_TO_WRITE in str(asked.body["messages"][0]["content"]) else turns(asked)


@pytest.mark.parametrize("answered", [False, True])
def test_drafts_that_were_withdrawn_do_not_push_out_the_sound_of_earlier_turns(answered: bool) -> None:
    answer = HELLO if answered else [Hold()]
    with talking(in_turn(HELLO, answer, answer, HELLO), local=DEAF) as (server, dialogue):
        ask(dialogue, Heard(spoken(0.3), 1))
        for number in (2, 3):
            reply = drafted(dialogue, until_pause(0.5 * number), number, history=EARLIER)
            if answered:
                reply.wait()
            else:
                assert server.wait_until(lambda number=number: len(server.turns) == number)
            withdraw(dialogue, reply)
        ask(dialogue, Heard(WHOLE, 4), EARLIER)
        last = server.turns[-1]
    assert sounds(last) == [0, 2], "the first turn, of which nobody knows the words, and the newest"


@pytest.mark.parametrize("answered", [False, True])
def test_nobody_writes_down_what_was_withdrawn(answered: bool) -> None:
    heard: list[int] = []

    def transcribe(speech: AudioChunk) -> str:
        heard.append(len(speech.samples))
        return ""

    with talking(writing(HELLO if answered else [Hold()], HELLO), local=Local(transcribe), ask_for_words=True) as (
        server,
        dialogue,
    ):
        reply = drafted(dialogue, until_pause(0.5), 1)
        assert reply.wait() if answered else server.wait_until(lambda: len(server.turns) == 1)
        withdraw(dialogue, reply)
        whole = ask(dialogue, Heard(WHOLE, 2))
        assert whole.understood.wait(5)
        assert len(server.turns) == 3, "a draft, the turn, and the words of the turn"
    assert (reply.said, whole.said, heard) == ("", "What was said.", [32_000])


@pytest.mark.parametrize("answered", [False, True])
def test_a_draft_that_was_released_is_a_turn_like_any_other(answered: bool) -> None:
    script = [*HELLO[:3], Hold(), *HELLO[3:]]
    with talking(in_turn(HELLO if answered else script, HELLO), local=Local(lambda _: "Well?")) as (server, dialogue):
        reply = drafted(dialogue, WHOLE, 1)
        assert reply.wait() if answered else reply.began.wait(5)
        assert not reply.said
        dialogue.release(reply.turn)
        server.release()
        assert reply.wait().verdict is Verdict.OK
        assert reply.understood.wait(5)
    assert reply.said == "Well?"


def test_the_sound_of_a_draft_that_was_released_is_kept() -> None:
    with talking(in_turn(HELLO), local=DEAF) as (server, dialogue):
        reply = drafted(dialogue, WHOLE, 1).wait()
        dialogue.release(reply.turn)
        ask(dialogue, Heard("And?", 2), EARLIER)
    assert sounds(server.turns[1]) == [0]


def test_words_that_were_being_asked_for_when_somebody_spoke_are_asked_for_again_afterwards() -> None:
    def script(asked: Asked) -> Any:
        if ASKED_TO_WRITE not in str(asked.body["messages"][0]["content"]):
            return HELLO
        times.append(1)
        return [Hold()] if len(times) == 1 else [Head(), vllm_words("First."), FINISH, DONE]

    times: list[int] = []
    with talking(script, local=DEAF, ask_for_words=True) as (server, dialogue):
        first = ask(dialogue, Heard(spoken(), 1))
        assert server.wait_until(lambda: len(times) == 1)
        withdraw(dialogue, drafted(dialogue, until_pause(0.5), 2).wait())
        assert first.understood.wait(5)
        assert first.said == "First."
        assert len(times) == 2
        assert gone(server, 1), "who is asked for words makes room for a turn"


def test_ears_that_take_their_time_hold_up_no_answer() -> None:
    gate = threading.Event()

    def transcribe(_: AudioChunk) -> str:
        assert gate.wait(10)
        return "Well?"

    with talking(in_turn(HELLO), local=Local(transcribe)) as (_, dialogue):
        for number in range(1, 8):
            assert ask(dialogue, Heard(spoken(0.1 * number), number)).pcm == PCM
        gate.set()


def test_drafts_for_a_model_that_reads_leave_no_ears_at_work() -> None:
    """What was begun to be written down is given up; only what is under way at that moment ends by itself."""
    gate, begun, heard = threading.Event(), threading.Event(), list[int]()

    def transcribe(speech: AudioChunk) -> str:
        heard.append(len(speech.samples))
        begun.set()
        assert gate.wait(10)
        return "Well?"

    written = [Head(), Event(chunk({"content": "Yes."})), FINISH, DONE]
    with talking(in_turn(written), models=(("llama", "library"),), local=Local(transcribe)) as (server, dialogue):
        for number in range(1, 5):
            reply = drafted(dialogue, until_pause(0.3 * number), number)
            assert begun.wait(5)
            withdraw(dialogue, reply)
        whole = Heard(WHOLE, 9)
        dialogue.start(whole.turn, (), whole)
        gate.set()
        assert whole.wait().text == "Yes."
        assert len(server.turns) == 1
    assert heard == [4_800, 32_000]


def test_a_service_that_writes_down_a_draft_is_hung_up_on() -> None:
    with talking(
        in_turn([Head(), Event(chunk({"content": "Yes."})), FINISH, DONE]),
        models=(("llama", "library"),),
        ears=in_turn([Hold()], heard_as("Well?")),
    ) as (server, dialogue):
        reply = drafted(dialogue, until_pause(0.5), 1)
        assert server.wait_until(lambda: len(server.asked_of("/audio/transcriptions")) == 1)
        withdraw(dialogue, reply)
        assert server.wait_until(lambda: server.asked_of("/audio/transcriptions")[0].gone_at is not None, 2.0)
        assert ask(dialogue, Heard(WHOLE, 2)).said == "Well?"


def test_somebody_who_hesitates_three_times_is_answered_as_if_they_had_not() -> None:
    with talking(in_turn(HELLO), local=DEAF) as (server, dialogue):
        rig = ConversationRig(cast("ScriptedDialogue", dialogue), ear=ScriptedEar(0.3), drafts=True)
        rig.crank(0.3)
        rig.speak(1.0)
        until_answered(rig, 1)
        for times in range(3):
            before = len(server.turns)
            rig.speak(1.0)
            rig.crank(0.35)
            assert server.wait_until(lambda before=before: len(server.turns) == before + 1), times
        until_answered(rig, 2)
        rig.session.interrupt()
        rig.crank(0.1)
    assert sounds(server.turns[-1]) == [0, 2]


def until_answered(rig: ConversationRig, times: int) -> None:
    def over() -> bool:
        rig.crank(0.05)
        return sum(entry.role == "assistant" for entry in rig.session.history.entries) == times

    until(over)


# Over a live connection.


def forgetting(drafts: int, *, confirms: bool = True) -> LiveScript:
    """So many drafts that are cancelled and deleted, then a turn that is answered."""

    async def script(talk: Talk) -> None:
        for number in range(1, drafts + 1):
            await talk.until("response.create")
            await talk.send(committed(f"u{number}"))
            for event in spoken_events("nested", "Draft.", PCM, number, item=f"i{number}")[:4]:
                await talk.send(event)
            await talk.until("response.cancel")
            response = {"id": f"r{number}", "status": "cancelled"}
            await talk.send({"type": "response.done", "response": response})
            for _ in range(2):
                event = await talk.until("conversation.item.delete")
                if confirms:
                    await talk.send({"type": "conversation.item.deleted", "item_id": event["item_id"]})
                else:
                    await talk.send({"type": "error", "error": {"code": "unknown_event", "message": "No."}})
        await replying(talk)

    return script


async def replying(talk: Talk) -> None:
    number = 50
    while True:
        await talk.until("response.create")
        await talk.send(committed(f"u{number}"))
        for event in spoken_events("nested", "Hello.", PCM, number, item=f"i{number}"):
            await talk.send(event)
        number += 1


@pytest.mark.parametrize("dialect", ["openai_realtime", "vllm_omni_realtime", "compatible_realtime"])
def test_a_live_server_forgets_a_draft_and_its_connection_stays(dialect: str) -> None:
    with live(forgetting(3), dialect=dialect) as (server, dialogue):
        for number in (1, 2, 3):
            reply = drafted(dialogue, until_pause(0.5 * number), number)
            assert reply.began.wait(5)
            withdraw(dialogue, reply)
        whole = ask(dialogue, Heard(WHOLE, 4))
        (talk,) = server.talks
    assert (whole.text, whole.pcm, whole.verdict) == ("Hello.", PCM, Verdict.OK)
    deleted = {event["item_id"] for event in talk.of("conversation.item.delete")}
    assert deleted == {"u1", "i1", "u2", "i2", "u3", "i3"}


def test_a_draft_that_was_answered_to_its_end_is_forgotten_too() -> None:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        await talk.send(committed("u1"))
        for event in spoken_events("nested", "Draft.", PCM, 1, item="i1"):
            await talk.send(event)
        for _ in range(2):
            event = await talk.until("conversation.item.delete")
            await talk.send({"type": "conversation.item.deleted", "item_id": event["item_id"]})
        await replying(talk)

    with live(script) as (server, dialogue):
        withdraw(dialogue, drafted(dialogue, until_pause(0.5), 1).wait())
        assert ask(dialogue, Heard(WHOLE, 2)).text == "Hello."
        assert ask(dialogue, Heard("And?", 3), [Message("user", "", 2), Message("assistant", "Hello.", 2)]).text
        (talk,) = server.talks
    assert not talk.of("response.cancel")


def silent_at_first() -> LiveScript:
    """Nothing is answered over the first connection."""
    connections = iter(range(99))

    async def script(talk: Talk) -> None:
        first = next(connections) == 0
        await talk.until("response.create")
        for event in [] if first else spoken_events("flat", "Hello.", PCM):
            await talk.send(event)
        await talk.hold()

    return script


@pytest.mark.parametrize("dialect", ["dashscope_realtime", "sglang_omni_realtime"])
def test_where_a_server_cannot_forget_a_hesitant_question_costs_one_connection_and_its_sound_goes_up_once(
    dialect: str,
) -> None:
    with live(silent_at_first(), dialect=dialect) as (server, dialogue):
        first = drafted(dialogue, until_pause(0.5), 1)
        assert server.wait_until(lambda: any(talk.of("response.create") for talk in server.talks))
        withdraw(dialogue, first)
        for number in (2, 3):
            dialogue.anticipate(until_pause(0.5 * number))
            reply = drafted(dialogue, until_pause(0.5 * number), number)
            sent = 2 * len(until_pause(0.5 * number).samples)
            assert server.wait_until(lambda sent=sent: len(server.talks[-1].pcm) == sent)
            withdraw(dialogue, reply)
        last = drafted(dialogue, WHOLE, 4)
        assert server.wait_until(lambda: len(server.talks[-1].pcm) == 2 * len(WHOLE.samples))
        dialogue.release(last.turn)
        assert last.wait().text == "Hello."
    assert [len(talk.of("response.create")) for talk in server.talks] == [1, 1]
    assert not server.talks[1].of("input_audio_buffer.clear")


def test_a_server_that_does_not_know_how_to_forget_is_not_asked_to_a_second_time() -> None:
    connections = iter(range(99))

    def script(talk: Talk) -> Any:
        return forgetting(1, confirms=False)(talk) if next(connections) == 0 else replying(talk)

    with live(script) as (server, dialogue):
        reply = drafted(dialogue, until_pause(0.5), 1)
        assert reply.began.wait(5)
        withdraw(dialogue, reply)
        assert server.wait_until(lambda: server.talks[0].gone_at is not None)
        for number in (2, 3):
            reply = drafted(dialogue, until_pause(0.5 * number), number)
            sent = 3 * len(until_pause(0.5 * number).samples)
            assert server.wait_until(lambda sent=sent: len(server.talks[-1].pcm) >= sent - 2_000)
            withdraw(dialogue, reply)
        last = drafted(dialogue, WHOLE, 4)
        dialogue.release(last.turn)
        assert last.wait().text == "Hello."
        assert [len(talk.of("response.create")) for talk in server.talks] == [1, 1]


def test_drafts_of_a_whole_hesitant_conversation_leave_one_connection() -> None:
    with live(forgetting(3)) as (server, dialogue):
        rig = ConversationRig(cast("ScriptedDialogue", dialogue), ear=ScriptedEar(0.3), drafts=True)
        rig.crank(0.3)
        for _ in range(3):
            before = sum(len(talk.of("response.create")) for talk in server.talks)
            rig.speak(1.0)
            rig.crank(0.35)
            assert server.wait_until(
                lambda before=before: sum(len(talk.of("response.create")) for talk in server.talks) == before + 1
            )
        rig.speak(0.5)
        until_answered(rig, 1)
        rig.session.interrupt()
        rig.crank(0.1)
    assert sum(bool(talk.of("response.create")) for talk in server.talks) == 1
