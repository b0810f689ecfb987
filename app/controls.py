"""ControlBar: microphone, interrupt, mute and record; avatar, conversation and settings. It recedes."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.floating import Float, lasting, paint_glass
from app.icons import paint_icon
from app.theme import glass

if TYPE_CHECKING:
    from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPaintEvent

BAR_HEIGHT = 63
_BUTTON = 48
_PITCH = 55
_RING = 56
_DISC = 44


class Microphone(enum.Enum):
    """What the microphone button shows."""

    ON = "on"
    OFF = "off"
    HELD = "held"
    NONE = "none"


class Recording(enum.Enum):
    """What the record button shows."""

    IDLE = "idle"
    RECORDING = "recording"
    SAVING = "saving"


class BarButton(QAbstractButton):
    """A round button painted with its bar's opacity. `current` is lit, `red` is drawn in the colour of recording."""

    def __init__(self, icon: str, parent: ControlBar) -> None:
        super().__init__(parent)
        self.icon_name = icon
        self.current = False
        self.red = False
        self.angle: float | None = None
        self.reached = False
        """The focus was brought here by key, so it is shown and keeps the bar."""
        self._bar = parent
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFixedSize(_BUTTON, _BUTTON)

    def describe(self, name: str, key: str, state: str = "") -> None:
        """Name it for the eye (tooltip with key) and the ear."""
        self.setAccessibleName(name)
        self.setAccessibleDescription(state)
        self.setToolTip(f"{name} ({key})" if key else name)

    def look(self, icon: str, current: bool = False, red: bool = False) -> None:
        self.icon_name, self.current, self.red = icon, current, red
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._bar.painted_opacity)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        painter.setPen(Qt.PenStyle.NoPen)
        if self.isEnabled() and (self.underMouse() or self.current):
            painter.setBrush(glass().hover_colour())
            painter.drawRoundedRect(box, 20, 20)
        colour = glass().danger if self.red else glass().text
        if not self.isEnabled():
            painter.setOpacity(self._bar.painted_opacity * 0.62)
            colour = glass().text2
        if self.angle is None:
            paint_icon(painter, self.icon_name, _centred(box, 22), colour)
        else:
            painter.setPen(QPen(QColor(colour), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawArc(_centred(box, 17), round(self.angle * 16), 270 * 16)
        paint_focus(self, painter, box.adjusted(1, 1, -1, -1), 19)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses it: Space is for speaking."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        elif event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        by_key = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)
        self.reached = event.reason() in by_key
        self._bar.wake()


class MicrophoneButton(BarButton):
    """A white disc whose ring grows with the level; struck when off, green while held, a red dot without a device."""

    def __init__(self, parent: ControlBar) -> None:
        super().__init__("microphone", parent)
        self._state = Microphone.ON
        self._level = 0.0
        self.setFixedSize(_RING, _RING)

    @property
    def state(self) -> Microphone:
        return self._state

    def show_state(self, state: Microphone) -> None:
        self._state = state
        words = {
            Microphone.ON: self.tr("On"),
            Microphone.OFF: self.tr("Off"),
            Microphone.HELD: self.tr("On while Space is held"),
            Microphone.NONE: self.tr("No microphone was found"),
        }
        name = (
            self.tr("Turn microphone on")
            if state in (Microphone.OFF, Microphone.NONE)
            else self.tr("Turn microphone off")
        )
        self.describe(name, "M", words[state])
        self.update()

    def show_level(self, level: float) -> None:
        level = level if self._state in (Microphone.ON, Microphone.HELD) else 0.0
        if abs(level - self._level) > 0.04 or (level == 0.0) != (self._level == 0.0):
            self._level = level
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._bar.painted_opacity)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QRectF(self.rect()).center()
        look = glass()
        open_ = self._state in (Microphone.ON, Microphone.HELD)
        ring = 1.0 if self._state is Microphone.HELD else self._level
        if ring > 0.02:
            green = QColor(look.listening)
            green.setAlphaF(1.0 if self._state is Microphone.HELD else 0.42)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(green)
            radius = _DISC / 2 + 1.5 + 4.0 * min(1.0, ring)
            painter.drawEllipse(middle, radius, radius)
        painter.setPen(Qt.PenStyle.NoPen if open_ else QPen(look.line_colour(), 1))
        painter.setBrush(QColor(look.disc) if open_ else look.hover_colour())
        painter.drawEllipse(middle, _DISC / 2, _DISC / 2)
        name = "microphone" if open_ else "microphone-off"
        paint_icon(painter, name, _centred(QRectF(self.rect()), 22), look.on_disc if open_ else look.text)
        if self._state is Microphone.NONE:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(look.danger))
            painter.drawEllipse(middle + QPointF(14, -14), 5, 5)
        paint_focus(self, painter, _centred(QRectF(self.rect()), _DISC + 6), (_DISC + 6) / 2)


