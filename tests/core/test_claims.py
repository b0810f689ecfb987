"""What somebody means who speaks into a reply: by its sound, and by its first words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import LiveTalkError
from core.listening.claims import SURE, Leaning, claims_surely, claims_the_floor, is_sign_so_far, summary, was_sign
from core.listening.finished import Words
from core.settings import assets_folder
from tests.core.damage import DAMAGES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIGN, CLAIM, NEITHER = 3.0, -3.0, -0.2
NO_WORDS = Words("", 0.0, 0.0)


@pytest.mark.parametrize("text", ["No, no, no", "Stop.", "Wait, I", "Can you say", "Tell me", "Hold on", "  what?"])
def test_people_interrupt_with_these(text: str) -> None:
    assert claims_the_floor(Words(text, 0.6, 0.0), None)


@pytest.mark.parametrize("text", ["Yeah.", "Okay.", "Right, no", "Mm-hm.", "Oh,", "Nowhere", "", "..."])
def test_and_not_with_these(text: str) -> None:
    assert not claims_the_floor(Words(text, 0.9, 0.0), None)


def test_half_a_word_is_no_claim() -> None:
    assert not claims_the_floor(Words("No.", SURE - 0.01, 0.0), None)


def test_the_sound_is_a_claim_before_there_are_words() -> None:
    assert claims_the_floor(NO_WORDS, CLAIM)
    assert not claims_the_floor(NO_WORDS, NEITHER)


def test_what_sounds_like_stop_beyond_doubt_need_not_be_asked_twice() -> None:
    assert claims_surely(-5.0)
    assert not claims_surely(CLAIM)
    assert not claims_surely(None)


def test_half_of_okay_that_is_heard_as_no_is_no_claim_where_it_sounds_like_okay() -> None:
    no = Words("No.", 0.9, 0.9)
    assert claims_the_floor(no, NEITHER)
    assert not claims_the_floor(no, SIGN)


def test_a_sign_of_listening_is_known_by_its_sound_and_without_it_by_its_words() -> None:
    assert is_sign_so_far(NO_WORDS, SIGN) is True
    assert is_sign_so_far(Words("Yeah", 0.9, 0.0), CLAIM) is False
    assert is_sign_so_far(Words("Yeah", 0.9, 0.0), None) is True
    assert is_sign_so_far(Words("Yeah", 0.3, 0.0), None) is False


def test_what_may_be_a_sign_is_neither_spared_nor_stopped_for() -> None:
    assert is_sign_so_far(Words("You", 0.9, 0.0), 0.5) is None
    assert is_sign_so_far(Words("You", 0.9, 0.0), NEITHER) is False


def test_a_word_that_is_over_was_meant_unless_it_sounded_like_yeah() -> None:
    assert was_sign(Words("Stop.", 0.9, 0.9), CLAIM) is False
    assert was_sign(Words("Yes.", 0.9, 0.9), NEITHER) is True
    assert was_sign(Words("Chair.", 0.9, 0.9), SIGN) is True
    assert was_sign(Words("Chair.", 0.3, 0.9), NEITHER) is None
    assert was_sign(NO_WORDS, None) is None


def test_the_summary_is_of_the_voice_alone_and_of_both_its_halves() -> None:
    states = np.zeros((40, 288), np.float32)
    states[20:30], states[30:] = 1.0, 3.0
    seen = summary(states, 0.48, 0.48)
    assert seen.shape == (865,)
    assert np.allclose(seen[:288], 2)
    assert np.allclose(seen[288:576], 1)
    assert np.allclose(seen[576:864], 3)
    assert seen[864] == pytest.approx(0.96)


def test_the_shortest_sound_has_a_summary_too() -> None:
    assert np.all(np.isfinite(summary(np.ones((4, 288), np.float32), 0.4, 0.0)))


def test_what_is_saved_leans_the_same_way(tmp_path: Path) -> None:
    leaning = Leaning.read(assets_folder() / "models" / "intrusion")
    leaning.save(tmp_path / "leaning.npz")
    states = np.random.default_rng(0).normal(size=(30, 288)).astype(np.float32)
    assert Leaning.read(tmp_path)(states, 0.4, 0.3) == pytest.approx(leaning(states, 0.4, 0.3), abs=1e-3)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_told(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    whole = (assets_folder() / "models" / "intrusion" / "leaning.npz").read_bytes()
    (tmp_path / "leaning.npz").write_bytes(damage(whole))
    with pytest.raises(LiveTalkError, match="missing or damaged"):
        Leaning.read(tmp_path)
