"""Answers that stop before their end: what of them is remembered, and how they are gone on with."""

from __future__ import annotations

import pytest

from core.answer import Anew
from core.dialogue.history import History
from core.dialogue.phrases import PHRASES, language_of, phrases_for
from core.dialogue.protocol import Message, Verdict
from core.errors import Problem, ServerError
from core.events import Failed, Recovered, Replying, UserSpoke
from core.views import transcript
from tests.fakes import ScriptedDialogue, tone
from tests.rig import ConversationRig

CUT = ServerError(Problem.ANSWER_CUT, "The answer broke off half-way.", "What was said is in the conversation.")
TALE = "Once upon a time there was a king who had three daughters."


def asked(question: str = "Tell me a tale") -> ConversationRig:
    rig = ConversationRig(ScriptedDialogue(hold=True))
    rig.session.say(question)
    rig.crank(0.1)
    return rig


def stopped_short(rig: ConversationRig, error: bool = True) -> Replying:
    """A reply whose words ran ahead of its sound ends after one second of it."""
    reply = rig.dialogue.replies[-1]
    reply.speak(tone(0), TALE)
    reply.speak(tone(1.0), "")
    if error:
        reply.fail(CUT)
    else:
        reply.finish(Verdict.LENGTH)
    rig.crank(2.0)
    return rig.events.of(Replying)[-1]


def test_of_an_answer_that_broke_off_only_what_was_spoken_is_remembered() -> None:
    rig = asked()
    done = stopped_short(rig)
    assert (done.text, done.unsaid) == ("Once upon a", TALE[11:])
    assert (done.done, done.complete, done.may_go_on) == (True, False, True)
    entry = rig.session.history.entries[-1]
    assert (entry.text, entry.full_text, entry.cut, entry.broken) == ("Once upon a", TALE, True, True)
    assert rig.session.history.messages() == [Message("user", "Tell me a tale"), Message("assistant", "Once upon a")]


def test_an_answer_that_grew_too_long_was_spoken_as_far_as_it_came_and_can_be_gone_on_with() -> None:
    done = stopped_short(rig := asked(), error=False)
    assert (done.text, done.unsaid, done.complete, done.may_go_on) == (TALE, "", False, True)
    assert not rig.events.of(Failed)


@pytest.mark.parametrize("error", [True, False])
def test_the_person_asks_for_the_rest_and_the_model_is_told_what_was_heard(error: bool) -> None:
    rig = asked()
    told = stopped_short(rig, error).text
    rig.session.go_on()
    rig.crank(0.2)
    assert rig.dialogue.started[-1].speech == "Please go on."
    assert rig.dialogue.histories[-1] == [Message("user", "Tell me a tale"), Message("assistant", told)]
    assert rig.events.of(UserSpoke)[-1] == UserSpoke(2, "Please go on.", spoken=False)
    assert rig.events.of(Recovered) == ([Recovered(Problem.ANSWER_CUT)] if error else [])
    rig.dialogue.replies[-1].speak(tone(0.5), "They all married.")
    rig.dialogue.replies[-1].finish()
    rig.crank(2.0)
    assert [message.text for message in rig.session.history.messages()] == [
        "Tell me a tale",
        told,
        "Please go on.",
        "They all married.",
    ]


def test_the_rest_that_is_wanted_while_the_half_still_sounds_is_asked_for_when_it_has_sounded() -> None:
    rig = asked()
    rig.dialogue.replies[-1].speak(tone(1.0), "Once upon a time")
    rig.dialogue.replies[-1].fail(CUT)
    rig.crank(0.3)
    rig.session.go_on()
    rig.crank(0.2)
    assert len(rig.dialogue.started) == 1
    rig.crank(2.0)
    assert [turn.speech for turn in rig.dialogue.started] == ["Tell me a tale", "Please go on."]
    assert rig.dialogue.histories[-1][-1] == Message("assistant", "Once upon a time")


