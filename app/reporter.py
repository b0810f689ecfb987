"""Reporter: what the engine tells becomes what the window shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.controls import Microphone, Recording
from app.messages import leaves_unanswered, message_for, message_for_crash, recording_saved
from core.errors import RECORDING_PROBLEMS, Problem
from core.events import (
    AvatarChanged,
    ConversationOpened,
    Crashed,
    Failed,
    Interrupted,
    RecordingSaved,
    RecordingStarted,
    Recovered,
    Replying,
    SessionEvent,
    Status,
    StatusChanged,
    TurnMeasured,
    UserSpoke,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.main_window import MainWindow

_HERE_MS = 4000
_LOADING_SHOWN_AFTER_MS = 2000
_SECONDS_SHOWN_AFTER_MS = 4000


class Reporter(QObject):
    """Receives every event, on the GUI thread.

    Args:
        window: where it is shown.
        today: the time of day, for the transcript.

    Signals:
        avatar_changed: key and name of the portrait on the stage.
        file_known: the path that "Show file" means from now on.
    """

    avatar_changed = Signal(str, str)
    file_known = Signal(object)

    def __init__(self, window: MainWindow, today: Callable[[], datetime] = datetime.now) -> None:
        super().__init__(window)
        self._window = window
        self._stage = window.stage
        self._transcript = window.panel.transcript
        self._today = today
        self._avatar = ""
        self._detail = ""
        self._thinking_s = 0
        self._here_said = False
        self._here = QTimer(self, singleShot=True, interval=_HERE_MS)
        self._here.timeout.connect(self._ready)
        self._busy: Failed | None = None
        self._countdown = QTimer(self, interval=1000)
        self._countdown.timeout.connect(self._count_down)
        self._beside = QTimer(self, singleShot=True)
        self._beside.timeout.connect(self._say_beside)
        self.name_avatar(window.settings.avatar.portrait)

    def name_avatar(self, key: str, name: str = "") -> None:
        """Who is on the stage: a shipped key, or a path whose file name stands for a name."""
        self._avatar = name or Path(key).stem.replace("_", " ").title()
        self._window.panel.name_avatar(self._avatar)
        self._describe_picture()

    def answered_here(self) -> None:
        """Who answers may have changed: say "On this computer" again when that is so."""
        self._here_said = False

    def receive(self, event: SessionEvent) -> None:
        match event:
            case StatusChanged():
                self._status(event)
            case UserSpoke():
                self._stage.bar.somebody_spoke()
                self._transcript.you_said(event.turn, event.text, self._today())
            case Replying():
                self._replying(event)
            case Interrupted():
                self._transcript.cut(event.turn, event.heard, event.unheard)
                self._stage.caption.leave()
            case Failed():
                self._failed(event)
            case Recovered():
                self._recovered(event.problem)
            case _:
                self._receive_rare(event)

    def _replying(self, event: Replying) -> None:
        if event.text:
            self._transcript.avatar_said(event.turn, event.text, self._today(), event.done)
        else:
            self._transcript.take_back(event.turn)
        if event.may_go_on:
            self._transcript.stopped_short(event.turn, event.text, event.unsaid)

    def _receive_rare(self, event: SessionEvent) -> None:
        match event:
            case Crashed():
                self._status(StatusChanged(Status.STOPPED))
                self._stage.show_problem(message_for_crash(event))
            case AvatarChanged():
                self._stage.view.pictures.expect_another()
                self.name_avatar(event.key, event.name)
                self.avatar_changed.emit(event.key, event.name)
            case ConversationOpened():
                self._opened(event.private)
            case RecordingStarted():
                for problem in RECORDING_PROBLEMS:
                    self._recovered(problem)
                self.file_known.emit(event.path)
                self._window.show_recording(Recording.RECORDING)
            case RecordingSaved():
                self.file_known.emit(event.path)
                self._window.show_recording(Recording.IDLE)
                self._stage.show_problem(recording_saved(event), notice=True)
            case TurnMeasured():
                self._window.measured.append(event)
            case _:
                raise TypeError(f"an event nobody shows: {type(event).__name__}")

    def _status(self, event: StatusChanged) -> None:
        self._detail = event.detail
        self._beside.stop()
        self._here.stop()
        status = event.status
        here = status is Status.READY and self._answers_here() and not self._here_said
        self._stage.bar.interrupt.setEnabled(status in (Status.THINKING, Status.SPEAKING))
        self._stage.pill.show_status(status, event.detail if status is Status.RECONNECTING else "", here)
        if here:
            self._here_said = True
            self._here.start()
        if status is Status.THINKING:
            self._thinking_s = _SECONDS_SHOWN_AFTER_MS // 1000
            self._beside.start(_SECONDS_SHOWN_AFTER_MS)
        elif status is Status.STARTING and event.detail:
            self._beside.start(_LOADING_SHOWN_AFTER_MS)
        self._describe_picture()

    def _say_beside(self) -> None:
        """What stands beside the word only after a while: what is loading, or how long it has thought."""
        pill = self._stage.pill
        if pill.status is Status.THINKING:
            pill.show_status(Status.THINKING, self.tr("{seconds} s").format(seconds=self._thinking_s))
            self._thinking_s += 1
            self._beside.start(1000)
        elif pill.status is Status.STARTING:
            pill.show_status(Status.STARTING, self._detail)

    def _ready(self) -> None:
        if self._stage.pill.status is Status.READY:
            self._stage.pill.show_status(Status.READY)

    def _answers_here(self) -> bool:
        dialogue = self._window.settings.dialogue
        return not (dialogue.url and dialogue.use_endpoint)

    def _failed(self, event: Failed) -> None:
        if leaves_unanswered(event) and event.turn is not None:
            self._transcript.not_answered(event.turn)
        if event.problem is Problem.NO_MICROPHONE:
            self._stage.bar.microphone.show_state(Microphone.NONE)
            if not self._stage.isAncestorOf(self._window.focusWidget() or self._window):
                self._window.panel.text_box.edit.setFocus()
        if event.problem in RECORDING_PROBLEMS:
            self._window.show_recording(Recording.IDLE)
        if event.problem is Problem.ENDPOINT_BUSY:
            self._busy = event
            self._countdown.start()
        message = message_for(event, self._avatar)
        self._stage.show_problem(message, notice=not message.offers)

    def _count_down(self) -> None:
        """A second less until a busy endpoint is tried again."""
        busy, shown = self._busy, self._stage.problem.message
        left = (busy.retry_after_s or 0.0) - 1 if busy else 0.0
        if busy is None or shown is None or shown.problem is not busy.problem or left < 1:
            self._countdown.stop()
            return
        advice = self.tr("Trying again in {seconds} s.").format(seconds=round(left))
        self._busy = replace(busy, retry_after_s=left, advice=advice)
        self._stage.problem.show_message(message_for(self._busy, self._avatar))

    def _recovered(self, problem: Problem) -> None:
        if problem is Problem.NO_MICROPHONE:
            on = self._window.settings.audio.microphone_on
            self._stage.bar.microphone.show_state(Microphone.ON if on else Microphone.OFF)
        card = self._stage.problem
        if card.forget(problem):
            self._stage.pill.set_can_open(card.isVisible())

    def _opened(self, private: bool) -> None:
        self._window.panel.show_private(private)
        engine = self._window.engine
        self._transcript.show_entries(engine.transcript() if engine else ())

    def _describe_picture(self) -> None:
        self._stage.view.setAccessibleName(f"{self._avatar}, {self._stage.pill.text.lower()}")
