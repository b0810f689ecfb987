"""Stage: the picture and what floats on it, each in its place, none over the face."""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QWidget

from app.caption import Caption
from app.controls import BAR_HEIGHT, ControlBar
from app.picture import features_rect, picture_rect
from app.problem import ProblemCard
from app.status_pill import RecordingMark, StatusPill, meter_level
from app.theme import px
from core.events import Status

if TYPE_CHECKING:
    from PySide6.QtGui import QContextMenuEvent, QEnterEvent, QMouseEvent, QResizeEvent

    from app.engine import Engine
    from app.overlay import Overlay
    from app.video_view import VideoView

MARGIN = 20
GAP = 12
_GLIDE_MS = 240
_PULSE_S = 1 / 30
"""Level meters and captions are asked for this often, however fast the display is."""
OVERLAY_LEFT_BELOW = 1500
"""Width of the window under which overlay and panel cannot stand side by side on the right."""
OVERLAY_WIDTH = 352
_NARROW = 760


class Mode(enum.Enum):
    """How the window stands on the screen."""

    WINDOW = "window"
    FULL_SCREEN = "full_screen"
    COMPACT = "compact"


class Stage(QWidget):
    """Everything left of the panel.

    `beat` asks the engine for the frame due now at the display's rate and, thirty times a second, for levels and the
    caption. Signals: `double_clicked` on the picture, `menu_wanted` with a place on the screen, `pulsed` with the
    microphone's level and the seconds since the pulse before.
    """

    double_clicked = Signal()
    menu_wanted = Signal(QPoint)
    pulsed = Signal(float, float)
    first_frame = Signal()

    def __init__(self, view: VideoView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = view
        view.setParent(self)
        view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.pill = StatusPill(self)
        self.mark = RecordingMark(self)
        self.caption = Caption(self)
        self.bar = ControlBar(self)
        self.problem = ProblemCard(self)
        self.overlay: Overlay | None = None
        self.captions_on = True
        self.mode = Mode.WINDOW
        self.panel_beside = False
        self._engine: Engine | None = None
        self._hovered = False
        self._last_pulse = time.perf_counter()
        self._beat = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._beat.timeout.connect(self.beat)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Picture"))
        self.bar.receded.connect(self._bar_moved)
        self.caption.resized.connect(self.place)
        self.pill.resized.connect(self.place)
        self.problem.resized.connect(self.place)
        self.problem.closed.connect(self._problem_closed)
        self.pill.opened.connect(self.problem.open_again)

    def attach(self, engine: Engine | None) -> None:
        """Show this conversation from now on; None stops asking, and the last picture stays."""
        self._engine = engine
        if engine is None:
            self._beat.stop()
        else:
            self._beat.start(max(4, round(1000 / self._refresh_rate())))

    def replace_view(self, view: VideoView) -> None:
        """Draw by other means; the picture goes on."""
        old, self.view = self.view, view
        view.pictures = old.pictures
        view.setParent(self)
        view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        view.lower()
        view.show()
        old.hide()
        old.deleteLater()
        self.place()

    def beat(self) -> None:
        if self._engine is None:
            return
        nothing_yet = self.view.pictures.current is None
        if self.view.show_frame(self._engine.frame_due()) and nothing_yet:
            self.first_frame.emit()
        now = time.perf_counter()
        if now - self._last_pulse >= _PULSE_S:
            self.pulse(now - self._last_pulse)
            self._last_pulse = now

    def show_problem(self, message: object, notice: bool = False) -> None:
        """A problem or notice takes the caption's place; the bar leaves for a problem."""
        self.caption.hide()
        if not notice:
            self.pill.set_can_open(True)
            self.bar.recede()
        self.problem.show_message(message, notice)  # pyright: ignore[reportArgumentType] - a Message, from a signal
        self.place()

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode
        self._hovered = False
        self.bar.set_compact(mode is Mode.COMPACT)
        if mode is Mode.COMPACT:
            self.bar.recede()
        else:
            self.bar.wake()
        self._dress()
        self.place()

    def activity(self) -> None:
        """The person moved the mouse over the window or pressed a key."""
        self.bar.kept = QAccessible.isActive()
        if (self.mode is not Mode.COMPACT or self._hovered) and self._room_for_bar():
            self.bar.wake()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.view.setGeometry(self.rect())
        self.place()

    def place(self) -> None:
        """Put every float where it belongs."""
        self.view.setGeometry(self.rect())
        self._place_top()
        self._place_foot(0)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        if self.mode is Mode.COMPACT:
            self._dress()
            self.bar.wake()

    def leaveEvent(self, event: object) -> None:
        self._hovered = False
        if self.mode is Mode.COMPACT:
            self.bar.recede()
            self._dress()

    def _dress(self) -> None:
        """Pill or chip, and whether the cursor shows."""
        resting = self.mode is Mode.FULL_SCREEN and self.bar.away
        self.pill.set_chip(resting or (self.mode is Mode.COMPACT and not self._hovered))
        self.setCursor(Qt.CursorShape.BlankCursor if resting else Qt.CursorShape.ArrowCursor)

    def _place_top(self) -> None:
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        pill = self.pill
        pill.move(self.width() - MARGIN - pill.width() if rtl else MARGIN, MARGIN)
        beside = pill.x() - 8 - self.mark.width() if rtl else pill.x() + pill.width() + 8
        self.mark.move(beside, MARGIN)
        if self.overlay is not None:
            self._place_overlay(self.overlay, rtl)

    def _place_overlay(self, overlay: Overlay, rtl: bool) -> None:
        below = MARGIN + self.pill.height() + GAP
        window = self.window().width()
        wide = self.width() - 2 * MARGIN if window < _NARROW else min(px(OVERLAY_WIDTH), self.width() - 2 * MARGIN)
        at_start = window < _NARROW or (self.panel_beside and window < OVERLAY_LEFT_BELOW)
        x = MARGIN if at_start != rtl else self.width() - MARGIN - wide
        y = below if at_start else MARGIN
        face = features_rect(picture_rect(self.width(), self.height(), self.view.pictures.aspect))
        beside_face = x >= face.right() or x + wide <= face.left()
        overlay.fit(wide, self.height() - y - MARGIN if beside_face else round(face.top()) - y)
        overlay.move(x, y)

    def _place_foot(self, duration_ms: int) -> None:
        foot = self.height() - MARGIN
        bar = self.bar
        bar.move((self.width() - bar.width()) // 2, foot - bar.height())
        self._size_captions()
        bottom = foot if bar.away else foot - BAR_HEIGHT - GAP
        self.problem.fit(self.width() - 2 * MARGIN, bottom - self._chin)
        for thing in (self.problem, self.caption):
            at = QPoint((self.width() - thing.width()) // 2, bottom - thing.height())
            if duration_ms and thing.isVisible():
                thing.glide(at, duration_ms)
            else:
                thing.place(at)

    @property
    def _chin(self) -> int:
        """Where the foot of the stage begins: nothing there reaches up to the lips."""
        return round(features_rect(picture_rect(self.width(), self.height(), self.view.pictures.aspect)).bottom()) + 2

    def _room_for_bar(self) -> bool:
        """Whether the bar may come back: under a problem only where both leave the lips free; focus brings it."""
        room = self.height() - MARGIN - BAR_HEIGHT - GAP - self._chin
        return not self.problem.isVisible() or self.problem.fits(room)

    def _size_captions(self) -> None:
        size = {Mode.FULL_SCREEN: 28, Mode.COMPACT: 14}.get(self.mode, 21 if self.window().width() >= 1100 else 17)
        self.caption.set_room(self.width() - 2 * MARGIN, size)

    def _bar_moved(self, away: bool) -> None:
        self._dress()
        self._place_foot(_GLIDE_MS if away else 120)

    def _problem_closed(self) -> None:
        self.place()

    def pulse(self, elapsed_s: float) -> None:
        """Show levels and the caption, `elapsed_s` after the time before."""
        if self._engine is None:
            return
        levels = self._engine.levels()
        status = self.pill.status
        heard = meter_level(levels.microphone) if status is Status.LISTENING else 0.0
        self.bar.microphone.show_level(heard)
        if status is Status.LISTENING:
            self.pill.meter.push(heard, elapsed_s)
        elif status is Status.SPEAKING:
            self.pill.meter.push(meter_level(levels.voice), elapsed_s)
        self.pulsed.emit(levels.microphone, elapsed_s)
        self._show_caption()

    def _show_caption(self) -> None:
        if not self.captions_on or self.problem.isVisible() or self._engine is None:
            return
        if self.mode is Mode.COMPACT and self._hovered:  # the controls take its place
            self.caption.clear()
            return
        said = self._engine.caption()
        self.caption.say(said.text if said else "", said.by_user if said else False)

    def _refresh_rate(self) -> float:
        screen = self.screen()
        return min(144.0, max(30.0, screen.refreshRate())) if screen else 60.0
