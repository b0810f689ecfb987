"""TurnView: one side of a turn in the transcript, and what became of it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from app.theme import px, tokens

if TYPE_CHECKING:
    from datetime import datetime

_LINE_HEIGHT = 1.28


class TurnView(QWidget):
    """Name, time and words of one side of a turn, and what became of them.

    Signals: `go_on_wanted`, the person wants the rest of a reply that stopped.
    """

    go_on_wanted = Signal()

    def __init__(self, name: str, time: datetime, yours: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._time, self._yours = name, time, yours
        self._said = ""
        self._unheard = ""
        self._cut = False
        self._stopped = False
        self._waiting = False
        self._head = QLabel(self, textFormat=Qt.TextFormat.RichText)
        self._words = QLabel(self, wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._words.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._note = QLabel(self)
        self._note.setProperty("role", "small")
        self._note.setContentsMargins(0, 0, 0, 5)
        self.go_on = QPushButton(self.tr("Continue"), self)
        self.go_on.setProperty("kind", "quiet")
        self.go_on.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.go_on.setAccessibleName(self.tr("Ask for the rest of this answer"))
        self.go_on.clicked.connect(self.go_on_wanted)
        self.go_on.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addSpacing(5)
        column.addWidget(self._words)
        column.addWidget(self._note)
        column.addWidget(self.go_on, 0, Qt.AlignmentFlag.AlignLeft)
        self._draw()

    @property
    def said(self) -> str:
        return self._said

    @property
    def unheard(self) -> str:
        return self._unheard

    @property
    def note(self) -> str:
        return self._note.text()

    @property
    def words_as_html(self) -> str:
        return self._words.text()

    def say(self, text: str) -> None:
        """The words so far; what became of earlier ones of this turn no longer counts."""
        if text != self._said:
            self._said, self._unheard, self._cut, self._stopped = text, "", False, False
            self.go_on.hide()
            self._draw()

    def cut(self, heard: str, unheard: str) -> None:
        """The reply ended after `heard`; the rest is struck through."""
        self._said, self._unheard, self._cut = heard, unheard, True
        self._draw()

    def stop_short(self, said: str, unsaid: str) -> None:
        """The reply ended by itself before its end: words that were never spoken are struck through, and the rest may
        be asked for."""
        self._said, self._unheard, self._stopped = said, unsaid, True
        self.go_on.show()
        self._draw()

    def let_go(self) -> None:
        """Something else is talked about: the rest of this reply is not offered any more."""
        self.go_on.hide()

    def wait_for_answer(self, waiting: bool) -> None:
        """ "Not answered yet" under the person's words."""
        if waiting != self._waiting:
            self._waiting = waiting
            self._draw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._draw()

    def _draw(self) -> None:
        look = tokens()
        clock = self._time.strftime("%H:%M")
        self._head.setText(
            f'<span style="font-size:{px(12)}px; font-weight:600; color:{look.text2}">{html.escape(self._name)}</span>'
            f'<span style="font-size:{px(12)}px; color:{look.text3}">&nbsp;&nbsp;{clock}</span>'
        )
        words = _as_html(self._said)
        if self._unheard:
            gap = " " if self._said and not self._unheard[:1].isspace() else ""
            words += f'<span style="color:{look.text3}"><s>{gap}{_as_html(self._unheard)}</s></span>'
        colour = look.text2 if self._yours else look.text
        self._words.setText(
            f'<p style="line-height:{_LINE_HEIGHT * 100:.0f}%; margin:0; '
            f'font-size:{px(15)}px; color:{colour}">{words}</p>'
        )
        self._words.setVisible(bool(words))
        self._draw_note()
        whole = self._said + (f" {self._note.text()}" if self._note.text() else "")
        self.setAccessibleName(f"{self._name}, {clock}: {whole}")

    def _draw_note(self) -> None:
        notes = (
            (self._cut, self.tr("You interrupted here")),
            (self._stopped, self.tr("The answer stops here")),
            (self._waiting, self.tr("Not answered yet")),
        )
        note = next((words for holds, words in notes if holds), "")
        tone = "danger" if self._waiting and not self._cut else None
        if note != self._note.text() or tone != self._note.property("tone"):
            self._note.setText(note)
            self._note.setProperty("tone", tone)
            self._note.style().unpolish(self._note)
            self._note.style().polish(self._note)
        self._note.setVisible(bool(note))


def _as_html(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
