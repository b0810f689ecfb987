"""CompactFrame: the frameless square window: dragged anywhere, resized at its corners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QMouseEvent, QPainterPath, QRegion

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

SMALLEST = 200
LARGEST = 480
USUAL = 340
_CORNER = 18
_RADIUS = 14


class CompactFrame(QObject):
    """Moves and resizes `window` by the mouse on `surface` while it is enabled."""

    def __init__(self, window: QWidget, surface: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._surface = surface
        self._grip: QPoint | None = None
        self._corner: tuple[bool, bool] | None = None
        self._began = QRect()

    def enable(self, on: bool) -> None:
        if on:
            self._surface.installEventFilter(self)
            self.shape()
        else:
            self._surface.removeEventFilter(self)
            self._window.clearMask()

    def shape(self) -> None:
        """Round the window's corners."""
        path = QPainterPath()
        path.addRoundedRect(QRectF(self._window.rect()), _RADIUS, _RADIUS)
        self._window.setMask(QRegion(path.toFillPolygon().toPolygon()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.shape()
        elif isinstance(event, QMouseEvent):
            if event.type() == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
                self._begin(event)
            elif event.type() == QEvent.Type.MouseMove and self._grip is not None:
                self._follow(event.globalPosition().toPoint())
                return True
            elif event.type() == QEvent.Type.MouseButtonRelease:
                self._grip = self._corner = None
        return False

    def _begin(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        right, bottom = at.x() > self._window.width() - _CORNER, at.y() > self._window.height() - _CORNER
        left, top = at.x() < _CORNER, at.y() < _CORNER
        self._corner = (left, top) if (left or right) and (top or bottom) else None
        self._grip = event.globalPosition().toPoint()
        self._began = self._window.geometry()
        handle = self._window.windowHandle()
        if self._corner is None and handle.startSystemMove():
            self._grip = None

    def _follow(self, at: QPoint) -> None:
        if self._grip is None:
            return
        moved = at - self._grip
        if self._corner is None:
            self._window.move(self._began.topLeft() + moved)
            return
        self._window.setGeometry(resized(self._began, moved, *self._corner))
        self.shape()


def resized(square: QRect, moved: QPoint, left: bool, top: bool) -> QRect:
    """`square` after a corner was dragged by `moved`; the opposite corner stays, and it stays a square."""
    wider = -moved.x() if left else moved.x()
    taller = -moved.y() if top else moved.y()
    side = min(LARGEST, max(SMALLEST, square.width() + max(wider, taller)))
    x = square.x() + square.width() - side if left else square.x()
    y = square.y() + square.height() - side if top else square.y()
    return QRect(x, y, side, side)
