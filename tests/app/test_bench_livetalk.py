"""`livetalk bench --performer livetalk`: every figure, in a table and as a document, without weights."""

from __future__ import annotations

import json

import pytest

from app.cli import main
from core.performer.livetalk import work
from core.performer.livetalk.spec import FAST, LIVETALK_1_3B, LOW, QUALITY, TINY


def test_a_small_random_model_is_measured_stage_by_stage(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--performer", "livetalk", "--weights", "random", "--size", "tiny", "--blocks", "1"]
    assert main([*command, "--preset", "low", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (measured,) = json.loads(lines[-1])["livetalk"]
    assert measured["name"] == LOW.name
    stages = ("hear_ms", "step_ms", "clean_pass_ms", "draw_latent_ms", "first_frame_cold_ms", "first_frame_warm_ms")
    assert all(measured[stage] > 0 for stage in stages)
    assert measured["steps_ms"] == pytest.approx(4 * measured["step_ms"])
    assert measured["fps"] == pytest.approx(12 / measured["block_ms"] * 1000)
    flops = measured["block_tflop"] + measured["draw_tflop"]
    assert measured["tflops"] == pytest.approx(flops / measured["block_ms"] * 1000)
    table = "\n".join(lines)
    for words in (
        "audio",
        "each step",
        "clean pass",
        "decode",
        "copy",
        "first frame, cold",
        "share of the matrix peak",
    ):
        assert words in table


def test_a_preset_that_there_is_not_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--performer", "livetalk", "--weights", "random", "--size", "tiny"]
    assert main([*command, "--preset", "lightning"]) == 1
    assert "quality, fast, fastest, low" in capsys.readouterr().err


def test_the_work_of_the_released_model_is_what_its_layers_multiply() -> None:
    linears, attention, text = 7.68e12, 8.70e12, 0.29e12
    assert work.of_pass(LIVETALK_1_3B, 5) == pytest.approx(linears + attention + text, rel=2e-3)
    assert work.of_pass(LIVETALK_1_3B, 1) == pytest.approx(9.7e12, rel=5e-3)
    assert work.of_block(LIVETALK_1_3B, 5) == pytest.approx(83.4e12, rel=2e-3)


def test_drawing_is_counted_convolution_by_convolution() -> None:
    drawn = work.of_drawing(LIVETALK_1_3B, QUALITY, 3)
    largest = 12 * 6 * 2 * 27 * (512**2 * 96**2 + 256**2 * 192**2)
    """The residual blocks of the two last stages: six convolutions each, over every one of twelve frames."""
    assert largest < drawn < 1.5 * largest
    assert work.of_drawing(LIVETALK_1_3B, FAST, 3) < 0.06 * drawn
    assert work.of_drawing(TINY, QUALITY, 3) == 3 * work.of_drawing(TINY, QUALITY, 1)
