"""A short history of a sound level, as bars."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import px, tokens

_BAR, _STEP = 4, 8
_LONGEST = 240
"""Levels remembered: more than the widest sheet shows."""


class LevelBars(QWidget):
    """Newest level at the right; heights follow what `push` is given, 0..1."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._levels: deque[float] = deque(maxlen=_LONGEST)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def push(self, level: float) -> None:
        self._levels.append(min(1.0, max(0.0, level)))
        self.update()

    def clear(self) -> None:
        self._levels.clear()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(px(200), px(28))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        count = self.width() // _STEP
        shown = ([0.0] * count + list(self._levels))[-count:] if count else []
        colours = tokens()
        for place, level in enumerate(shown):
            height = max(float(_BAR), level * self.height())
            painter.setBrush(QColor(colours.listening if level > 0.02 else colours.line))
            top = (self.height() - height) / 2
            painter.drawRoundedRect(QRectF(place * _STEP, top, _BAR, height), _BAR / 2, _BAR / 2)
