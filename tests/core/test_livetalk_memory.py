"""The memory that LiveTalk needs is counted, and every preset keeps within what it promises."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch

from core.performer.device import CpuDevice
from core.performer.livetalk.memory import Item, count, held, peak, total
from core.performer.livetalk.model import random_model
from core.performer.livetalk.pipeline import Pipeline
from core.performer.livetalk.spec import LIVETALK_1_3B, LOW, PRESETS, QUALITY, Preset
from tests.livetalk_weights import MINI

MB = 1e6


@cache
def released(preset: Preset) -> list[Item]:
    return count(LIVETALK_1_3B, preset)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_keeps_within_the_memory_that_it_asks_for_and_asks_for_no_more_than_it_needs(preset: Preset) -> None:
    needed = total(released(preset)) / MB
    assert 0.9 * preset.memory_mb < needed <= preset.memory_mb


def test_the_best_preset_needs_less_than_11_gb_and_the_least_less_than_6() -> None:
    assert total(released(QUALITY)) < 11e9
    assert total(released(LOW)) < 6e9


def test_the_weights_are_those_of_the_published_file_in_half_precision() -> None:
    items = {item.name: item.size for item in released(QUALITY)}
    assert items["transformer, weights"] == 2 * 1_421_187_232
    assert items["decoder, what it remembers"] == 2 * 619_839_488


@pytest.mark.parametrize("preset", [QUALITY, LOW], ids=lambda preset: preset.name)
def test_what_is_counted_is_what_a_pipeline_holds(preset: Preset) -> None:
    counted = {item.name: item.size for item in count(MINI, preset, torch.float32)}
    pipeline = Pipeline(random_model(MINI, preset, CpuDevice()), CpuDevice())
    model = pipeline.model
    assert counted["transformer, weights"] == held(model.transformer)
    assert counted["hearing, weights"] == held(model.hearing)
    assert counted["prompts"] == held(dict(model.prompts))
    assert counted["picture encoder, weights"] == held(model.vae.encoder) + held(model.vae.conv1)
    kept = ("past", "text", "steps", "remembers")
    running = sum(size for name, size in counted.items() if any(word in name for word in kept))
    small = held(pipeline) - held(model) - running
    assert 0 <= small < 40_000, "the reference, positions and the like"


def test_the_table_in_the_documentation_is_the_count() -> None:
    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text("utf-8")
    rows = {cells[0]: cells[1:] for line in text.splitlines() if len(cells := _cells(line)) == 1 + len(PRESETS)}
    for column, preset in enumerate(PRESETS):
        items = released(preset)
        told = {item.name: item.size for item in items} | {"in all": total(items)}
        for name, size in told.items():
            assert float(rows[name][column]) == pytest.approx(size / MB, abs=1 + 0.02 * size / MB), name


def _cells(line: str) -> list[str]:
    return [cell.strip(" *") for cell in line.split("|")[1:-1]]


def test_the_peak_of_a_call_is_what_is_alive_at_one_time() -> None:
    def call() -> None:
        one = torch.empty(1000, dtype=torch.uint8, device="meta")
        two = one + one
        del one
        three = two + two
        three.add_(two)

    assert peak(call) == 2000


def test_what_tensors_share_is_held_once() -> None:
    whole = torch.zeros(100)
    assert held([whole, whole[:10], {"again": (whole.view(10, 10),)}]) == 400
