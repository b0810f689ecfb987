"""HoldToSpeak: Space speaks for as long as it is held, unless the focus is where Space means something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from app.controls import BarButton

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMainWindow


class HoldToSpeak(QObject):
    """Watches the keys of `window`; `held` says True when Space goes down and False when it comes up."""

    held = Signal(bool)

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._down = False

    def takes(self, watched: QObject, event: QEvent) -> bool:
        """For the application's event filter: whether this event was for speaking and is used up."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Space and watched is self._window.windowHandle():
            return self._space(event)
        if event.type() == QEvent.Type.WindowDeactivate and watched is self._window:
            self._let_go()
        return False

    def _space(self, event: QKeyEvent) -> bool:
        if event.type() == QEvent.Type.KeyRelease and self._down:
            if not event.isAutoRepeat():
                self._let_go()
            return True
        if event.modifiers() != Qt.KeyboardModifier.NoModifier or means_something_else(self._window.focusWidget()):
            return False
        if event.type() == QEvent.Type.KeyPress and not event.isAutoRepeat() and not self._down:
            self._down = True
            self.held.emit(True)
        return event.type() in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease)

    def _let_go(self) -> None:
        if self._down:
            self._down = False
            self.held.emit(False)


def means_something_else(focus: QWidget | None) -> bool:
    """Space types a blank here, or presses a button (the bar's are pressed with Enter)."""
    typing = isinstance(focus, QLineEdit | QPlainTextEdit | QTextEdit | QComboBox)
    pressing = isinstance(focus, QAbstractButton) and not isinstance(focus, BarButton)
    return typing or pressing
