"""The tables of the recipe say what was measured, and a row lasts."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.evaluation import recipe_table
from core.evaluation.acting import Actor
from core.evaluation.lengths import Spread, measure
from core.evaluation.lengths import table as table_of_lengths
from core.evaluation.people import People
from core.evaluation.recipe_table import ARMS, Row, table
from core.performer.portrait.shown import Gains

if TYPE_CHECKING:
    from core.evaluation.acting import Acted

WEIGHTS = Path(__file__).parents[2] / "assets" / "models" / "portrait"
PEOPLE = Path(__file__).parents[3] / "shared" / "data" / "motion"


def row(arm: str, seed: int, value: float) -> Row:
    return Row(arm, seed, value, value, value, value, value, value, value)


def test_each_arm_has_one_more_part_of_the_recipe_than_the_one_before() -> None:
    parts = [(not arm.curated, -arm.start_steps, -arm.rates, -arm.guidance) for arm in ARMS]
    for before, after in itertools.pairwise(parts):
        assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
        assert after < before


def test_a_line_has_mean_and_spread_over_the_seeds() -> None:
    lines = table([row("a", 1, 0.2), row("a", 2, 0.4), row("b", 1, 1.0)]).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| a | 0.300 ± 0.100 |")
    assert lines[3].startswith("| b | 1.000 ± 0.000 |")


def test_a_row_that_was_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "row.json").write_text(json.dumps(vars(row("a", 1, 0.5))))
    monkeypatch.setattr(recipe_table, "measure", None)
    assert recipe_table._kept(tmp_path / "row.json", "a", 1, tmp_path, tmp_path) == row("a", 1, 0.5)


def test_lengths_are_told_with_their_mean() -> None:
    lines = table_of_lengths({"w": [Spread(10.0, 12, (0.6, 0.9, 0.9), 0.25)]}).splitlines()
    assert lines[-1] == "| w | 10 s | 12 | 0.60 | 0.90 | 0.90 | 0.80 | 0.25° |"


def test_the_spread_is_that_of_the_student_and_not_of_the_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    if not PEOPLE.is_dir():
        pytest.skip("no measured people beside this working copy")
    people, actor = People.load(PEOPLE), Actor(WEIGHTS)
    seen: list[Gains] = []
    perform = recipe_table.roll_out.perform

    def noted(actor: Actor, *given: object) -> Acted:
        seen.append(actor.spec.gains)
        return perform(actor, *given)  # pyright: ignore[reportArgumentType] - passed on as they come

    monkeypatch.setattr("core.evaluation.roll_out.perform", noted)
    spread = measure(actor, people, 20.0, 1)
    assert seen == [Gains()]
    assert all(0.1 < ratio < 3 for ratio in spread.ratios)
