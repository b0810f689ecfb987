"""MainWindow: the picture, what floats on it, and the conversation beside it; every key and what it does."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import Property, QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from app.actions import add_actions, context_menu
from app.compact import USUAL, CompactFrame
from app.controls import Microphone, Recording
from app.drop_zone import DropZone
from app.floating import animate
from app.hold import HoldToSpeak
from app.messages import Action, message_for
from app.open_picture import open_picture
from app.stage import Mode, Stage
from app.theme import px
from app.transcript import Panel
from app.video_view import make_view
from core.errors import LiveTalkError
from core.events import Failed, Status
from core.settings import changed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PySide6.QtGui import QCloseEvent, QResizeEvent

    from app.engine import Engine
    from app.video_view import VideoView
    from app.window_state import WindowState
    from core.events import TurnMeasured
    from core.settings import Settings

NARROW = 760
"""Below this width the panel floats over the picture."""
SMALLEST = (720, 480)
_SLIDE_MS = 180
_VOLUME_STEP = 0.1


def panel_width(window: int) -> int:
    """Width of the conversation's panel in a window of this width; larger text gets up to half of it."""
    usual = 400 if window >= 1600 else 352 if window >= 1100 else 300
    return max(usual, min(px(usual), window // 2))


class MainWindow(QMainWindow):
    """Shows one conversation at a time; decides nothing. GUI thread.

    Args:
        settings: what was chosen so far.
        state: where the window stood.
        view: draws the picture; chosen for this computer when None.

    Signals:
        settings_changed: a new `Settings` is in force here and wants to be kept.
        sheet_wanted: "settings", "settings/conversation", "gallery", "history" or "help".
        action_wanted: an `Action` that only the application can do.
        closing: the person closed the window.
    """

    settings_changed = Signal(object)
    sheet_wanted = Signal(str)
    action_wanted = Signal(object)
    closing = Signal()

    def __init__(self, settings: Settings, state: WindowState, view: VideoView | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._state = state
        self._engine: Engine | None = None
        self._docked_open = state.panel(_screen_name(self))
        self._floating_open = False
        self._panel_part = 1.0 if self._docked_open else 0.0
        self._recording = Recording.IDLE
        self.measured: deque[TurnMeasured] = deque(maxlen=24)
        """How long the stages of the last turns took."""
        self._before_compact = QRect()
        body = self._body = QWidget(self)
        self.setCentralWidget(body)
        self.stage = Stage(view or make_view(body, settings.window.raster), body)
        self.panel = Panel(body)
        self._drop_zone = DropZone(body, self)
        self._drop_zone.dropped.connect(self.use_picture)
        self._speaking = HoldToSpeak(self)
        self._speaking.held.connect(self._hold)
        self.actions_by_name = add_actions(self, self._deeds())
        self._compact_frame = CompactFrame(self, self.stage)
        self._connect()
        self._order_focus()
        self.setMinimumSize(*SMALLEST)
        self.setWindowTitle(self.tr("LiveTalk"))
        self._show_settings()
        self.show_recording(Recording.IDLE)
        self._restore()
        QApplication.instance().installEventFilter(self)  # pyright: ignore[reportOptionalMemberAccess] - a window needs one

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def engine(self) -> Engine | None:
        return self._engine

    def attach(self, engine: Engine | None) -> None:
        """Show this conversation from now on, or none while another is prepared."""
        self._engine = engine
        self.stage.attach(engine)

    def apply(self, settings: Settings) -> None:
        """Put settings in force in the window; who hears `settings_changed` sees to the engine and the file."""
        old, self._settings = self._settings, settings
        if old.window.raster != settings.window.raster:
            self.stage.replace_view(make_view(self.stage, settings.window.raster))
        if old.window.always_on_top != settings.window.always_on_top and self.stage.mode is Mode.WINDOW:
            self._set_flags(settings.window.always_on_top)
        self._show_settings()
        self.settings_changed.emit(settings)

    # -- what the person can do -----------------------------------------------------------------------------------

    def toggle_microphone(self) -> None:
        if self.stage.bar.microphone.state is Microphone.NONE:
            self.action_wanted.emit(Action.CHECK_MICROPHONE)
            return
        self._change("audio", microphone_on=not self._settings.audio.microphone_on)

    def interrupt_or_close(self) -> None:
        """Esc: interrupt; else close the problem, else full screen."""
        if self._engine is not None and self.stage.pill.status in (Status.THINKING, Status.SPEAKING):
            self._engine.interrupt()
        elif self.stage.problem.isVisible():
            self.stage.problem.close_message()
        elif self.stage.mode is Mode.FULL_SCREEN:
            self.toggle_full_screen()

    def toggle_muted(self) -> None:
        self._change("audio", muted=not self._settings.audio.muted)

    def toggle_recording(self) -> None:
        if self._engine is None or not self.stage.bar.record.isEnabled():
            return
        if self._recording is Recording.RECORDING:
            self.show_recording(Recording.SAVING)
            self._engine.stop_recording()
        else:
            self._engine.start_recording()

    def louder(self) -> None:
        self._change_volume(_VOLUME_STEP)

    def quieter(self) -> None:
        self._change_volume(-_VOLUME_STEP)

    def open_image(self) -> None:
        """Ask for a picture of the person's own."""
        open_picture(self, self.use_picture)

    def use_picture(self, picture: str) -> None:
        """A shipped name or a path: the engine says whether it can serve."""
        if picture and self._engine is not None:
            self._engine.change_avatar(picture)

    def go_to_text(self) -> None:
        if not self.panel_open:
            self.toggle_panel()
        self.panel.text_box.edit.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def new_conversation(self, private: bool = False) -> None:
        if self._engine is not None:
            self._engine.new_conversation(private)

    def open_conversation(self, path: Path) -> None:
        if self._engine is not None:
            try:
                self._engine.open_conversation(path)
            except LiveTalkError as error:
                self.stage.show_problem(message_for(Failed.of(error)))

    def leave_conversation(self, path: Path) -> None:
        if self._engine is not None:
            self._engine.leave_conversation(path)

    def toggle_overlay(self) -> None:
        """F3. The plot's library is only loaded when it is first asked for."""
        stage = self.stage
        if stage.overlay is None:
            from app.overlay import Overlay

            stage.overlay = Overlay(lambda: self._engine.statistics() if self._engine else None, self.measured, stage)
            stage.overlay.hide()
            stage.overlay.resized.connect(stage.place)
        stage.overlay.setVisible(stage.overlay.isHidden())
        stage.place()

    @property
    def overlay_shown(self) -> bool:
        return self.stage.overlay is not None and not self.stage.overlay.isHidden()

    def toggle_full_screen(self) -> None:
        if self.stage.mode is Mode.COMPACT:
            self.toggle_compact()
        going = self.stage.mode is not Mode.FULL_SCREEN
        self._floating_open = False
        self._panel_part = 0.0 if going else float(self._docked_open)
        self.stage.set_mode(Mode.FULL_SCREEN if going else Mode.WINDOW)
        self.showFullScreen() if going else self.showNormal()
        self._arrange()

    def toggle_compact(self) -> None:
        if self.stage.mode is Mode.FULL_SCREEN:
            self.toggle_full_screen()
        going = self.stage.mode is not Mode.COMPACT
        screen = _screen_name(self)
        if going:
            self._before_compact = self.geometry()
        else:
            self._state.keep_compact(screen, self.geometry())
        self._panel_part = 0.0 if going else float(self._docked_open and self._before_compact.width() >= NARROW)
        self.stage.set_mode(Mode.COMPACT if going else Mode.WINDOW)
        self.setMinimumSize(*((200, 200) if going else SMALLEST))
        self._set_flags(going or self._settings.window.always_on_top, frameless=going)
        self.setGeometry(self._compact_place(screen) if going else self._before_compact)
        self._compact_frame.enable(going)
        self._arrange()

    def toggle_panel(self) -> None:
        """F2: slide the conversation in or out; the picture follows in the same movement."""
        if self.stage.mode is Mode.COMPACT:
            return
        if self._floats():
            self._floating_open = not self._floating_open
        else:
            self._docked_open = not self._docked_open
            self._state.keep_panel(_screen_name(self), self._docked_open)
        if not self.panel_open and self.panel.isAncestorOf(self.focusWidget() or self):
            self.stage.bar.conversation.setFocus()
        self.panel.setVisible(True)
        animate(self, b"panel_part", 1.0 if self.panel_open else 0.0, _SLIDE_MS)
        self._show_panel_button()

    @property
    def panel_open(self) -> bool:
        return self._floating_open if self._floats() else self._docked_open

    def show_recording(self, recording: Recording) -> None:
        self._recording = recording
        self.stage.bar.show_recording(recording)
        if recording is Recording.RECORDING:
            self.stage.mark.begin()
            self.stage.place()
        else:
            self.stage.mark.end()

    # -- Qt -------------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        moved = kind in (QEvent.Type.MouseMove, QEvent.Type.KeyPress)
        if moved and isinstance(watched, QWidget) and watched.window() is self:
            self.stage.activity()
        return self._speaking.takes(watched, event) or super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.stage.mode is Mode.WINDOW:
            self._panel_part = 1.0 if self.panel_open else 0.0
        self._arrange()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.stage.mode is Mode.WINDOW:
            self._state.keep_geometry(_screen_name(self), self.saveGeometry())
        elif self.stage.mode is Mode.COMPACT:
            self._state.keep_compact(_screen_name(self), self.geometry())
        QApplication.instance().removeEventFilter(self)  # pyright: ignore[reportOptionalMemberAccess] - as above
        event.accept()
        self.closing.emit()

    def _get_panel_part(self) -> float:
        return self._panel_part

    def _set_panel_part(self, part: float) -> None:
        self._panel_part = part
        self._arrange()

    panel_part = Property(float, _get_panel_part, _set_panel_part)
    """How much of the panel is in the window, 0..1."""

    # -- inside ---------------------------------------------------------------------------------------------------

    def _deeds(self) -> dict[str, Callable[[], None]]:
        """What each action of `app.actions` does."""
        return {
            "microphone": self.toggle_microphone,
            "interrupt": self.interrupt_or_close,
            "mute": self.toggle_muted,
            "record": self.toggle_recording,
            "louder": self.louder,
            "quieter": self.quieter,
            "avatar": lambda: self.sheet_wanted.emit("gallery"),
            "open_image": self.open_image,
            "text": self.go_to_text,
            "panel": self.toggle_panel,
            "history": lambda: self.sheet_wanted.emit("history"),
            "new": self.new_conversation,
            "new_private": lambda: self.new_conversation(private=True),
            "overlay": self.toggle_overlay,
            "full_screen": self.toggle_full_screen,
            "compact": self.toggle_compact,
            "settings": lambda: self.sheet_wanted.emit("settings"),
            "help": lambda: self.sheet_wanted.emit("help"),
        }

    def _connect(self) -> None:
        bar = self.stage.bar
        for button, name in (
            (bar.microphone, "microphone"),
            (bar.interrupt, "interrupt"),
            (bar.mute, "mute"),
            (bar.record, "record"),
            (bar.avatar, "avatar"),
            (bar.conversation, "panel"),
            (bar.settings, "settings"),
            (bar.window_button, "compact"),
        ):
            button.clicked.connect(self.actions_by_name[name].trigger)
        self.stage.double_clicked.connect(self.toggle_full_screen)
        self.stage.menu_wanted.connect(self._show_menu)
        self.stage.problem.chosen.connect(self._act)
        self.panel.sent.connect(self._say)
        self.panel.close_wanted.connect(self.toggle_panel)
        self.panel.history_wanted.connect(self.actions_by_name["history"].trigger)

    def _order_focus(self) -> None:
        bar, box = self.stage.bar, self.panel.text_box
        order: list[QWidget] = [box.edit, box.button, self.panel.transcript, bar.microphone, bar.interrupt, bar.mute]
        order += [bar.record, bar.avatar, bar.conversation, bar.settings, bar.window_button]
        for one, next_one in pairwise(order):
            QWidget.setTabOrder(one, next_one)
        bar.microphone.setFocus()

    def _restore(self) -> None:
        self.resize(1280, 800)
        geometry = self._state.geometry(_screen_name(self))
        if geometry is not None:
            self.restoreGeometry(geometry)
        self.setWindowFlag(Qt.WindowType.WindowStaysOnTopHint, self._settings.window.always_on_top)

    def _show_settings(self) -> None:
        chosen = self._settings
        bar = self.stage.bar
        QApplication.instance().setProperty("reduceMotion", chosen.window.reduce_motion)  # pyright: ignore[reportOptionalMemberAccess] - as above
        self.stage.captions_on = chosen.window.subtitles
        if not chosen.window.subtitles:
            self.stage.caption.clear()
        bar.show_muted(chosen.audio.muted)
        if bar.microphone.state is not Microphone.NONE:
            bar.microphone.show_state(Microphone.ON if chosen.audio.microphone_on else Microphone.OFF)

    def _arrange(self) -> None:
        """Stage and panel share the window, or the panel floats over the stage."""
        body = self._body.rect()
        wide = panel_width(body.width())
        part = self._panel_part if self.stage.mode is not Mode.COMPACT else 0.0
        shown = round(wide * part)
        floats = self._floats()
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        stage_width = body.width() if floats else body.width() - shown
        self.stage.panel_beside = not floats and shown > 0
        self.panel.setVisible(shown > 0)
        self.panel.setGeometry(shown - wide if rtl else body.width() - shown, 0, wide, body.height())
        self.panel.raise_()
        self.stage.setGeometry(shown if rtl and not floats else 0, 0, stage_width, body.height())
        self.stage.place()
        if self.stage.mode is Mode.COMPACT:
            self._compact_frame.shape()
        self._show_panel_button()

    def _floats(self) -> bool:
        return self.stage.mode is Mode.FULL_SCREEN or self.width() < NARROW

    def _show_panel_button(self) -> None:
        button = self.stage.bar.conversation
        button.current = self.panel_open
        button.setAccessibleDescription(self.tr("Shown") if self.panel_open else "")
        button.update()

    def _compact_place(self, screen: str) -> QRect:
        kept = self._state.compact(screen)
        if kept is not None:
            return kept
        room = self.screen().availableGeometry()
        return QRect(room.right() - USUAL - 40, room.top() + 60, USUAL, USUAL)

    def _set_flags(self, on_top: bool, frameless: bool = False) -> None:
        """Changing a window's flags hides it."""
        shown = self.isVisible()
        kind = Qt.WindowType
        flags = self.windowFlags() & ~(kind.WindowStaysOnTopHint | kind.FramelessWindowHint)
        flags |= kind.WindowStaysOnTopHint if on_top else kind.Widget
        flags |= kind.FramelessWindowHint if frameless else kind.Widget
        self.setWindowFlags(flags)
        if shown:
            self.show()
            self.activateWindow()

    def _show_menu(self, at: QPoint) -> None:
        menu = context_menu(self, self.actions_by_name)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(at)

    def _act(self, action: Action) -> None:
        """A button of the problem was pressed."""
        if action is not Action.SHOW_FILE:
            self.stage.problem.close_message()
        if action is Action.RETRY and self._engine is not None:
            self._engine.retry()
        elif action is Action.ANSWER_HERE and self._engine is not None:
            self._engine.answer_here()
        elif action is Action.OPEN_SETTINGS:
            self.sheet_wanted.emit("settings/conversation")
        elif action is Action.CHANGE_DEVICE:
            self.sheet_wanted.emit("settings/sound")
        elif action is Action.CHOOSE_FOLDER:
            self.sheet_wanted.emit("settings/recording")
        elif action is Action.OPEN_IMAGE:
            self.open_image()
        elif action is not Action.CLOSE:
            self.action_wanted.emit(action)

    def _say(self, words: str) -> None:
        if self._engine is not None:
            self._engine.say(words)

    def _change(self, branch: str, **fields: object) -> None:
        self.apply(changed(self._settings, branch, **fields))

    def _change_volume(self, by: float) -> None:
        self._change("audio", volume=min(1.0, max(0.0, round(self._settings.audio.volume + by, 2))))

    def _hold(self, pressed: bool) -> None:
        if self._engine is not None:
            self._engine.hold(pressed)
        microphone = self.stage.bar.microphone
        if microphone.state is not Microphone.NONE:
            idle = Microphone.ON if self._settings.audio.microphone_on else Microphone.OFF
            microphone.show_state(Microphone.HELD if pressed else idle)


def _screen_name(window: QWidget) -> str:
    screen = window.screen()
    return screen.name() if screen else ""
