"""A real window, a real sound server, and the product's own Program between them."""

from __future__ import annotations

import argparse
import dataclasses
import os
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QTimer
from PySide6.QtWidgets import QApplication

import app.main
import core.parts
from app.bridge import bridge
from app.main import Program
from app.theme import Theme
from core.events import AvatarChanged
from core.settings import Settings, changed, save, settings_path
from tests.e2e.case import Case
from tests.fakes import Events, PaintingPerformer, ScriptedDialogue
from tests.soundserver import RATE, sound_server, sound_server_available

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from core.media import Samples
    from tests.soundserver import SoundServer


@pytest.fixture(scope="module")
def server() -> Iterator[SoundServer]:
    if not sound_server_available():
        pytest.skip("pulseaudio is not installed: make test-packages")
    with sound_server() as server:
        yield server


class TimedRecording:
    """The loudspeaker's monitor, each sample with the moment it sounded (`time.perf_counter`)."""

    def __init__(self, source: str = "lt_spk.monitor") -> None:
        import subprocess

        words = f"pacat --record -d {source} --latency-msec=10 --raw --rate={RATE} --channels=1 --format=s16le"
        self._process = subprocess.Popen(words.split(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._pieces: list[bytes] = []
        self._arrivals: list[tuple[float, int]] = []
        self._reader = threading.Thread(target=self._read, name="timed recording")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        total = 0
        while piece := os.read(self._process.stdout.fileno(), 1 << 13):
            total += len(piece) // 2
            self._pieces.append(piece)
            self._arrivals.append((time.perf_counter(), total))

    def stop(self) -> tuple[Samples, float]:
        """Samples, and the moment of the first one: that of the piece which waited least."""
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()
        data = b"".join(self._pieces)
        samples = np.frombuffer(data[: len(data) // 2 * 2], np.int16).astype(np.float32) / 32768
        return samples, min(at - total / RATE for at, total in self._arrivals)


class ScreenWatch:
    """The brightness of the middle of the picture on the screen, as often as the event loop allows."""

    def __init__(self, window: Program) -> None:
        self._view = window.window.stage.view
        self.seen: list[tuple[float, int]] = []
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        middle = self._view.mapToGlobal(QPoint(self._view.width() // 2, self._view.height() // 3))
        grabbed = QApplication.primaryScreen().grabWindow(0, middle.x(), middle.y(), 2, 2).toImage()
        self.seen.append((time.perf_counter(), grabbed.pixelColor(0, 0).green()))

    def stop(self) -> tuple[np.ndarray, np.ndarray]:
        self._timer.stop()
        return np.array([at for at, _ in self.seen]), np.array([value for _, value in self.seen])


class Running:
    """The program with its window open. `dialogue` is the scripted one that answers, or that stands for the built-in
    companion beside the product's own."""

    def __init__(self, program: Program, events: Events, dialogue: ScriptedDialogue, qtbot: object) -> None:
        self.program = program
        self.window = program.window
        self.events = events
        self.dialogue = dialogue
        self._qtbot = qtbot

    @property
    def engine(self) -> object:
        return self.window.engine

    def until(self, holds: Callable[[], bool], limit_s: float = 30.0) -> None:
        self._qtbot.waitUntil(holds, timeout=int(limit_s * 1000))

    def until_event(self, kind: type, fits: Callable[[object], bool] = lambda _: True, limit_s: float = 30.0) -> object:
        def found() -> list[object]:
            return [event for event in self.events.of(kind) if fits(event)]

        try:
            self.until(lambda: bool(found()), limit_s)
        except Exception as error:
            raise AssertionError(f"no {kind.__name__}; seen: {self.events.seen}") from error
        return found()[0]

    def spend(self, seconds: float) -> None:
        """Let the window live for `seconds`."""
        self._qtbot.wait(int(seconds * 1000))


@pytest.fixture
def dialogue() -> ScriptedDialogue | None:
    """Who answers; None is whoever the product would take."""
    return ScriptedDialogue()


@pytest.fixture
def chosen() -> Settings:
    """What the person chose before the program starts."""
    return changed(Settings(), "window", greeted=True, offer_dismissed=True)


@pytest.fixture
def performer() -> Callable[[], object]:
    """What paints the picture; a module may ask for the real one."""
    return lambda: PaintingPerformer(512)


@pytest.fixture
def running(
    qtbot: object,
    server: SoundServer,
    dialogue: ScriptedDialogue | None,
    performer: Callable[[], object] | None,
    chosen: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Running]:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(chosen, settings_path())
    events, here = Events(), ScriptedDialogue()
    product_parts = core.parts.product_parts

    def parts(*args: object) -> object:
        replaced = dict[str, object](built_in=lambda *_: dialogue or here, introduce=lambda *_: None)
        if dialogue is not None:
            replaced["dialogue"] = lambda *_: dialogue
        if performer is not None:
            replaced["performer"] = lambda _: performer()
        return dataclasses.replace(product_parts(*args), **replaced)

    monkeypatch.setattr(core.parts, "product_parts", parts)

    def noting_bridge(receive: Callable[[object], None], parent: object) -> Callable[[object], None]:
        cross = bridge(receive, parent)

        def emit(event: object) -> None:
            events(event)
            cross(event)

        return emit

    monkeypatch.setattr(app.main, "bridge", noting_bridge)
    application = QApplication.instance()
    options = argparse.Namespace(avatar=None, endpoint=None, model=None, performer=None, record=None)
    quits: list[bool] = []
    monkeypatch.setattr(type(application), "quit", lambda *_: quits.append(True))
    program = Program(application, Theme(application), options, "")
    program.begin()
    program.window.resize(1280, 800)
    qtbot.waitUntil(lambda: program.window.engine is not None, timeout=30_000)
    program.window.activateWindow()
    running = Running(program, events, dialogue or here, qtbot)
    yield running
    program.window.close()
    qtbot.waitUntil(lambda: bool(quits), timeout=30_000)
    program.finish()
    program.deleteLater()


@pytest.fixture
def case(running: Running) -> Case:
    """The program with a living picture."""
    running.until_event(AvatarChanged)
    return Case(running)
