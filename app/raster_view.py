"""RasterView: paints the frame due now without OpenGL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter
from PySide6.QtWidgets import QWidget

from app.picture import FEATHER, picture_rect
from app.theme import SURROUND_DARKEST, tokens
from app.view_pictures import Pictures

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

    from app.picture import Edges
    from core.media import Pixels, TimedFrame


class RasterView(QWidget):
    """The picture without OpenGL: composed once for each frame and size, then copied where a repaint asks."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pictures = Pictures()
        self._composed: QImage | None = None
        self.opengl_missing = False
        """Nobody chose this view: the system has no OpenGL."""
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def show_frame(self, frame: TimedFrame | None) -> bool:
        """Draw `frame` if it is another one; whether it was."""
        changed = self.pictures.take(frame)
        if changed or self.pictures.before is not None:
            self._composed = None
            self.update()
        return changed

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._composed = None
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        size = self.size() * self.devicePixelRatioF()
        if self._composed is None or self._composed.size() != size:
            self._composed = compose(self.pictures, size)
            self._composed.setDevicePixelRatio(self.devicePixelRatioF())
        painter = QPainter(self)
        where = event.rect()
        scale = self.devicePixelRatioF()
        source = QRectF(where.x() * scale, where.y() * scale, where.width() * scale, where.height() * scale)
        painter.drawImage(QRectF(where), self._composed, source)


def compose(pictures: Pictures, size: QSize) -> QImage:
    """The whole stage as an image: surround, picture, feather."""
    made = QImage(size, QImage.Format.Format_RGB32)
    painter = QPainter(made)
    if pictures.current is None:
        painter.fillRect(made.rect(), QColor(tokens().canvas))
        painter.end()
        return made
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    place = picture_rect(size.width(), size.height(), pictures.aspect)
    arrived = pictures.arrived
    if pictures.before is not None:
        painter.drawImage(place, _image(pictures.before))
        painter.setOpacity(arrived)
    painter.drawImage(place, _image(pictures.current))
    painter.setOpacity(1.0)
    if place.width() < size.width():
        _surround(painter, pictures.edges, place, size)
    painter.end()
    return made


def _image(pixels: Pixels) -> QImage:
    height, width = pixels.shape[:2]
    return QImage(np.ascontiguousarray(pixels).data, width, height, 3 * width, QImage.Format.Format_RGB888)


def _surround(painter: QPainter, edges: Edges, place: QRectF, size: QSize) -> None:
    """Both sides: from the stage's edge to the picture's, and over the picture's feather to nothing."""
    soft = place.width() * FEATHER
    for from_x, edge_x, to_x, colour in (
        (0.0, place.left(), place.left() + soft, edges.left),
        (float(size.width()), place.right(), place.right() - soft, edges.right),
    ):
        run = QLinearGradient(from_x, 0, to_x, 0)
        edge_at = (edge_x - from_x) / (to_x - from_x)
        for part in _GRADIENT_STOPS:
            outside = 1 - (1 - SURROUND_DARKEST) * (1 - part) ** 1.3
            run.setColorAt(edge_at * part, QColor.fromRgbF(*(channel * outside for channel in colour)))
            run.setColorAt(edge_at + (1 - edge_at) * part, QColor.fromRgbF(*colour, 1 - _smooth(part)))
        left, right = sorted((from_x, to_x))
        painter.fillRect(QRectF(left, 0, right - left, size.height()), run)


_GRADIENT_STOPS = tuple(part / 8 for part in range(9))


def _smooth(part: float) -> float:
    """The shader's smoothstep."""
    return part * part * (3 - 2 * part)
