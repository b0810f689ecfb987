"""FaceGuide: a small drawing of a face that says where the point is which is asked for."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import font, text_scale, tokens

_SIZE = QSize(150, 168)
_MOST_SCALE = 1.5
_PLACES = ((52, 72), (98, 72), (75, 98), (58, 124), (92, 124))
"""The five points on a drawing of that size."""


class FaceGuide(QWidget):
    """Points that were put down are filled, the one that is asked for is larger and in the accent colour."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: int | None = 0
        self._placed = 0
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Where the point is in a face"))

    def sizeHint(self) -> QSize:
        return _SIZE * _scale()

    def show_asked(self, asked: int | None, placed: int) -> None:
        self._asked, self._placed = asked, placed
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate((self.width() - _SIZE.width() * _scale()) / 2, 0)
        painter.scale(_scale(), _scale())
        self._paint_face(painter)
        number = font(12, 600)
        number.setPixelSize(12)
        painter.setFont(number)
        for index, (x, y) in enumerate(_PLACES):
            self._paint_point(painter, index, QPointF(x, y))

    def _paint_face(self, painter: QPainter) -> None:
        colours = tokens()
        painter.setPen(QPen(QColor(colours.edge), 1.75, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.setBrush(QColor(colours.raised))
        painter.drawEllipse(QRectF(18, 6, 114, 152))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for x, y in _PLACES[:2]:
            painter.drawEllipse(QPointF(x, y), 13, 7)
        nose, mouth = QPainterPath(QPointF(73, 76)), QPainterPath(QPointF(*_PLACES[3]))
        nose.quadTo(QPointF(64, 100), QPointF(75, 100))
        mouth.quadTo(QPointF(75, 136), QPointF(*_PLACES[4]))
        painter.drawPath(nose)
        painter.drawPath(mouth)

    def _paint_point(self, painter: QPainter, index: int, at: QPointF) -> None:
        colours = tokens()
        asked = index == self._asked
        radius = 10.0 if asked else 4.5
        filled = asked or index < self._placed
        painter.setPen(QPen(QColor(colours.surface if filled else colours.edge), 1.5))
        painter.setBrush(QColor((colours.accent if asked else colours.text2) if filled else colours.surface))
        painter.drawEllipse(at, radius, radius)
        if asked:
            painter.setPen(QColor(colours.on_accent))
            box = QRectF(at.x() - radius, at.y() - radius, 2 * radius, 2 * radius)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(index + 1))


def _scale() -> float:
    """It grows with the text, as far as there is room beside the picture."""
    return min(_MOST_SCALE, text_scale())
