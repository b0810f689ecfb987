"""Host: one conversation at a time, opened and closed off the GUI thread, in order."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

from core.errors import LiveTalkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from app.engine import Engine
    from core.settings import Settings

    OpenEngine = Callable[[Settings, Engine | None], Engine]
    """Builds and starts a conversation that goes on where the one before it ended; its threads run on return."""

log = logging.getLogger(__name__)


class Host(QObject):
    """Owns the engine. Methods are called on the GUI thread; signals arrive there.

    Signals:
        opened: the engine that runs; of several openings asked for, the newest.
        failed: the `LiveTalkError` that kept one from opening.
        broke: any other exception on the way.
        closed: everything has ended.
    """

    opened = Signal(object)
    failed = Signal(object)
    broke = Signal(object)
    closed = Signal()
    _done = Signal(object)

    def __init__(self, open_engine: OpenEngine, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open_engine = open_engine
        self._worker = ThreadPoolExecutor(1, "conversation host")
        self._engine: Engine | None = None
        self._before: Engine | None = None
        self._newest: Future[Engine] | None = None
        self._closing = False
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def open(self, settings: Settings) -> None:
        """Begin with these settings; a conversation that runs is closed first and goes on in the new one."""
        if not self._closing:
            self._newest = self._worker.submit(self._swap, settings)
            self._newest.add_done_callback(self._done.emit)

    def close(self) -> None:
        """End everything; `closed` says when."""
        if not self._closing:
            self._closing = True
            self._worker.submit(self._end).add_done_callback(self._done.emit)

    def finish(self) -> None:
        """End everything and wait for it; for the end of the program, when the event loop has ended already."""
        self._closing = True
        self._worker.shutdown(wait=True)
        self._end()

    def _swap(self, settings: Settings) -> Engine:
        """The engine before is remembered, closed, until one opened that goes on where it ended."""
        if self._engine is not None:
            self._before, self._engine = self._engine, None
            self._before.close()
        self._engine = self._open_engine(settings, self._before)
        self._before = None
        return self._engine

    def _end(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _deliver(self, done: Future[Engine | None]) -> None:
        error = done.exception()
        if isinstance(error, LiveTalkError):
            self.failed.emit(error)
        elif error is not None:
            log.error("the conversation could not be opened or closed", exc_info=error)
            self.broke.emit(error)
        elif done is self._newest and not self._closing:
            self.opened.emit(done.result())
        if self._closing and (error is not None or done.result() is None):
            self._worker.shutdown(wait=False)
            self.closed.emit()
