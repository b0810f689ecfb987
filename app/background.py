"""Work that may take time, off the GUI thread, with its outcome back on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import shiboken6
from PySide6.QtCore import QCoreApplication, QObject, QRunnable, QThreadPool, Signal, Slot

from core.errors import LiveTalkError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def run_in_background(
    owner: QObject,
    work: Callable[[], T],
    done: Callable[[T], None],
    failed: Callable[[LiveTalkError], None],
    dropped: Callable[[T], None] | None = None,
) -> None:
    """Call `work` on a pool thread, then `done` with its result or `failed` with its trouble, on this (the GUI) thread.

    When `owner` is gone by then, `dropped` gets the result (to close what was opened) and trouble is forgotten. Any
    exception but `LiveTalkError` is raised again on the GUI thread, where the crash hook sees it.
    """
    outbox = _Outbox(owner, done, failed, dropped)
    QThreadPool.globalInstance().start(_Work(work, outbox))


class _Outbox(QObject):
    """Lives on the GUI thread from the call to the delivery; the application owns it, so it outlives both sides."""

    ready = Signal(object, object)

    def __init__(
        self,
        owner: QObject,
        done: Callable[[Any], None],
        failed: Callable[[LiveTalkError], None],
        dropped: Callable[[Any], None] | None,
    ) -> None:
        super().__init__(QCoreApplication.instance())
        self._owner = owner
        self._done = done
        self._failed = failed
        self._dropped = dropped
        self.ready.connect(self._deliver)

    @Slot(object, object)
    def _deliver(self, result: object, error: Exception | None) -> None:
        owned = shiboken6.isValid(self._owner)
        done, failed = self._done, self._failed
        self.deleteLater()
        if error is None:
            taker = done if owned else self._dropped
            if taker is not None:
                taker(result)
        elif isinstance(error, LiveTalkError):
            if owned:
                failed(error)
        else:
            raise error


class _Work(QRunnable):
    def __init__(self, work: Callable[[], object], outbox: _Outbox) -> None:
        super().__init__()
        self._work = work
        self._outbox = outbox

    def run(self) -> None:
        result, error = None, None
        try:
            result = self._work()
        except Exception as caught:  # noqa: BLE001 — carried to the GUI thread, handled or raised there
            error = caught
        if shiboken6.isValid(self._outbox):  # the application may have ended meanwhile
            self._outbox.ready.emit(result, error)
