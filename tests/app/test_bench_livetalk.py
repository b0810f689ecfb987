"""`livetalk bench --performer livetalk`: every figure, in a table and as a document, without weights."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from app.cli import main, parser
from app.commands import bench_livetalk, bench_livetalk_part
from app.commands.bench_livetalk import LEAST_S, Report, ask, measure_all
from app.commands.livetalk_figures import aims, table_of
from app.commands.livetalk_ways import MACHINE, chosen_ways, every_way
from app.commands.terminal import Terminal
from core.performer.device import CpuDevice
from core.performer.livetalk import work
from core.performer.livetalk.reached import reached
from core.performer.livetalk.spec import FAST, LIVETALK_1_3B, LOW, PRESETS, QUALITY, TINY

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

COMMAND = ["bench", "--performer", "livetalk", "--weights", "random", "--size", "tiny", "--blocks", "1"]
FIGURES = {"fps": 60.0, "first_frame_warm_ms": 140.0, "first_frame_cold_ms": 300.0, "memory_mb": 10_000.0}


def options(tmp_path: Path, *more: str) -> argparse.Namespace:
    return parser().parse_args([*COMMAND, "--out", str(tmp_path / "figures.json"), *more])


def figures(name: str, **other: object) -> dict[str, Any]:
    return {"name": name, **FIGURES, "host_waits": "none", "share_of_peak": 0.5, **other}


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts as they are, without the seconds that a process of their own takes to begin."""

    def ask(command: list[str], _: float) -> dict[str, Any]:
        said = parser().parse_args(command[command.index("bench") :])
        return bench_livetalk_part.machine(said) if said.part == MACHINE else bench_livetalk_part.way(said)

    monkeypatch.setattr(bench_livetalk, "ask", ask)


@pytest.mark.usefixtures("in_this_process")
def test_a_small_random_model_is_measured_stage_by_stage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    assert main([*COMMAND, "--preset", "low", "--json", "--out", str(kept)]) == 0
    lines = capsys.readouterr().out.splitlines()
    document = json.loads(lines[-1])
    (measured,) = document["livetalk"]
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
        "host waits for the device",
        "share of the matrix peak",
    ):
        assert words in table
    assert json.loads(kept.read_text("utf-8")) == document, "the file has all that was printed"
    assert document["finished"]
    assert document["machine"]["numbers"].startswith("float32")


def test_a_preset_that_there_is_not_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--preset", "lightning"]) == 1
    assert "quality; fast; fastest; low; quality, compiled" in capsys.readouterr().err


def test_one_command_measures_all_that_was_aimed_at(tmp_path: Path) -> None:
    ways = {way.name: way for way in chosen_ways(options(tmp_path))}
    assert list(ways)[:4] == [preset.name for preset in PRESETS], "the presets come first"
    assert {way.compiled for way in ways.values()} == {way.captured for way in ways.values()} == {True, False}
    assert ways["fastest"].preset.attention == "half"
    assert ways["fastest, attention in 8 bits"].preset.attention == "fp8"
    assert ways["quality, released positions"].spec.positions == "stream"
    assert all(way.spec.name == LIVETALK_1_3B.name for way in every_way("1.3b"))


