"""The frame of every sheet: a window-modal dialog over a scrim, as large as its window lets it be."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import Property, QAbstractAnimation, QEasingCurve, QEvent, QObject, QPropertyAnimation, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QDialog, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app.icons import icon
from app.theme import SCRIM_ALPHA, px

FADE_MS = 140
EDGE = 12
"""Pixels that a sheet leaves free to every edge of its window."""
_CORNER = 16
_FADING_PLATFORMS = {"xcb", "windows", "cocoa"}
"""Window systems on which a window has an opacity."""


class Sheet(QDialog):
    """A sheet over its window. Show it with `open()`; it is deleted once it was closed.

    What it shows is laid out in `frame`. Esc closes it, Tab stays inside, and closing gives the focus back to what had
    it when the sheet opened.

    Args:
        parent: any widget of the window that the sheet belongs to.
        title: the window's title, which a screen reader says on opening.
        preferred: the size at 100 % text; the window may allow less.
        reduce_motion: no fading.
    """

    def __init__(self, parent: QWidget, title: str, preferred: QSize, reduce_motion: bool = False) -> None:
        super().__init__(parent.window(), Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.frame = QFrame()
        self.frame.setProperty("role", "sheet")
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(self.frame)
        self._window = parent.window()
        self._preferred = preferred
        self._opener = QApplication.focusWidget()
        self._scrim = Scrim(self._window, 0 if reduce_motion else FADE_MS)
        self._fade = QPropertyAnimation(self, b"windowOpacity", self)
        self._fade.setDuration(FADE_MS)
        self._fade.setStartValue(0.0)
        self._fade.setEndValue(1.0)
        self._fades = not reduce_motion and QGuiApplication.platformName() in _FADING_PLATFORMS
        self._window.installEventFilter(self)
        self.finished.connect(self._leave)

    def showEvent(self, event: QShowEvent) -> None:
        self._place()
        self._scrim.appear()
        if self._fades and not event.spontaneous():
            self._fade.start()
        super().showEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if QGuiApplication.platformName() == "xcb":
            self.setMask(_rounded(self.width(), self.height()))  # an X server without a compositor paints corners black

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() in {QEvent.Type.Resize, QEvent.Type.Move}:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        room = self._window.size() - QSize(2 * EDGE, 2 * EDGE)
        wanted = QSize(px(self._preferred.width()), px(self._preferred.height())).boundedTo(room)
        self.setFixedSize(wanted)
        middle = self._window.mapToGlobal(self._window.rect().center())
        self.move(middle.x() - (wanted.width() - 1) // 2, middle.y() - (wanted.height() - 1) // 2)
        self._scrim.setGeometry(self._window.rect())

    def _leave(self) -> None:
        self._window.removeEventFilter(self)
        self._fade.stop()
        self._scrim.vanish()
        if self._opener is not None and _usable(self._opener):
            self._window.activateWindow()
            self._opener.setFocus(Qt.FocusReason.OtherFocusReason)


class Scrim(QWidget):
    """Darkens a window under a sheet and deletes itself when it has faded away."""

    def __init__(self, window: QWidget, fade_ms: int) -> None:
        super().__init__(window)
        self._opacity = 0.0
        self._fade = QPropertyAnimation(self, b"opacity", self)
        self._fade.setDuration(fade_ms)
        self._fade.setEasingCurve(QEasingCurve.Type.OutCubic)
        self.hide()

    def appear(self) -> None:
        if self.isVisible():
            return
        self.raise_()
        self.show()
        self._run(1.0)

    def vanish(self) -> None:
        self._fade.finished.connect(self.deleteLater)
        self._run(0.0)

    def paintEvent(self, event: QPaintEvent) -> None:
        shade = QColor(Qt.GlobalColor.black)
        shade.setAlphaF(SCRIM_ALPHA * self._opacity)
        QPainter(self).fillRect(event.rect(), shade)

    def _run(self, to: float) -> None:
        self._fade.stop()
        self._fade.setStartValue(self._opacity)
        self._fade.setEndValue(to)
        self._fade.start(QAbstractAnimation.DeletionPolicy.KeepWhenStopped)

    def _opacity_now(self) -> float:
        return self._opacity

    def _set_opacity(self, opacity: float) -> None:
        self._opacity = opacity
        self.update()

    opacity = Property(float, _opacity_now, _set_opacity)


def title_row(sheet: Sheet, title: str, *beside: QWidget) -> QHBoxLayout:
    """The head of a sheet: its title, `beside` at the far end, then the button that closes it."""
    heading = QLabel(title)
    heading.setProperty("role", "title")
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addWidget(heading)
    row.addStretch(1)
    for widget in beside:
        row.addWidget(widget)
    row.addWidget(close_button(sheet))
    return row


def close_button(sheet: QDialog) -> QToolButton:
    button = tool_button("close", sheet.tr("Close"), sheet.tr("Close (Esc)"))
    button.clicked.connect(sheet.reject)
    return button


def tool_button(icon_name: str, name: str, tooltip: str = "") -> QToolButton:
    """A 36 px button with an icon, named for screen readers."""
    button = QToolButton()
    button.setProperty("kind", "tool")
    button.setIcon(icon(icon_name))
    button.setIconSize(QSize(20, 20))
    button.setAccessibleName(name)
    button.setToolTip(tooltip or name)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


def column(spacing: int, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QVBoxLayout:
    """A vertical layout; `margins` are left, top, right, bottom."""
    made = QVBoxLayout()
    made.setSpacing(spacing)
    made.setContentsMargins(*margins)
    return made


def _rounded(width: int, height: int) -> QRegion:
    path = QPainterPath()
    path.addRoundedRect(0, 0, width, height, _CORNER, _CORNER)
    return QRegion(path.toFillPolygon().toPolygon())


def _usable(widget: QWidget) -> bool:
    return shiboken6.isValid(widget) and widget.isVisible() and widget.isEnabled()
