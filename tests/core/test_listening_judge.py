"""Judge: the newest question is answered, by what there is; and what the words of a pause say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.channel import Closed, TimedOut
from core.dialogue.recognizer import Heard, Recognizer
from core.errors import LiveTalkError, Problem
from core.listening.finished import Finished, Words, is_sign_of_listening
from core.listening.judge import STILLNESS, Judge, Judged, Overheard, is_padded
from core.media import CAPTURE_RATE, AudioChunk
from core.parts import product_parts
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import Samples

SPEECH = AudioChunk(np.full(CAPTURE_RATE, 0.1, np.float32), 0)
NO_WORDS = Words("", 0.0, 0.0)
MISSING = LiveTalkError(Problem.MODEL_MISSING, "The model is missing.", "Run `make models`.")


@pytest.fixture(scope="module")
def finished() -> Finished:
    return Finished.read(assets_folder() / "models" / "turns")


class Bench:
    """A judge on this thread, and what it said."""

    def __init__(self, tone: float | LiveTalkError = 0.8, words: Words | LiveTalkError = NO_WORDS) -> None:
        self.answers: list[Judged | Overheard] = []
        self.trouble: list[LiveTalkError] = []
        self.asked: list[AudioChunk] = []
        self._tone, self._words = tone, words
        self.judge = Judge(self._load, self._understand, self.answers.append, self.trouble.append)
        self.judge.open()
        self.asked.clear()

    def _load(self) -> Callable[[Samples], float]:
        if isinstance(self._tone, LiveTalkError):
            raise self._tone
        tone = self._tone
        return lambda samples: tone

    def _understand(self, speech: AudioChunk, wanted: Callable[[], bool]) -> Words:
        self.asked.append(speech)
        if isinstance(self._words, LiveTalkError):
            raise self._words
        return self._words

    def answer(self) -> Judged | Overheard:
        self.judge.step(0.0)
        return self.answers[-1]


def test_without_words_the_tone_decides_and_is_not_believed_blindly() -> None:
    answers: list[float] = []
    for tone in (0.03, 0.5, 0.97):
        bench = Bench(tone=tone)
        bench.judge.pause(512, SPEECH)
        answers.append(bench.answer().finished)
    assert answers == sorted(answers)
    assert 0.1 < answers[0] < 0.3
    assert 0.5 < answers[2] < 0.8


def test_nobody_waits_for_silence_that_can_be_made() -> None:
    bench = Bench()
    bench.judge.pause(512, SPEECH)
    bench.answer()
    assert is_padded(bench.asked[0].samples, SPEECH.samples)
    later = np.concatenate([SPEECH.samples, np.zeros(CAPTURE_RATE // 16, np.float32)])
    assert is_padded(bench.asked[0].samples, later), "a little more silence is the same speech"
    assert not is_padded(bench.asked[0].samples, np.concatenate([SPEECH.samples, SPEECH.samples]))
    assert not is_padded(bench.asked[0].samples, 0.5 * SPEECH.samples)
    assert len(STILLNESS) == len(bench.asked[0].samples) - len(SPEECH.samples)


def test_only_the_newest_question_is_answered() -> None:
    bench = Bench()
    bench.judge.pause(512, SPEECH)
    bench.judge.overhear(1024, SPEECH, before_s=0.4, over=True)
    assert bench.answer() == Overheard(1024, None, over=True)
    with pytest.raises(TimedOut):
        bench.judge.step(0.0)


def test_an_answer_nobody_waits_for_is_not_given() -> None:
    bench = Bench(words=Words("Well.", 0.9, 0.9))
    bench.judge.pause(512, SPEECH)
    understand = bench._understand

    def given_up(speech: AudioChunk, wanted: Callable[[], bool]) -> Words:
        bench.judge.give_up()
        assert not wanted()
        return understand(speech, wanted)

    bench.judge._understand = given_up
    bench.judge.step(0.0)
    assert not bench.answers


def test_a_missing_model_is_told_and_the_rest_goes_on() -> None:
    bench = Bench(tone=MISSING, words=Words("Can you tell me a story?", 0.9, 0.95))
    assert bench.trouble == [MISSING]
    bench.judge.pause(512, SPEECH)
    assert bench.answer().finished > 0.3


def test_with_nothing_to_judge_by_nobody_can_tell() -> None:
    bench = Bench(tone=MISSING, words=MISSING)
    bench.judge.pause(512, SPEECH)
    assert bench.answer() == Judged(512, None)
    bench.judge.overhear(512, SPEECH, before_s=0.4, over=False)
    assert bench.answer() == Overheard(512, False, over=False)


def test_it_ends_when_it_is_stopped() -> None:
    bench = Bench()
    bench.judge.stop()
    with pytest.raises(Closed):
        bench.judge.run()


@pytest.mark.parametrize("text", ["Mm-hm.", "Yeah.", "Yeah, right.", "Uh-huh", "I see.", "Okay, okay.", "Ha ha ha!"])
def test_signs_of_listening_ask_for_nothing(text: str) -> None:
    assert is_sign_of_listening(Words(text, 0.9, 0.9))


@pytest.mark.parametrize("text", ["Stop.", "No.", "Yeah, but why?", "I", "Wait, what?", "", "Okay, now tell me more."])
def test_everything_else_is_meant(text: str) -> None:
    assert not is_sign_of_listening(Words(text, 0.9, 0.9))


def test_words_that_ask_for_another_word_are_not_finished(finished: Finished) -> None:
    def over(text: str, closing: float) -> float:
        return finished(0.9, Words(text, 0.9, closing)) or 0.0

    assert over("Can you tell me a story?", 0.95) > 0.5
    assert over("What is the", 0.0) < 0.1
    assert over("I would like to, um.", 0.5) < over("I would like to dance.", 0.5)


def test_words_that_are_not_sure_do_not_count(finished: Finished) -> None:
    assert finished(0.7, Words("Garbled the", 0.3, 0.0)) == finished(0.7, None) == finished(0.7, Words("", 0.0, 0.0))
    assert finished(0.7, Words("Can you tell me a story?", 0.9, 0.9)) != finished(0.7, None)
    assert finished(None, Words("", 0.0, 0.0)) is None


@pytest.mark.skipif(not (models_folder() / "moonshine").is_dir(), reason="needs the recogniser: make models")
def test_what_the_judge_understood_is_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    recognised: list[int] = []

    def counted(self: Recognizer, speech: Samples, wanted: Callable[[], bool] = lambda: True) -> Heard:
        recognised.append(len(speech))
        return Heard("What time is it?", 0.9, 0.9)

    monkeypatch.setattr(Recognizer, "__call__", counted)
    parts = product_parts()
    judge = Judge(lambda: lambda samples: 0.5, parts.understand, lambda answer: None, lambda error: None)
    judge.pause(512, SPEECH)
    judge.step(0.0)
    later = np.concatenate([SPEECH.samples, np.zeros(CAPTURE_RATE // 16, np.float32)])
    assert parts.transcribe(SPEECH, lambda: True) == "What time is it?"
    assert parts.transcribe(AudioChunk(later, 0), lambda: True) == "What time is it?"
    assert len(recognised) == 1
    parts.transcribe(AudioChunk(np.concatenate([SPEECH.samples, SPEECH.samples]), 0), lambda: True)
    assert len(recognised) == 2
