"""Words with which people take the floor, beside those with which they only listen."""

from __future__ import annotations

import pytest

from core.listening.claims import SURE, claims_the_floor
from core.listening.finished import Words


@pytest.mark.parametrize("text", ["No, no, no", "Stop.", "Wait, I", "Can you say", "Tell me", "Hold on", "  what?"])
def test_people_interrupt_with_these(text: str) -> None:
    assert claims_the_floor(Words(text, 0.6, 0.0))


@pytest.mark.parametrize("text", ["Yeah.", "Okay.", "Right, no", "Mm-hm.", "Oh,", "Nowhere", "", "..."])
def test_and_not_with_these(text: str) -> None:
    assert not claims_the_floor(Words(text, 0.9, 0.0))


def test_half_a_word_is_no_claim() -> None:
    assert not claims_the_floor(Words("No.", SURE - 0.01, 0.0))
