"""FaceChoice: a picture that shows several people, and the question who of them to talk to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.card import label
from app.sheet import Sheet, column, title_row
from app.shown_picture import ShownPicture
from app.theme import font, glass, px, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Box = tuple[float, float, float, float]
_AROUND = 0.12
"""Of a face's box that its frame lies outside of it."""
_FORWARD = (Qt.Key.Key_Right, Qt.Key.Key_Down)
_BACK = (Qt.Key.Key_Left, Qt.Key.Key_Up)


class FaceChoice(Sheet):
    """Shows the picture with a numbered frame around each face. Show it with `open()`. GUI thread.

    Signals:
        chosen(int): the index of the face, as `boxes` counts them; the sheet closes.

    Args:
        path: the picture.
        boxes: left, top, right, bottom of each face, in px of the picture as `core.parts.portrait` reads it.
    """

    chosen = Signal(int)

    def __init__(self, path: Path, boxes: Sequence[Box], parent: QWidget, reduce_motion: bool = False) -> None:
        super().__init__(parent, "", QSize(720, 620), reduce_motion)
        self.setWindowTitle(self.tr("Choose a face"))
        inside = column(8, (28, 20, 20, 24))
        self.frame.setLayout(inside)
        inside.addLayout(title_row(self, self.tr("Choose a face")))
        inside.addWidget(label(self.tr("This picture shows several people. Who is it?"), "supporting", wrap=True))
        self.picture = FacePicture(path, boxes)
        self.picture.chosen.connect(self._choose)
        inside.addWidget(self.picture, 1)
        self.picture.setFocus(Qt.FocusReason.OtherFocusReason)  # the first frame takes it once there is a picture

    def _choose(self, face: int) -> None:
        self.chosen.emit(face)
        self.accept()


class FacePicture(ShownPicture):
    """The picture under one button for each face. Arrows walk, digits choose."""

    chosen = Signal(int)

    def __init__(self, path: Path, boxes: Sequence[Box]) -> None:
        super().__init__(path)
        self._boxes = list(boxes)
        self.frames = [FaceFrame(index, len(self._boxes), self) for index in range(len(self._boxes))]
        for index, frame in enumerate(self.frames):
            frame.clicked.connect(partial(self.chosen.emit, index))
            frame.hide()

    def show_picture(self, picture: QImage) -> None:
        super().show_picture(picture)
        self.frames[0].setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys that the frames leave to it."""
        if self.picture.isNull():
            super().keyPressEvent(event)
            return
        key = Qt.Key(event.key())
        current = next((index for index, frame in enumerate(self.frames) if frame.hasFocus()), 0)
        if key in _FORWARD or key in _BACK:
            step = 1 if key in _FORWARD else -1
            self.frames[(current + step) % len(self.frames)].setFocus(Qt.FocusReason.TabFocusReason)
        elif event.text().isdigit() and 1 <= int(event.text()) <= len(self.frames):
            self.frames[int(event.text()) - 1].click()
        else:
            super().keyPressEvent(event)

    def lay_out(self) -> None:
        for frame, (left, top, right, bottom) in zip(self.frames, self._boxes, strict=True):
            more = _AROUND * (bottom - top)
            corner = self.on_screen(QPointF(left - more, top - more))
            size = QSize(round((right - left + 2 * more) * self.scale), round((bottom - top + 2 * more) * self.scale))
            frame.setGeometry(QRect(corner.toPoint(), size.expandedTo(QSize(px(36), px(36)))) & self.rect())
            frame.show()


class FaceFrame(QAbstractButton):
    """A frame around a face, with its number."""

    def __init__(self, index: int, count: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._number = index + 1
        self.setAccessibleName(self.tr("Face {number} of {count}").format(number=self._number, count=count))
        self.setToolTip(self.accessibleName())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.click()
        elif event.key() in (*_FORWARD, *_BACK):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        marked = self.hasFocus() or self.underMouse()
        colour = QColor(tokens().accent if marked else glass().text)
        frame = QRectF(self.rect()).adjusted(2.5, 2.5, -2.5, -2.5)
        for pen in (QPen(glass().fill_colour(), 5), QPen(colour, 3 if marked else 2)):
            painter.setPen(pen)
            painter.drawRoundedRect(frame, 10, 10)
        badge = QRectF(frame.left() + 6, frame.top() + 6, px(26), px(26))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour if marked else glass().fill_colour())
        painter.drawEllipse(badge)
        painter.setPen(QColor(tokens().on_accent if marked else glass().text))
        painter.setFont(font(14, 600))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, str(self._number))
