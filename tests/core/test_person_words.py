"""The person's own words: shown while they speak, replaced by what was understood, gone when the avatar answers."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.dialogue.protocol import Verdict
from core.errors import LiveTalkError, Problem, ServerError
from core.events import Failed
from core.media import AudioChunk, Turn
from core.scribe import Glimpsed, Scribe
from core.views import Caption, caption
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from collections.abc import Callable


def speech(start: int = 0, seconds: float = 1.0) -> AudioChunk:
    return AudioChunk(np.zeros(round(seconds * 16_000), np.float32), start)


@pytest.fixture
def rig() -> ConversationRig:
    rig = ConversationRig()
    rig.crank(0.5)
    return rig


def scribbling(rig: ConversationRig, words: str) -> None:
    """The scribe, stepped by hand, writes `words` for whatever it is given."""
    scribe = rig.session._scribe
    scribe._transcribe = lambda _speech, _wanted: words
    assert len(scribe._inbox), "nothing was given to the scribe"
    scribe.step()
    rig.crank(0.02)


def test_words_are_shown_while_the_person_speaks_and_leave_when_the_avatar_does(rig: ConversationRig) -> None:
    rig.dialogue.hears = "What time is it?"
    rig.dialogue.hold = True
    rig.speak(1.2)
    assert rig.session.caption() is None
    scribbling(rig, "what time")
    assert rig.session.caption() == Caption("what time", by_user=True)
    rig.crank(0.7)
    assert rig.session.caption() == Caption("What time is it?", by_user=True)
    rig.dialogue.play(rig.dialogue.replies[0])
    rig.crank(0.6)
    shown = rig.session.caption()
    assert shown is not None
    assert not shown.by_user


def test_what_was_written_of_an_earlier_turn_is_not_shown(rig: ConversationRig) -> None:
    rig.speak(1.2)
    rig.session.conversation.tell(Glimpsed(start=-1, text="from before"))
    rig.crank(0.02)
    assert rig.session.caption() is None


def test_words_of_a_microphone_that_was_switched_off_disappear(rig: ConversationRig) -> None:
    rig.speak(1.2)
    scribbling(rig, "what time")
    rig.session.set_microphone(False)
    rig.crank(0.05)
    assert rig.session.caption() is None


def test_a_pause_gives_the_processor_to_whoever_answers(rig: ConversationRig) -> None:
    rig.speak(1.2)
    rig.crank(0.3)
    assert not len(rig.session._scribe._inbox)


def test_a_question_the_endpoint_declined_can_be_asked_again(rig: ConversationRig) -> None:
    rig.dialogue.hold = True
    rig.session.say("Say something forbidden")
    rig.crank(0.1)
    rig.dialogue.replies[0].finish(Verdict.FILTERED)
    rig.crank(0.5)
    assert rig.events.of(Failed)[0].problem is Problem.ANSWER_DECLINED
    rig.session.retry()
    rig.crank(0.1)
    assert [turn.speech for turn in rig.dialogue.started] == ["Say something forbidden"] * 2


def test_a_spoken_question_survives_the_session_it_was_asked_in(rig: ConversationRig) -> None:
    rig.dialogue.error = ServerError(Problem.KEY_REFUSED, "The key was refused.", "Enter another.")
    rig.dialogue.pieces = ()
    rig.speak(1.5)
    rig.crank(1.0)
    asked = rig.dialogue.started[0]
    rig.session.conversation.stop()
    rig.session.conversation.run()
    again = ConversationRig(history=rig.session.history, question=rig.session.question)
    again.crank(0.1)
    again.session.retry()
    again.crank(0.1)
    assert again.dialogue.started[0].speech is asked.speech


def test_a_long_sentence_is_shown_by_its_last_words() -> None:
    said = "Yes. " + "and so on " * 30
    shown = caption(None, 0, said.strip())
    assert shown is not None
    assert shown.text.startswith("… ")
    assert shown.text.endswith("and so on")
    assert len(shown.text) <= 112


def test_a_cancelled_reply_has_no_caption() -> None:
    from core.answer import Sounding

    turn = Turn(1, "hello")
    turn.cancel()
    assert caption(Sounding(turn, (("Hello.", 24_000),)), 12_000, "") is None


class TestScribe:
    def test_only_the_newest_speech_is_written_down(self) -> None:
        seen: list[Glimpsed] = []
        scribe = Scribe(lambda given, _: f"{len(given.samples)} samples", seen.append)
        scribe.listen(speech(seconds=1))
        scribe.listen(speech(seconds=2))
        scribe.step()
        assert [glimpsed.text for glimpsed in seen] == ["32000 samples"]

    def test_rest_ends_what_is_under_way(self) -> None:
        begun = threading.Event()
        seen: list[Glimpsed] = []

        def slowly(_: AudioChunk, wanted: Callable[[], bool]) -> str:
            begun.set()
            while wanted():
                threading.Event().wait(0.001)
            return "half a sen"

        scribe = Scribe(slowly, seen.append)
        scribe.listen(speech())
        thread = threading.Thread(target=scribe.step)
        thread.start()
        assert begun.wait(5)
        scribe.rest()
        thread.join(5)
        assert not thread.is_alive()
        assert not seen

    def test_without_a_model_nothing_is_shown_and_nothing_breaks(self) -> None:
        calls: list[int] = []

        def deaf(_: AudioChunk, __: Callable[[], bool]) -> str:
            calls.append(1)
            raise LiveTalkError(Problem.MODEL_MISSING, "Missing.", "Fetch it.")

        scribe = Scribe(deaf, lambda _: None)
        for _ in range(3):
            scribe.listen(speech())
            scribe.step()
        assert calls == [1]
