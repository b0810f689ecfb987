"""The only crossing from the engine to the window: a function that emits one queued signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import Emit, SessionEvent


def bridge(receive: Callable[[SessionEvent], None], parent: QObject) -> Emit:
    """What the engine may call from any thread; `receive` hears every event on the GUI thread, in order, for as long
    as `parent` lives."""
    crossing = _Crossing(receive, parent)
    return lambda event: crossing.crossed.emit(event)


class _Crossing(QObject):
    crossed = Signal(object)

    def __init__(self, receive: Callable[[SessionEvent], None], parent: QObject) -> None:
        super().__init__(parent)
        self._receive = receive
        self.crossed.connect(self._arrived, Qt.ConnectionType.QueuedConnection)

    def _arrived(self, event: SessionEvent) -> None:
        self._receive(event)
