from __future__ import annotations

import argparse
import faulthandler
import gc
import subprocess
import sys
import threading
import tomllib
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QMessageBox

from app.bridge import bridge
from app.crash import CrashLog, Hooks, ReportDialog, report_of
from app.first_run import FirstRun
from app.host import Host
from app.main import Program, collect_later, main
from app.raster_view import RasterView
from app.settings_dialog import SettingsDialog
from app.settings_keeper import SettingsKeeper, carried_over
from app.settings_pages.conversation import ConversationPage
from app.single_instance import SingleInstance
from app.without_window import tell_without_window
from core.errors import DeviceError, LiveTalkError, Problem, SettingsError
from core.events import Status, StatusChanged
from core.settings import Settings, changed, config_folder, data_folder, settings_path
from tests.app.fake_engine import FakeEngine, FakeLevels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot

    from app.engine import Engine
    from app.theme import Theme
    from core.events import SessionEvent
    from tests.app.conftest import Scene

    Start = Callable[..., Program]


_SECOND_START = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from app.single_instance import SingleInstance
app = QCoreApplication([])
sys.exit(0 if SingleInstance(Path(sys.argv[1])).show_the_other() else 1)
"""


class Opener:
    """Opens fake engines and notes on which thread."""

    def __init__(self) -> None:
        self.opened: list[FakeEngine] = []
        self.before: list[Engine | None] = []
        self.gate: threading.Event | None = None
        self.threads: list[threading.Thread] = []
        self.refusal: Exception | None = None

    def __call__(self, settings: Settings, before: Engine | None) -> FakeEngine:
        self.threads.append(threading.current_thread())
        self.before.append(before)
        if self.gate is not None:
            self.gate.wait(10)
        if self.refusal is not None:
            raise self.refusal
        self.opened.append(FakeEngine())
        return self.opened[-1]


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def host(opener: Opener, qapp: QApplication) -> Iterator[Host]:
    made = Host(opener)
    yield made
    made.finish()


def test_events_arrive_on_the_window_thread_in_order(qtbot: QtBot) -> None:
    heard: list[tuple[SessionEvent, threading.Thread]] = []
    owner = QObject()
    emit = bridge(lambda event: heard.append((event, threading.current_thread())), owner)
    sent = [StatusChanged(Status.READY, str(number)) for number in range(50)]
    worker = threading.Thread(target=lambda: [emit(event) for event in sent])
    worker.start()
    worker.join()
    assert heard == []
    qtbot.waitUntil(lambda: len(heard) == 50)
    assert heard == [(event, threading.main_thread()) for event in sent]


def test_a_conversation_is_opened_and_closed_off_the_window_thread(host: Host, opener: Opener, qtbot: QtBot) -> None:
    with qtbot.waitSignal(host.opened) as opened:
        host.open(Settings())
    assert opened.args == opener.opened
    with qtbot.waitSignal(host.closed):
        host.close()
    assert opener.opened[0].asked == [("close", None)]
    assert opener.threads[0] is not threading.main_thread()


def test_another_conversation_begins_after_the_one_before_has_ended(host: Host, opener: Opener, qtbot: QtBot) -> None:
    with qtbot.waitSignal(host.opened):
        host.open(Settings())
    with qtbot.waitSignal(host.opened):
        host.open(Settings())
    assert [engine.asked for engine in opener.opened] == [[("close", None)], []]


def test_trouble_in_opening_is_told_and_the_window_lives(host: Host, opener: Opener, qtbot: QtBot) -> None:
    opener.refusal = DeviceError(Problem.NO_LOUDSPEAKER, "No loudspeaker was found.", "Connect one.")
    with qtbot.waitSignal(host.failed) as failed:
        host.open(Settings())
    assert failed.args == [opener.refusal]
    opener.refusal = None
    with qtbot.waitSignal(host.opened):
        host.open(Settings())


def test_a_conversation_goes_on_after_an_opening_that_failed(host: Host, opener: Opener, qtbot: QtBot) -> None:
    with qtbot.waitSignal(host.opened):
        host.open(Settings())
    opener.refusal = DeviceError(Problem.NO_LOUDSPEAKER, "No loudspeaker was found.", "Connect one.")
    with qtbot.waitSignal(host.failed):
        host.open(Settings())
    opener.refusal = None
    for _ in range(2):
        with qtbot.waitSignal(host.opened):
            host.open(Settings())
    first, second, _ = opener.opened
    assert opener.before == [None, first, first, second]
    assert first.asked == [("close", None)]


def test_of_several_openings_the_newest_is_told_of(host: Host, opener: Opener, qtbot: QtBot) -> None:
    told: list[Engine] = []
    host.opened.connect(told.append)
    opener.gate = threading.Event()
    host.open(Settings())
    host.open(Settings())
    opener.gate.set()
    qtbot.waitUntil(lambda: bool(told))
    assert told == [opener.opened[1]]


def test_a_bug_in_opening_is_loud(host: Host, opener: Opener, qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    opener.refusal = RuntimeError("a bug")
    with qtbot.waitSignal(host.broke):
        host.open(Settings())
    assert "a bug" in caplog.text


def test_what_the_person_changes_is_written_once_they_stop(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    keeper = SettingsKeeper(path, Settings(), Settings())
    for volume in (0.1, 0.2, 0.3):
        keeper.keep(changed(Settings(), "audio", volume=volume))
    assert not path.exists()
    keeper.close()
    assert tomllib.loads(path.read_text("utf-8"))["audio"]["volume"] == 0.3


def test_a_last_change_that_cannot_be_written_is_told_when_it_closes(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "a_file").touch()
    keeper = SettingsKeeper(tmp_path / "a_file" / "settings.toml", Settings(), Settings())
    keeper.keep(changed(Settings(), "audio", volume=0.3))
    with pytest.raises(SettingsError, match="could not be saved"):
        keeper.close()
    keeper.close()


def test_what_stands_on_the_command_line_is_not_written() -> None:
    kept = changed(Settings(), "dialogue", voice="Cherry")
    in_force = changed(kept, "dialogue", url="https://example.org/v1")
    after = changed(changed(in_force, "dialogue", model="qwen3-omni-flash"), "audio", muted=True)
    written = carried_over(kept, in_force, after)
    assert written.dialogue.url == ""
    assert (written.dialogue.model, written.dialogue.voice) == ("qwen3-omni-flash", "Cherry")
    assert written.audio.muted


def test_a_second_start_asks_the_first_to_come_forward(qtbot: QtBot, tmp_path: Path) -> None:
    first = SingleInstance(tmp_path)
    second = SingleInstance(tmp_path)
    try:
        assert first.first
        assert not second.first
        asking = subprocess.Popen([sys.executable, "-c", _SECOND_START, str(tmp_path)])
        with qtbot.waitSignal(first.asked, timeout=20_000):
            pass
        qtbot.waitUntil(lambda: asking.poll() is not None, timeout=20_000)
        assert asking.returncode == 0
    finally:
        second.close()
        first.close()
    third = SingleInstance(tmp_path)
    assert third.first
    third.close()


_SOURCES_READ = """
import linecache, sys
from PySide6.QtCore import QObject
from app.pyside_imports import spare_sources
import mailbox
assert any("mailbox" in name for name in linecache.cache), "PySide reads no sources any more: the workaround can go"
spare_sources()
import imaplib
assert not any("imaplib" in name for name in linecache.cache)
"""


def test_the_sources_of_what_is_imported_are_not_read(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _SOURCES_READ], check=True)


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[LiveTalkError]:
    """What is told without a window."""
    told: list[LiveTalkError] = []
    monkeypatch.setattr("app.main.tell_without_window", told.append)
    return told


def test_a_second_start_is_refused_when_the_first_hangs_and_leaves_its_crash_log_alone(
    qtbot: QtBot, refusals: list[LiveTalkError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.single_instance._ANSWER_MS", 50)
    crash_log = data_folder() / "crash.log"
    crash_log.parent.mkdir(parents=True)
    crash_log.write_text("Fatal Python error", "utf-8")
    first = SingleInstance(config_folder())  # nobody runs its event loop, as in a program that hangs
    try:
        with pytest.raises(LiveTalkError, match="Close it, then start LiveTalk again") as refused:
            main(argparse.Namespace(record=False))
    finally:
        first.close()
    assert refused.value.problem is Problem.ALREADY_RUNNING
    assert refusals == [refused.value]
    assert crash_log.read_text("utf-8") == "Fatal Python error"


def test_a_data_folder_that_cannot_be_written_is_told_in_words(
    qtbot: QtBot, refusals: list[LiveTalkError], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a_file").touch()
    monkeypatch.setenv("LIVETALK_DATA", str(tmp_path / "a_file" / "data"))
    with pytest.raises(LiveTalkError, match="can be written") as refused:
        main(argparse.Namespace(record=False))
    assert refusals == [refused.value]
    with_lock = SingleInstance(config_folder())
    assert with_lock.first
    with_lock.close()


def test_a_settings_folder_that_cannot_be_written_does_not_keep_livetalk_from_starting(
    qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "a_file").touch()
    only = SingleInstance(tmp_path / "a_file" / "config")
    assert only.first
    only.close()


def test_trouble_without_a_window_is_shown_until_it_was_read(qtbot: QtBot, qapp: QApplication) -> None:
    seen: list[str] = []

    def read() -> None:
        box = qapp.activeModalWidget()
        assert isinstance(box, QMessageBox)
        seen.extend((box.text(), box.informativeText()))
        box.accept()

    QTimer.singleShot(0, read)
    tell_without_window(LiveTalkError(Problem.ALREADY_RUNNING, "It runs.", "Close it."))
    assert seen == ["It runs.", "Close it."]


def test_a_fault_leaves_a_log_that_the_next_start_finds(tmp_path: Path) -> None:
    enabled = faulthandler.is_enabled()
    path = tmp_path / "crash.log"
    path.write_text("Fatal Python error: Segmentation fault", "utf-8")
    log = CrashLog(path)
    assert log.left_behind == "Fatal Python error: Segmentation fault"
    log.close()
    assert not path.exists()
    assert CrashLog(path).left_behind == ""
    faulthandler.enable() if enabled else faulthandler.disable()


def test_an_exception_that_nobody_caught_becomes_a_report(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks()
    try:
        with qtbot.waitSignal(hooks.broke) as broke:
            try:
                raise ZeroDivisionError("of the test")
            except ZeroDivisionError:
                sys.excepthook(*sys.exc_info())  # pyright: ignore[reportArgumentType] - never None in an except
    finally:
        hooks.close()
    assert broke.args is not None
    assert "ZeroDivisionError" in broke.args[0]
    assert "Qt 6." in broke.args[0]


def test_the_report_shows_its_traceback_only_when_asked(qtbot: QtBot, theme: Theme) -> None:
    dialog = ReportDialog(report_of(ValueError("x")))
    qtbot.addWidget(dialog)
    dialog.show()
    assert not dialog.text.isVisible()
    next(button for button in dialog.findChildren(type(dialog.close_button)) if button.text() == "Details").click()
    assert dialog.text.isVisible()


def test_the_offer_to_connect_goes_for_good_with_not_now(scene: Scene) -> None:
    first_run = FirstRun(scene.window)
    assert first_run.offer is not None
    first_run.offer.dismiss_button.click()
    assert scene.window.settings.window.offer_dismissed
    assert FirstRun(scene.window).offer is None


def test_the_offer_opens_the_settings_of_the_conversation(scene: Scene) -> None:
    names: list[str] = []
    scene.window.sheet_wanted.connect(names.append)
    first_run = FirstRun(scene.window)
    assert first_run.offer is not None
    first_run.offer.connect_button.click()
    assert names == ["settings/conversation"]


def test_the_microphone_check_says_when_it_hears_somebody(scene: Scene) -> None:
    scene.window.apply(changed(scene.window.settings, "window", greeted=False))
    first_run = FirstRun(scene.window)
    assert first_run.microphone is not None
    scene.engine.now_levels = FakeLevels(microphone=0.001)
    scene.stage.pulse(0.033)
    assert first_run.microphone.verdict == "Say something"
    scene.engine.now_levels = FakeLevels(microphone=0.05)
    scene.stage.pulse(0.033)
    assert first_run.microphone.verdict == "It hears you"


@pytest.fixture
def program(
    qtbot: QtBot, qapp: QApplication, theme: Theme, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    monkeypatch.setattr(Program, "_open_session", lambda _, settings, before: opener(settings, before))
    monkeypatch.setattr(qapp, "quit", lambda: None)
    # Off-screen there is no OpenGL at all, of which the program would tell; a test of that asks for it.
    monkeypatch.setattr("app.body.make_view", lambda parent, raster: RasterView(parent))
    made: list[Program] = []

    def start(left_behind: str = "") -> Program:
        made.append(Program(qapp, theme, argparse.Namespace(record=False), left_behind))
        qtbot.addWidget(made[-1].window)
        made[-1].begin()
        return made[-1]

    yield start
    for one in made:
        one.window.close()
        one.finish()


def test_the_program_opens_a_conversation_and_ends_it_when_the_window_closes(
    program: Start, opener: Opener, qtbot: QtBot
) -> None:
    started = program()
    qtbot.waitUntil(lambda: started.window.engine is not None)
    with qtbot.waitSignal(started.host.closed):
        started.window.close()
    assert not started.window.isVisible()
    assert opener.opened[0].asked[-1] == ("close", None)


def test_after_an_opening_that_failed_a_change_of_the_settings_tries_again(
    program: Start, opener: Opener, qtbot: QtBot
) -> None:
    opener.refusal = DeviceError(Problem.NO_LOUDSPEAKER, "No loudspeaker was found.", "Connect one.")
    started = program()
    pill, card = started.window.stage.pill, started.window.stage.problem
    qtbot.waitUntil(lambda: card.message is not None)
    assert pill.status is Status.STOPPED
    opener.refusal = None
    started.window.apply(changed(started.window.settings, "dialogue", url="https://example.org/v1"))
    qtbot.waitUntil(lambda: started.window.engine is not None)


def test_after_a_bug_in_an_opening_a_new_start_is_offered(
    program: Start, opener: Opener, qtbot: QtBot, expected_log: list[str]
) -> None:
    expected_log.append("could not be opened")
    opener.refusal = RuntimeError("a bug")
    started = program()
    card = started.window.stage.problem
    qtbot.waitUntil(lambda: started._report is not None)
    started._report.reject()
    assert started.window.stage.pill.status is Status.STOPPED
    opener.refusal = None
    next(button for button in card.buttons if button.text() == "Start again").click()
    qtbot.waitUntil(lambda: started.window.engine is not None)


@pytest.mark.parametrize("goes_well", [True, False])
def test_no_garbage_is_looked_for_until_there_is_a_picture(
    program: Start, opener: Opener, qtbot: QtBot, goes_well: bool
) -> None:
    if not goes_well:
        opener.refusal = DeviceError(Problem.NO_LOUDSPEAKER, "No loudspeaker was found.", "Connect one.")
    started = program()
    try:
        collect_later(started)
        assert not gc.isenabled()
        if goes_well:
            started.window.stage.first_frame.emit()
        qtbot.waitUntil(gc.isenabled)
        assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()


def test_a_broken_settings_file_is_put_aside_and_told_of(program: Start, qtbot: QtBot) -> None:
    config_folder().mkdir(parents=True, exist_ok=True)
    settings_path().write_text("audio = 3", "utf-8")
    started = program()
    message = started.window.stage.problem.message
    assert message is not None
    assert message.problem is Problem.SETTINGS_BROKEN
    assert message.advice == "The old file was kept as settings.broken.toml."
    assert (config_folder() / "settings.broken.toml").exists()


def test_settings_of_a_newer_version_are_told_of_and_never_written(program: Start, qtbot: QtBot) -> None:
    words = "schema = 99\n[audio]\nspatial = true\n"
    config_folder().mkdir(parents=True, exist_ok=True)
    settings_path().write_text(words, "utf-8")
    started = program()
    message = started.window.stage.problem.message
    assert message is not None
    assert message.problem is Problem.SETTINGS_NEWER
    started.window.louder()
    started.window.toggle_muted()
    assert started.window.settings.audio.muted
    with qtbot.waitSignal(started.host.closed):
        started.window.close()
    started.finish()
    assert settings_path().read_text("utf-8") == words
    assert [path.name for path in config_folder().glob("settings*")] == ["settings.toml"]


def test_a_broken_settings_file_that_cannot_be_put_aside_stays_as_it_is(
    program: Start, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_folder().mkdir(parents=True, exist_ok=True)
    settings_path().write_text("audio = 3", "utf-8")

    def refused(_: Path) -> Path:
        raise PermissionError("read-only")

    monkeypatch.setattr("app.main.set_aside", refused)
    started = program()
    message = started.window.stage.problem.message
    assert message is not None
    assert message.advice == "The file was left as it is."
    started.window.toggle_muted()
    started.finish()
    assert settings_path().read_text("utf-8") == "audio = 3"


def test_settings_that_need_another_conversation_open_one(program: Start, opener: Opener, qtbot: QtBot) -> None:
    started = program()
    qtbot.waitUntil(lambda: started.window.engine is not None)
    opener.opened[0].apply = lambda settings: False
    started.window.apply(changed(started.window.settings, "audio", microphone="Headset"))
    qtbot.waitUntil(lambda: len(opener.opened) == 2 and started.window.engine is opener.opened[1])
    assert ("close", None) in opener.opened[0].asked


def test_what_is_changed_while_a_conversation_opens_is_taken_over(program: Start, opener: Opener, qtbot: QtBot) -> None:
    opener.gate = threading.Event()
    started = program()
    started.window.toggle_muted()
    opener.gate.set()
    qtbot.waitUntil(lambda: started.window.engine is not None)
    assert opener.opened[0].asked == [("apply", started.window.settings)]
    assert started.window.settings.audio.muted


def test_what_is_changed_while_a_conversation_opens_may_ask_for_another(
    program: Start, opener: Opener, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeEngine, "apply", lambda engine, _: engine is not opener.opened[0])
    started = program()
    qtbot.waitUntil(lambda: started.window.engine is not None)
    assert started.window.engine is opener.opened[1]
    assert opener.before == [None, opener.opened[0]]


def test_a_key_without_a_keyring_is_told_of_once(program: Start, opener: Opener, qtbot: QtBot) -> None:
    started = program()
    qtbot.waitUntil(lambda: started.window.engine is not None)
    started.window.sheet_wanted.emit("settings/conversation")
    dialog = started.window.findChild(SettingsDialog)
    assert dialog is not None
    card = started.window.stage.problem
    _type_key(qtbot, dialog, "first")
    qtbot.waitUntil(lambda: card.message is not None and len(opener.opened) == 2)
    assert card.message is not None
    assert card.message.title == "No keyring was found, so the key is kept until you quit."
    assert [button.text() for button in card.buttons] == ["OK"]
    card.close_message()
    _type_key(qtbot, dialog, "second")
    qtbot.waitUntil(lambda: len(opener.opened) == 3)
    assert card.message is None
    dialog.accept()


def _type_key(qtbot: QtBot, dialog: SettingsDialog, key: str) -> None:
    page = dialog.pages["conversation"]
    assert isinstance(page, ConversationPage)
    page.key.key.selectAll()
    qtbot.keyClicks(page.key.key, key)
    qtbot.keyClick(page.key.key, Qt.Key.Key_Return)


def test_a_crash_of_the_run_before_is_offered_as_a_report(program: Start, qtbot: QtBot) -> None:
    started = program("Fatal Python error: Segmentation fault")
    dialog = started.window.findChild(ReportDialog)
    assert dialog is not None
    assert "Segmentation fault" in dialog.text.toPlainText()
    dialog.accept()
