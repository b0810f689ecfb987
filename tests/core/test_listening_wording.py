"""Wording: which English words could be all that somebody wanted to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import LiveTalkError, Problem
from core.listening.finished import Finished
from core.listening.wording import UNKNOWN, Wording, phrase_key, read_phrase, read_words
from core.settings import assets_folder
from tests.core.damage import DAMAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER = assets_folder() / "models" / "turns"


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording.read(FOLDER / "wording.npz")


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("What time does the museum open tomorrow?", "What time does the museum"),
        ("Could you help me write a letter to my landlord?", "Could you help me write a letter to my"),
        ("I would like a table for four people.", "I would like a table for, um,"),
        ("Can I have a large coffee?", "Can I have a large coffee with"),
        ("Thank you. What is the capital of France?", "Thank you. What is the"),
    ],
)
def test_a_sentence_is_likelier_to_be_all_than_its_beginning(wording: Wording, whole: str, part: str) -> None:
    assert wording(part) < 0.4 < wording(whole)


def test_marks_capitals_and_numbers_say_nothing(wording: Wording) -> None:
    assert wording("We have met in 1998.") == wording("we have met in 2003")
    assert read_words("Don\u2019t, I'm 24!") == ["don't", "i'm", "#"]


def test_no_words_are_no_turn(wording: Wording) -> None:
    assert wording("...") == 0.0


def test_the_network_is_pytorchs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from core.evaluation.wording import Network, save

    torch.manual_seed(3)
    network = Network(3).eval()
    save(network, ["can", "you", "help"], np.zeros(3), {}, tmp_path / "wording.npz")
    said = [UNKNOWN + 2, UNKNOWN + 1, UNKNOWN, UNKNOWN + 3]
    expected = torch.sigmoid(network(torch.tensor([said])))[0, -1].item()
    assert Wording.read(tmp_path / "wording.npz")("You can, um, help") == pytest.approx(expected, abs=2e-3)


def test_short_sentences_are_no_less_complete_than_long_ones(wording: Wording) -> None:
    pytest.importorskip("torch")
    from core.evaluation.wording import usual

    prior = usual([["stop"], ["go", "on"], ["we", "go", "on"], ["we", "go", "on", "and", "on"]])
    assert prior[:2] == pytest.approx(np.log([1 / (1 + 1 / 2 + 1 / 4), 1.0]))
    for whole, part in (("Stop.", "What"), ("Thank you.", "Can you"), ("What time is it?", "What time does the")):
        assert wording(part) < 0.3 < wording(whole)


@pytest.mark.parametrize(
    "said",
    ["What time is it?", "Who are you?", "How are you?", "Where am I?", "What does that mean?", "Tell me a joke."],
)
def test_what_everybody_says_is_complete_although_longer_sentences_begin_so(wording: Wording, said: str) -> None:
    for text in (said, f"Okay, {said}", f"Thank you. {said}"):
        assert wording(text) > 0.4
        assert wording(text.replace("?", "").rsplit(" ", 1)[0]) < 0.4


def test_phrases_are_sentences_that_end_oftener_than_they_go_on() -> None:
    pytest.importorskip("torch")
    from core.evaluation.wording import phrases

    said = ["stop", "go on", "go on", "go on please", "who are", *["who are they"] * 6, "um"]
    odds = phrases([text.split() for text in said])
    assert odds.keys() == {phrase_key(text.split()) for text in ("stop", "go on", "go on please", "who are they")}
    assert odds[phrase_key(["go", "on"])] == pytest.approx(np.log((2 + 0.3) / (1 / 2 + 0.3)))


def test_a_phrase_is_the_last_sentence_without_what_leads_to_it() -> None:
    assert read_phrase("That is nice. Well, uh, who are you?") == ["who", "are", "you"]
    assert read_phrase("Okay.") == ["okay"]
    assert read_phrase("...") == []


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_missing_or_damaged_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "wording.npz").write_bytes(damage((FOLDER / "wording.npz").read_bytes()))
    for path in (tmp_path / "wording.npz", tmp_path / "none.npz"):
        with pytest.raises(LiveTalkError, match="complete") as caught:
            Wording.read(path)
        assert caught.value.problem is Problem.MODEL_DAMAGED
    (tmp_path / "wording.npz").write_bytes((FOLDER / "wording.npz").read_bytes())
    (tmp_path / "weights.toml").write_text("[finished]\nbias = 1.0\n")
    with pytest.raises(LiveTalkError, match="numbers that weigh"):
        Finished.read(tmp_path)
