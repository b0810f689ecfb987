"""Turn-taking in a whole conversation: giving way softly, signs of listening, patience, questions that go on."""

from __future__ import annotations

import numpy as np
import pytest

from core.audio.sound import DUCKED
from core.events import Interrupted, Status, StatusChanged, UserSpoke
from core.listening.turns import TurnRules
from tests.fakes import RATE, ScriptedDialogue
from tests.rig import ConversationRig, ScriptedEar

LONG = (("First sentence of the reply. ", 2.0), ("Second sentence of it. ", 2.0), ("And the third.", 2.0))


def listening_to(ear: ScriptedEar | None) -> ConversationRig:
    """A rig whose avatar has been speaking for a while."""
    rig = ConversationRig(ScriptedDialogue(pieces=LONG), ear=ear)
    rig.crank(0.5)
    rig.session.say("Tell me")
    rig.crank(2.0)
    assert rig.loud(rig.time - 0.1, rig.time)
    return rig


def level(rig: ConversationRig, since_s: float, until_s: float) -> float:
    return float(np.abs(rig.sound[int(since_s * RATE) : int(until_s * RATE)]).max())


def talks(rig: ConversationRig) -> bool:
    return not rig.events.of(Interrupted)


def test_the_avatar_gives_way_softly_and_comes_back_when_it_was_nothing() -> None:
    rig = listening_to(None)
    began = rig.time
    rig.speak(0.3)
    rig.crank(1.0)
    assert talks(rig)
    before, after = level(rig, began - 0.5, began), level(rig, rig.time - 0.2, rig.time)
    assert level(rig, began + 0.32, began + 0.5) == pytest.approx(before * DUCKED, rel=0.05)
    assert after == pytest.approx(before, rel=0.02)
    assert len(rig.dialogue.started) == 1


def test_speech_that_goes_on_stops_the_avatar_within_half_a_second() -> None:
    rig = listening_to(None)
    began = rig.time
    rig.speak(1.5)
    assert not talks(rig)
    assert not rig.loud(began + 0.5, rig.time)


@pytest.mark.parametrize("said_s", [0.3, 0.6, 0.8])
def test_a_sign_of_listening_interrupts_nothing(said_s: float) -> None:
    rig = listening_to(ScriptedEar(text="Yeah.", closing=0.9))
    rig.speak(said_s)
    rig.crank(1.0)
    assert talks(rig)
    assert level(rig, rig.time - 0.2, rig.time) > 0.4
    assert len(rig.dialogue.started) == 1


def test_one_short_word_that_is_meant_stops_the_avatar_and_is_a_turn() -> None:
    rig = listening_to(ScriptedEar(text="Stop.", closing=0.9))
    rig.dialogue.hold = True
    began = rig.time
    rig.speak(0.3)
    rig.crank(2.0)
    assert not talks(rig)
    assert not rig.loud(began + 0.75, rig.time)
    speech = rig.dialogue.started[1].speech
    assert np.abs(speech.samples).max() > 0.4
    assert 0.3 < len(speech.samples) / 16_000 < 1.0


def test_a_word_that_claims_the_floor_stops_the_avatar_before_the_sentence_is_over() -> None:
    rig = listening_to(ScriptedEar(text="Wait, no,", sure=0.6))
    began = rig.time
    rig.speak(0.3)
    assert not talks(rig)
    assert not rig.loud(began + 0.3, rig.time)


def test_a_reply_after_an_interruption_is_as_loud_as_ever() -> None:
    rig = listening_to(None)
    rig.speak(1.0)
    rig.crank(2.5)
    assert level(rig, rig.time - 0.2, rig.time) == pytest.approx(0.5, rel=0.02)


def test_a_reply_after_the_talk_key_took_the_floor_in_mid_word_is_as_loud_as_ever() -> None:
    rig = listening_to(None)
    rig.speak(0.2)
    assert level(rig, rig.time - 0.05, rig.time) < 0.4, "softer already"
    rig.session.hold(True)
    rig.speak(1.0)
    rig.session.hold(False)
    rig.crank(2.0)
    assert len(rig.dialogue.started) == 2
    assert level(rig, rig.time - 0.2, rig.time) == pytest.approx(0.5, rel=0.02)


def test_a_voice_without_end_is_answered_once() -> None:
    rig = ConversationRig(ScriptedDialogue(hold=True), ear=OVER)
    rig.crank(0.5)
    rig.speak(130.0)
    (turn,) = rig.dialogue.started
    assert not turn.cancelled
    assert len(turn.speech.samples) <= 61 * 16_000


def test_a_tap_on_the_talk_key_asks_nothing() -> None:
    rig = listening_to(None)
    rig.session.hold(True)
    rig.crank(0.05)
    rig.session.hold(False)
    rig.crank(1.0)
    assert not talks(rig), "it ended what the avatar was saying"
    assert len(rig.dialogue.started) == 1
    assert rig.events.of(StatusChanged)[-1].status is Status.READY