class ControlBar(Float):
    """The bar at the foot of the stage; `receded` says True when it leaves and False when it comes back."""

    receded = Signal(bool)
    REST_MS = 3000
    FIRST_REST_MS = 10_000

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.microphone = MicrophoneButton(self)
        self.interrupt = BarButton("stop", self)
        self.mute = BarButton("speaker", self)
        self.record = BarButton("record", self)
        self.avatar = BarButton("person", self)
        self.conversation = BarButton("chat", self)
        self.settings = BarButton("sliders", self)
        self.window_button = BarButton("window", self)
        self.kept = False
        """Stays as long as this is true (a screen reader is active)."""
        self._compact = False
        self._away = False
        self._rest = QTimer(self, singleShot=True, interval=self.FIRST_REST_MS)
        self._rest.timeout.connect(self.recede_if_idle)
        self._saving = QTimer(self, interval=40)
        self._saving.timeout.connect(self._turn)
        self.setMouseTracking(True)
        self._name_buttons()
        self.set_compact(False)
        self._rest.start()

    @property
    def away(self) -> bool:
        return self._away

    def wake(self) -> None:
        """Come back and stay for a while."""
        self._rest.start()
        if self._away:
            self._away = False
            self.fade(1.0, 120)
            self.receded.emit(False)

    def recede(self) -> None:
        if not self._away:
            self._away = True
            self.fade(0.0, 240)
            self.receded.emit(True)

    def somebody_spoke(self) -> None:
        """From now on it leaves after the usual rest."""
        self.rest_after(self.REST_MS)

    def rest_after(self, rest_ms: int) -> None:
        self._rest.setInterval(rest_ms)

    def set_compact(self, compact: bool) -> None:
        """Four controls in the compact window, all of them otherwise."""
        self._compact = compact
        for button in (self.record, self.avatar, self.conversation, self.settings):
            button.setVisible(not compact)
        self.window_button.setVisible(compact)
        shown = [self.interrupt, self.mute, self.window_button]
        shown = (
            shown
            if compact
            else [self.interrupt, self.mute, self.record, self.avatar, self.conversation, self.settings]
        )
        self.resize(self.sizeHint())
        self._put(self.microphone, 32)
        at = 90
        for button in shown:
            at += 7 if button is self.avatar else 0
            self._put(button, at)
            at += _PITCH
        self.update()

    def show_recording(self, state: Recording) -> None:
        self.record.angle = 0.0 if state is Recording.SAVING else None
        self._saving.start() if state is Recording.SAVING else self._saving.stop()
        self.record.setEnabled(state is not Recording.SAVING)
        going = state is Recording.RECORDING
        self.record.look("recording" if going else "record", red=going)
        names = {
            Recording.IDLE: (self.tr("Record"), ""),
            Recording.RECORDING: (self.tr("Stop recording"), self.tr("Recording")),
            Recording.SAVING: (self.tr("Record"), self.tr("Saving")),
        }
        self.record.describe(names[state][0], self.tr("Ctrl+R"), names[state][1])

    def show_muted(self, muted: bool) -> None:
        self.mute.look("speaker-off" if muted else "speaker")
        name = self.tr("Unmute avatar") if muted else self.tr("Mute avatar")
        self.mute.describe(name, self.tr("Ctrl+M"), self.tr("Muted") if muted else "")

    def sizeHint(self) -> QSize:
        return QSize(240 if self._compact else 411, BAR_HEIGHT)

    def opacity_changed(self) -> None:
        for button in self.findChildren(BarButton):
            button.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._opacity <= 0:
            return
        painter = QPainter(self)
        painter.setOpacity(self._opacity)
        paint_glass(painter, QRectF(self.rect()), self.height() / 2)
        if not self._compact:
            painter.setPen(QPen(glass().line_colour(), 1))
            x = 231.5 if self.layoutDirection() != Qt.LayoutDirection.RightToLeft else self.width() - 231.5
            painter.drawLine(QPointF(x, 18), QPointF(x, self.height() - 18))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self.set_compact(self._compact)

    def _put(self, button: QWidget, middle: int) -> None:
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            middle = self.width() - middle
        button.move(middle - button.width() // 2, (self.height() - button.height()) // 2)

    def _name_buttons(self) -> None:
        self.microphone.show_state(Microphone.ON)
        self.interrupt.describe(self.tr("Interrupt"), self.tr("Esc"))
        self.show_muted(False)
        self.show_recording(Recording.IDLE)
        self.avatar.describe(self.tr("Choose avatar"), self.tr("Ctrl+O"))
        self.conversation.describe(self.tr("Conversation"), self.tr("F2"))
        self.settings.describe(self.tr("Settings"), self.tr("Ctrl+,"))
        self.window_button.describe(self.tr("Back to the window"), self.tr("Ctrl+K"))
        self.setAccessibleName(self.tr("Controls"))

    def recede_if_idle(self) -> None:
        """Leave, unless the mouse, the focus or a screen reader is on it."""
        if self.kept or self.underMouse() or self._holds_focus:
            self._rest.start()
        else:
            self.recede()

    @property
    def _holds_focus(self) -> bool:
        return any(button.hasFocus() and button.reached for button in self.findChildren(BarButton))

    def _turn(self) -> None:
        if lasting(1) and self.record.angle is not None:
            self.record.angle = (self.record.angle - 10) % 360
            self.record.update()


def paint_focus(widget: BarButton, painter: QPainter, box: QRectF, radius: float) -> None:
    """Two white pixels round what has the focus."""
    if not (widget.hasFocus() and widget.reached):
        return
    painter.setPen(QPen(QColor(glass().disc), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box, radius, radius)


def _centred(box: QRectF, side: float) -> QRectF:
    made = QRectF(0, 0, side, side)
    made.moveCenter(box.center())
    return made
