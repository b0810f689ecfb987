"""F1: every key and what it does."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from app.actions import ACTIONS
from app.card import label
from app.sheet import Sheet, title_row
from app.theme import font


class HelpSheet(Sheet):
    """The list of keys, written as the system writes them. Show it with `open()`."""

    def __init__(self, parent: QWidget, reduce_motion: bool = False) -> None:
        super().__init__(parent, "", QSize(620, 660), reduce_motion)
        self.setWindowTitle(self.tr("Keys"))
        inside = QVBoxLayout(self.frame)
        inside.setContentsMargins(28, 20, 20, 20)
        inside.setSpacing(10)
        inside.addLayout(title_row(self, self.tr("Keys")))
        page = QWidget()
        page.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 6, 0)
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(10)
        grid.setColumnStretch(1, 1)
        for row, (keys, does) in enumerate(self.rows()):
            key = label(keys, "heading")
            key.setFont(font(14, 600))
            grid.addWidget(key, row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(label(does, "supporting", wrap=True), row, 1)
        grid.setRowStretch(grid.rowCount(), 1)
        self.key_list = QScrollArea()
        self.key_list.setWidgetResizable(True)
        self.key_list.setFrameShape(QFrame.Shape.NoFrame)
        self.key_list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.key_list.setAccessibleName(self.tr("Keys"))
        self.key_list.setAccessibleDescription(". ".join(f"{keys}: {does}" for keys, does in self.rows()))
        self.key_list.setWidget(page)
        inside.addWidget(self.key_list, 1)
        self.key_list.setFocus()

    def rows(self) -> list[tuple[str, str]]:
        """Keys and what they do: those of the window's actions, then those that belong to no action."""
        translate = QCoreApplication.translate
        actions = [
            (_native(key), translate("Actions", words).rstrip("…")) for group in ACTIONS for _, words, key in group
        ]
        return [
            (self.tr("{} (held)").format(_native("Space")), self.tr("Speak; not while you type")),
            *actions,
            (_native("Return"), self.tr("Send what you typed")),
            (_native("Shift+Return"), self.tr("New line")),
            (f"{_native('Tab')}, {_native('Shift+Tab')}", self.tr("Move on, move back")),
            (self.tr("Arrows"), self.tr("Move inside the gallery, a list, the conversation")),
        ]


_NATIVE = QKeySequence.SequenceFormat.NativeText


def _native(keys: str) -> str:
    return QKeySequence(keys).toString(_NATIVE)
