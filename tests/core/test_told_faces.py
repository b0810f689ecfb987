"""What a person said about a picture is remembered with what the picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.performer.portrait.five_points import FivePoints
from core.performer.portrait.told import ToldFaces

if TYPE_CHECKING:
    from pathlib import Path

POINTS = FivePoints((10.0, 20.0), (30.0, 20.5), (20.0, 30.0), (14.0, 40.0), (26.0, 40.0))


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (8, 6, 3)).astype(np.uint8)


@pytest.mark.parametrize(("face", "points"), [(1, None), (0, None), (None, POINTS)])
def test_what_was_said_is_known_to_the_next_start(tmp_path: Path, face: int | None, points: FivePoints | None) -> None:
    ToldFaces(tmp_path / "avatars").keep(picture(1), face, points)
    again = ToldFaces(tmp_path / "avatars")
    assert again.of(picture(1)) == (face, points)
    assert again.of(picture(2)) == (None, None)


def test_the_last_word_counts(tmp_path: Path) -> None:
    told = ToldFaces(tmp_path)
    told.keep(picture(1), 1, None)
    told.keep(picture(1), 0, None)
    assert told.of(picture(1)) == (0, None)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"face": "two"}', '{"points": [[1, 2]]}'])
def test_a_damaged_file_says_nothing(tmp_path: Path, text: str) -> None:
    told = ToldFaces(tmp_path)
    told.keep(picture(1), 1, None)
    next(tmp_path.glob("*.json")).write_text(text)
    assert told.of(picture(1)) == (None, None)


def test_a_folder_that_cannot_be_made_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = ToldFaces(tmp_path / "file" / "avatars")
    told.keep(picture(1), 1, None)
    assert told.of(picture(1)) == (None, None)
