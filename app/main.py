"""The window's program. Start-up goes in this order, and each step has its reason:

1. One `QApplication`, so that everything after it can speak to the person.
2. One instance: a second start shows the first window and ends.
3. The crash log, which only the one instance may write, so that a fault in anything below leaves a trace.
4. Settings, read once; a broken file is put aside and told of.
5. The window, at once, with "Starting"; nothing heavy was imported so far.
6. The conversation, opened by `Host` off the GUI thread.

The end goes back in stages: the window hides, the host closes the conversation, the settings are written, Qt ends.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QCoreApplication,
    QLibraryInfo,
    QLocale,
    QObject,
    QTimer,
    QtMsgType,
    QTranslator,
    qInstallMessageHandler,
)
from PySide6.QtWidgets import QApplication

from app import VERSION
from app.background import run_in_background
from app.bridge import bridge
from app.commands.choices import with_options
from app.crash import CrashLog, Hooks, ReportDialog, with_versions
from app.first_run import FirstRun
from app.host import Host
from app.keys import KeyStore, Place, system_keyring
from app.main_window import MainWindow
from app.messages import Action
from app.pictures import Pictures
from app.preload import import_the_rest
from app.pyside_imports import spare_sources
from app.raster_view import RasterView
from app.reporter import Reporter
from app.settings_keeper import SettingsKeeper
from app.sheets import Sheets
from app.single_instance import SingleInstance
from app.theme import ASSETS, Theme
from app.window_state import WindowState
from app.without_window import tell_without_window
from core.errors import LiveTalkError, Problem, SettingsError
from core.events import Crashed, Failed, Status, StatusChanged
from core.settings import (
    Settings,
    config_folder,
    conversations_folder,
    data_folder,
    load,
    set_aside,
    settings_path,
    with_environment,
)

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from app.engine import Engine
    from core.performer.protocol import Said

log = logging.getLogger(__name__)

_CALM_AFTER_MS = 2000
"""After the first picture; the companion loads its models until about then."""
SWITCH_INTERVAL_S = 0.0005
"""How often Python's threads may take turns: the window must not wait for a renderer that computes."""


