"""The only crossing from the engine to the window: a function that emits one queued signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import SessionEvent


class Bridge(QObject):
    """`emit` may be called from any thread; `receive` hears every event on the GUI thread, in order."""

    _crossed = Signal(object)

    def __init__(self, receive: Callable[[SessionEvent], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._receive = receive
        self._crossed.connect(self._arrived, Qt.ConnectionType.QueuedConnection)

    def emit(self, event: SessionEvent) -> None:
        self._crossed.emit(event)

    def _arrived(self, event: SessionEvent) -> None:
        self._receive(event)
