"""Five points in a picture without a face that a network sees: put down, moved, taken back, tried."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.face_points import FacePoints
from app.form import State
from core.errors import PerformerError, Problem
from tests.app.sheet_rig import settle, use_theme, window_with_opener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.point_picture import Points

NOT_A_FACE = PerformerError(Problem.PICTURE_REFUSED, "The five points don't lie like a face.", "Place them again.")
DRAWN = ((120.0, 150.0), (180.0, 150.0), (150.0, 190.0), (125.0, 220.0), (175.0, 220.0))
"""In a picture of 300 x 400."""


class Judge:
    """Keeps the points it was shown; refuses them while `refusal` is set."""

    def __init__(self) -> None:
        self.seen: list[Points] = []
        self.refusal: PerformerError | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, points: Points) -> None:
        self.seen.append(points)
        assert self.may_answer.wait(10)
        if self.refusal is not None:
            raise self.refusal


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def sheet(qtbot: QtBot, qapp: QApplication, tmp_path: Path, judge: Judge) -> Iterator[FacePoints]:
    use_theme(qapp)
    window, _ = window_with_opener()
    qtbot.addWidget(window)
    path = tmp_path / "drawing.png"
    image = QImage(300, 400, QImage.Format.Format_RGB32)
    image.fill(QColor("#808080"))
    assert image.save(str(path))
    made = FacePoints(path, judge, window, reduce_motion=True)
    made.open()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    settle()
    yield made
    judge.may_answer.set()
    settle()


def click(sheet: FacePoints, at: tuple[float, float]) -> None:
    """A place in the picture, px of the picture; on the handle that waits there, if one does."""
    place = sheet.picture.on_screen(QPointF(*at)).toPoint()
    under = sheet.picture.childAt(place)
    target = under or sheet.picture
    QTest.mouseClick(target, Qt.MouseButton.LeftButton, pos=target.mapFrom(sheet.picture, place))


def click_all(sheet: FacePoints) -> None:
    for at in DRAWN:
        click(sheet, at)


def press(*keys: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    for key in keys:
        QTest.keyClick(QApplication.focusWidget(), key, modifier)


def test_it_asks_for_one_feature_after_the_other(sheet: FacePoints) -> None:
    asked = []
    for at in DRAWN:
        asked.append((sheet.step.text(), sheet.asked.text()))
        assert not sheet.use.isEnabled()
        click(sheet, at)
    assert asked == [
        ("1 of 5", "The eye on the left"),
        ("2 of 5", "The eye on the right"),
        ("3 of 5", "The tip of the nose"),
        ("4 of 5", "The left corner of the mouth"),
        ("5 of 5", "The right corner of the mouth"),
    ]
    assert sheet.use.isEnabled()
    assert sheet.step.text() == "All 5 are there"


def test_what_was_clicked_is_tried_in_px_of_the_picture_and_fits(qtbot: QtBot, sheet: FacePoints, judge: Judge) -> None:
    click_all(sheet)
    with qtbot.waitSignals([sheet.fit, sheet.accepted], timeout=5000):
        sheet.use.click()
    (points,) = judge.seen
    assert [tuple(round(value) for value in point) for point in points] == [pytest.approx(at, abs=1) for at in DRAWN]


def test_who_takes_left_for_right_gets_them_the_right_way_round(sheet: FacePoints) -> None:
    for at in (DRAWN[1], DRAWN[0], DRAWN[2], DRAWN[4], DRAWN[3]):
        click(sheet, at)
    assert sheet.picture.points is not None
    assert [round(x) for x, _ in sheet.picture.points] == [pytest.approx(x, abs=1) for x, _ in DRAWN]


def test_all_of_it_works_by_keyboard(qtbot: QtBot, sheet: FacePoints, judge: Judge) -> None:
    handles = sheet.picture.handles
    assert handles[0].hasFocus()
    before = sheet.picture.at(0)
    press(Qt.Key.Key_Left, Qt.Key.Key_Up)
    press(Qt.Key.Key_Right, modifier=Qt.KeyboardModifier.ShiftModifier)
    moved = (sheet.picture.at(0) - before) * sheet.picture.scale
    assert (moved.x(), moved.y()) == (pytest.approx(9), pytest.approx(-1))
    for index in range(5):
        assert QApplication.focusWidget() is handles[index]
        assert handles[index].accessibleDescription().startswith("Not placed yet. ")
        press(Qt.Key.Key_Return)
        assert handles[index].accessibleDescription().endswith("% from the top")
    with qtbot.waitSignal(sheet.fit, timeout=5000):
        press(Qt.Key.Key_Return)
    assert len(judge.seen) == 1


def test_the_ones_to_come_are_expected_under_the_eyes_even_in_a_tilted_face(sheet: FacePoints) -> None:
    click(sheet, (100, 100))
    click(sheet, (160, 160))
    nose = sheet.picture.at(2)
    assert nose.x() < 130
    assert nose.y() > 130


def test_a_point_that_was_put_down_is_dragged_and_nudged(sheet: FacePoints) -> None:
    click_all(sheet)
    handle, before = sheet.picture.handles[2], sheet.picture.at(2)
    middle = handle.rect().center()
    QTest.mousePress(handle, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(handle, middle + QPoint(20, -8))
    QTest.mouseRelease(handle, Qt.MouseButton.LeftButton)
    moved = (sheet.picture.at(2) - before) * sheet.picture.scale
    assert (moved.x(), moved.y()) == (pytest.approx(20, abs=1), pytest.approx(-8, abs=1))
    assert handle.hasFocus()
    press(Qt.Key.Key_Down)
    assert ((sheet.picture.at(2) - before) * sheet.picture.scale).y() == pytest.approx(-7, abs=1)


def test_no_point_leaves_the_picture(sheet: FacePoints) -> None:
    click(sheet, (2, 2))
    sheet.picture.handles[0].setFocus()
    press(Qt.Key.Key_Left, Qt.Key.Key_Up, modifier=Qt.KeyboardModifier.ShiftModifier)
    assert sheet.picture.at(0) == QPointF(0, 0)


def test_undo_takes_back_a_movement_then_the_points(sheet: FacePoints) -> None:
    click_all(sheet)
    where = sheet.picture.at(4)
    press(Qt.Key.Key_Down, Qt.Key.Key_Down)
    assert sheet.picture.at(4) != where
    press(Qt.Key.Key_Z, modifier=Qt.KeyboardModifier.ControlModifier)
    assert sheet.picture.at(4) == where
    assert sheet.picture.asked is None
    press(Qt.Key.Key_Backspace)
    assert sheet.picture.asked == 4
    for _ in range(4):
        sheet.undo.click()
    assert sheet.picture.asked == 0
    assert not sheet.undo.isEnabled()


def test_points_that_cannot_serve_stay_with_the_reason_until_one_is_moved(sheet: FacePoints, judge: Judge) -> None:
    judge.refusal = NOT_A_FACE
    click_all(sheet)
    sheet.use.click()
    settle()
    assert sheet.outcome.state is State.FAILED
    assert sheet.outcome.words.startswith("The five points don't lie like a face.")
    assert sheet.isVisible()
    sheet.picture.handles[4].setFocus()
    press(Qt.Key.Key_Down)
    assert sheet.outcome.state is State.NOTHING
    assert sheet.use.isEnabled()


def test_points_that_are_moved_while_they_are_tried_are_tried_again(sheet: FacePoints, judge: Judge) -> None:
    fits: list[bool] = []
    sheet.fit.connect(lambda: fits.append(True))
    judge.may_answer.clear()
    click_all(sheet)
    sheet.use.click()
    press(Qt.Key.Key_Down)
    judge.may_answer.set()
    settle()
    assert fits == []
    assert sheet.isVisible()


def test_escape_leaves_it(qtbot: QtBot, sheet: FacePoints, judge: Judge) -> None:
    with qtbot.waitSignal(sheet.rejected, timeout=5000):
        press(Qt.Key.Key_Escape)
    assert judge.seen == []
