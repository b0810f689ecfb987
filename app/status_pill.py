"""StatusPill: the only place that says what is going on, with its level meter, and the mark of a recording."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QProgressBar, QWidget

from app.floating import Float, announce, lasting, paint_glass
from app.theme import font, glass, px
from core.events import Status

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent

BARS = 14
_BAR_PITCH = 5
_METER_HEIGHT = 22
_FALL_PER_S = 4.0
"""The meter falls from full to nothing in 250 ms."""
_SHAPE_WIDTH = 14
_ANNOUNCE_EVERY_MS = 1000
_TURN_DEGREES_PER_S = 240.0


@dataclass(frozen=True)
class Look:
    """How a status is shown: its shape and its colour in `Glass`; both differ."""

    shape: str
    colour: str


LOOKS = {
    Status.STARTING: Look("turning", "text2"),
    Status.READY: Look("ring", "listening"),
    Status.LISTENING: Look("dot", "listening"),
    Status.THINKING: Look("dots", "thinking"),
    Status.SPEAKING: Look("bars", "speaking"),
    Status.MICROPHONE_OFF: Look("struck", "offline"),
    Status.RECONNECTING: Look("ring", "thinking"),
    Status.NOT_CONNECTED: Look("cross", "danger"),
    Status.STOPPED: Look("cross", "danger"),
}
HERE = Look("ring", "offline")
"""The look of "On this computer", said for a while in place of Ready."""
METERED = {Status.READY, Status.LISTENING, Status.SPEAKING}


def status_word(status: Status) -> str:
    """The pill's text."""
    tr = QCoreApplication.translate
    return {
        Status.STARTING: tr("Status", "Starting"),
        Status.READY: tr("Status", "Ready"),
        Status.LISTENING: tr("Status", "Listening"),
        Status.THINKING: tr("Status", "Thinking"),
        Status.SPEAKING: tr("Status", "Speaking"),
        Status.MICROPHONE_OFF: tr("Status", "Microphone off"),
        Status.RECONNECTING: tr("Status", "Reconnecting"),
        Status.NOT_CONNECTED: tr("Status", "Not connected"),
        Status.STOPPED: tr("Status", "Stopped"),
    }[status]


def meter_level(rms: float) -> float:
    """What a meter shows of a loudness (root mean square of full scale 1): 0 at -50 dB, 1 at -10 dB."""
    return 0.0 if rms <= 0.0 else min(1.0, max(0.0, (20 * math.log10(rms) + 50) / 40))


_BAR_CURVE = 2.5
"""Speech keeps to the upper half of the scale; bars that grow faster there show its syllables."""


class Meter(QProgressBar):
    """Level bars, the newest at the right, as many as its width holds; rise at once, fall in 250 ms. To screen readers
    a progress bar that is not announced."""

    def __init__(self, parent: QWidget | None = None, bars: int = BARS) -> None:
        super().__init__(parent)
        self._levels: deque[float] = deque([0.0] * bars, bars)
        self._decayed = 0.0
        self._on_glass = True
        self._colour = QColor(glass().listening)
        self._opacity = 1.0
        self.setRange(0, 100)
        self.setTextVisible(False)
        self.setAccessibleName(self.tr("Microphone level"))
        self.setStyleSheet("background: transparent; border: none; min-height: 0; max-height: 1000px;")
        self.setFixedSize(bars * _BAR_PITCH, _METER_HEIGHT)

    def set_colour(self, colour: str) -> None:
        self._colour = QColor(colour)
        self.update()

    def set_opacity(self, opacity: float) -> None:
        self._opacity = opacity
        self.update()

    @property
    def level(self) -> float:
        """The level shown by the newest bar."""
        return self._levels[-1]

    def push(self, level: float, elapsed_s: float) -> None:
        """Show `level` 0..1, `elapsed_s` after the one before."""
        was_flat = not any(self._levels)
        self._decayed = max(min(1.0, level), self._decayed - elapsed_s * _FALL_PER_S, 0.0)
        self._levels.append(self._decayed if self._decayed > 0.02 else 0.0)
        if not (was_flat and not self._levels[-1]):
            self.update()

    def flatten(self) -> None:
        self._decayed = 0.0
        self._levels.extend([0.0] * len(self._levels))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._opacity)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        middle = self.height() / 2
        start = self.width() - len(self._levels) * _BAR_PITCH
        for index, level in enumerate(self._levels):
            if start + index * _BAR_PITCH < 0:
                continue
            colour = QColor(self._colour)
            colour.setAlphaF(1.0 if level else 0.55)
            painter.setBrush(colour)
            tall = 3.0 + level**_BAR_CURVE * (self.height() - 5)
            painter.drawRoundedRect(QRectF(start + index * _BAR_PITCH + 1, middle - tall / 2, 3, tall), 1.5, 1.5)


