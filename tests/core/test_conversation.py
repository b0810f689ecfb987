"""Who speaks now: turns, barge-in in five steps, failures that lose nothing."""

from __future__ import annotations

import numpy as np
import pytest

from core.dialogue.history import History
from core.dialogue.protocol import Verdict
from core.errors import Problem, ServerError
from core.events import Failed, Interrupted, Replying, Status, StatusChanged, TurnMeasured, UserSpoke
from core.listening.turns import TurnRules
from core.media import AudioChunk
from tests.fakes import ScriptedDialogue
from tests.rig import ConversationRig

LONG = (("First sentence of the reply. ", 2.0), ("Second sentence of it. ", 2.0), ("And the third.", 2.0))


@pytest.fixture
def rig() -> ConversationRig:
    rig = ConversationRig()
    rig.crank(0.5)
    return rig


def statuses(rig: ConversationRig) -> list[Status]:
    return [event.status for event in rig.events.of(StatusChanged)]


def test_spoken_words_are_answered_after_half_a_second_of_silence(rig: ConversationRig) -> None:
    rig.speak(2.0)
    rig.crank(0.3)
    assert not rig.dialogue.started
    assert len(rig.dialogue.anticipated) == 1, "recognition begins at 200 ms of silence"
    rig.crank(0.4)
    (turn,) = rig.dialogue.started
    assert isinstance(turn.speech, AudioChunk)
    assert 2.2 < len(turn.speech.samples) / 16_000 < 2.8, "pre-roll, speech, and a little of the silence"
    rig.crank(4.0)
    assert statuses(rig) == [Status.READY, Status.LISTENING, Status.THINKING, Status.SPEAKING, Status.READY]


def test_recognition_is_thrown_away_when_speech_goes_on(rig: ConversationRig) -> None:
    rig.speak(1.0)
    rig.crank(0.3)
    rig.speak(1.0)
    rig.crank(0.8)
    (turn,) = rig.dialogue.started
    assert len(rig.dialogue.anticipated) == 2
    assert rig.dialogue.anticipated[1].start == turn.speech.start
    assert len(turn.speech.samples) / 16_000 > 2.2


def test_a_typed_turn_is_answered_and_measured(rig: ConversationRig) -> None:
    rig.session.say("Hello")
    rig.crank(4.0)
    assert rig.events.of(UserSpoke)[0].text == "Hello"
    assert rig.events.of(Replying)[-1] == Replying(1, "Hello there. How are you?", done=True)
    (measured,) = rig.events.of(TurnMeasured)
    assert measured.typed
    assert 0 < measured.response_s < 0.3


def test_barge_in_silences_the_avatar_within_150_ms_of_the_decision(rig: ConversationRig) -> None:
    rig.dialogue.pieces = LONG
    rig.session.say("Tell me")
    rig.crank(3.0)
    began = rig.time
    assert rig.loud(began - 0.1, began)
    rig.speak(1.0)
    (cut,) = rig.events.of(Interrupted)
    assert rig.dialogue.cancelled == [rig.dialogue.started[0]]
    decides_s = TurnRules().barge_in_ms / 1000
    assert not rig.loud(began + decides_s + 0.15, rig.time), "150 ms from the decision to silence"
    assert cut.heard.startswith("First sentence of the reply. Second")
    assert cut.heard + cut.unheard == "".join(text for text, _ in LONG)


def test_what_was_heard_is_what_left_the_loudspeaker(rig: ConversationRig) -> None:
    rig.dialogue.pieces = LONG
    rig.session.say("Tell me")
    rig.crank(2.5)
    rig.session.interrupt()
    rig.crank(0.5)
    (cut,) = rig.events.of(Interrupted)
    sounding = np.flatnonzero(np.abs(rig.sound) > 0.005)
    assert cut.heard_s == pytest.approx((sounding[-1] - sounding[0]) / 24_000, abs=0.01)


def test_the_model_is_told_what_was_heard_not_what_was_generated(rig: ConversationRig) -> None:
    rig.dialogue.pieces = LONG
    rig.session.say("Tell me")
    rig.crank(2.6)
    rig.session.interrupt()
    rig.session.say("And now?")
    rig.crank(0.5)
    told = rig.dialogue.histories[1]
    assert [message.role for message in told] == ["user", "assistant"]
    assert told[0].text == "Tell me"
    (cut,) = rig.events.of(Interrupted)
    assert told[1].text == cut.heard.strip()
    assert "third" not in told[1].text


def test_recognised_words_take_their_place_in_the_history(rig: ConversationRig) -> None:
    rig.speak(1.0)
    rig.crank(4.0)
    rig.session.say("Next")
    rig.crank(0.5)
    assert [message.text for message in rig.dialogue.histories[1]] == ["what was said", "Hello there. How are you?"]


