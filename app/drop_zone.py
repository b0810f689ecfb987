"""DropZone: says, while a picture is dragged over the window, that it may be dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPainter, QPen

from app.floating import Float
from app.icons import paint_icon
from app.theme import font, glass

if TYPE_CHECKING:
    from PySide6.QtCore import QMimeData
    from PySide6.QtGui import QPaintEvent
    from PySide6.QtWidgets import QWidget

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".avif")


def dragged_picture(data: QMimeData) -> str:
    """The path of the one picture that is dragged, empty when it is something else."""
    paths = [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
    return paths[0] if len(paths) == 1 and paths[0].lower().endswith(PICTURES) else ""


class DropZone(Float):
    """Takes what is dragged over `window` and covers `parent` meanwhile; `dropped` is the path of the picture."""

    dropped = Signal(str)

    def __init__(self, parent: QWidget, window: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            return self._enter(event)
        if isinstance(event, QDragLeaveEvent):
            self.hide()
            return True
        if isinstance(event, QDropEvent) and event.type() == QEvent.Type.Drop:
            self.hide()
            event.acceptProposedAction()
            self.dropped.emit(dragged_picture(event.mimeData()))
            return True
        return False

    def _enter(self, event: QDragEnterEvent) -> bool:
        if not dragged_picture(event.mimeData()):
            return False
        event.acceptProposedAction()
        self.setGeometry(self.parentWidget().rect())  # pyright: ignore[reportOptionalMemberAccess] - made with one
        self.raise_()
        self.show()
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look = glass()
        painter.fillRect(self.rect(), look.fill_colour())
        painter.setPen(QPen(QColor(look.text2), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(20, 20, -20, -20), 16, 16)
        middle = self.rect().center()
        paint_icon(painter, "image", QRectF(middle.x() - 20, middle.y() - 52, 40, 40), look.text)
        painter.setPen(QColor(look.text))
        painter.setFont(font(18, 600))
        words = QRectF(0, middle.y(), self.width(), 40)
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, self.tr("Drop a picture to talk to it"))