class StatusPill(Float):
    """Shape, word and meter of the status. `opened` when it is clicked while a problem is open.

    As a `chip` it is a disc of 30 px with the shape alone (compact window, full screen at rest).
    """

    opened = Signal()
    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.meter = Meter(self)
        self._status = Status.STARTING
        self._look = LOOKS[Status.STARTING]
        self._text = status_word(Status.STARTING)
        self._chip = False
        self._can_open = False
        self._angle = 0.0
        self._said = ""
        self._later = QTimer(self, singleShot=True, interval=_ANNOUNCE_EVERY_MS)
        self._later.timeout.connect(self._say)
        self._turning = QTimer(self, interval=40)
        self._turning.timeout.connect(self._turn)
        self.show_status(Status.STARTING, "")

    @property
    def status(self) -> Status:
        return self._status

    @property
    def text(self) -> str:
        return self._text

    def show_status(self, status: Status, beside: str = "", here: bool = False) -> None:
        """Show `status` with `beside` after its word; `here` says "On this computer" in place of Ready."""
        self._status = status
        self._look = HERE if here else LOOKS[status]
        word = self.tr("On this computer") if here else status_word(status)
        self._text = f"{word} · {beside}" if beside else word
        self.meter.setVisible(self._metered())
        self.meter.set_colour(getattr(glass(), self._look.colour))
        if status is Status.READY:
            self.meter.flatten()
        self.setAccessibleName(self._text)
        self._turning.start() if self._look.shape == "turning" else self._turning.stop()
        self._fit()
        if word != self._said and not self._later.isActive():
            self._later.start()

    def set_chip(self, chip: bool) -> None:
        if chip != self._chip:
            self._chip = chip
            self.meter.setVisible(self._metered())
            self._fit()

    @property
    def chip(self) -> bool:
        return self._chip

    def set_can_open(self, can: bool) -> None:
        """Whether there is a problem that a click opens."""
        self._can_open = can
        self.setCursor(Qt.CursorShape.PointingHandCursor if can else Qt.CursorShape.ArrowCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if can else Qt.FocusPolicy.NoFocus)
        self.setAccessibleDescription(self.tr("Shows the problem") if can else "")

    def sizeHint(self) -> QSize:
        if self._chip:
            return QSize(30, 30)
        width = 14 + _SHAPE_WIDTH + 9 + self._text_width() + 17
        if self._metered():
            width += 12 + self.meter.width()
        return QSize(round(width), px(38) - 1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._can_open and event.button() == Qt.MouseButton.LeftButton:
            self.opened.emit()
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._can_open and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(self._opacity)
        box = QRectF(self.rect())
        paint_glass(painter, box, box.height() / 2)
        if self.hasFocus():
            painter.setPen(QPen(QColor(glass().disc), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), box.height() / 2 - 1, box.height() / 2 - 1)
        left = (box.width() - _SHAPE_WIDTH) / 2 if self._chip else self._start(14, _SHAPE_WIDTH)
        shape = QRectF(left, (box.height() - _SHAPE_WIDTH) / 2, _SHAPE_WIDTH, _SHAPE_WIDTH)
        paint_shape(painter, self._look.shape, shape, QColor(getattr(glass(), self._look.colour)), self._angle)
        if not self._chip:
            painter.setPen(QColor(glass().text))
            painter.setFont(font(14, 600, tabular=True))
            width = self._text_width() + 4
            words = QRectF(self._start(14 + _SHAPE_WIDTH + 9, width), 0, width, box.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading, self._text)

    def _metered(self) -> bool:
        return not self._chip and self._status in METERED and self._look is not HERE

    def _text_width(self) -> float:
        return QFontMetricsF(font(14, 600, tabular=True)).horizontalAdvance(self._text)

    def _start(self, at: float, width: float) -> float:
        """`at` from the leading edge."""
        return self.width() - at - width if self.layoutDirection() == Qt.LayoutDirection.RightToLeft else at

    def _fit(self) -> None:
        self.resize(self.sizeHint())
        meter_at = self._start(14 + _SHAPE_WIDTH + 9 + self._text_width() + 14, self.meter.width())
        self.meter.move(round(meter_at), (self.height() - self.meter.height()) // 2)
        self.update()
        self.resized.emit()

    def _turn(self) -> None:
        if lasting(1):
            self._angle = (self._angle - _TURN_DEGREES_PER_S * 0.04) % 360
            self.update()

    def _say(self) -> None:
        self._said = self._text.split(" · ")[0]
        announce(self, self._text)


def paint_shape(painter: QPainter, shape: str, box: QRectF, colour: QColor, angle: float = 0.0) -> None:
    """The shape of a status, in a square of about 14 px."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(colour, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
    middle = box.center()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    if shape == "dot":
        painter.drawEllipse(middle, 5, 5)
    elif shape == "dots":
        for offset in (-5.0, 0.0, 5.0):
            painter.drawEllipse(QPointF(middle.x() + offset, middle.y()), 1.9, 1.9)
    elif shape == "bars":
        for offset, tall in ((-5.0, 6.0), (0.0, 12.0), (5.0, 8.0)):
            painter.drawRoundedRect(QRectF(middle.x() + offset - 1.5, middle.y() - tall / 2, 3, tall), 1.5, 1.5)
    else:
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _paint_line_shape(painter, shape, middle, angle)


def _paint_line_shape(painter: QPainter, shape: str, middle: QPointF, angle: float) -> None:
    if shape == "cross":
        for rise in (-1, 1):
            painter.drawLine(
                QPointF(middle.x() - 4.5, middle.y() - 4.5 * rise), QPointF(middle.x() + 4.5, middle.y() + 4.5 * rise)
            )
    elif shape == "turning":
        painter.drawArc(QRectF(middle.x() - 5, middle.y() - 5, 10, 10), round(angle * 16), 270 * 16)
    else:
        painter.drawEllipse(middle, 4.6, 4.6)
        if shape == "struck":
            painter.drawLine(QPointF(middle.x() - 6, middle.y() + 6), QPointF(middle.x() + 6, middle.y() - 6))


class RecordingMark(Float):
    """A red dot and the time, to the right of the pill for as long as it records."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seconds = 0
        self._tick = QTimer(self, interval=1000)
        self._tick.timeout.connect(self._count)
        self.hide()

    def begin(self) -> None:
        self._seconds = 0
        self._tick.start()
        self._fit()
        self.show()

    def end(self) -> None:
        self._tick.stop()
        self.hide()

    @property
    def text(self) -> str:
        minutes, seconds = divmod(self._seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect())
        paint_glass(painter, box, box.height() / 2)
        paint_shape(painter, "dot", QRectF(12, box.height() / 2 - 7, 14, 14), QColor(glass().danger))
        painter.setPen(QColor(glass().text))
        painter.setFont(font(14, 600, tabular=True))
        painter.drawText(box.adjusted(33, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, self.text)

    def _count(self) -> None:
        self._seconds += 1
        self._fit()

    def _fit(self) -> None:
        width = QFontMetricsF(font(14, 600, tabular=True)).horizontalAdvance(self.text)
        self.resize(round(33 + width + 16), px(38) - 1)
        self.setAccessibleName(self.tr("Recording, {time}").format(time=self.text))
        self.update()
