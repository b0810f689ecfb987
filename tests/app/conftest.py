"""A window with a scripted engine, and the theme it is drawn in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.main_window import MainWindow
from app.raster_view import RasterView
from app.reporter import Reporter
from app.theme import Theme
from app.window_state import WindowState
from core.events import Status, StatusChanged
from core.settings import Settings, changed
from tests.app.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot

    from app.video_view import VideoView
    from core.media import Pixels

NOON = datetime(2026, 11, 21, 12, 0)


def pattern(seed: int = 0, side: int = 512) -> Pixels:
    """A picture in which every pixel differs."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def theme(qapp: QApplication) -> Theme:
    return Theme(qapp, "dark", contrast=False, scale=1.0)


class Scene:
    """A shown window of 1280 x 800 in which nothing moves by itself, its engine, and the reporter that feeds it."""

    def __init__(self, folder: Path, settings: Settings | None = None, view: VideoView | None = None) -> None:
        still = settings or changed(Settings(), "window", reduce_motion=True, greeted=True)
        self.state = WindowState(folder)
        self.window = MainWindow(still, self.state, view or RasterView())
        self.stage = self.window.stage
        self.engine = FakeEngine(pattern())
        self.reporter = Reporter(self.window, lambda: NOON)
        self.window.attach(self.engine)
        self.window.settings_changed.connect(self.engine.apply)
        self.window.resize(1280, 800)
        self.window.show()
        self.window.activateWindow()
        self.status(Status.READY)

    def status(self, status: Status, detail: str = "") -> None:
        self.reporter.receive(StatusChanged(status, detail))

    @property
    def asked(self) -> list[str]:
        """The names of what was asked of the engine."""
        return [name for name, _ in self.engine.asked]


@pytest.fixture
def scene(qtbot: QtBot, theme: Theme, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    qtbot.addWidget(made.window)
    with qtbot.waitExposed(made.window):
        made.window.show()
    yield made
    made.window.attach(None)
    made.window.close()
