"""ModelFetch: a download that goes on while the person talks, whatever sheet is open."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal

from app.setup.pace import Pace, Progress
from app.setup.stop import Stop, Stopped
from core.errors import LiveTalkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Bring = Callable[[str, Callable[[int, int], None], Stop], Sequence[LiveTalkError]]
    """Fetches what the folder of this name does not have, and says how many bytes are here of how many; returns why
    what is not needed could not be had."""


class ModelFetch(QObject):
    """One download at a time, on a thread of its own. GUI thread.

    `progressed` carries a `Progress`, a few times a second. `ended` carries a tuple when everything is here, of
    trouble with what is not needed; else `Stopped`, or the `LiveTalkError` that ended it.

    Args:
        bring: called on the download's thread.
    """

    progressed = Signal(object)
    ended = Signal(object)
    _told = Signal(object)
    _done = Signal(object)

    def __init__(self, bring: Bring, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bring = bring
        self._stop = Stop()
        self._thread: threading.Thread | None = None
        self._latest: Progress | None = None
        self._told.connect(self._progress, Qt.ConnectionType.QueuedConnection)
        self._done.connect(self._end, Qt.ConnectionType.QueuedConnection)

    @property
    def latest(self) -> Progress | None:
        """How far it is; None while nothing is fetched."""
        return self._latest

    def start(self, weights: str) -> None:
        """Fetch what the folder `weights` does not have; nothing happens while that is being done."""
        if self._thread is not None:
            return
        self._stop = Stop()
        self._latest = Progress(0, 0, 0.0, None)
        self._thread = threading.Thread(target=self._run, args=(weights, self._stop), name="download")
        self._thread.start()

    def stop(self) -> None:
        """What has arrived is kept."""
        self._stop.set()

    def close(self) -> None:
        """The program ends: so does what is running, and nobody is told."""
        self.blockSignals(True)
        self._stop.set()

    def _run(self, weights: str, stop: Stop) -> None:
        pace: Pace | None = None

        def report(done: int, total: int) -> None:
            nonlocal pace
            pace = pace or Pace(total, time.monotonic)
            if (step := pace.step(done)) and not stop.wished:
                self._told.emit(step)

        ending: Exception | tuple[LiveTalkError, ...]
        try:
            ending = tuple(self._bring(weights, report, stop))
        except Exception as caught:  # noqa: BLE001 - carried to the GUI thread, told or raised there
            ending = caught
        if shiboken6.isValid(self):  # the program may have ended meanwhile
            self._done.emit(ending)

    def _progress(self, step: Progress) -> None:
        if self._thread is not None:
            self._latest = step
            self.progressed.emit(step)

    def _end(self, ending: Exception | tuple[LiveTalkError, ...]) -> None:
        self._thread, self._latest = None, None
        self.ended.emit(ending)
        if not isinstance(ending, tuple | LiveTalkError | Stopped):
            raise ending