def test_a_failure_keeps_the_question_and_retry_asks_it_again() -> None:
    error = ServerError(Problem.ENDPOINT_UNREACHABLE, "No.", "Try again.")
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Important question")
    rig.crank(0.5)
    (failed,) = rig.events.of(Failed)
    assert failed.turn == 1
    assert statuses(rig)[-1] is Status.NOT_CONNECTED
    rig.dialogue.error, rig.dialogue.pieces = None, (("Now I can.", 0.5),)
    rig.session.retry()
    rig.crank(2.0)
    assert rig.dialogue.started[1].speech == "Important question"
    assert rig.dialogue.histories[1] == [], "the question is asked once, not twice"
    assert rig.events.of(Replying)[-1].text == "Now I can."
    assert statuses(rig)[-1] is Status.READY


def test_the_built_in_companion_can_answer_instead() -> None:
    error = ServerError(Problem.ENDPOINT_UNREACHABLE, "No.", "Try again.")
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Anybody?")
    rig.crank(0.5)
    rig.session.answer_here()
    rig.crank(2.0)
    assert rig.here.started[0].speech == "Anybody?"
    assert rig.events.of(Replying)[-1].text == "I answer from here."


def test_a_busy_endpoint_is_asked_again_when_it_said_so() -> None:
    error = ServerError(Problem.ENDPOINT_BUSY, "Busy.", "Wait.", retry_after_s=2.0)
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Hello")
    rig.crank(1.0)
    assert statuses(rig)[-1] is Status.RECONNECTING
    assert len(rig.dialogue.started) == 1
    rig.dialogue.error, rig.dialogue.pieces = None, (("Yes.", 0.5),)
    rig.crank(2.0)
    assert len(rig.dialogue.started) == 2


def test_a_reply_cut_by_the_server_plays_to_its_end_and_is_offered_again() -> None:
    error = ServerError(Problem.ANSWER_CUT, "The answer broke off half-way.", "Ask again.")
    rig = ConversationRig(ScriptedDialogue(pieces=(("Half of the", 1.0),), error=error))
    rig.session.say("Hello")
    rig.crank(3.0)
    assert rig.loud(0.0, 3.0)
    done = rig.events.of(Replying)[-1]
    assert done.done
    assert done.text == "Half of the"
    assert rig.session.history.entries[-1].cut


def test_muting_the_microphone_ends_what_was_being_said(rig: ConversationRig) -> None:
    rig.speak(1.0)
    rig.session.set_microphone(False)
    rig.crank(1.0)
    assert not rig.dialogue.started
    assert statuses(rig)[-1] is Status.MICROPHONE_OFF
    rig.session.say("Typed all the same")
    rig.crank(0.5)
    assert len(rig.dialogue.started) == 1


def test_holding_the_key_takes_the_floor_and_letting_go_gives_it_back(rig: ConversationRig) -> None:
    rig.session.hold(True)
    rig.crank(0.1)
    assert statuses(rig)[-1] is Status.LISTENING
    rig.speak(0.5)
    rig.crank(1.0)
    assert not rig.dialogue.started, "silence does not end a held turn"
    rig.session.hold(False)
    rig.crank(0.1)
    assert len(rig.dialogue.started) == 1


def test_closing_in_mid_reply_keeps_what_was_heard(rig: ConversationRig) -> None:
    rig.dialogue.pieces = LONG
    rig.session.say("Tell me")
    rig.crank(2.6)
    rig.session.conversation.stop()
    rig.session.conversation.run()
    last = rig.session.history.entries[-1]
    assert last.role == "assistant"
    assert last.text.startswith("First sentence of the reply.")
    assert last.cut


def test_a_lost_endpoint_is_tried_again_before_the_person_is_troubled() -> None:
    error = ServerError(Problem.ENDPOINT_UNREACHABLE, "No.", "Check the network.", retry_after_s=5.0)
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Hello")
    rig.crank(0.5)
    assert statuses(rig)[-1] is Status.RECONNECTING
    assert not rig.events.of(Failed)
    rig.crank(5.0)
    assert len(rig.dialogue.started) == 3
    assert len(rig.events.of(Failed)) == 1
    assert statuses(rig)[-1] is Status.NOT_CONNECTED


def test_a_reply_ends_even_when_a_lost_loudspeaker_swallowed_some_of_it(rig: ConversationRig) -> None:
    rig.dialogue.pieces = (("Exactly two blocks.", 0.96),)
    rig.session.say("Hello")
    rig.crank(0.5)
    rig.session.player.skip(1200)
    rig.crank(2.0)
    assert statuses(rig)[-1] is Status.READY
    assert rig.events.of(Replying)[-1].done


