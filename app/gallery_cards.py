"""What lies in the gallery: cards of portraits, the card that opens a file, and two lines about what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QContextMenuEvent,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QMenu, QSizePolicy, QVBoxLayout, QWidget

from app.card import Card, label
from app.elided import ElidedLabel
from app.form import button
from app.icons import icon
from app.messages import picture_question
from app.sheet import tool_button
from app.theme import px, restyle
from app.thumbnails import Thumbnail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.errors import LiveTalkError

COLUMNS = 4
GAP = 14
_PICTURE = QSize(166, 148)
_REFUSED_PICTURE = QSize(112, 76)
_NARROW = 640
"""px at 100 % text that a refusal needs for picture, words and buttons in one row."""


class PortraitCard(Card):
    """A picture, its name, and one line: where it comes from, that it is checked, or why it was refused."""

    def __init__(self, name: str, path: Path, origin: str, reduce_motion: bool = False) -> None:
        super().__init__(name)
        self.path = path
        self.checking = False
        self._origin = origin
        self._remove: Callable[[], None] | None = None
        self._ask_again: Callable[[], None] | None = None
        self._thumbnail = Thumbnail(path, _PICTURE, reduce_motion)
        self._state = label("", "small", "ok")
        self._line = ElidedLabel(origin, "small")
        inside = QVBoxLayout(self)
        inside.setContentsMargins(10, 10, 10, 8)
        inside.setSpacing(4)
        inside.addWidget(self._thumbnail)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(ElidedLabel(name, "heading"), 1)
        row.addWidget(self._state)
        inside.addLayout(row)
        inside.addWidget(self._line)
        self._describe(origin)

    def show_in_use(self, in_use: bool) -> None:
        self.set_selected(in_use)
        self._state.setText(self.tr("In use") if in_use else "")
        self._describe(self._origin)

    def show_checking(self, checking: bool) -> None:
        self.checking = checking
        self._thumbnail.show_checking(checking)
        words = self.tr("Checking…") if checking else self._origin
        self._line.setText(words)
        self._describe(words)

    def show_refused(self, reason: str) -> None:
        self.checking = False
        self._thumbnail.show_checking(False)
        self._thumbnail.dim(True)
        self._line.setText(self.tr("Can’t be used"))
        self._line.setProperty("tone", "danger")
        restyle(self._line)
        self._describe(reason)

    def offer_removal(self, remove: Callable[[], None]) -> None:
        """Delete and the context menu call `remove`."""
        self._remove = remove

    def offer_another_face(self, ask_again: Callable[[], None]) -> None:
        """The context menu calls `ask_again`."""
        self._ask_again = ask_again

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._remove is not None and event.matches(QKeySequence.StandardKey.Delete):
            self._remove()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Use this picture"), self.click)
        if self._ask_again is not None:
            menu.addAction(icon("person"), self.tr("Choose another face…"), self._ask_again)
        if self._remove is not None:
            menu.addAction(icon("trash"), self.tr("Remove from this list"), self._remove)
        menu.popup(event.globalPos())

    def _describe(self, words: str) -> None:
        self.setAccessibleDescription(f"{self._state.text()}. {words}" if self._state.text() else words)


class OpenCard(Card):
    """ "Open image…", which is also where a picture is dropped."""

    def __init__(self) -> None:
        super().__init__("", dashed=True)
        self.setAccessibleName(self.tr("Open image…"))
        picture = QLabel()
        picture.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        picture.setPixmap(icon("image").pixmap(QSize(px(26), px(26)), self.devicePixelRatioF()))
        self._hint = label("", "small", wrap=True)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(10, 10, 10, 10)
        inside.setSpacing(4)
        inside.addStretch(1)
        for widget in (picture, label(self.tr("Open image…"), "heading"), self._hint):
            widget.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            inside.addWidget(widget)
        inside.addStretch(1)
        self.show_drop(False)

    def show_drop(self, dragging: bool) -> None:
        self.set_selected(dragging)
        usual = self.tr("or drop a picture here. One face, from the front.")
        self._hint.setText(self.tr("Drop the picture anywhere.") if dragging else usual)
        self.setAccessibleDescription(usual)


class Refusal(QFrame):
    """Why a picture cannot be used, with a way on."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setProperty("tone", "danger")
        self.ask = button("", "primary")
        self.another = button(self.tr("Try another…"))
        close = tool_button("close", self.tr("Dismiss"))
        close.clicked.connect(self.hide)
        self._title = label("", "heading", wrap=True)
        self._advice = label("", "supporting", wrap=True)
        self._shown: Thumbnail | None = None
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._lay_out(close)
        self.hide()

    @property
    def words(self) -> str:
        return f"{self._title.text()} {self._advice.text()}"

    def show_error(self, path: Path, error: LiveTalkError) -> None:
        if self._shown is not None:
            self._shown.deleteLater()
        self._shown = shown = Thumbnail(path, _REFUSED_PICTURE)
        shown.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        shown.dim(True)
        self._row.insertWidget(0, shown)
        self._fit()
        self._title.setText(error.title)
        self._advice.setText(error.advice)
        question = picture_question(error)
        self.ask.setVisible(question is not None)
        self.ask.setText(question.words if question else "")
        self.show()
        event = QAccessibleAnnouncementEvent(self, self.words)
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Where it is narrow for the size of text, the buttons stand under the words, and the picture is left out."""
        narrow = self.width() < px(_NARROW)
        directions = QBoxLayout.Direction
        self._row.setDirection(directions.TopToBottom if narrow else directions.LeftToRight)
        if self._shown is not None:
            self._shown.setVisible(not narrow)

    def _lay_out(self, close: QWidget) -> None:
        warning = QLabel()
        warning.setPixmap(icon("warning", "danger").pixmap(QSize(px(20), px(20)), self.devicePixelRatioF()))
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(warning, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self._title, 1)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addStretch(1)
        words.addLayout(head)
        words.addWidget(self._advice)
        words.addStretch(1)
        buttons = QHBoxLayout()
        buttons.setSpacing(14)
        buttons.addStretch(1)
        for widget in (self.ask, self.another, close):
            buttons.addWidget(widget)
        self._row.setContentsMargins(13, 10, 12, 10)
        self._row.setSpacing(14)
        self._row.addLayout(words, 1)
        self._row.addLayout(buttons)


class Remark(QFrame):
    """One line about what was done: what was taken off the list, with the button that takes that back, or words."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._words = ElidedLabel("", "supporting")
        self.undo = button(self.tr("Undo"), "quiet")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 6, 4)
        row.addWidget(self._words, 1)
        row.addWidget(self.undo)
        self.hide()

    @property
    def words(self) -> str:
        return self._words.text()

    def show_removed(self, name: str) -> None:
        self.undo.show()
        self._say(self.tr("{} was removed from this list. The file is untouched.").format(name))

    def show_words(self, words: str) -> None:
        self.undo.hide()
        self._say(words)

    def _say(self, words: str) -> None:
        self._words.setText(words)
        self.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))
