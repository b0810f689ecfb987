"""The companion's sentences: cut in time, kept proper, written out for the voice."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from core.dialogue.composer import Composer, asks
from core.dialogue.known import Known
from core.dialogue.language import LanguageModel, Manner
from core.dialogue.protocol import Message
from core.dialogue.sentences import Propriety, SentenceCutter, sentences
from core.dialogue.spoken_form import cardinal, ordinal, spoken_form
from core.settings import models_folder
from tests.core.companion import NOON, needs_models


def test_streamed_letters_become_sentences() -> None:
    cutter = SentenceCutter()
    pieces = [piece for letter in "Dr. Low paid 3.5 euros. He left! Then" for piece in cutter.feed(letter)]
    assert pieces == ["Dr. Low paid 3.5 euros.", "He left!"]
    assert cutter.rest() == "Then"


def test_only_the_first_piece_may_be_a_clause() -> None:
    cutter = SentenceCutter()
    text = "When the rain had gone at last, we went out, and the sun, late as it was, shone. "
    pieces = [piece for letter in text for piece in cutter.feed(letter)]
    assert pieces == ["When the rain had gone at last,", "we went out, and the sun, late as it was, shone."]


def test_whole_texts_are_split_into_whole_sentences() -> None:
    assert sentences("Well, this is a fairly long one, you see. And this?") == [
        "Well, this is a fairly long one, you see.",
        "And this?",
    ]


@pytest.mark.parametrize(
    "improper",
    [
        "I am human.",
        "I'm a teacher from Spain.",
        "My wife likes it too.",
        "I just got back from the beach.",
        "We should meet at our house.",
        "I was a young man.",
        "I'm sure that I'm sure that I'm sure that.",
        "🌟🌟🌟",
        "(laughs)",
    ],
)
def test_what_it_must_not_say_is_not_let_through(improper: str) -> None:
    assert Propriety().admit(improper) == ""


@pytest.mark.parametrize(
    ("said", "admitted"),
    [
        ("I'm sorry to hear that.", "I'm sorry to hear that."),
        ("I think that's a good plan.", "I think that's a good plan."),
        ("**Paris** is nice.", "Paris is nice."),
        ("1. Keep the room cool.", "Keep the room cool."),
        ("Amara: that is fine.", "That is fine."),
        ("Well (laughs) yes.", "Well yes."),
    ],
)
def test_what_it_may_say_is_cleaned(said: str, admitted: str) -> None:
    assert Propriety().admit(said) == admitted


def test_nothing_is_said_twice_and_not_more_than_asked_for() -> None:
    propriety = Propriety(recent="Dogs are loyal.", most=2)
    said = ("Dogs are loyal.", "Cats sleep.", "Cats sleep!", "Birds fly.", "Fish swim.")
    assert [propriety.admit(text) for text in said] == ["", "Cats sleep.", "", "Birds fly.", ""]


def test_an_unfinished_sentence_is_closed_only_when_it_is_the_answer() -> None:
    complete = Propriety()
    complete.admit("It is far.")
    assert complete.admit_last("Very far and the") == ""
    begun = Propriety()
    begun.admit("After a long day of walking,")
    assert begun.admit_last("a warm bath helps") == "a warm bath helps."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("It's 14:05 & 50% off.", "It's fourteen oh five and fifty percent off."),
        ("In 1999, 2005 and 2026", "In nineteen ninety-nine, two thousand and five and twenty twenty-six"),
        ("Press Ctrl+, or Ctrl+Shift+O.", "Press Control comma or Control Shift O."),
        ("See https://example.com/a-b.", "See example dot com slash a dash b."),
        ("Mail joe.b@x.org!", "Mail joe dot b at x dot org!"),
        ("$3.50 and €1,200", "three dollars fifty and one thousand two hundred euros"),
        ("-5 + 3.14", "minus five plus three point one four"),
        ("the 21st", "the twenty-first"),
        ("2-3 eggs", "two to three eggs"),
        ("20°C 😀 “ok”", "twenty degrees Celsius ok"),
        ("007", "zero zero seven"),
        ("", "."),
    ],
)
def test_signs_and_numbers_become_words(written: str, read: str) -> None:
    assert spoken_form(written) == read


def test_numbers_are_counted_in_words() -> None:
    assert [cardinal(n) for n in (0, 13, 80, 342, 1_000_001)] == [
        "zero",
        "thirteen",
        "eighty",
        "three hundred and forty-two",
        "one million and one",
    ]
    assert [ordinal(n) for n in (1, 12, 20, 33)] == ["first", "twelfth", "twentieth", "thirty-third"]


def test_a_question_wants_an_answer_and_a_story_a_listener() -> None:
    assert asks("Why is the sky blue")
    assert asks("Tell me about cats.")
    assert asks("You like it, right?")
    assert not asks("I have two children.")


class _Able:
    """A companion whose model says what the test wrote, a word at a time, and is counted."""

    def __init__(self, *answers: str) -> None:
        self.wordless = None
        self.answers = list(answers)
        self.begun: list[str] = []

    def wording(self) -> nullcontext[_Able]:
        return nullcontext(self)

    def answer(self, manner: Manner, conversation: tuple[Message, ...], begun: str, hear: object) -> None:
        del manner, conversation
        self.begun.append(begun)
        assert callable(hear)
        for word in self.answers.pop(0).split(" "):
            if not hear(word + " "):
                return


def _composed(able: _Able, said: str, *history: Message, stop_after: int = 99) -> list[str]:
    told: list[str] = []
    composer = Composer(able, Known("Amara"), lambda: NOON)  # type: ignore[arg-type] # has all that is used
    composer.compose(said, history, lambda: len(told) < stop_after, told.append)
    return told


def test_an_answer_is_told_sentence_by_sentence_with_a_caution_about_facts() -> None:
    told = _composed(_Able("It is far. Very far indeed. And cold."), "How far is the moon?")
    assert told == ["It is far.", "Very far indeed.", "Better check that, I'm only a small model."]


def test_the_caution_is_not_repeated_every_time() -> None:
    before = Message("assistant", "Yes. Better check that, I'm only a small model.")
    assert _composed(_Able("It is far."), "How far is the moon?", before) == ["It is far."]


def test_an_improper_answer_is_tried_again_and_then_given_up() -> None:
    able = _Able("I was born there.", "I was there too.")
    told = _composed(able, "How big is Rome?")
    assert able.begun == ["", "I think"]
    assert told == ["That one is too big for me. A connected Qwen3-Omni endpoint could answer it."]


def test_somebody_who_tells_something_gets_a_kind_word_and_one_question() -> None:
    told = _composed(_Able("What is he like? And how old?"), "I have a brother.")
    assert told == ["Nice to know.", "What is he like?"]


def test_an_answer_stops_between_two_sentences_when_it_is_no_longer_wanted() -> None:
    assert _composed(_Able("It is far. Very far."), "How far is the moon?", stop_after=1) == ["It is far."]


def test_what_was_thought_ahead_is_not_thought_again() -> None:
    able = _Able("It is far. Very", "far indeed.")
    composer = Composer(able, Known("Amara"), lambda: NOON)  # type: ignore[arg-type] # has all that is used
    ahead: list[str] = []
    composer.compose("How far is the moon?", (), lambda: not ahead, ahead.append)
    told: list[str] = []
    composer.compose("How far is the moon?", (), lambda: True, told.append)
    assert told[:2] == ["It is far.", "Far indeed."]
    assert able.begun == ["", "It is far. "]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(models_folder() / "smollm2")


@needs_models
def test_the_language_model_goes_on_from_where_an_answer_was_begun(model: LanguageModel) -> None:
    question = [Message("user", "What is the capital of France?")]
    words: list[str] = []
    model.answer(Manner.EXPLAIN, question, "", lambda word: words.append(word) is None)
    rest: list[str] = []
    model.answer(Manner.EXPLAIN, question, "".join(words[:3]), lambda word: rest.append(word) is None)
    assert "".join(words) == "The capital of France is Paris."
    assert "".join(words[:3] + rest) == "".join(words)


@needs_models
def test_the_language_model_stops_at_the_word_it_is_told_to(model: LanguageModel) -> None:
    words: list[str] = []

    def hear(word: str) -> bool:
        words.append(word)
        return len(words) < 3

    model.answer(Manner.EXPLAIN, [Message("user", "Tell me about Rome.")], "", hear)
    assert len(words) == 3