def test_words_of_a_private_conversation_never_reach_the_next_one(rig: ConversationRig) -> None:
    rig.dialogue.hold = True
    rig.speak(1.0)
    rig.crank(0.8)
    private_reply = rig.dialogue.replies[0]
    rig.session.new_conversation(private=False)
    rig.crank(0.1)
    private_reply.user_said("my secret")
    rig.crank(0.1)
    assert not rig.session.history.entries


def test_asking_again_ends_the_half_answer_that_still_sounds() -> None:
    error = ServerError(Problem.ANSWER_CUT, "The answer broke off half-way.", "Ask again.")
    rig = ConversationRig(ScriptedDialogue(pieces=(("Half of the", 3.0),), error=error))
    rig.session.say("Hello")
    rig.crank(1.0)
    rig.dialogue.hold = True
    rig.session.retry()
    rig.crank(0.1)
    assert rig.dialogue.started[0].cancelled
    silent_from = rig.time + 0.1
    rig.crank(0.5)
    assert not rig.loud(silent_from, rig.time)


def test_a_busy_endpoint_is_not_asked_again_while_the_person_speaks() -> None:
    error = ServerError(Problem.ENDPOINT_BUSY, "Busy.", "Wait.", retry_after_s=1.0)
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Hello")
    rig.crank(0.7)
    rig.speak(1.5)
    assert len(rig.dialogue.started) == 1


def test_a_question_without_an_answer_can_be_asked_again_in_the_next_session() -> None:
    error = ServerError(Problem.KEY_REFUSED, "The endpoint did not accept the key.", "Check it.")
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Important question")
    rig.crank(0.5)
    again = ConversationRig(history=rig.session.history)
    again.session.retry()
    again.crank(0.5)
    assert [turn.speech for turn in again.dialogue.started] == ["Important question"]


def test_what_was_heard_is_on_the_disk_while_the_reply_still_sounds(rig: ConversationRig) -> None:
    rig.dialogue.pieces = LONG
    rig.session.say("Tell me")
    rig.crank(3.6)
    assert statuses(rig)[-1] is Status.SPEAKING
    reopened = History.reopen(rig.session.history.path)
    assert reopened.entries[-1].text.startswith("First sentence of the reply.")
    assert reopened.entries[-1].cut


def test_an_answer_that_was_filtered_is_told_and_not_called_complete(rig: ConversationRig) -> None:
    rig.dialogue.hold = True
    rig.session.say("Something")
    rig.crank(0.2)
    rig.dialogue.replies[0].finish(Verdict.FILTERED)
    rig.crank(0.2)
    assert rig.events.of(Replying)[-1].complete is False
    assert "declined" in rig.events.of(Failed)[0].title


def test_a_filtered_question_may_be_asked_again_and_is_not_told_to_the_model_with_the_next_one(
    rig: ConversationRig,
) -> None:
    rig.dialogue.hold = True
    rig.session.say("Something")
    rig.crank(0.2)
    rig.dialogue.replies[0].finish(Verdict.FILTERED)
    rig.crank(0.2)
    rig.session.say("Something else")
    rig.crank(0.2)
    assert rig.dialogue.histories[1] == []
    rig.dialogue.replies[1].finish(Verdict.FILTERED)
    rig.crank(0.2)
    rig.session.retry()
    rig.crank(0.2)
    assert [turn.speech for turn in rig.dialogue.started][2] == "Something else"
    rig.dialogue.replies[2].speak(np.full(2400, 0.2, np.float32), "Well.")
    rig.dialogue.replies[2].finish()
    rig.crank(1.0)
    rig.session.say("Next")
    rig.crank(0.2)
    assert [message.text for message in rig.dialogue.histories[3]] == ["Something else", "Well."]


@pytest.mark.parametrize("spoken_for", [True, False])
def test_an_endpoint_that_only_writes_is_told_of(rig: ConversationRig, spoken_for: bool) -> None:
    rig.dialogue.hold = True
    rig.session.say("Hello")
    rig.crank(0.2)
    rig.dialogue.replies[0].speak(np.full(2400 if spoken_for else 0, 0.2, np.float32), "Hello.")
    rig.dialogue.replies[0].finish(Verdict.MUTE)
    rig.crank(1.0)
    (failed,) = rig.events.of(Failed)
    assert failed.title == "The endpoint answers in writing only."
    assert ("computer’s voice" in failed.advice) is spoken_for
    assert rig.events.of(Replying)[-1].complete


def test_cutting_the_silence_after_the_last_word_interrupts_nothing(rig: ConversationRig) -> None:
    rig.dialogue.pieces = (("Short.", 0.5),)
    rig.session.say("Hello")
    rig.crank(0.8)
    assert statuses(rig)[-1] is Status.SPEAKING, "the block of the last word is not over"
    rig.session.say("Next")
    rig.crank(0.2)
    assert not rig.events.of(Interrupted)
    assert rig.events.of(Replying)[1] == Replying(1, "Short.", done=True)
    assert not rig.session.history.entries[1].cut