# -- parts that fail


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Puts programs in the place of parts."""

    def put(programs: dict[str, str]) -> None:
        monkeypatch.setattr(bench_livetalk, "command", lambda part, _: [sys.executable, "-c", programs[part]])

    return put


def answering(answer: dict[str, Any]) -> str:
    return f"print('a library speaks'); print({json.dumps(answer)!r})"


def quiet() -> Terminal:
    return Terminal(io.StringIO(), io.StringIO())


def test_a_part_that_fails_is_named_and_the_others_are_measured(
    tmp_path: Path, program: Callable[[dict[str, str]], None]
) -> None:
    told = options(tmp_path, "--preset", "quality", "--preset", "fast", "--preset", "low")
    program(
        {
            MACHINE: answering({"machine": {"device": "one"}, "reached": {"a product": 790.0}}),
            "quality": "import os, sys; print('illegal memory access', file=sys.stderr, flush=True); os.abort()",
            "fast": answering({"failed": "OutOfMemoryError: no room", "said": "long words"}),
            "low": answering({"measured": figures("low")}),
        }
    )
    report = Report(told.out, "random", "tiny")
    measure_all(report, chosen_ways(told), told, quiet())
    assert [way["name"] for way in report.measured] == ["low"]
    assert report.failed == {"quality": "illegal memory access", "fast": "OutOfMemoryError: no room"}
    assert report.said["fast"] == "long words"
    assert json.loads(told.out.read_text("utf-8")) == report.document()


def test_what_is_known_is_on_the_disk_when_the_next_part_begins(
    tmp_path: Path, program: Callable[[dict[str, str]], None]
) -> None:
    told = options(tmp_path, "--preset", "low")
    look = f"import json; print(json.dumps({{'failed': open({str(told.out)!r}).read()}}))"
    program({MACHINE: answering({"machine": {"device": "one"}, "reached": {}}), "low": look})
    report = Report(told.out, "random", "tiny")
    measure_all(report, chosen_ways(told), told, quiet())
    before = json.loads(report.failed["low"])
    assert before["machine"] == {"device": "one"}
    assert not before["finished"]


def test_a_part_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    answer = ask(bench_livetalk.command(MACHINE, options(tmp_path)), 100)
    assert answer["machine"]["numbers"].startswith("float32")
    assert answer["reached"]["one large matrix product"] > 0


def test_a_part_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    child = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import threading; threading.Event().wait()'])"
    )
    assert ask([sys.executable, "-c", child], 0.5)["failed"] == "it took longer than 0 s"


def test_without_time_nothing_is_begun(tmp_path: Path, program: Callable[[dict[str, str]], None]) -> None:
    told = options(tmp_path, "--preset", "low", "--budget", str(0.9 * LEAST_S / 60))
    program({})
    report = Report(told.out, "random", "tiny")
    measure_all(report, chosen_ways(told), told, quiet())
    assert report.failed == dict.fromkeys((MACHINE, "low"), "there was no time left")
    assert report.finished


def test_a_kernel_that_is_not_installed_costs_no_time(
    tmp_path: Path, program: Callable[[dict[str, str]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_livetalk, "eight_bit_kernel_is_here", lambda: False)
    told = options(tmp_path, "--preset", "fastest, attention in 8 bits")
    program({MACHINE: answering({"machine": {}, "reached": {}})})
    report = Report(told.out, "random", "tiny")
    measure_all(report, chosen_ways(told), told, quiet())
    assert report.failed == {"fastest, attention in 8 bits": "sageattention is not installed"}


def test_a_folder_without_weights_is_a_part_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["bench", "--performer", "livetalk", "--weights", str(tmp_path), "--part", "quality"]
    assert main(asked) == 0
    assert "Files of LiveTalk 1.3B are missing" in json.loads(capsys.readouterr().out.splitlines()[-1])["failed"]


# -- what figures mean


def test_aims_are_reached_by_the_best_of_their_ways_and_missed_when_nothing_was_measured() -> None:
    measured = [
        figures("quality", fps=50.0),
        figures("quality, compiled", fps=56.0),
        figures("fast", fps=74.0, first_frame_warm_ms=160.0),
        figures("low", memory_mb=6100.0, host_waits="called a synchronizing CUDA operation"),
    ]
    found = {aim["aim"]: (aim["found"], aim["reached"]) for aim in aims(measured)}
    assert found["quality, 55 frames a second"] == ("56.0", True)
    assert found["fast, 75 frames a second"] == ("74.0", False)
    assert found["fastest, 80 frames a second"] == ("not measured", False)
    assert found["first frame, warm, at most 150 ms"] == ("140", True)
    assert found["memory of quality at most 11000 MB"] == ("10000", True)
    assert found["memory of low at most 6000 MB"] == ("6100", False)
    assert found["no wait for the device"] == ("low: called a synchronizing CUDA operation", False)


def test_a_table_of_many_ways_keeps_within_a_terminal() -> None:
    lines = table_of([figures(f"way {number}") for number in range(9)])
    assert max(map(len, lines)) < 140
    assert sum("frames a second" in line for line in lines) == 3


def test_products_that_a_device_cannot_make_are_told_in_words() -> None:
    ticks = iter(range(1000))
    found = reached(TINY, CpuDevice(), lambda: float(next(ticks)))
    tokens, keys = 3 * TINY.tokens_per_frame, 5 * 3 * TINY.tokens_per_frame
    sizes = TINY.transformer
    assert found["the feed-forward's linear layer"] == pytest.approx(20e-12 * tokens * sizes.dim * sizes.ffn_dim)
    assert found["attention to a full window, as chosen"] == pytest.approx(40e-12 * tokens * keys * sizes.dim)
    assert isinstance(found["attention, cuDNN's"], str), "a processor has no such kernel"


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
