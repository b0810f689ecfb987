"""Caption: what is being said, at most two balanced lines of it, on the picture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter

from app.floating import Float, paint_glass, single_shot
from app.theme import font, glass, px

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QFont, QPaintEvent
    from PySide6.QtWidgets import QWidget

MAX_WIDTH = 760
_LINGER_MS = 1200
_LINES = 2
_SENTENCE = re.compile(r"(?<=[.!?…。！？])\s*(?=\S)")
_CLAUSE = re.compile(r"(?<=[,;:—–，；：])\s*(?=\S)")


def page(text: str, width_of: Callable[[str], float], room: float) -> list[str]:
    """The lines to show of `text`, whose end is what sounds now.

    Sentences follow each other on a page while it has room; a new page begins at a sentence, else at a clause, and
    only for want of both between two words.
    """
    shown: list[str] = []
    pending = ""
    for piece in _pieces(text, width_of, room):
        joined = f"{pending} {piece}" if pending else piece
        if pending and not _fits(joined, width_of, room):
            joined = piece
        pending = joined
    if pending:
        shown = balanced(pending, width_of, room)
    return shown


def balanced(text: str, width_of: Callable[[str], float], room: float) -> list[str]:
    """`text` on one line, or broken between words where the longer of two lines is shortest."""
    if width_of(text) <= room:
        return [text]
    words = text.split(" ")
    splits = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words))]
    if not splits:
        return [text]
    return list(min(splits, key=lambda lines: max(width_of(lines[0]), width_of(lines[1]))))


def _fits(text: str, width_of: Callable[[str], float], room: float) -> bool:
    return all(width_of(line) <= room for line in balanced(text, width_of, room))


def _pieces(text: str, width_of: Callable[[str], float], room: float) -> list[str]:
    """Sentences that fit a page; those that do not in clauses, and those that do not in runs of words."""
    pieces: list[str] = []
    for sentence in _SENTENCE.split(" ".join(text.split())):
        if _fits(sentence, width_of, room):
            pieces.append(sentence)
            continue
        for clause in _CLAUSE.split(sentence):
            pieces.extend([clause] if _fits(clause, width_of, room) else _runs(clause, width_of, room))
    return [piece for piece in pieces if piece]


def _runs(clause: str, width_of: Callable[[str], float], room: float) -> list[str]:
    runs = [""]
    for word in clause.split(" "):
        longer = f"{runs[-1]} {word}".strip()
        if runs[-1] and not _fits(longer, width_of, room):
            runs.append(word)
        else:
            runs[-1] = longer
    return runs


class Caption(Float):
    """Shows what `say` is given; leaves 1.2 s after the words end. `resized` when its place must be found anew."""

    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._lines: list[str] = []
        self._by_user = False
        self._size = 21
        self._room = MAX_WIDTH
        self._leaving = single_shot(self, _LINGER_MS, self.leave)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._set_opacity(0.0)
        self.hide()

    @property
    def lines(self) -> list[str]:
        return self._lines

    def say(self, text: str, by_user: bool) -> None:
        """Show `text`, or begin to leave when there is none."""
        if not text.strip():
            if self._text and not self._leaving.isActive():
                self._leaving.start()
            return
        self._leaving.stop()
        if (text, by_user) != (self._text, self._by_user):
            self._text, self._by_user = text, by_user
            self._arrange()
        if not self.isVisible() or self._opacity < 1:
            self.show()
            self.fade(1.0, 80)

    def clear(self) -> None:
        """Gone at once (captions were switched off)."""
        self._leaving.stop()
        self._text = ""
        self.hide()

    def set_room(self, width: int, size: int) -> None:
        """The widest it may be, and the size of its letters at 100 %."""
        room = min(MAX_WIDTH, width)
        if (room, size) != (self._room, self._size):
            self._room, self._size = room, size
            self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._opacity)
        paint_glass(painter, QRectF(self.rect()), 12, caption=True)
        painter.setPen(QColor(glass().caption_yours if self._by_user else glass().caption))
        painter.setFont(self._font())
        line = self._line_height()
        top = (self.height() - line * len(self._lines)) / 2
        for index, words in enumerate(self._lines):
            painter.drawText(QRectF(0, top + index * line, self.width(), line), Qt.AlignmentFlag.AlignCenter, words)

    def _font(self) -> QFont:
        return font(self._size, 400 if self._by_user else 500)

    def _line_height(self) -> float:
        return px(self._size) * 1.24

    def _arrange(self) -> None:
        padding = self._padding()
        metrics = QFontMetricsF(self._font())
        self._lines = page(self._text, metrics.horizontalAdvance, self._room - 2 * padding.width())
        wide = max((metrics.horizontalAdvance(line) for line in self._lines), default=0.0)
        tall = self._line_height() * len(self._lines)
        self.resize(round(wide + 2 * padding.width()), round(tall + 2 * padding.height()))
        self.setAccessibleName(" ".join(self._lines))
        self.update()
        self.resized.emit()

    def _padding(self) -> QSize:
        return QSize(round(self._size * 1.15), round(self._size * 0.57))

    def leave(self) -> None:
        """Fade away without waiting (the voice was cut)."""
        self._leaving.stop()
        self._text = ""
        self.fade(0.0, 200)
