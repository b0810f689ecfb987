"""The real window, measured from inside, in a process of its own: how soon it lives, what it costs, how it keeps up."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from app.gl_view import GlView, opengl_renderer
from app.main import main
from app.main_window import MainWindow
from app.raster_view import RasterView
from core.audio.portaudio import list_devices

if TYPE_CHECKING:
    from app.engine import Statistics

START_LIMIT_S = 120.0
SETTLE_S = 8.0
"""While the companion's models load behind the first picture."""
IDLE_S = 15.0
REPAINT_S = 30.0
LOOK_MS = 5
_REPAINT_MS = 16
_QUESTION = "Tell me something about the sea."
_ASK_EVERY_S = 30.0
_WARM_S = 120.0
"""Until caches and the companion's memory have found their size."""

Figures = dict[str, float | str]


def measure_window(view: str) -> Figures:
    """Start the program as a person would, with the settings in force, draw by `view` ("raster" or "opengl"), and end
    it. The process must be fresh: its start counts."""
    QApplication(["livetalk"])
    if view == "opengl" and not opengl_renderer():
        return {"skipped": "this computer has no OpenGL"}
    measuring = _Measuring(view)
    main(Namespace(record=False))
    return measuring.figures


def measure_memory(minutes: int) -> Figures:
    """Start the program, ask something every half minute for so long, and end it: resident memory, threads and open
    files when it was warm and at the end."""
    QApplication(["livetalk"])
    enduring = _Enduring(60.0 * minutes)
    main(Namespace(record=False))
    return enduring.figures


class Gaps(QObject):
    """The longest time for which the GUI thread did not come back to its events."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._last = 0.0
        self._longest_s = 0.0

    def begin(self) -> None:
        self._last, self._longest_s = time.perf_counter(), 0.0
        self._timer.start()

    def end(self) -> float:
        """Milliseconds beyond the timer's own pace; looking stops."""
        self._look()
        self._timer.stop()
        return max(0.0, 1000 * self._longest_s - LOOK_MS)

    def _look(self) -> None:
        now = time.perf_counter()
        self._longest_s = max(self._longest_s, now - self._last)
        self._last = now


class _Probe(QObject):
    """One stage after the other, each begun by a timer of the application that runs. GUI thread."""

    def __init__(self, view: str) -> None:
        super().__init__(QApplication.instance())
        self.figures: Figures = {"view": view}
        self._process = psutil.Process()
        self._window: MainWindow | None = None
        QTimer.singleShot(0, self._find_window)

    @property
    def window(self) -> MainWindow:
        assert self._window is not None
        return self._window

    def _find_window(self) -> None:
        """The first turn of the event loop: the window is shown by then."""
        self._window = next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow))
        self.window.stage.replace_view(GlView() if self.figures["view"] == "opengl" else RasterView())
        self.window.stage.first_frame.connect(self._living)
        self._late = self._after(START_LIMIT_S, self._never)

    def _never(self) -> None:
        self.figures["failed"] = f"no living picture within {START_LIMIT_S:.0f} s"
        self.window.close()

    def _living(self) -> None:
        """The avatar is there."""
        self._late.stop()

    def _after(self, seconds: float, stage: object) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=round(1000 * seconds))
        timer.timeout.connect(stage)  # pyright: ignore[reportArgumentType] - a method of this object
        timer.start()
        return timer


class _Enduring(_Probe):
    """A long conversation, question after question."""

    def __init__(self, seconds: float) -> None:
        super().__init__("raster")
        self._seconds = seconds
        self._asked = 0
        self._asking = QTimer(self, interval=round(1000 * _ASK_EVERY_S))
        self._asking.timeout.connect(self._ask)

    def _living(self) -> None:
        super()._living()
        self._asking.start()
        self._after(_WARM_S, lambda: self._note("warm"))
        self._after(self._seconds, self._end)

    def _ask(self) -> None:
        if self.window.engine is not None:
            self.window.engine.say(f"{_QUESTION} That is question number {self._asked}.")
            self._asked += 1

    def _note(self, moment: str) -> None:
        self.figures[f"{moment}_rss_mb"] = self._process.memory_info().rss / 1e6
        self.figures[f"{moment}_threads"] = self._process.num_threads()
        self.figures[f"{moment}_open_files"] = len(self._process.open_files())

    def _end(self) -> None:
        self._note("last")
        self.figures["minutes"] = self._seconds / 60
        self.figures["turns"] = self._asked
        self.figures["rss_growth_mb"] = float(self.figures["last_rss_mb"]) - float(self.figures["warm_rss_mb"])
        self.window.close()


class _Measuring(_Probe):
    """How soon the window lives, what it costs, how it keeps up."""

    def __init__(self, view: str) -> None:
        super().__init__(view)
        self._gaps = Gaps(self)
        self._repaint = QTimer(self, interval=_REPAINT_MS)
        self._began = 0.0
        self._worked = 0.0
        self._before: Statistics | None = None

    def _find_window(self) -> None:
        super()._find_window()
        self._repaint.timeout.connect(self.window.update)
        self._gaps.begin()

    def _living(self) -> None:
        super()._living()
        self.figures["living_picture_after_s"] = time.time() - self._process.create_time()
        self.figures["starting_blocked_worst_ms"] = self._gaps.end()
        self._after(SETTLE_S, self._idle)

    def _idle(self) -> None:
        self._began, self._worked = time.perf_counter(), time.process_time()
        self._after(IDLE_S, self._busy)

    def _busy(self) -> None:
        """The whole window is painted again and again while the avatar answers."""
        worked, lasted = time.process_time() - self._worked, time.perf_counter() - self._began
        self.figures["idle_percent_of_a_core"] = 100 * worked / lasted
        engine = self.window.engine
        if engine is None:
            self.figures["failed"] = "the conversation ended by itself"
            self.window.close()
            return
        self._before = engine.statistics()
        engine.say(_QUESTION)
        self._gaps.begin()
        self._repaint.start()
        self._after(REPAINT_S, self._finish)

    def _finish(self) -> None:
        self._repaint.stop()
        self.figures["blocked_worst_ms"] = self._gaps.end()
        engine, before = self.window.engine, self._before
        if engine is not None and before is not None:
            after = engine.statistics()
            self.figures["shown"] = after.shown - before.shown
            self.figures["late"] = after.late - before.late
            self.figures["dropped"] = after.dropped - before.dropped
            self.figures["underruns"] = after.underruns - before.underruns
        self.figures["rss_mb"] = self._process.memory_info().rss / 1e6
        self.figures["loudspeaker"] = list_devices().default_loudspeaker or "none: the silent device"
        self.window.close()
