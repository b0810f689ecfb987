"""F1: every key and what it does."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

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
        """Keys and what they do, in the order of the style guide."""
        held = self.tr("{} (held; not while typing)").format(_native("Space"))
        return [
            (held, self.tr("Speak")),
            (_native("M"), self.tr("Microphone on or off")),
            (_native("Esc"), self.tr("Interrupt; else close the sheet, the problem, the full screen")),
            (_native("Ctrl+M"), self.tr("Mute the avatar")),
            (_native("Ctrl+R"), self.tr("Record, stop recording")),
            (_native("Ctrl+O"), self.tr("Choose an avatar")),
            (_native("Ctrl+Shift+O"), self.tr("Open an image")),
            (_native("Ctrl+L"), self.tr("Go to the text box")),
            (_native("Return"), self.tr("Send")),
            (_native("Shift+Return"), self.tr("New line")),
            (_native("F2"), self.tr("Conversation")),
            (_native("F3"), self.tr("Figures over the picture")),
            (QKeySequence(QKeySequence.StandardKey.FullScreen).toString(_NATIVE), self.tr("Full screen")),
            (_native("Ctrl+K"), self.tr("Compact window")),
            (_native("Ctrl+H"), self.tr("Earlier conversations")),
            (_native("Ctrl+N"), self.tr("New conversation")),
            (_native("Ctrl+Shift+N"), self.tr("New private conversation, which is not saved")),
            (_native("Ctrl+,"), self.tr("Settings")),
            (f"{_native('Ctrl+Up')}, {_native('Ctrl+Down')}", self.tr("Volume")),
            (_native("F1"), self.tr("This list")),
            (f"{_native('Tab')}, {_native('Shift+Tab')}", self.tr("Move; arrows inside a gallery, a list")),
        ]


_NATIVE = QKeySequence.SequenceFormat.NativeText


def _native(keys: str) -> str:
    return QKeySequence(keys).toString(_NATIVE)