def test_nobody_who_judges_keeps_the_voice_down() -> None:
    rig = listening_to(ScriptedEar(text="Yeah."))
    rig.judge.step = lambda timeout_s=None: None
    rig.speak(0.3)
    rig.crank(2.0)
    assert level(rig, rig.time - 0.2, rig.time) == pytest.approx(0.5, rel=0.02)


OVER = ScriptedEar(0.98, "Can you tell me a story?", 0.95)
GOES_ON = ScriptedEar(0.02, "Can you tell me a", 0.0)


@pytest.mark.parametrize(("ear", "waits_ms"), [(OVER, TurnRules().quick_ms), (GOES_ON, TurnRules().patience_ms)])
def test_a_turn_ends_the_sooner_the_surer_it_is_over(ear: ScriptedEar, waits_ms: int) -> None:
    rig = ConversationRig(ear=ear)
    rig.crank(0.5)
    rig.speak(1.0)
    rig.crank(waits_ms / 1000 - 0.05)
    assert not rig.dialogue.started
    rig.crank(0.15)
    assert len(rig.dialogue.started) == 1


def test_a_question_that_goes_on_before_the_answer_sounds_is_asked_again_as_a_whole() -> None:
    rig = ConversationRig(ScriptedDialogue(hold=True), ear=OVER)
    rig.crank(0.5)
    rig.speak(1.0)
    rig.crank(0.6)
    rig.speak(1.0)
    rig.crank(0.6)
    first, whole = rig.dialogue.started
    assert first.cancelled
    assert rig.dialogue.cancelled == [first]
    assert whole.number == first.number
    assert whole.speech.start == first.speech.start
    assert 2.5 < len(whole.speech.samples) / 16_000 < 3.4
    assert talks(rig), "nothing had been said"
    assert len(rig.session.history.entries) == 1
    assert rig.dialogue.histories[1] == []
    assert rig.dialogue.anticipated[-1].start == first.speech.start
    rig.dialogue.replies[0].user_said("the first half only")
    rig.dialogue.replies[1].user_said("the whole question")
    rig.crank(0.1)
    assert [event.text for event in rig.events.of(UserSpoke)][-1] == "the whole question"
    assert rig.session.history.entries[0].text == "the whole question"


def test_what_is_said_much_later_is_another_question() -> None:
    rig = ConversationRig(ScriptedDialogue(hold=True), ear=OVER)
    rig.crank(0.5)
    rig.speak(1.0)
    rig.crank(4.0)
    rig.speak(1.0)
    rig.crank(0.6)
    first, second = rig.dialogue.started
    assert second.number == first.number + 1
    assert len(second.speech.samples) / 16_000 < 1.8


def test_an_answer_is_asked_for_in_the_pause_and_heard_only_when_the_turn_is_over() -> None:
    rig = ConversationRig(ear=ScriptedEar(0.4), drafts=True)
    rig.crank(0.5)
    rig.speak(1.0)
    rig.crank(0.4)
    (draft,) = rig.dialogue.started
    assert not rig.events.of(UserSpoke)
    assert rig.events.of(StatusChanged)[-1].status is Status.LISTENING
    rig.crank(0.6)
    assert len(rig.dialogue.started) == 1
    assert not draft.cancelled
    assert rig.events.of(UserSpoke)[0].turn == draft.number
    rig.crank(0.6)
    assert rig.loud(rig.time - 0.2, rig.time)
    rig.crank(3.0)
    assert [entry.text for entry in rig.session.history.entries] == ["what was said", "Hello there. How are you?"]


def test_an_answer_asked_for_in_a_pause_is_forgotten_when_the_person_goes_on() -> None:
    rig = ConversationRig(ear=ScriptedEar(0.4), drafts=True)
    rig.crank(0.5)
    rig.speak(1.0)
    rig.crank(0.4)
    rig.speak(1.0)
    rig.crank(1.2)
    draft, turn = rig.dialogue.started[0], rig.dialogue.started[-1]
    assert draft.cancelled
    assert draft in rig.dialogue.cancelled
    assert not turn.cancelled
    assert len(turn.speech.samples) / 16_000 > 2.3
    assert [entry.role for entry in rig.session.history.entries] == ["user"]
    assert not rig.loud(0, 2.9), "nothing of the first answer was heard"


def test_a_typed_question_in_the_pause_takes_the_place_of_the_spoken_one() -> None:
    rig = ConversationRig(ear=ScriptedEar(0.4), drafts=True)
    rig.crank(0.5)
    rig.speak(1.0)
    rig.crank(0.4)
    rig.session.say("Typed")
    rig.crank(0.2)
    assert rig.dialogue.started[0].cancelled
    assert rig.dialogue.started[1].speech == "Typed"
