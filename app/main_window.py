"""MainWindow: the picture, what floats on it, and the conversation beside it; every key and what it does."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

from app.actions import add_actions, context_menu
from app.body import Body
from app.controls import Microphone, Recording
from app.drop_zone import DropZone
from app.hold import HoldToSpeak
from app.messages import Action, message_for
from app.open_picture import open_picture
from app.stage import Mode
from app.standing import Standing, screen_name
from core.errors import LiveTalkError
from core.events import Failed, Status
from core.settings import changed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from PySide6.QtGui import QCloseEvent

    from app.engine import Engine
    from app.video_view import VideoView
    from app.window_state import WindowState
    from core.events import TurnMeasured
    from core.settings import Settings

_VOLUME_STEP = 0.1


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
        picture_brought: the path of a picture of the person's own, opened or dropped.
        attached: a conversation runs from now on.
        closing: the person closed the window.
    """

    settings_changed = Signal(object)
    sheet_wanted = Signal(str)
    action_wanted = Signal(object)
    picture_brought = Signal(str)
    attached = Signal()
    closing = Signal()

    def __init__(self, settings: Settings, state: WindowState, view: VideoView | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._state = state
        self._engine: Engine | None = None
        self._hushed = False
        self._recording = Recording.IDLE
        self.measured: deque[TurnMeasured] = deque(maxlen=24)
        """How long the stages of the last turns took."""
        self._body = Body(view, settings.window.raster, state.panel(screen_name(self)), self)
        self.setCentralWidget(self._body)
        self.stage = self._body.stage
        self.panel = self._body.panel
        self._standing = Standing(self, self._body, state, settings.window.always_on_top)
        self._drop_zone = DropZone(self._body, self)
        self._drop_zone.dropped.connect(self.picture_brought)
        self._speaking = HoldToSpeak(self)
        self._speaking.held.connect(self._hold)
        self.actions_by_name = add_actions(self, self._deeds())
        self._connect()
        self._order_focus()
        self.setWindowTitle(self.tr("LiveTalk"))
        self._show_settings()
        self.show_recording(Recording.IDLE)
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
        if engine is not None:
            if self._hushed:
                engine.set_microphone(False)
            self.attached.emit()

    def hush(self, hushed: bool) -> None:
        """Let the conversation hear nothing for a while, then what the person's settings say again."""
        changes, self._hushed = hushed != self._hushed, hushed
        if changes and self._engine is not None:
            self._engine.set_microphone(self._settings.audio.microphone_on and not hushed)

    def apply(self, settings: Settings) -> None:
        """Put settings in force in the window; who hears `settings_changed` sees to the engine and the file."""
        old, self._settings = self._settings, settings
        if old.window.raster != settings.window.raster:
            self._body.draw(settings.window.raster)
        self._standing.stay_on_top(settings.window.always_on_top)
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
            self._standing.toggle_full_screen()

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
        open_picture(self, self.picture_brought.emit)

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

    def toggle_panel(self) -> None:
        """F2: slide the conversation in or out."""
        if self.stage.mode is not Mode.COMPACT:
            self._body.toggle_panel()
            self._state.keep_panel(self._standing.screen, self._body.docked_open)

    @property
    def panel_open(self) -> bool:
        return self._body.panel_open

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

    def closeEvent(self, event: QCloseEvent) -> None:
        self._standing.keep()
        QApplication.instance().removeEventFilter(self)  # pyright: ignore[reportOptionalMemberAccess] - as above
        event.accept()
        self.closing.emit()

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
            "full_screen": self._standing.toggle_full_screen,
            "compact": self._standing.toggle_compact,
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
        self.stage.double_clicked.connect(self._standing.toggle_full_screen)
        self.stage.menu_wanted.connect(self._show_menu)
        self.stage.problem.chosen.connect(self._act)
        self.panel.sent.connect(self._say)
        self.panel.transcript.go_on_wanted.connect(self._go_on)
        self.panel.close_wanted.connect(self.toggle_panel)
        self.panel.history_wanted.connect(self.actions_by_name["history"].trigger)

    def _order_focus(self) -> None:
        bar, box = self.stage.bar, self.panel.text_box
        order: list[QWidget] = [box.edit, box.button, self.panel.transcript, bar.microphone, bar.interrupt, bar.mute]
        order += [bar.record, bar.avatar, bar.conversation, bar.settings, bar.window_button]
        for one, next_one in pairwise(order):
            QWidget.setTabOrder(one, next_one)
        bar.microphone.setFocus()

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
        elif action is Action.GO_ON:
            self._go_on()
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

    def _go_on(self) -> None:
        if self._engine is not None:
            self._engine.go_on()

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
