"""What the bench measures inside the window's process."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from app.commands import bench_window, window_probe
from app.commands.terminal import Terminal
from core.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot

_BRIEFLY = """
import json, sys
from app.commands import window_probe
window_probe.SETTLE_S, window_probe.IDLE_S, window_probe.REPAINT_S = 0.1, 0.5, 1.0
print(json.dumps(window_probe.measure_window(sys.argv[-1])))
"""


def test_the_time_the_window_was_blocked_is_seen(qtbot: QtBot, qapp: QApplication) -> None:
    gaps = window_probe.Gaps(qapp)
    gaps.begin()
    qtbot.wait(30)
    until = window_probe.time.perf_counter() + 0.2
    while window_probe.time.perf_counter() < until:
        pass
    qtbot.wait(30)
    assert 150 < gaps.end() < 2000


@pytest.mark.window
def test_the_real_window_is_measured_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_window, "VIEWS", ("raster",))
    monkeypatch.setattr(bench_window, "command", lambda view, minutes=0: [sys.executable, "-c", _BRIEFLY, view])
    with (tmp_path / "said").open("w") as said:
        measured = bench_window.measure_window(Settings(), tmp_path, Terminal(said, said))
    figures = measured["raster"]
    assert isinstance(figures, dict), json.dumps(measured)
    assert 0 < figures["living_picture_after_s"] < 120
    assert figures["idle_percent_of_a_core"] > 0
    assert figures["shown"] > 5
    assert figures["rss_mb"] > 100
