"""Earlier conversations: open one, delete one (and take that back), or begin another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QDateTime, QLocale, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QColor, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.background import run_in_background
from app.card import label
from app.elided import ElidedLabel
from app.form import Outcome, State, button
from app.icons import icon
from app.sheet import Sheet, title_row
from app.theme import font, px, tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from core.dialogue.history import SavedConversation
    from core.errors import LiveTalkError

_ENTRY = Qt.ItemDataRole.UserRole
_ROW_HEIGHT = 58


@dataclass(frozen=True)
class HistoryServices:
    """Functions given by `app.main`; all run on a pool thread and raise `LiveTalkError`."""

    list_earlier: Callable[[], Sequence[SavedConversation]]
    """Newest first."""
    delete: Callable[[Path], Path]
    """Returns where it lies, for `restore`."""
    restore: Callable[[Path], Path]


class HistorySheet(Sheet):
    """Shows what was saved. Show it with `open()`. GUI thread.

    Signals:
        opened(object): the `Path` of the conversation to go on with; the sheet closes.
        new_conversation(bool): begin another one, True for one that is not saved; the sheet closes.
        deleting(object): the `Path` of a conversation that is about to be deleted.
    """

    opened = Signal(object)
    new_conversation = Signal(bool)
    deleting = Signal(object)

    def __init__(self, services: HistoryServices, parent: QWidget, reduce_motion: bool = False) -> None:
        super().__init__(parent, "", QSize(640, 620), reduce_motion)
        self.setWindowTitle(self.tr("Earlier conversations"))
        self._services = services
        self._gone: tuple[Path, int, SavedConversation] | None = None
        self.list = EarlierList(self.tr("Earlier conversations"))
        self.list.chosen.connect(self._open)
        self.list.unwanted.connect(self._delete)
        self.outcome = Outcome()
        self.empty = label(
            self.tr("Nothing was saved yet. Conversations appear here as you talk."), "supporting", "", True
        )
        self.removal = QFrame()
        self._removed_words = ElidedLabel("", "supporting")
        self.undo = button(self.tr("Undo"), "quiet", self._restore)
        self.open_one = button(self.tr("Open"), "primary", lambda: self.list.choose_current())
        self.delete_one = button(self.tr("Delete"), "quiet", lambda: self.list.drop_current())
        self.begin = button(self.tr("New conversation"), pressed=lambda: self._begin(private=False))
        self.begin_private = button(self.tr("New private conversation"), pressed=lambda: self._begin(private=True))
        self._lay_out()
        self.list.currentRowChanged.connect(lambda _: self._enable_buttons())
        self._show_emptiness(loading=True)
        run_in_background(self, services.list_earlier, self._offer, self._failed)

    def _lay_out(self) -> None:
        self.removal.setProperty("role", "card")
        notice = QHBoxLayout(self.removal)
        notice.setContentsMargins(16, 4, 6, 4)
        notice.addWidget(self._removed_words, 1)
        notice.addWidget(self.undo)
        self.removal.hide()
        inside = QVBoxLayout(self.frame)
        inside.setContentsMargins(28, 20, 20, 20)
        inside.setSpacing(10)
        inside.addLayout(title_row(self, self.tr("Earlier conversations")))
        begin = QHBoxLayout()
        begin.setSpacing(8)
        begin.addWidget(self.begin)
        begin.addWidget(self.begin_private)
        begin.addStretch(1)
        inside.addLayout(begin)
        inside.addWidget(label(self.tr("A private conversation is never written to the disk."), "small", wrap=True))
        inside.addWidget(self.empty)
        inside.addWidget(self.list, 1)
        inside.addWidget(self.outcome)
        inside.addWidget(self.removal)
        foot = QHBoxLayout()
        foot.setSpacing(8)
        foot.addStretch(1)
        foot.addWidget(self.delete_one)
        foot.addWidget(self.open_one)
        inside.addLayout(foot)

    def _offer(self, entries: Sequence[SavedConversation]) -> None:
        for entry in entries:
            self.list.insert(self.list.count(), entry)
        self._show_emptiness(loading=False)
        if self.list.count():
            self.list.setCurrentRow(0)
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _open(self, entry: SavedConversation) -> None:
        if not entry.readable:
            words = self.tr("This conversation can’t be read. The file may be damaged or from a newer LiveTalk.")
            self.outcome.tell(State.FAILED, words)
            return
        self.opened.emit(entry.path)
        self.accept()

    def _begin(self, private: bool) -> None:
        self.new_conversation.emit(private)
        self.accept()

    def _delete(self, entry: SavedConversation, row: int) -> None:
        self.deleting.emit(entry.path)
        delete = self._services.delete
        self.list.takeItem(row)
        self._show_emptiness(loading=False)
        run_in_background(
            self,
            lambda: delete(entry.path),
            lambda trashed: self._was_deleted(entry, row, trashed),
            lambda error: self._not_deleted(entry, row, error),
        )

    def _was_deleted(self, entry: SavedConversation, row: int, trashed: Path) -> None:
        self._gone = (trashed, row, entry)
        words = self.tr("“{}” was deleted.").format(entry.title)
        self._removed_words.setText(words)
        self.removal.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def _not_deleted(self, entry: SavedConversation, row: int, error: LiveTalkError) -> None:
        self._put_back(entry, row)
        self._failed(error)

    def _restore(self) -> None:
        if self._gone is None:
            return
        trashed, row, entry = self._gone
        self._gone = None
        self.removal.hide()
        restore = self._services.restore
        run_in_background(
            self,
            lambda: restore(trashed),
            lambda path: self._put_back(msgspec.structs.replace(entry, path=path), row),
            self._failed,
        )

    def _put_back(self, entry: SavedConversation, row: int) -> None:
        row = min(row, self.list.count())
        self.list.insert(row, entry)
        self.list.setCurrentRow(row)
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)
        self._show_emptiness(loading=False)

    def _failed(self, error: LiveTalkError) -> None:
        self.outcome.failed(error)

    def _show_emptiness(self, loading: bool) -> None:
        nothing = not self.list.count()
        self.empty.setVisible(nothing and not loading)
        self._enable_buttons()

    def _enable_buttons(self) -> None:
        chosen = self.list.currentRow() >= 0
        self.open_one.setEnabled(chosen)
        self.delete_one.setEnabled(chosen)


class EarlierList(QListWidget):
    """Rows of title, date and length. Enter opens, Delete deletes, the menu offers both."""

    chosen = Signal(object)
    unwanted = Signal(object, int)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setProperty("role", "list")
        self.setAccessibleName(name)
        self.setItemDelegate(_Row(self))
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)
        self.itemDoubleClicked.connect(lambda _: self.choose_current())

    def insert(self, row: int, entry: SavedConversation) -> None:
        item = QListWidgetItem()
        item.setData(_ENTRY, entry)
        item.setText(entry.title)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{entry.title}, {self.describe(entry)}")
        self.insertItem(row, item)

    def describe(self, entry: SavedConversation) -> str:
        """When it began and how long it is, in words."""
        if not entry.readable:
            return self.tr("Can’t be read")
        began = QDateTime.fromString(entry.started, Qt.DateFormat.ISODate).toLocalTime()
        when = self.locale().toString(began, QLocale.FormatType.ShortFormat)
        length = self.tr("1 message") if entry.entries == 1 else self.tr("{} messages").format(entry.entries)
        return f"{when}, {length}" if when else length

    def choose_current(self) -> None:
        if self.currentRow() >= 0:
            self.chosen.emit(self.currentItem().data(_ENTRY))

    def drop_current(self) -> None:
        if self.currentRow() >= 0:
            self.unwanted.emit(self.currentItem().data(_ENTRY), self.currentRow())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Delete):
            self.drop_current()
        elif event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.choose_current()
        else:
            super().keyPressEvent(event)

    def _menu(self, at: QPoint) -> None:
        if self.currentRow() < 0:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(icon("chat"), self.tr("Open"), self.choose_current)
        menu.addAction(icon("trash"), self.tr("Delete"), self.drop_current)
        menu.popup(self.viewport().mapToGlobal(at))


class _Row(QStyledItemDelegate):
    """The title over one small line."""

    def __init__(self, view: EarlierList) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(px(200), px(_ROW_HEIGHT))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        entry: SavedConversation = index.data(_ENTRY)
        ground = QStyleOptionViewItem(option)
        self.initStyleOption(ground, index)
        ground.text = ""
        self._view.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, ground, painter, self._view)
        colours = tokens()
        words = option.rect.adjusted(14, px(8), -14, -px(8))
        upper = QRect(words.left(), words.top(), words.width(), words.height() // 2)
        lower = QRect(words.left(), upper.bottom(), words.width(), words.height() - upper.height())
        self._line(painter, upper, entry.title, 14, 500, colours.text)
        self._line(painter, lower, self._view.describe(entry), 12, 400, colours.text3)

    def _line(self, painter: QPainter, into: QRect, words: str, size: int, weight: int, colour: str) -> None:
        painter.setFont(font(size, weight))
        painter.setPen(QColor(colour))
        shown = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, into.width())
        painter.drawText(into, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading), shown)
