"""Trouble as a person meets it: each ends in a plain message with advice, a living app, and nothing lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.controls import Microphone
from app.messages import Action
from core.dialogue.client import Patience
from core.dialogue.history import History, list_conversations
from core.errors import Problem
from core.events import (
    AvatarChanged,
    Crashed,
    Failed,
    RecordingSaved,
    RecordingStarted,
    Recovered,
    Replying,
    Status,
    StatusChanged,
)
from core.settings import Settings, changed, conversations_folder, settings_path
from tests.core.omni_server import Head, Hold, OmniServer, Reset, answering, tone, vllm_sound, vllm_words, wav
from tests.fakes import PaintingPerformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from PySide6.QtWidgets import QPushButton

    from tests.core.omni_server import Asked, Script, Step
    from tests.e2e.conftest import Running
    from tests.soundserver import SoundServer

pytestmark = [pytest.mark.window, pytest.mark.sound, pytest.mark.timeout(180)]
PROCESS_LIMIT_S = 60

GREETED = changed(Settings(), "window", greeted=True, offer_dismissed=True)
ROOT = Path(__file__).resolve().parents[2]


class Case:
    """Reads the window, and presses what it offers."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.window = running.window
        self.problem = running.window.stage.problem

    def told(self, problem: Problem, title: str, limit_s: float = 15.0) -> str:
        """The advice of the problem, once it is on the glass with this title."""

        def shown() -> bool:
            message = self.problem.message
            return message is not None and (message.problem, message.title) == (problem, title)

        try:
            self.running.until(shown, limit_s)
        except Exception as error:
            on_glass, seen = self.problem.message, self.running.events.seen[-6:]
            raise AssertionError(f"{title!r} is not shown but {on_glass}; seen: {seen}") from error
        assert self.problem.message is not None
        return self.problem.message.advice

    def gone(self) -> None:
        self.running.until(lambda: self.problem.message is None)

    def press(self, words: str) -> None:
        self.offered(words).click()

    def offered(self, words: str) -> QPushButton:
        """The button with these words; Qt shows it a moment after the problem."""

        def found() -> list[QPushButton]:
            return [button for button in self.problem.buttons if button.text() == words]

        self.running.until(lambda: bool(found()))
        return found()[0]

    def type(self, words: str) -> None:
        QTest.keyClick(self.window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(self.window.focusWidget(), words)
        QTest.keyClick(self.window.focusWidget(), Qt.Key.Key_Return)

    def said(self) -> list[str]:
        return [view.said for view in self.window.panel.transcript.turns]

    def notes(self) -> list[str]:
        return [view.note for view in self.window.panel.transcript.turns if view.note]

    def answered(self, text: str) -> None:
        self.running.until_event(Replying, lambda event: event.done and event.text == text)

    def alive(self) -> None:
        """The picture goes on, and the window answers."""
        before = self.running.engine.statistics().shown
        self.running.until(lambda: self.running.engine.statistics().shown > before + 5)


@pytest.fixture
def case(running: Running) -> Case:
    running.until_event(AvatarChanged)
    return Case(running)


def record_key(case: Case) -> None:
    QTest.keyClick(case.window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)


def shown_s(film: Path) -> float:
    """Seconds of picture that a player shows: up to the place where the file was torn off, if it was."""
    frames = 0
    with av.open(str(film)) as opened:
        assert {stream.type for stream in opened.streams} == {"audio", "video"}
        with contextlib.suppress(av.error.InvalidDataError):
            for _ in opened.decode(video=0):
                frames += 1
    return frames / 25


class TestEndpoint:
    """The product's own dialogue against an endpoint that misbehaves."""

    @pytest.fixture
    def scripts(self) -> list[Script]:
        """What the endpoint does with the turns to come; the last goes on for ever."""
        return [answering("Hello there.", wav(tone(0.4)))]

    @pytest.fixture
    def server_on_loopback(self, scripts: list[Script]) -> Iterator[OmniServer]:
        def script(asked: Asked) -> Iterable[Step]:
            return (scripts.pop(0) if len(scripts) > 1 else scripts[0])(asked)

        with OmniServer(script, (("m", "vllm"),)) as server:
            yield server

    @pytest.fixture
    def chosen(self, server_on_loopback: OmniServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
        monkeypatch.setenv("LIVETALK_API_KEY", "sk-wrong")
        monkeypatch.setattr("core.dialogue.omni.Patience", lambda: Patience(sign_s=1.0, first_s=2.0, gap_s=1.0))
        return changed(GREETED, "dialogue", url=server_on_loopback.url, model="m")

    @pytest.fixture
    def dialogue(self) -> None:
        return None

    def test_every_way_to_fail_is_told_and_no_question_is_lost(
        self, case: Case, scripts: list[Script], server_on_loopback: OmniServer
    ) -> None:
        def refusing(status: int, *headers: tuple[str, str]) -> Script:
            return lambda _: [Head(status, headers, {"error": {"message": "no"}})]

        good = scripts[0]
        scripts[:] = [refusing(401), good]
        case.type("Is my key right?")
        assert case.told(Problem.KEY_REFUSED, "The endpoint did not accept the key.") == "Check it in Settings."
        assert case.notes()
        assert case.said() == ["Is my key right?"]
        case.alive()

        scripts[:] = [refusing(429, ("retry-after", "4")), good]
        case.type("Are you busy?")
        assert case.told(Problem.ENDPOINT_BUSY, "The endpoint is busy (429).").startswith("Trying again in ")
        case.running.until(lambda: case.window.stage.pill.status is Status.RECONNECTING)
        case.answered("Hello there.")
        case.gone()

        cut = [Head(), vllm_words("Half of it"), vllm_sound(wav(tone(0.4))), Reset()]
        scripts[:] = [lambda _: cut, good]
        case.type("Tell me all")
        case.told(Problem.ANSWER_CUT, "The answer broke off half-way.")
        case.answered("Half of it")
        assert case.said()[-2:] == ["Tell me all", "Half of it"]
        case.press("Ask again")
        case.running.until(lambda: case.said()[-2:] == ["Tell me all", "Hello there."])
        case.gone()
        case.running.until(lambda: case.window.stage.pill.status is Status.READY)

        scripts[:] = [lambda _: [Head(), Hold()]]
        case.type("Anybody there?")
        advice = case.told(Problem.ENDPOINT_SILENT, "The endpoint did not answer for 2 seconds.")
        assert advice.startswith("Your last question is kept.")
        case.press("Answer from this computer")
        case.answered("Hello there. How are you?")
        assert case.said()[-2:] == ["Anybody there?", "Hello there. How are you?"]
        case.gone()
        kept = list_conversations(conversations_folder())
        assert [saved.entries for saved in kept] == [7]

        server_on_loopback.stop()
        case.type("Still there?")
        case.running.until(lambda: case.window.stage.pill.status is Status.RECONNECTING)
        case.told(Problem.ENDPOINT_UNREACHABLE, "The endpoint could not be reached.")
        assert case.window.stage.pill.status is Status.NOT_CONNECTED
        assert case.said()[-1] == "Still there?"
        case.alive()
        assert not case.running.events.of(Crashed)


def test_sound_that_goes_in_mid_sentence_and_is_not_there_at_the_start(case: Case, server: SoundServer) -> None:
    running, window = case.running, case.window
    running.dialogue.pieces = (("A first sentence. ", 2.0), ("And a second one.", 2.0))
    case.type("Go on")
    running.until_event(StatusChanged, lambda event: event.status is Status.SPEAKING)
    server.kill()
    running.until_event(Failed)
    assert running.events.of(Failed)[0].problem is Problem.DEVICE_LOST
    running.until_event(Replying, lambda event: event.done and event.text.endswith("second one."))
    case.alive()

    window.action_wanted.emit(Action.CHECK_MICROPHONE)
    advice = case.told(Problem.NO_LOUDSPEAKER, "No loudspeaker was found.")
    assert advice == "Amara answers in writing until there is one."
    no_microphone = running.until_event(Failed, lambda event: event.problem is Problem.NO_MICROPHONE)
    assert no_microphone.title == "No microphone was found."
    assert window.stage.bar.microphone.state is Microphone.NONE
    running.until(lambda: window.engine is not None)
    running.dialogue.pieces = (("Written.", 0.5),)
    case.type("Can you write?")
    case.answered("Written.")
    assert case.said()[:2] == ["Go on", "A first sentence. And a second one."]

    server.start()
    running.until_event(Recovered, lambda event: event.problem is Problem.NO_MICROPHONE)
    case.gone()
    assert window.stage.bar.microphone.state is Microphone.ON
    assert not running.events.of(Crashed)


class TestRecording:
    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of one megabyte."""
        folder = tmp_path / "small"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("no small disk can be made here; tests/core/test_trouble.py has one made of a limit")
        yield folder
        subprocess.run(["umount", "-l", str(folder)], check=True)

    def test_an_unwritable_folder_then_a_disk_that_fills_up_then_a_good_one(
        self, case: Case, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        running, window = case.running, case.window

        def record_to(folder: Path) -> None:
            window.apply(changed(window.settings, "recording", folder=str(folder)))
            record_key(case)

        (tmp_path / "file").write_text("not a folder")
        record_to(tmp_path / "file")
        case.told(Problem.FOLDER_UNWRITABLE, f'Recordings can\'t be written to "{tmp_path / "file"}".')
        case.offered("Choose another folder…")

        record_to(disk)
        case.told(Problem.FOLDER_UNWRITABLE, f'Recordings can\'t be written to "{disk}": the disk is full.')

        monkeypatch.setattr("core.playback.recorder._LEAST_FREE_BYTES", 0)
        record_to(disk)
        running.until_event(RecordingStarted)
        running.spend(1.5)
        with contextlib.suppress(OSError):  # no more room
            (disk / "something else").write_bytes(bytes(2_000_000))
        running.dialogue.pieces = [("flash ", 0.2), ("dark ", 0.2)] * 10
        case.type("Keep talking")
        advice = case.told(Problem.DISK_FULL, "Recording stopped: the disk is full.")
        assert advice.endswith("s were saved.")
        (film,) = disk.glob("*.mp4")
        seconds = shown_s(film)
        assert seconds >= max(0.5, int(advice.split()[0]) - 1)

        good = tmp_path / "good"
        record_to(good)
        running.until_event(RecordingStarted, lambda event: event.path.parent == good)
        running.spend(1.0)
        record_key(case)
        saved = running.until_event(RecordingSaved)
        assert saved.path.parent == good
        assert saved.subtitles.exists()
        case.alive()


class TestPicture:
    @pytest.fixture
    def breaks(self) -> list[int]:
        """Blocks at which the performances to come raise."""
        return []

    @pytest.fixture
    def performer(self, breaks: list[int]) -> Callable[[], object]:
        class Breaking(PaintingPerformer):
            def open(self, identity: object, seed: int) -> object:
                performance = super().open(identity, seed)
                imagine = performance.imagine

                def breaking(block: object) -> object:
                    if breaks and breaks.pop():
                        raise RuntimeError("a kernel that does not exist")
                    return imagine(block)

                performance.imagine = breaking
                return performance

        return lambda: Breaking(512)

    def test_a_picture_that_stops_starts_again_and_one_that_never_does_can_be_started_anew(
        self, case: Case, breaks: list[int], expected_log: list[str]
    ) -> None:
        expected_log += ["the performer failed", "thread renderer stopped"]
        running, window = case.running, case.window
        case.type("Go on")
        running.until_event(StatusChanged, lambda event: event.status is Status.SPEAKING)
        breaks[:] = [1]
        advice = case.told(Problem.PICTURE_RESTARTED, "The picture stopped and was started again.")
        assert advice == "The conversation goes on."
        running.until_event(Replying, lambda event: event.done)
        case.alive()
        case.type("And now?")
        breaks[:] = [1] * 3
        advice = case.told(Problem.UNEXPECTED, "Something in LiveTalk stopped working.")
        assert advice == "What was said is kept. Start again, and the conversation goes on."
        assert window.stage.pill.status is Status.STOPPED
        case.press("Start again")
        running.until(lambda: len(running.events.of(AvatarChanged)) == 2)
        assert "And now?" in case.said()
        case.type("Are you back?")
        running.until(lambda: case.said()[-2:] == ["Are you back?", "Hello there. How are you?"])
        case.alive()


class TestRealPictures:
    @pytest.fixture
    def performer(self) -> None:
        return None

    def test_pictures_that_cannot_serve_are_refused_and_the_old_one_stays(self, case: Case, tmp_path: Path) -> None:
        (tmp_path / "torn.jpg").write_bytes((ROOT / "assets/portraits/amara.jpg").read_bytes()[:9000])
        (tmp_path / "notes.png").write_text("no picture at all")
        Image.new("RGB", (900, 900), (90, 120, 160)).save(tmp_path / "sky.png")
        for name, problem, title in (
            ("torn.jpg", Problem.PICTURE_UNREADABLE, "This file can't be read as a picture."),
            ("sky.png", Problem.PICTURE_REFUSED, "This picture can't be used: no face was found."),
            ("notes.png", Problem.PICTURE_UNREADABLE, "This file can't be read as a picture."),
        ):
            case.window.use_picture(str(tmp_path / name))
            case.told(problem, title)
            case.offered("Try another…")
        assert case.window.settings.avatar.portrait == "amara"
        large = Image.open(ROOT / "assets/portraits/erik.jpg").resize((9000, 9000))
        large.save(tmp_path / "large.jpg", quality=60)
        case.window.use_picture(str(tmp_path / "large.jpg"))
        case.running.until_event(AvatarChanged, lambda event: event.key == str(tmp_path / "large.jpg"))
        case.alive()


CHILD = """
import dataclasses, sys
import app.main, app.cli, core.parts
from core.events import Failed, RecordingStarted, Replying
from tests.fakes import PaintingPerformer, ScriptedDialogue

product_parts = core.parts.product_parts
talking = ScriptedDialogue(pieces=[("A sentence that was heard. ", 1.0)] * int(sys.argv.pop(1)))
core.parts.product_parts = lambda *given: dataclasses.replace(
    product_parts(*given), performer=lambda _: PaintingPerformer(512),
    dialogue=lambda *_: talking, built_in=lambda *_: talking, introduce=lambda *_: None,
)
begin, receive, come_forward = app.main.Program.begin, app.main.Reporter.receive, app.main.Program.come_forward

def noting(reporter, event):
    receive(reporter, event)
    if isinstance(event, RecordingStarted):
        print("recording", event.path, flush=True)
        program.window.engine.say("Remember this")
    elif isinstance(event, Replying):
        print("done" if event.done else "replying", flush=True)
        if event.done:
            program.window.close()
    elif isinstance(event, Failed):
        print("told", event.title, flush=True)

def begun(started):
    global program
    program = started
    begin(started)
    print("reported" if started._report else "well", flush=True)

def forward(started):
    print("forward", flush=True)
    come_forward(started)

app.main.Reporter.receive, app.main.Program.begin, app.main.Program.come_forward = noting, begun, forward
sys.exit(app.cli.main(sys.argv[1:]))
"""


def start(*arguments: str, sentences: int = 30) -> subprocess.Popen[str]:
    """The program as a process of its own, whose replies have so many sentences of a second; it does not live for
    ever, so that nobody waits for ever for its words."""
    command = [sys.executable, "-c", CHILD, str(sentences), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    overdue = threading.Timer(PROCESS_LIMIT_S, process.kill)
    overdue.daemon = True
    overdue.start()
    return process


def line_with(process: subprocess.Popen[str], beginning: str) -> str:
    """The next line that begins so; those before it are passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line.strip()
    raise AssertionError(f"the program ended without {beginning!r}")


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_killed_program_keeps_film_and_conversation_and_only_one_runs_at_a_time(
    server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    first = start("--record")
    try:
        film = Path(line_with(first, "recording").removeprefix("recording "))
        for _ in range(4):
            line_with(first, "replying")
        server.record(3.0)
        second = start()
        try:
            assert second.wait(20) == 0
            line_with(first, "forward")
            assert second.stdout is not None
            assert second.stdout.read() == ""
        finally:
            end(second)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    finally:
        end(first)
    assert shown_s(film) > 2.0
    (saved,) = list_conversations(conversations_folder())
    with History.reopen(saved.path) as reopened:
        assert "Remember this" in [entry.text for entry in reopened.entries]
    third = start()
    try:
        assert line_with(third, "well") == "well"
    finally:
        end(third)


def test_without_opengl_and_with_broken_settings_both_are_told_and_the_talk_goes_on(
    server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("volume = [", "utf-8")
    monkeypatch.setenv("QT_XCB_GL_INTEGRATION", "none")
    program = start("--record", sentences=1)
    assert program.stdout is not None
    with program.stdout:
        said = program.stdout.read().splitlines()
    assert program.wait(20) == 0
    assert [line for line in said if line.startswith("told")] == [
        "told Your settings could not be read, so LiveTalk started with its own.",
        "told This computer has no OpenGL, so the picture is drawn without it.",
    ]
    assert said[-1] == "done"
    assert (settings_path().parent / "settings.broken.toml").read_text("utf-8") == "volume = ["
