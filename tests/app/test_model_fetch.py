"""The download of a performer's files in the settings: offered, agreed to, watched, stopped, and used."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog

from app.form import State
from app.keys import KeyStore
from app.settings_dialog import SettingsDialog
from app.settings_services import Download, Requirement
from app.setup.stop import Stopped
from app.sheets import Sheets
from core.errors import LiveTalkError, Problem
from core.settings import Settings, changed
from tests.app.sheet_rig import LIVETALK, PORTRAIT, Desk, settle, use_theme, window_with_opener

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from app.settings_pages.picture import PicturePage
    from app.settings_services import PerformerCard
    from app.setup.stop import Stop

STILL = changed(Settings(), "window", reduce_motion=True)
MISSING = replace(
    LIVETALK,
    requirements=(Requirement("NVIDIA GPU with 6 GB", True), Requirement("Model files: not downloaded", False)),
    needs="",
    licence="Licence of the weights: two",
    download=Download(int(18e9), begun=False, terms="Two licences contradict each other."),
)
READY = replace(MISSING, selectable=True, download=None)


class Line:
    """A download that goes on when it is told to; `here` once everything has come."""

    def __init__(self) -> None:
        self.weights: list[str] = []
        self.here = False
        self.report: Callable[[int, int], None] = lambda _done, _total: None
        self.began = threading.Event()
        self.ends = threading.Event()
        self.trouble: LiveTalkError | None = None
        self.lacking: tuple[LiveTalkError, ...] = ()

    def bring(self, weights: str, report: Callable[[int, int], None], stop: Stop) -> Sequence[LiveTalkError]:
        self.weights.append(weights)
        self.report = report
        self.began.set()
        with stop.hanging_up(self.ends.set):
            self.ends.wait(30)
        stop.check()
        if self.trouble is not None:
            raise self.trouble
        self.here = True
        return self.lacking

    def cards(self, _weights: str) -> tuple[PerformerCard, ...]:
        return PORTRAIT, READY if self.here else MISSING


@pytest.fixture
def line():
    made = Line()
    yield made
    made.ends.set()


@pytest.fixture
def desk(qapp, line: Line) -> Desk:
    return Desk(bring=line.bring, performers=line.cards)


@pytest.fixture
def opened(qtbot, qapp, desk: Desk):
    """Opens the Picture page as often as it is asked to."""
    use_theme(qapp)
    window, _ = window_with_opener()
    qtbot.addWidget(window)
    applied: list[Settings] = []

    def show() -> tuple[SettingsDialog, PicturePage]:
        settings = applied[-1] if applied else STILL
        dialog = SettingsDialog(settings, window, applied.append, desk.services(), "picture")
        dialog.open()
        dialog.activateWindow()
        settle()
        return dialog, dialog.pages["picture"]

    show.applied = applied
    yield show
    settle()


def begin(page: PicturePage, line: Line) -> None:
    fetch = page.cards["livetalk"].fetch
    fetch.begin.click()
    fetch.accept.click()
    assert line.began.wait(10)


def test_the_terms_come_before_the_download_and_may_be_refused(opened, line: Line) -> None:
    _, page = opened()
    fetch = page.cards["livetalk"].fetch
    assert fetch.begin.text() == "Download 18.0 GB…"
    assert page.cards["livetalk"]._state.text() == "Not downloaded yet"
    fetch.begin.setFocus()
    fetch.begin.click()
    assert fetch.terms.isVisible()
    assert not fetch.offer.isVisible()
    assert fetch.accept.hasFocus(), "the keyboard goes along"
    fetch.refuse.click()
    assert fetch.offer.isVisible()
    assert line.weights == []


def test_what_unfolds_is_scrolled_into_view(qtbot, opened, line: Line) -> None:
    dialog, page = opened()
    dialog.parentWidget().resize(960, 640)
    settle()
    fetch = page.cards["livetalk"].fetch
    fetch.begin.setFocus()
    fetch.begin.click()
    qtbot.waitUntil(lambda: fetch.accept.visibleRegion().boundingRect().height() == fetch.accept.height())


def test_a_download_is_watched_and_its_performer_can_then_be_chosen(qtbot, opened, line: Line) -> None:
    _, page = opened()
    begin(page, line)
    fetch = page.cards["livetalk"].fetch
    assert fetch.running.isVisible()
    line.report(int(9e9), int(18e9))
    qtbot.waitUntil(lambda: fetch.bar.value() == 500)
    assert fetch.words.text() == "9.0 GB of 18.0 GB"
    line.ends.set()
    qtbot.waitUntil(lambda: page.cards["livetalk"].fetch is None)
    qtbot.mouseClick(page.cards["livetalk"], Qt.MouseButton.LeftButton)
    assert [settings.avatar.performer for settings in opened.applied] == ["livetalk"]
    assert page.cards["livetalk"].isChecked()


def test_stopping_keeps_what_has_arrived_and_offers_to_go_on(qtbot, opened, line: Line, desk: Desk) -> None:
    _, page = opened()
    begin(page, line)
    fetch = page.cards["livetalk"].fetch
    fetch.stop.click()
    qtbot.waitUntil(lambda: desk.fetching.latest is None)
    assert fetch.offer.isVisible()
    assert fetch.outcome.words == "Stopped. What has arrived is kept."
    assert not page.cards["livetalk"].isChecked()


def test_trouble_is_told_on_the_card(qtbot, opened, line: Line) -> None:
    line.trouble = LiveTalkError(Problem.DOWNLOAD_FAILED, "The hub could not be reached.", "Check the network.")
    line.ends.set()
    _, page = opened()
    begin(page, line)
    fetch = page.cards["livetalk"].fetch
    qtbot.waitUntil(lambda: fetch.outcome.state is State.FAILED)
    assert fetch.outcome.words == "The hub could not be reached. Check the network."
    assert fetch.offer.isVisible()


def test_what_is_not_needed_and_could_not_be_had_is_told_too(qtbot, opened, line: Line) -> None:
    line.lacking = (LiveTalkError(Problem.DOWNLOAD_FAILED, "The small decoder is not there.", "Only one preset runs."),)
    line.ends.set()
    _, page = opened()
    begin(page, line)
    qtbot.waitUntil(lambda: page.outcome.state is State.FAILED)
    assert page.outcome.words == "The small decoder is not there. Only one preset runs."


def test_closing_the_settings_leaves_the_download_alone(qtbot, opened, line: Line, desk: Desk) -> None:
    dialog, page = opened()
    begin(page, line)
    line.report(int(6e9), int(18e9))
    qtbot.waitUntil(lambda: page.cards["livetalk"].fetch.bar.value() == 333)
    dialog.accept()
    settle()
    assert desk.fetching.latest is not None
    _, again = opened()
    fetch = again.cards["livetalk"].fetch
    assert fetch.running.isVisible()
    assert fetch.words.text() == "6.0 GB of 18.0 GB"
    fetch.stop.click()
    qtbot.waitUntil(lambda: desk.fetching.latest is None)


def test_the_window_goes_on_while_a_download_runs(qtbot, opened, line: Line) -> None:
    dialog, page = opened()
    begin(page, line)
    page.figures.click()
    dialog.show_page("window")
    dialog.pages["window"].boxes["always_on_top"].click()
    assert [settings.window.always_on_top for settings in opened.applied] == [True]
    assert page.cards["livetalk"].fetch.running.isVisibleTo(page)


def test_a_second_press_begins_no_second_download(qtbot, opened, line: Line, desk: Desk) -> None:
    _, page = opened()
    begin(page, line)
    desk.fetching.start("elsewhere")
    assert line.weights == [""]


def test_the_end_of_the_program_ends_the_download_and_nobody_is_told(qtbot, qapp, desk: Desk, line: Line) -> None:
    told: list[object] = []
    desk.fetching.ended.connect(told.append)
    desk.fetching.start("")
    assert line.began.wait(10)
    desk.fetching.close()
    settle()
    assert told == []


def test_stopped_is_what_a_stopped_download_ends_with(qtbot, qapp, desk: Desk, line: Line) -> None:
    desk.fetching.start("mine")
    assert line.began.wait(10)
    with qtbot.waitSignal(desk.fetching.ended) as ended:
        desk.fetching.stop()
    assert isinstance(ended.args[0], Stopped)
    assert line.weights == ["mine"]


@pytest.mark.parametrize("fails", [False, True])
def test_who_looks_elsewhere_is_told_how_it_ended(qtbot, scene, line: Line, fails: bool) -> None:
    sheets = Sheets(scene.window, KeyStore({}, None), None, None, lambda: None, "0")  # type: ignore[arg-type]
    sheets._fetching._bring = line.bring
    if fails:
        line.trouble = LiveTalkError(Problem.DOWNLOAD_FAILED, "The hub could not be reached.", "Check the network.")
    line.ends.set()
    sheets._fetching.start("")
    qtbot.waitUntil(lambda: scene.stage.problem.message is not None)
    message = scene.stage.problem.message
    assert message.title == ("The hub could not be reached." if fails else "LiveTalk 1.3B has been downloaded.")
    assert bool(message.offers) == fails


def test_a_folder_that_has_the_files_is_used_and_another_is_not(
    qtbot, opened, line: Line, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cards(weights: str) -> tuple[PerformerCard, ...]:
        return PORTRAIT, READY if weights == str(tmp_path) else MISSING

    object.__setattr__(desk, "performers", cards)
    _, page = opened()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "/somewhere/else")
    page.cards["livetalk"].fetch.use_folder.click()
    settle()
    assert opened.applied == []
    assert page.outcome.words == "“/somewhere/else” has no file of LiveTalk 1.3B."
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    page.cards["livetalk"].fetch.use_folder.click()
    settle()
    assert [settings.avatar.weights for settings in opened.applied] == [str(tmp_path)]
    assert page.cards["livetalk"].fetch is None
    assert page.outcome.state is State.NOTHING
