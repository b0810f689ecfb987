"""TextBox: where the person types; Enter sends, Shift+Enter breaks the line, it grows to four lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QSizePolicy, QToolButton, QWidget

from app.icons import icon
from app.theme import px

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QResizeEvent

_MOST_LINES = 4


class TextBox(QWidget):
    """The text and its Send button; `sent` carries the words. Usable in every status."""

    sent = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.edit = _Edit(self)
        self.button = QToolButton(self)
        self.button.setProperty("kind", "send")
        self.button.setIcon(icon("send", "on_accent"))
        self.button.setIconSize(QSize(20, 20))
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.button.setAccessibleName(self.tr("Send"))
        self.button.setToolTip(self.tr("Send ({key})").format(key=self.tr("Enter")))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.edit, 1)
        row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignBottom)
        self.edit.entered.connect(self.send)
        self.button.clicked.connect(self.send)
        self.edit.textChanged.connect(self._light)
        self._light()

    def address(self, name: str) -> None:
        """Say in the empty box whom the words go to."""
        words = self.tr("Type to {name}…").format(name=name)
        self.edit.setPlaceholderText(words)
        self.edit.setAccessibleName(words.rstrip("…"))

    def send(self) -> None:
        words = self.edit.toPlainText().strip()
        if words:
            self.edit.clear()
            self.sent.emit(words)

    def _light(self) -> None:
        """Send is lit once there is something to send."""
        self.button.setEnabled(bool(self.edit.toPlainText().strip()))


class _Edit(QPlainTextEdit):
    entered = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(3)
        self.document().documentLayout().documentSizeChanged.connect(self._grow)
        self._grow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.entered.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._grow()

    def _grow(self) -> None:
        lines = min(_MOST_LINES, max(1, int(self.document().size().height())))
        one = px(40)
        self.setFixedHeight(one + (lines - 1) * self.fontMetrics().lineSpacing())
        many = self.document().size().height() > _MOST_LINES
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(policy.ScrollBarAsNeeded if many else policy.ScrollBarAlwaysOff)
