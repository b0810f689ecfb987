"""Float: a widget of dark glass on the picture that can fade and glide."""

from __future__ import annotations

from PySide6.QtCore import (
    Property,
    QAbstractAnimation,
    QEasingCurve,
    QPoint,
    QPropertyAnimation,
    QRectF,
    Qt,
    QTimer,
)
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPainter, QPen
from PySide6.QtWidgets import QApplication, QWidget

from app.theme import glass, tokens


def lasting(duration_ms: int) -> int:
    """The duration of a movement: none for people who asked for reduced motion."""
    app = QApplication.instance()
    return 0 if app is None or app.property("reduceMotion") else duration_ms


def animate(target: QWidget, name: bytes, end: object, duration_ms: int) -> QPropertyAnimation | None:
    """Move a property to `end`, from where it is; one movement of a property at a time.

    The animation belongs to `target`. None when there was nothing to animate: the value is set already.
    """
    for running in target.findChildren(QPropertyAnimation, options=Qt.FindChildOption.FindDirectChildrenOnly):
        if running.propertyName() == name:
            running.stop()
            running.deleteLater()
            running.setParent(None)
    if lasting(duration_ms) == 0 or not target.isVisible():
        target.setProperty(name.decode(), end)
        return None
    movement = QPropertyAnimation(target, name, target)
    movement.setDuration(lasting(duration_ms))
    movement.setEndValue(end)
    movement.setEasingCurve(QEasingCurve.Type.OutCubic)
    movement.start(QAbstractAnimation.DeletionPolicy.DeleteWhenStopped)
    return movement


def announce(widget: QWidget, text: str, assertive: bool = False) -> None:
    """Have a screen reader say `text`."""
    if not text or not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(widget, text)
    level = QAccessible.AnnouncementPoliteness
    event.setPoliteness(level.Assertive if assertive else level.Polite)
    QAccessible.updateAccessibility(event)


def paint_glass(painter: QPainter, box: QRectF, radius: float, caption: bool = False) -> None:
    """Fill `box` with glass and draw its line."""
    look = glass()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    width = tokens().border_px
    painter.setPen(Qt.PenStyle.NoPen if caption else QPen(look.line_colour(), width))
    painter.setBrush(look.caption_fill() if caption else look.fill_colour())
    inset = 0.0 if caption else width / 2
    painter.drawRoundedRect(box.adjusted(inset, inset, -inset, -inset), radius, radius)


class Float(QWidget):
    """A child of the stage. `opacity` fades what it paints by itself; children ask their float for it.

    A float that has faded out stays where it is, takes no mouse, and comes back when focus reaches it.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opacity = 1.0
        self._target: QPoint | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)

    def _get_opacity(self) -> float:
        return self._opacity

    def _set_opacity(self, value: float) -> None:
        self._opacity = value
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, value < 0.05)
        self.opacity_changed()
        self.update()

    def opacity_changed(self) -> None:
        """Children that paint with this float's opacity are repainted here."""

    opacity = Property(float, _get_opacity, _set_opacity)

    @property
    def painted_opacity(self) -> float:
        return self._opacity

    def fade(self, to: float, duration_ms: int) -> None:
        animate(self, b"opacity", to, duration_ms)

    def glide(self, to: QPoint, duration_ms: int) -> None:
        """Move to a place; asked again for the place it is on its way to, it keeps going."""
        if self._target == to:
            return
        self._target = to
        animate(self, b"pos", to, duration_ms)

    def place(self, at: QPoint) -> None:
        """Be at a place at once; a movement that leads there goes on."""
        if self._target != at:
            self._target = at
            animate(self, b"pos", at, 0)


def single_shot(parent: QWidget, interval_ms: int, done: object) -> QTimer:
    """A timer that calls `done` once after each `start`."""
    timer = QTimer(parent, singleShot=True, interval=interval_ms)
    timer.timeout.connect(done)
    return timer
