"""Trouble as a person meets it: each ends in a plain message with advice, a living app, and nothing lost."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.controls import Microphone
from app.messages import Action
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
from core.settings import Settings, changed
from tests.e2e.films import shown_s
from tests.fakes import PaintingPerformer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.case import Case
    from tests.soundserver import SoundServer

pytestmark = [pytest.mark.window, pytest.mark.sound, pytest.mark.timeout(180)]

GREETED = changed(Settings(), "window", greeted=True, offer_dismissed=True)
ROOT = Path(__file__).resolve().parents[2]


def record_key(case: Case) -> None:
    QTest.keyClick(case.window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)


def test_sound_that_goes_in_mid_sentence_and_is_not_there_at_the_start(case: Case, server: SoundServer) -> None:
    running, window = case.running, case.window
    running.dialogue.pieces = (("A first sentence. ", 2.0), ("And a second one.", 2.0))
    case.type("Go on")
    running.until_event(StatusChanged, lambda event: event.status is Status.SPEAKING)
    server.kill()
    running.until_event(Failed, lambda event: event.problem is Problem.DEVICE_LOST)
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


UNREADABLE = (Problem.PICTURE_UNREADABLE, "This file can't be read as a picture.", ("Try another…",))
NOBODY = (
    Problem.PICTURE_REFUSED,
    "This picture can't be used: no face was found.",
    ("Place the points…", "Try another…"),
)


class TestRealPictures:
    @pytest.fixture
    def performer(self) -> None:
        return None

    def test_pictures_that_cannot_serve_are_refused_and_the_old_one_stays(self, case: Case, tmp_path: Path) -> None:
        (tmp_path / "torn.jpg").write_bytes((ROOT / "assets/portraits/amara.jpg").read_bytes()[:9000])
        (tmp_path / "notes.png").write_text("no picture at all")
        Image.new("RGB", (900, 900), (90, 120, 160)).save(tmp_path / "sky.png")
        for name, told in (("torn.jpg", UNREADABLE), ("sky.png", NOBODY), ("notes.png", UNREADABLE)):
            problem, title, offers = told
            case.window.picture_brought.emit(str(tmp_path / name))
            case.told(problem, title)
            for words in offers:
                case.offered(words)
        assert case.window.settings.avatar.portrait == "amara"
        large = Image.open(ROOT / "assets/portraits/erik.jpg").resize((9000, 9000))
        large.save(tmp_path / "large.jpg", quality=60)
        case.window.picture_brought.emit(str(tmp_path / "large.jpg"))
        case.running.until_event(AvatarChanged, lambda event: event.key == str(tmp_path / "large.jpg"))
        case.alive()
