"""Small pictures of portraits, read and scaled once on a pool thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.background import run_in_background
from app.icons import paint_icon
from app.theme import px, tokens

if TYPE_CHECKING:
    from pathlib import Path

    from core.errors import LiveTalkError

_READ_SIDE = 512
"""Pixels of the shorter side that are kept: enough for a card at 200 % on a fine screen."""
TURN_MS = 33
_RADIUS = 8
_DIMMED = 0.45


class Thumbnail(QWidget):
    """A rounded picture that fills its place from the top; an icon until it is read, or when it cannot be.

    Args:
        size: pixels at 100 % text.
        reduce_motion: the ring of a picture that is checked stands still.
    """

    def __init__(self, path: Path, size: QSize, reduce_motion: bool = False) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._size = size
        self._picture = QImage()
        self._scaled = QPixmap()
        self._dimmed = False
        self._checking = False
        self._angle = 0
        self._turning = QTimer(self, interval=TURN_MS)
        self._turning.timeout.connect(self._turn)
        self._reduce_motion = reduce_motion
        run_in_background(self, lambda: read_small(path), self._show, _raise_again)

    def sizeHint(self) -> QSize:
        return QSize(px(self._size.width()), px(self._size.height()))

    def dim(self, dimmed: bool) -> None:
        self._dimmed = dimmed
        self.update()

    def show_checking(self, checking: bool) -> None:
        """A ring over the dimmed picture."""
        self._checking = checking
        if checking and not self._reduce_motion:
            self._turning.start()
        else:
            self._turning.stop()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(_DIMMED if self._dimmed or self._checking else 1.0)
        self._paint_picture(painter)
        if self._checking:
            painter.setOpacity(1.0)
            painter.setClipping(False)
            painter.setPen(QPen(QColor(tokens().text), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            ring = QRectF(0, 0, px(28), px(28))
            ring.moveCenter(QRectF(self.rect()).center())
            painter.drawArc(ring, -self._angle * 16, 270 * 16)

    def _turn(self) -> None:
        self._angle = (self._angle + 12) % 360
        self.update()

    def _paint_picture(self, painter: QPainter) -> None:
        if self._picture.isNull():
            side = min(self.width(), self.height(), px(28))
            place = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
            paint_icon(painter, "image", place, tokens().text3)
            return
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(self.rect()), _RADIUS, _RADIUS)
        painter.setClipPath(outline)
        painter.drawPixmap(self.rect(), self._fitted())

    def _show(self, picture: QImage) -> None:
        self._picture = picture
        self._scaled = QPixmap()
        self.update()

    def _fitted(self) -> QPixmap:
        """The picture in device pixels, cut to the widget's shape: the top is kept, the sides lose evenly."""
        wanted = self.size() * self.devicePixelRatioF()
        if self._scaled.size() != wanted:
            filled = self._picture.scaled(
                wanted, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
            )
            cut = QRect((filled.width() - wanted.width()) // 2, 0, wanted.width(), wanted.height())
            self._scaled = QPixmap.fromImage(filled.copy(cut))
        return self._scaled


def read_small(path: Path) -> QImage:
    """The picture in `path`, upright, its shorter side at most 512 pixels; a null image when it cannot be read."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    size = reader.size()
    shorter = min(size.width(), size.height())
    if size.isValid() and shorter > _READ_SIDE:
        reader.setScaledSize(size * (_READ_SIDE / shorter))
    return reader.read()


def _raise_again(error: LiveTalkError) -> None:
    raise error
