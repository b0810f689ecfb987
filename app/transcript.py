"""Transcript: what was said, by whom, and where it was cut; with the text box it makes the conversation's panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from app.floating import announce
from app.icons import icon
from app.text_box import TextBox
from app.turn_view import TurnView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from PySide6.QtGui import QKeyEvent, QResizeEvent

    from app.engine import Entry

_AT_END_PX = 24
_MOST_TURNS = 400
_MARGINS = (22, 6, 18, 8)
"""Older ones leave the panel; the saved conversation has them all."""


class Transcript(QScrollArea):
    """The turns, oldest first. Follows the end unless the person scrolled up; `away_from_end` says so. `go_on_wanted`:
    the rest of the last reply, which stopped."""

    away_from_end = Signal(bool)
    go_on_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._avatar = ""
        self._views: dict[tuple[int, bool], TurnView] = {}
        self._following = True
        self._inside = QWidget()
        self._column = QVBoxLayout(self._inside)
        self._column.setContentsMargins(*_MARGINS)
        self._column.setSpacing(20)
        self._column.addStretch(1)
        self.setWidget(self._inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(self.tr("What was said"))
        self.verticalScrollBar().rangeChanged.connect(self._range_changed)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)

    @property
    def turns(self) -> list[TurnView]:
        return list(self._views.values())

    def name_avatar(self, name: str) -> None:
        """Who speaks in replies from now on."""
        self._avatar = name

    def you_said(self, turn: int, text: str, at: datetime) -> None:
        """`text` is empty while the words are not known; the same turn may come again with them."""
        self._view(turn, True, at).say(text)

    def avatar_said(self, turn: int, text: str, at: datetime, done: bool) -> None:
        self.answered(turn)
        view = self._view(turn, False, at)
        view.say(text)
        if done:
            announce(view, f"{self._avatar}: {text}")

    def cut(self, turn: int, heard: str, unheard: str) -> None:
        if (turn, False) in self._views:
            self._views[turn, False].cut(heard, unheard)

    def stopped_short(self, turn: int, said: str, unsaid: str) -> None:
        """A reply ended by itself before its end."""
        if (turn, False) in self._views:
            self._views[turn, False].stop_short(said, unsaid)

    def take_back(self, turn: int) -> None:
        """The words of a reply were none: it begins again."""
        if (turn, False) in self._views:
            self._remove((turn, False))

    def not_answered(self, turn: int) -> None:
        if (turn, True) in self._views:
            self._views[turn, True].wait_for_answer(True)

    def answered(self, turn: int) -> None:
        if (turn, True) in self._views:
            self._views[turn, True].wait_for_answer(False)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """A conversation that was opened again, in place of what is here."""
        self.clear()
        for entry in entries:
            view = self._view(entry.turn, entry.role == "user", entry.time)
            view.say(entry.text)
            if entry.broken:
                view.stop_short(entry.text, entry.unheard)
            elif entry.cut:
                view.cut(entry.text, entry.unheard)
            if entry.role == "user":
                view.wait_for_answer(not entry.answered)

    def clear(self) -> None:
        for view in self.turns:
            view.hide()
            view.deleteLater()
            self._column.removeWidget(view)
        self._views.clear()
        self._following = True

    def add_card(self, card: QWidget) -> None:
        """Put a card below the turns."""
        self._column.insertWidget(self._column.count() - 1, card)

    def to_end(self) -> None:
        self._following = True
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self.away_from_end.emit(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_End:
            self.to_end()
        elif event.key() == Qt.Key.Key_Home:
            self.verticalScrollBar().setValue(0)
        else:
            super().keyPressEvent(event)

    def _view(self, turn: int, yours: bool, at: datetime) -> TurnView:
        known = self._views.get((turn, yours))
        if known is not None:
            return known
        for view in self.turns:
            view.let_go()
        made = TurnView(self.tr("You") if yours else self._avatar, at, yours)
        made.go_on_wanted.connect(self.go_on_wanted)
        place = self._column.count() - 1 if self._views else 0  # the greeting stands above the first run's cards
        self._views[turn, yours] = made
        self._column.insertWidget(place, made)
        if len(self._views) > _MOST_TURNS:
            self._remove(next(iter(self._views)))
        return made

    def _remove(self, key: tuple[int, bool]) -> None:
        view = self._views.pop(key)
        self._column.removeWidget(view)
        view.hide()
        view.deleteLater()

    def _range_changed(self, _: int, most: int) -> None:
        left, top, right, bottom = _MARGINS
        bar = self.verticalScrollBar().sizeHint().width() if most else 0  # it takes its place from the margin
        self._column.setContentsMargins(left, top, max(0, right - bar), bottom)
        if self._following:
            self.verticalScrollBar().setValue(most)
        else:
            self.away_from_end.emit(True)

    def _scrolled(self, value: int) -> None:
        at_end = value >= self.verticalScrollBar().maximum() - _AT_END_PX
        if at_end != self._following:
            self._following = at_end
            if at_end:
                self.away_from_end.emit(False)


class Panel(QFrame):
    """The conversation beside the picture: header, turns, "New" chip, text box.

    Signals: `sent` words, `history_wanted`, `close_wanted`.
    """

    sent = Signal(str)
    history_wanted = Signal()
    close_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.transcript = Transcript(self)
        self.text_box = TextBox(self)
        self.text_box.sent.connect(self._send)
        self._private = QLabel(self.tr("Not saved"))
        self._private.setProperty("role", "small")
        self._private.hide()
        self._history = self._tool("history", self.tr("Earlier conversations"), self.tr("Ctrl+H"))
        self._history.clicked.connect(self.history_wanted)
        self._close = self._tool("close", self.tr("Close conversation panel"), self.tr("F2"))
        self._close.clicked.connect(self.close_wanted)
        self._chip = QPushButton(self.tr("↓ New"), self)
        self._chip.setProperty("kind", "primary")
        self._chip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._chip.setAccessibleName(self.tr("Go to what is new"))
        self._chip.clicked.connect(self.transcript.to_end)
        self._chip.hide()
        self.transcript.away_from_end.connect(self._show_chip)
        self._lay_out()
        QWidget.setTabOrder(self.text_box.edit, self.text_box.button)
        QWidget.setTabOrder(self.text_box.button, self.transcript)

    @property
    def new_chip(self) -> QPushButton:
        return self._chip

    def name_avatar(self, name: str) -> None:
        self.transcript.name_avatar(name)
        self.text_box.address(name)

    def show_private(self, private: bool) -> None:
        self._private.setVisible(private)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_chip()

    def _lay_out(self) -> None:
        title = QLabel(self.tr("Conversation"))
        title.setProperty("role", "heading")
        header = QHBoxLayout()
        header.setContentsMargins(22, 15, 14, 12)
        header.setSpacing(5)
        header.addWidget(title)
        header.addSpacing(6)
        header.addWidget(self._private)
        header.addStretch(1)
        header.addWidget(self._history)
        header.addWidget(self._close)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 16)
        foot.addWidget(self.text_box)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(header)
        column.addWidget(self.transcript, 1)
        column.addLayout(foot)

    def _tool(self, picture: str, name: str, key: str) -> QToolButton:
        made = QToolButton(self)
        made.setProperty("kind", "tool")
        made.setIcon(icon(picture))
        made.setIconSize(QSize(20, 20))
        made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        made.setAccessibleName(name)
        made.setToolTip(f"{name} ({key})")
        return made

    def _send(self, words: str) -> None:
        self.transcript.to_end()
        self.sent.emit(words)

    def _show_chip(self, away: bool) -> None:
        self._chip.setVisible(away)
        QTimer.singleShot(0, self, self._place_chip)

    def _place_chip(self) -> None:
        self._chip.adjustSize()
        middle = (self.width() - self._chip.width()) // 2
        self._chip.move(middle, self.transcript.geometry().bottom() - self._chip.height() - 8)
        self._chip.raise_()