def main(options: argparse.Namespace) -> int:
    """Open the window and stay until it was closed; the exit status."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    spare_sources()
    qInstallMessageHandler(_qt_says)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    _translate(app)
    try:
        return _only_instance(app, options)
    except LiveTalkError as error:
        tell_without_window(error)
        raise


def _only_instance(app: QApplication, options: argparse.Namespace) -> int:
    instance = SingleInstance(config_folder())
    try:
        if instance.first:
            return _run(app, instance, options)
        if instance.show_the_other():
            return 0
        raise LiveTalkError(
            Problem.ALREADY_RUNNING,
            QCoreApplication.translate("Message", "LiveTalk is already running, but does not answer."),
            QCoreApplication.translate("Message", "Close it, then start LiveTalk again."),
        )
    finally:
        instance.close()


def _run(app: QApplication, instance: SingleInstance, options: argparse.Namespace) -> int:
    crash_log = CrashLog(data_folder() / "crash.log")
    try:
        program = Program(app, Theme(app), options, crash_log.left_behind)
        instance.asked.connect(program.come_forward)
        collect_later(program)
        try:
            program.begin()
            return app.exec()
        finally:
            program.finish()
    finally:
        crash_log.close()


def collect_later(program: Program) -> None:
    """Look for no garbage while the program starts, and never in what it made by then: with a million objects each look
    holds the window for a tenth of a second."""
    gc.disable()

    def settle(*_: object) -> None:
        gc.freeze()
        gc.enable()

    program.window.stage.first_frame.connect(settle)
    program.host.failed.connect(settle)
    program.host.broke.connect(settle)


class Program(QObject):
    """Puts the parts together and lives as long as the window. GUI thread."""

    def __init__(self, app: QApplication, theme: Theme, options: argparse.Namespace, left_behind: str) -> None:
        super().__init__(app)
        app.setApplicationName("LiveTalk")
        app.setQuitOnLastWindowClosed(False)
        self._app = app
        self._left_behind = left_behind
        self._file: Path | None = None
        self._report: ReportDialog | None = None
        self._record = bool(options.record)
        self._hooks = Hooks(self)
        self._hooks.broke.connect(self._show_report)
        self._hooks.interrupted.connect(self._interrupted)
        kept, self._trouble, path = self._read_settings()
        in_force = with_options(with_environment(kept, os.environ), options)
        self._keeper = SettingsKeeper(path, kept, in_force, self)
        self._keys = KeyStore(os.environ, system_keyring())
        self.window = MainWindow(in_force, WindowState(config_folder()))
        self._reporter = Reporter(self.window)
        self._emit = bridge(self._reporter.receive, self)
        self.host = Host(self._open_session, self)
        pictures = Pictures(self.window, self._check_picture)
        self._sheets = Sheets(self.window, self._keys, pictures, self._check_picture, self._key_changed, VERSION)
        self._first_run = FirstRun(self.window)
        self._greet = not in_force.window.greeted
        self._down = False
        self._keyring_missed = False
        self._connect()

    def begin(self) -> None:
        """Show the window, then open the conversation."""
        self.window.show()
        self.window.activateWindow()
        if self._left_behind:
            self._show_report(with_versions(self._left_behind), earlier=True)
        if self._trouble is not None:
            self._reporter.receive(Failed.of(self._trouble))
        if isinstance(self.window.stage.view, RasterView) and self.window.stage.view.opengl_missing:
            self._reporter.receive(self._no_opengl())
        self.host.open(self.window.settings)

    def finish(self) -> None:
        """After the event loop, however it ended: what the last stage would have done and has not.

        Raises:
            LiveTalkError: the last change of the settings could not be written.
        """
        try:
            self.host.finish()
            self._keeper.close()
        finally:
            self._hooks.close()

    def come_forward(self) -> None:
        """Another start asked for this window."""
        self.window.setWindowState(self.window.windowState() & ~self.window.windowState().WindowMinimized)
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def _connect(self) -> None:
        window, host = self.window, self.host
        window.settings_changed.connect(self._settings_changed)
        window.action_wanted.connect(self._act)
        window.closing.connect(self._close)
        window.stage.first_frame.connect(self._first_frame)
        self._reporter.avatar_changed.connect(self._sheets.avatar_changed)
        self._reporter.file_known.connect(self._know_file)
        self._keeper.failed.connect(self._tell)
        host.opened.connect(self._opened)
        host.failed.connect(self._not_opened)
        host.broke.connect(self._host_broke)
        host.closed.connect(self._closed)

    def _open_session(self, settings: Settings, before: Engine | None) -> Engine:
        """Runs on the host's thread: everything heavy is imported and made here."""
        from core.dialogue.history import empty_trash
        from core.parts import product_parts
        from core.session import Session

        if before is None:
            empty_trash(conversations_folder())
        chosen = settings.dialogue
        for url in {chosen.url, chosen.transcription_url, chosen.speech_url} - {""}:
            self._keys.load(url)
        history, question = (before.history, before.question) if isinstance(before, Session) else (None, None)
        parts = product_parts(self._keys.key_of)
        session = Session(settings, self._emit, parts, greet=self._greet, history=history, question=question)
        return session.__enter__()

    def _opened(self, engine: Engine) -> None:
        """What was changed while it opened is taken over, or asks for another one."""
        self._greet = self._down = False
        if engine.apply(self.window.settings):
            self.window.attach(engine)
        else:
            self._reopen()

    def _settings_changed(self, settings: Settings) -> None:
        self._keeper.keep(settings)
        engine = self.window.engine
        if self._down if engine is None else not engine.apply(settings):
            self._reopen()

    def _key_changed(self) -> None:
        if self._keys.place_of(self.window.settings.dialogue.url) is Place.THIS_RUN and not self._keyring_missed:
            self._keyring_missed = True
            self._reporter.receive(self._no_keyring())
        self._reopen()

    def _reopen(self) -> None:
        """Another conversation with the settings in force, which goes on where this one is."""
        self._down = False
        self.window.attach(None)
        self._reporter.answered_here()
        self._reporter.receive(StatusChanged(Status.STARTING))
        self.host.open(self.window.settings)

    def _first_frame(self) -> None:
        QTimer.singleShot(_CALM_AFTER_MS, self, self._preload)
        engine = self.window.engine
        if self._record and engine is not None:
            self._record = False
            engine.start_recording()

    def _preload(self) -> None:
        run_in_background(self, import_the_rest, lambda _: None, self._tell)

    def _act(self, action: Action) -> None:
        if action is Action.SHOW_FILE and self._file is not None:
            from app.services import show_folder

            show_folder(self._file)
        elif action in (Action.CHECK_MICROPHONE, Action.CHECK_LOUDSPEAKER, Action.RESTART):
            self._reopen()

    def _check_picture(self, path: Path, said: Said) -> None:
        """`app.pictures.Check`, by the performer that runs; whatever serves where none does."""
        engine = self.window.engine
        if engine is not None:
            engine.look(path, said)

    def _read_settings(self) -> tuple[Settings, SettingsError | None, Path | None]:
        """Settings, the trouble in reading them, and the file to keep changes in: none where it must not be touched."""
        path = settings_path()
        try:
            return load(path), None, path
        except SettingsError as error:
            self._file = path
            if error.problem is not Problem.SETTINGS_BROKEN:
                return Settings(), error, None
            try:
                self._file = set_aside(path)
            except OSError:
                return Settings(), error, None
            error.advice = self.tr("The old file was kept as {name}.").format(name=self._file.name)
            return Settings(), error, path

    def _no_opengl(self) -> Failed:
        return Failed(
            Problem.NO_OPENGL,
            self.tr("This computer has no OpenGL, so the picture is drawn without it."),
            self.tr("It looks the same. A graphics driver would save some work."),
        )

    def _no_keyring(self) -> Failed:
        return Failed(Problem.NO_KEYRING, self.tr("No keyring was found, so the key is kept until you quit."), "")

    def _know_file(self, path: Path) -> None:
        self._file = path

    def _tell(self, error: LiveTalkError) -> None:
        self._reporter.receive(Failed.of(error))

    def _not_opened(self, error: LiveTalkError) -> None:
        """No conversation runs; the next change of the settings tries again."""
        self._down = True
        self._reporter.receive(StatusChanged(Status.STOPPED))
        self._tell(error)

    def _host_broke(self, error: BaseException) -> None:
        from app.crash import report_of

        self._down = True
        report = report_of(error, "the conversation")
        self._reporter.receive(Crashed("the conversation", report))
        self._show_report(report)

    def _show_report(self, report: str, earlier: bool = False) -> None:
        if self._report is not None:
            return
        dialog = ReportDialog(report, self.window, earlier)
        self._report = dialog
        dialog.finished.connect(self._report_read)
        dialog.quit_wanted.connect(self.window.close)
        dialog.open()

    def _report_read(self) -> None:
        self._report = None

    def _interrupted(self) -> None:
        self.window.close()

    def _close(self) -> None:
        """First stage: the window is gone for the person; what runs is ended off the GUI thread."""
        self.window.attach(None)
        self.window.hide()
        self.host.close()

    def _closed(self) -> None:
        """Last stage: nothing runs any more."""
        self._app.quit()


def _translate(app: QApplication) -> None:
    """The person's language, for Qt's own dialogs and, where there is a translation, for ours."""
    for name, folder in (
        ("qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)),
        ("livetalk", str(ASSETS / "translations")),
    ):
        translator = QTranslator(app)
        if translator.load(QLocale(), name, "_", folder):
            app.installTranslator(translator)


def _qt_says(kind: QtMsgType, context: object, text: str) -> None:
    levels = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.INFO,
        QtMsgType.QtWarningMsg: logging.WARNING,
        QtMsgType.QtCriticalMsg: logging.ERROR,
        QtMsgType.QtFatalMsg: logging.CRITICAL,
    }
    logging.getLogger("qt").log(levels.get(kind, logging.WARNING), "%s", text)
