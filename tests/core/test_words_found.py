"""Where words end in a recording: found by alignment, so that measured pauses tear none."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.turn_material import places, spoken_by_flite
from core.media import CAPTURE_RATE

TEXT = "My sister is getting married in June."


def test_the_borders_between_words_are_found_to_some_hundredths_of_a_second() -> None:
    pytest.importorskip("pocketsphinx")
    from core.evaluation.words import WordFinder

    sound = spoken_by_flite(TEXT, "rms")
    borders = WordFinder().borders(sound, TEXT)
    assert len(borders) == len(TEXT.split()) - 1
    married = spoken_by_flite("My sister is getting", "rms")
    assert abs(borders[3] - len(married)) < 0.25 * CAPTURE_RATE


def test_words_that_no_dictionary_has_are_found_by_ear() -> None:
    pytest.importorskip("pocketsphinx")
    from core.evaluation.words import WordFinder

    sound = spoken_by_flite(TEXT, "rms")
    assert len(WordFinder().borders(sound, TEXT.replace("married", "xqvkty"))) >= 4


def test_a_turn_is_torn_between_words_where_the_voice_is_softest() -> None:
    sound = np.full(4 * CAPTURE_RATE, 0.3, np.float32)
    soft = int(2.02 * CAPTURE_RATE)
    sound[soft - 160 : soft + 160] = 0.01
    borders = [int(seconds * CAPTURE_RATE) for seconds in (0.3, 1.0, 2.0, 3.0, 3.8)]
    (first,) = places(sound, borders, most=1)
    assert abs(first - soft) < 0.02 * CAPTURE_RATE
    assert len(places(sound, borders)) == 2
    assert places(sound, borders[:1]) == ()
