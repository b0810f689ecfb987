"""ProblemCard: one problem or notice at a time, on glass at the foot of the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPainter
from PySide6.QtWidgets import (
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSpacerItem,
    QStyle,
    QStyleOptionButton,
    QVBoxLayout,
    QWidget,
)

from app.floating import Float, announce, paint_glass, single_shot
from app.flow import FlowLayout
from app.icons import paint_icon
from app.scroll import QuietScrollArea
from app.theme import glass, px, restyle

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from app.messages import Message
    from core.errors import Problem

MAX_WIDTH = 638
_NOTICE_MS = 5000
_ENTRY_MS = 160
_RISE = 14
"""px it comes up from."""
_USUAL = (15, 6, 11, 16)
_TIGHT = (9, 2, 6, 9)
"""px above the title, above the advice, above the buttons and below them."""


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
        self._tight_height = 0
        self._body = _Body(self)
        self._scroll = QuietScrollArea(self)
        self._title = _Words("glass_heading", self, self._body)
        self._advice = _Words("glass_supporting", self, self._body)
        self._column = QVBoxLayout(self._body)
        self._above_advice, self._above_buttons = QSpacerItem(0, 0), QSpacerItem(0, 0)
        self._buttons = FlowLayout(8)
        self._detail = QPlainTextEdit(self._body, readOnly=True)
        self._detail.setAccessibleName(self.tr("Technical details"))
        self._copy = _Button(self.tr("Copy"), "glass_quiet", self, self._body)
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
        self._scroll.verticalScrollBar().setValue(0)
        self.show()
        self.raise_()
        self.resized.emit()
        if shown is None:
            self._enter()
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

    def fit(self, width: int, height: int) -> None:
        """Take the size its words need within `width` px; closer together, then scrolled, where that is higher than
        `height` px."""
        self.setFixedWidth(min(MAX_WIDTH + max(0, px(14) - 14) * 20, width))
        self._tight_height = self._wanted_height(_TIGHT)
        wanted = self._wanted_height(_USUAL)
        if wanted > height:
            wanted = self._wanted_height(_TIGHT)
        self.resize(self.width(), min(wanted, max(height, self._least_height())))
        scrolled = self.height() < wanted
        self._scroll.setGeometry(self.rect().adjusted(0, 6, -4, -6) if scrolled else self.rect())

    def fits(self, height: int) -> bool:
        """Whether all of it can be seen in `height` px, at the width it has."""
        return self._tight_height <= height

    def opacity_changed(self) -> None:
        for child in self.findChildren(QWidget):
            child.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._opacity)
        paint_glass(painter, QRectF(self.rect()), 14)

    def paint_sign(self, painter: QPainter) -> None:
        """The sign before the title, on the body."""
        grave = self._message is not None and self._message.grave
        left = 20 if self.layoutDirection() != Qt.LayoutDirection.RightToLeft else self._body.width() - 42
        icon = QRectF(left, self._title.y() + (px(15) * 1.21 - 22) / 2 + 1, 22, 22)
        painter.setOpacity(self._opacity)
        paint_icon(painter, "warning" if grave else "info", icon, glass().danger if grave else glass().text2)

    def _enter(self) -> None:
        """Come up a little, and out of nothing."""
        place = self.pos()
        self.place(place + QPoint(0, _RISE))
        self.glide(place, _ENTRY_MS)
        self._set_opacity(0.0)
        self.fade(1.0, _ENTRY_MS)

    def _wanted_height(self, gaps: tuple[int, int, int, int]) -> int:
        above, advice, buttons, below = gaps
        tight = gaps is _TIGHT
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        self._column.setContentsMargins(10 if rtl else 56, above, 56 if rtl else 10, below)
        self._above_advice.changeSize(0, advice)
        self._above_buttons.changeSize(0, buttons)
        for button in self._body.findChildren(QPushButton):
            if bool(button.property("tight")) is not tight:
                button.setProperty("tight", tight)
                restyle(button)
        for child in self._body.findChildren(QWidget):
            child.ensurePolished()
        self._buttons.invalidate()
        self._column.invalidate()
        self._column.activate()
        return self._column.totalHeightForWidth(self.width())

    def _least_height(self) -> int:
        """The title and the beginning of what follows."""
        return 3 * px(15)

    def _lay_out(self) -> None:
        self._detail.setProperty("glass", "true")
        outer = self._column
        outer.setSpacing(0)
        outer.addWidget(self._title)
        outer.addItem(self._above_advice)
        outer.addWidget(self._advice)
        outer.addItem(self._above_buttons)
        outer.addLayout(self._buttons)
        outer.addWidget(self._detail)
        outer.addWidget(self._copy, 0, Qt.AlignmentFlag.AlignTrailing)
        outer.addStretch(1)
        self._scroll.setWidget(self._body)

    def _make_buttons(self, message: Message) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for index, offer in enumerate(message.offers[:3]):
            button = _Button(offer.words, "glass" if index else "glass_primary", self, self._body)
            button.clicked.connect(lambda _=False, action=offer.action: self._choose(action))
            self._buttons.add(button)
        self._buttons.last_apart = bool(message.detail)
        if message.detail:
            details = _Button(self.tr("Details"), "glass_quiet", self, self._body)
            details.clicked.connect(lambda: self._fold(not self._detail.isHidden()))
            self._buttons.add(details)

    def _choose(self, action: object) -> None:
        self.chosen.emit(action)

    def _fold(self, folded: bool) -> None:
        self._detail.setVisible(not folded)
        self._copy.setVisible(not folded)
        self._detail.setFixedHeight(px(12) * 6)
        self.resized.emit()

    def _copy_detail(self) -> None:
        QGuiApplication.clipboard().setText(self._detail.toPlainText())


class _Body(QWidget):
    """What the card shows, which scrolls where there is too little room."""

    def __init__(self, card: ProblemCard) -> None:
        super().__init__(card)
        self._card = card

    def paintEvent(self, event: QPaintEvent) -> None:
        self._card.paint_sign(QPainter(self))


class _Words(QLabel):
    """A text that fades with its card."""

    def __init__(self, role: str, card: ProblemCard, parent: QWidget) -> None:
        super().__init__(parent, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._card = card
        self.setProperty("role", role)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._card.painted_opacity)
        heading = self.property("role") == "glass_heading"
        painter.setPen(QColor(glass().text if heading else glass().text2))
        painter.setFont(self.font())
        painter.drawText(self.contentsRect(), int(self.alignment()) | int(Qt.TextFlag.TextWordWrap), self.text())


class _Button(QPushButton):
    """A button that fades with its card."""

    def __init__(self, words: str, kind: str, card: ProblemCard, parent: QWidget) -> None:
        super().__init__(words, parent)
        self._card = card
        self.setProperty("kind", kind)
        self.setAutoDefault(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        painter = QPainter(self)
        painter.setOpacity(self._card.painted_opacity)
        self.style().drawControl(QStyle.ControlElement.CE_PushButton, option, painter, self)
