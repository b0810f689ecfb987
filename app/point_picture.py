"""PointPicture: a picture on which five points of a face are put down in turn, and moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton

from app.shown_picture import ShownPicture
from app.theme import font, glass, px, tokens

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 5
Points = tuple[tuple[float, float], ...]
"""As `core.performer.protocol.Said`: both eyes, the nose, both corners of the mouth, the left of the picture first."""
_USUAL = ((0.4, 0.42), (0.6, 0.42), (0.5, 0.55), (0.43, 0.66), (0.57, 0.66))
"""Where the features of a portrait are, of its width and height."""
_FROM_EYES = {2: (0.0, 0.6), 3: (-0.38, 1.05), 4: (0.38, 1.05)}
"""The others from between the eyes, along and across the line between them, in lengths of it."""
_ARROWS = {
    Qt.Key.Key_Left: QPointF(-1, 0),
    Qt.Key.Key_Right: QPointF(1, 0),
    Qt.Key.Key_Up: QPointF(0, -1),
    Qt.Key.Key_Down: QPointF(0, 1),
}
_FAST = 10
_RING = 11
_BADGE = (6, 8)
"""px to the right of the point and above it where the handle's number begins."""


class PointPicture(ShownPicture):
    """The picture under one handle for each point that was put down, and one for the point that is asked for.

    `changed` after every step; `undo` takes the last one back.
    """

    changed = Signal()

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._points: list[QPointF] = []
        self._waiting = QPointF()
        """Where the point that is asked for would be put down."""
        self._steps: list[tuple[int | None, list[QPointF]]] = []
        """What undo returns to; with the point that is being moved, so that one movement is one step."""
        self.handles = [PointHandle(index, self) for index in range(COUNT)]

    @property
    def asked(self) -> int | None:
        """Which point is asked for; None when all are there."""
        return len(self._points) if len(self._points) < COUNT else None

    @property
    def count(self) -> int:
        """How many were put down."""
        return len(self._points)

    @property
    def points(self) -> Points | None:
        """All of them, once they are there; who took left for right gets them the right way round."""
        if self.asked is not None:
            return None
        eyes, nose, mouth = sorted(self._flat[:2]), self._flat[2], sorted(self._flat[3:])
        return (*eyes, nose, *mouth)

    @property
    def can_undo(self) -> bool:
        return bool(self._steps)

    def name_of(self, index: int) -> str:
        names = (
            self.tr("The eye on the left"),
            self.tr("The eye on the right"),
            self.tr("The tip of the nose"),
            self.tr("The left corner of the mouth"),
            self.tr("The right corner of the mouth"),
        )
        return names[index]

    def put_down(self, at: QPointF) -> None:
        """The point that is asked for is here (px of the picture)."""
        if self.asked is None or self.picture.isNull():
            return
        self._steps.append((None, list(self._points)))
        self._points.append(at)
        self._expect()

    def put_down_waiting(self) -> None:
        """The point that is asked for is where its handle waits."""
        self.put_down(QPointF(self._waiting))

    def move_point(self, index: int, by: QPointF) -> None:
        """Move a handle by px of the screen."""
        target = self.on_picture(self.on_screen(self.at(index)) + by)
        if index >= len(self._points):
            self._waiting = target
            self.lay_out()
            return
        if not self._steps or self._steps[-1][0] != index:
            self._steps.append((index, list(self._points)))
        self._points[index] = target
        self.lay_out()
        self.changed.emit()

    def undo(self) -> None:
        if self._steps:
            _, self._points = self._steps.pop()
            self._expect()

    def at(self, index: int) -> QPointF:
        """Where a handle is, px of the picture."""
        return self._points[index] if index < len(self._points) else self._waiting

    def lay_out(self) -> None:
        for index, handle in enumerate(self.handles):
            middle = self.on_screen(self.at(index)).toPoint()
            handle.move(middle - QPoint(handle.width() // 2, handle.height() // 2))
            handle.setVisible(index <= len(self._points))
            handle.tell(index < len(self._points), self.at(index), self.picture.size().toTuple())
        self.update()

    def show_picture(self, picture: QImage) -> None:
        super().show_picture(picture)
        self._expect()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.place.contains(event.position()):
            self.put_down(self.on_picture(event.position()))

    def _expect(self) -> None:
        """Let the next handle wait about where its point will be, and give it the focus."""
        asked = self.asked
        if asked is not None:
            self._waiting = self._guess(asked)
        self.lay_out()
        self.changed.emit()
        self.handles[len(self._points) - 1 if asked is None else asked].setFocus(Qt.FocusReason.OtherFocusReason)

    def _guess(self, index: int) -> QPointF:
        if index not in _FROM_EYES:
            x, y = _USUAL[index]
            return QPointF(x * self.picture.width(), y * self.picture.height())
        (left_x, left_y), (right_x, right_y) = sorted(self._flat[:2])
        across = QPointF(right_x - left_x, right_y - left_y)
        down = QPointF(-across.y(), across.x())
        along, below = _FROM_EYES[index]
        guessed = QPointF((left_x + right_x) / 2, (left_y + right_y) / 2) + across * along + down * below
        return self.on_picture(self.on_screen(guessed))

    @property
    def _flat(self) -> list[tuple[float, float]]:
        return [(point.x(), point.y()) for point in self._points]


class PointHandle(QAbstractButton):
    """A ring around a point, with its number: dragged by the mouse, moved by the arrow keys."""

    def __init__(self, index: int, picture: PointPicture) -> None:
        super().__init__(picture)
        self._index = index
        self._picture = picture
        self._placed = False
        self._grip: QPointF | None = None
        side = 2 * max(20, _BADGE[0] + px(12) + 1, _BADGE[1] + px(14) + 1)
        self.setFixedSize(side, side)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeAllCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setAccessibleName(picture.name_of(index))
        self.setVisible(False)

    def tell(self, placed: bool, at: QPointF, size: tuple[int, int]) -> None:
        """Whether it was put down, and where it is in a picture of this size."""
        self._placed = placed
        across, down = (round(100 * value / max(1, side)) for value, side in zip((at.x(), at.y()), size, strict=True))
        where = self.tr("{across} % from the left, {down} % from the top").format(across=across, down=down)
        words = where if placed else self.tr("Not placed yet. {where}").format(where=where)
        if words != self.accessibleDescription():
            self.setAccessibleDescription(words)
        self.setToolTip(self.accessibleName())
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        arrow = _ARROWS.get(Qt.Key(event.key()))
        if arrow is not None:
            fast = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self._picture.move_point(self._index, arrow * (_FAST if fast else 1))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and not self._placed:
            self._picture.put_down_waiting()
        else:
            event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if self._placed:
            self._grip = event.globalPosition()
        else:
            self._picture.put_down(self._picture.on_picture(self.mapToParent(event.position())))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            moved, self._grip = event.globalPosition() - self._grip, event.globalPosition()
            self._picture.move_point(self._index, moved)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        marked = self.hasFocus() or self.underMouse() or not self._placed
        colour = QColor(tokens().accent if marked else glass().text)
        style = Qt.PenStyle.SolidLine if self._placed else Qt.PenStyle.DotLine
        middle = QRectF(self.rect()).center()
        painter.setPen(QPen(glass().fill_colour(), 5))
        painter.drawEllipse(middle, _RING, _RING)
        painter.setPen(QPen(colour, 2.5 if self.hasFocus() else 2, style))
        painter.drawEllipse(middle, _RING, _RING)
        painter.setPen(QPen(glass().fill_colour(), 1))
        painter.setBrush(colour)
        painter.drawEllipse(middle, 2.5, 2.5)
        right, above = _BADGE
        number = QRectF(middle.x() + right, middle.y() - above - px(14), px(12), px(14))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(glass().fill_colour())
        painter.drawRoundedRect(number, 4, 4)
        painter.setPen(QColor(glass().text))
        painter.setFont(font(12, 600, tabular=True))
        painter.drawText(number, Qt.AlignmentFlag.AlignCenter, str(self._index + 1))
