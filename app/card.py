"""Card: a large button that holds other widgets and can be the one in use."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QLabel, QLayout, QSizePolicy, QWidget

from app.theme import tokens

_RADIUS = 12


class Card(QAbstractButton):
    """Paints the card of the style guide: plain, hover, focus, selected, dashed. Enter and Space press it.

    Labels inside let the mouse through (`label` makes them so); real buttons inside keep it.
    """

    def __init__(self, name: str, dashed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._dashed = dashed

    def set_selected(self, selected: bool) -> None:
        self.setCheckable(True)
        self.setChecked(selected)

    def nextCheckState(self) -> None:
        """Being in use is decided by who made the card, never by the press."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.click()
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        layout = self.layout()
        return layout.sizeHint() if isinstance(layout, QLayout) else QSize(160, 160)

    def minimumSizeHint(self) -> QSize:
        layout = self.layout()
        return layout.minimumSize() if isinstance(layout, QLayout) else QSize(0, 0)

    def hasHeightForWidth(self) -> bool:
        layout = self.layout()
        return layout is not None and layout.hasHeightForWidth()

    def heightForWidth(self, width: int) -> int:
        layout = self.layout()
        return layout.totalHeightForWidth(width) if layout is not None else -1

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2.0 if self.isChecked() or self.hasFocus() else float(colours.border_px)
        painter.setPen(self._pen(width))
        painter.setBrush(self._fill())
        inset = width / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), _RADIUS, _RADIUS)
        if self.isChecked() and self.hasFocus():
            painter.setPen(QPen(QColor(colours.focus), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), _RADIUS, _RADIUS)

    def _pen(self, width: float) -> QPen:
        colours = tokens()
        if self.hasFocus():
            return QPen(QColor(colours.focus), width)
        if self.isChecked():
            return QPen(QColor(colours.accent), width)
        if self._dashed:
            return QPen(QColor(colours.edge), width, Qt.PenStyle.DotLine)
        return QPen(QColor(colours.line), width)

    def _fill(self) -> QColor:
        colours = tokens()
        if self.isChecked():
            return QColor(colours.accent_soft)
        if self.underMouse() and self.isEnabled():
            return QColor(colours.hover)
        return QColor(colours.surface if self._dashed else colours.raised)


def label(text: str, role: str = "", tone: str = "", wrap: bool = False) -> QLabel:
    """A label with the roles of `app.theme` that lets the mouse through."""
    made = QLabel(text)
    made.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    if role:
        made.setProperty("role", role)
    if tone:
        made.setProperty("tone", tone)
    made.setWordWrap(wrap)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made