def test_the_rest_is_asked_for_in_the_language_of_the_conversation() -> None:
    rig = asked("Erzähl mir bitte ein Märchen von der Prinzessin")
    reply = rig.dialogue.replies[-1]
    reply.speak(tone(1.0), "Es war einmal ein König, der hatte drei Töchter.")
    reply.finish(Verdict.LENGTH)
    rig.crank(2.0)
    rig.session.go_on()
    rig.crank(0.2)
    assert rig.dialogue.started[-1].speech == "Sprich weiter."


def test_a_whole_answer_is_not_gone_on_with() -> None:
    rig = ConversationRig()
    rig.session.say("Hello")
    rig.crank(4.0)
    assert rig.events.of(Replying)[-1].may_go_on is False
    rig.session.go_on()
    rig.crank(0.2)
    assert len(rig.dialogue.started) == 1


def test_an_answer_that_the_person_cut_or_a_filter_stopped_is_not_offered_to_go_on() -> None:
    rig = asked()
    rig.dialogue.replies[-1].speak(tone(3.0), TALE)
    rig.crank(1.0)
    rig.session.interrupt()
    rig.session.go_on()
    rig.crank(0.2)
    assert len(rig.dialogue.started) == 1
    rig.session.say("Something")
    rig.crank(0.2)
    rig.dialogue.replies[-1].speak(tone(0.5), "I'm sorry.")
    rig.dialogue.replies[-1].finish(Verdict.FILTERED)
    rig.crank(1.5)
    assert rig.events.of(Replying)[-1].may_go_on is False
    assert rig.events.of(Failed)[-1].problem is Problem.ANSWER_DECLINED


def test_a_conversation_that_is_opened_again_still_knows_that_its_last_answer_stopped() -> None:
    rig = asked()
    stopped_short(rig)
    path = rig.session.history.path
    assert path
    history = History.reopen(path)
    last = transcript(history)[-1]
    assert (last.text, last.unheard, last.cut, last.broken) == ("Once upon a", TALE[11:], True, True)
    again = ConversationRig(history=history)
    again.session.go_on()
    again.crank(0.2)
    assert [turn.speech for turn in again.dialogue.started] == ["Please go on."]


def test_words_that_are_taken_back_are_neither_shown_nor_remembered() -> None:
    rig = asked()
    reply = rig.dialogue.replies[-1]
    reply.speak(tone(0), "Never mind")
    rig.crank(0.1)
    assert rig.events.of(Replying)[-1].text == "Never mind"
    reply.anew()
    rig.crank(0.1)
    assert rig.events.of(Replying)[-1].text == ""
    reply.speak(tone(0.5), "Hello.")
    reply.finish()
    rig.crank(2.0)
    assert rig.events.of(Replying)[-1] == Replying(1, "Hello.", done=True)
    assert rig.session.history.entries[-1].text == "Hello."
    assert Anew(reply.turn) != Anew(reply.turn)


SENTENCES = {
    "en": "It's an amazing gift and I love it.",
    "zh": "你今天好吗？",
    "ja": "今日は元気ですか。",
    "ko": "오늘 어떻게 지내세요?",
    "ru": "Как у тебя дела сегодня?",
    "de": "Wie geht es dir heute?",
    "fr": "Comment allez-vous aujourd'hui, est-ce que ça va ?",
    "es": "¿Cómo estás hoy?",
    "it": "Ciao, mi chiamo Leo e vivo a Roma.",
    "pt": "Olá, como você está?",
}


@pytest.mark.parametrize("language", PHRASES)
def test_the_language_of_a_conversation_is_told_from_its_words(language: str) -> None:
    assert language_of(SENTENCES[language]) == language
    phrases = phrases_for(["OK", "", SENTENCES[language], "Wie geht es dir denn heute?"])
    assert phrases == PHRASES[language]
    assert language_of(phrases.sorry) == language_of(phrases.not_caught) == language


def test_a_language_without_sentences_of_its_own_gets_the_english_ones() -> None:
    assert language_of("مرحبا كيف حالك") == "arabic"
    assert phrases_for(["مرحبا كيف حالك"]) == PHRASES["en"]
    assert phrases_for([]) == PHRASES["en"]
