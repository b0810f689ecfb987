"""ProblemCard: one problem or notice at a time, on glass at the foot of the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QGuiApplication, QPainter
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from app.floating import Float, announce, paint_glass, single_shot
from app.icons import paint_icon
from app.theme import glass, px

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from app.messages import Message
    from core.errors import Problem

MAX_WIDTH = 638
_NOTICE_MS = 5000


class ProblemCard(Float):
    """What happened, one line of advice, up to three buttons, and the technical line folded away.

    `chosen` carries the `Action` of the button that was pressed. A notice leaves by itself after 5 s. A lasting problem
    that another message covers comes back when that one is closed.
    """

    chosen = Signal(object)
    resized = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._message: Message | None = None
        self._notice = False
        self._covered: list[Message] = []
        self._title = _label("glass_heading", self)
        self._advice = _label("glass_supporting", self)
        self._column = QVBoxLayout(self)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        self._detail = QPlainTextEdit(self, readOnly=True)
        self._detail.setAccessibleName(self.tr("Technical details"))
        self._copy = _button(self.tr("Copy"), "glass_quiet", self)
        self._copy.clicked.connect(self._copy_detail)
        self._leaving = single_shot(self, _NOTICE_MS, self.close_message)
        self._lay_out()
        self.hide()

    @property
    def message(self) -> Message | None:
        return self._message if self.isVisible() else None

    @property
    def buttons(self) -> list[QPushButton]:
        return [
            button for button in self.findChildren(QPushButton) if button is not self._copy and not button.isHidden()
        ]

    def show_message(self, message: Message, notice: bool = False) -> None:
        """Show `message` in place of any other; the same problem again only changes its words."""
        shown = self._message if self.isVisible() else None
        again = shown is not None and shown.problem == message.problem
        if shown is not None and not again and shown.lasting and not self._notice:
            self._covered.append(shown)
        self._covered = [other for other in self._covered if other.problem != message.problem]
        self._message, self._notice = message, notice
        self._title.setText(message.title)
        self._advice.setText(message.advice)
        self._advice.setVisible(bool(message.advice))
        if not again or not message.detail:
            self._fold(True)
        self._detail.setPlainText(message.detail)
        self._make_buttons(message)
        self.setAccessibleName(f"{message.title} {message.advice}")
        self._leaving.start() if notice else self._leaving.stop()
        self.show()
        self.raise_()
        self.resized.emit()
        if not again:
            announce(self, f"{message.title} {message.advice}", assertive=not notice)

    def open_again(self) -> None:
        """Show what was put away."""
        if self._message is not None:
            self.show_message(self._message)

    def close_message(self) -> None:
        self._leaving.stop()
        if self.isVisible():
            had_focus = self.isAncestorOf(self.window().focusWidget() or self)
            self.hide()
            self.closed.emit()
            if had_focus:
                self.window().setFocus()
            if self._covered:
                self.show_message(self._covered.pop())

    def forget(self, problem: Problem) -> bool:
        """The problem is over; whether it was on the glass, or put away."""
        self._covered = [other for other in self._covered if other.problem is not problem]
        if self._message is None or self._message.problem is not problem:
            return False
        self._message = None
        self.close_message()
        return True

    def fit(self, room: int) -> None:
        """Take the size its words need within `room` px of width."""
        self.setFixedWidth(min(MAX_WIDTH + max(0, px(14) - 14) * 20, room))
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        self._column.setContentsMargins(10 if rtl else 56, 15, 56 if rtl else 10, 16)
        for child in self.findChildren(QWidget):
            child.ensurePolished()
        self._column.invalidate()
        self._column.activate()
        wanted = self._column.totalHeightForWidth(self.width())
        self.resize(self.width(), wanted)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_glass(painter, QRectF(self.rect()), 14)
        grave = self._message is not None and self._message.grave
        left = 20 if self.layoutDirection() != Qt.LayoutDirection.RightToLeft else self.width() - 42
        icon = QRectF(left, self._title.y() + (self._title.height() - 22) / 2 + 1, 22, 22)
        paint_icon(painter, "warning" if grave else "info", icon, glass().danger if grave else glass().text2)

    def _lay_out(self) -> None:
        self._detail.setProperty("glass", "true")
        outer = self._column
        outer.setSpacing(0)
        outer.addWidget(self._title)
        outer.addSpacing(6)
        outer.addWidget(self._advice)
        outer.addSpacing(11)
        outer.addLayout(self._buttons)
        outer.addWidget(self._detail)
        outer.addWidget(self._copy, 0, Qt.AlignmentFlag.AlignTrailing)

    def _make_buttons(self, message: Message) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for index, offer in enumerate(message.offers[:3]):
            button = _button(offer.words, "glass" if index else "glass_primary", self)
            button.clicked.connect(lambda _=False, action=offer.action: self._choose(action))
            self._buttons.addWidget(button)
        self._buttons.addStretch(1)
        if message.detail:
            details = _button(self.tr("Details"), "glass_quiet", self)
            details.clicked.connect(lambda: self._fold(not self._detail.isHidden()))
            self._buttons.addWidget(details)

    def _choose(self, action: object) -> None:
        self.chosen.emit(action)

    def _fold(self, folded: bool) -> None:
        self._detail.setVisible(not folded)
        self._copy.setVisible(not folded)
        self._detail.setFixedHeight(px(12) * 6)
        self.resized.emit()

    def _copy_detail(self) -> None:
        QGuiApplication.clipboard().setText(self._detail.toPlainText())


def _label(role: str, parent: QWidget) -> QLabel:
    made = QLabel(parent, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    return made


def _button(words: str, kind: str, parent: QWidget) -> QPushButton:
    made = QPushButton(words, parent)
    made.setProperty("kind", kind)
    made.setAutoDefault(False)
    return made
