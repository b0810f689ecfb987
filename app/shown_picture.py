"""ShownPicture: a picture of the person's own, whole and as large as there is room, with things lying on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.background import run_in_background

if TYPE_CHECKING:
    from pathlib import Path

    from core.errors import LiveTalkError
    from core.media import Pixels


class ShownPicture(QWidget):
    """Read in the background, in the px in which faces are told of (`core.parts.portrait`). GUI thread."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._picture = QImage()
        run_in_background(self, lambda: read_portrait(path), self.show_picture, _raise_again)

    @property
    def picture(self) -> QImage:
        """Null until it is read."""
        return self._picture

    @property
    def scale(self) -> float:
        """px on the screen for each px of the picture."""
        return self.place.width() / max(1, self._picture.width())

    @property
    def place(self) -> QRectF:
        """Where the picture lies: whole, in the middle."""
        size = self._picture.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF(
            (self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height()
        )

    def on_screen(self, at: QPointF) -> QPointF:
        """Where a point of the picture lies on this widget."""
        return self.place.topLeft() + at * self.scale

    def on_picture(self, at: QPointF) -> QPointF:
        """Which point of the picture lies under a point of this widget; the nearest one beside it."""
        found = (at - self.place.topLeft()) / max(self.scale, 1e-6)
        most_x, most_y = max(0, self._picture.width() - 1), max(0, self._picture.height() - 1)
        return QPointF(min(max(found.x(), 0.0), most_x), min(max(found.y(), 0.0), most_y))

    def show_picture(self, picture: QImage) -> None:
        self._picture = picture
        self.lay_out()
        self.update()

    def lay_out(self) -> None:
        """What lies on the picture is placed here, once there is one and whenever its size changes."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self._picture.isNull():
            self.lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._picture.isNull():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(self.place, self._picture)


def read_portrait(path: Path) -> QImage:
    """The picture as the performer gets it: upright, at most 3072 px long."""
    from core.parts import portrait

    pixels: Pixels = portrait(str(path))
    height, width = pixels.shape[:2]
    return QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _raise_again(error: LiveTalkError) -> None:
    raise error
