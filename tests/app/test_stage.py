from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QPoint, QPropertyAnimation, QRect, QRectF, QSize, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from app.body import panel_width
from app.caption import balanced, page
from app.compact import LARGEST, SMALLEST, resized
from app.flow import FlowLayout
from app.picture import features_rect, picture_rect
from app.stage import Mode
from core.errors import Problem
from core.events import Failed, Status
from core.settings import changed
from tests.app.fake_engine import FakeCaption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PySide6.QtWidgets import QApplication
    from pytestqt.qtbot import QtBot

    from app.theme import Theme
    from tests.app.conftest import Scene

SIZES = [(1280, 800), (960, 640), (1920, 1080), (1024, 768), (800, 600), (2560, 1440)]
TWO_LINES = "Hello, I'm Amara. I'm a small companion that lives on this computer. Talk to me, or type."


def features(scene: Scene) -> QRectF:
    return features_rect(picture_rect(scene.stage.width(), scene.stage.height()))


@pytest.mark.parametrize("size", SIZES)
def test_nothing_covers_eyes_or_mouth(scene: Scene, size: tuple[int, int]) -> None:
    scene.window.resize(*size)
    scene.status(Status.SPEAKING)
    scene.engine.now_caption = FakeCaption(TWO_LINES)
    scene.stage.pulse(0.033)
    scene.window.toggle_overlay()
    stage = scene.stage
    for thing in (stage.pill, stage.bar, stage.caption, stage.overlay):
        assert thing is not None
        assert thing.isVisible()
        assert not features(scene).intersects(QRectF(thing.geometry())), (type(thing).__name__, thing.geometry())


SILENT = Failed(
    Problem.ENDPOINT_SILENT,
    "The endpoint did not answer for 10 seconds.",
    "Your last question is kept. Check the network, then try again, or let the built-in companion answer.",
    "APITimeoutError",
)


@pytest.fixture
def scale(request: pytest.FixtureRequest, theme: Theme) -> Iterator[float]:
    """The size of text, for this test."""
    theme._scale = request.param
    theme.apply()
    yield request.param
    theme._scale = 1.0
    theme.apply()


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0], indirect=True)
@pytest.mark.parametrize("size", [*SIZES, (720, 480)])
def test_a_problem_may_touch_the_chin_and_never_the_lips(scene: Scene, size: tuple[int, int], scale: float) -> None:
    scene.window.resize(*size)
    scene.reporter.receive(SILENT)
    stage = scene.stage
    for _ in range(2):
        assert not features(scene).intersects(QRectF(stage.problem.geometry()))
        assert stage.rect().contains(stage.problem.geometry())
        assert stage.bar.away or not stage.bar.geometry().intersects(stage.problem.geometry())
        stage.activity()


@pytest.mark.parametrize(("size", "comes_back"), [((1920, 1080), True), ((1280, 800), True), ((720, 480), False)])
def test_the_bar_comes_back_under_a_problem_where_both_have_room(
    scene: Scene, size: tuple[int, int], comes_back: bool
) -> None:
    scene.window.resize(*size)
    scene.reporter.receive(SILENT)
    assert scene.stage.bar.away
    scene.stage.activity()
    assert scene.stage.bar.away is not comes_back
    scene.stage.problem.close_message()
    scene.stage.activity()
    assert not scene.stage.bar.away


@pytest.mark.parametrize("scale", [2.0], indirect=True)
def test_a_problem_that_is_too_large_for_its_place_is_scrolled_to_its_buttons(
    scene: Scene, qtbot: QtBot, scale: float
) -> None:
    scene.window.resize(960, 640)
    scene.reporter.receive(SILENT)
    last = scene.stage.problem.buttons[-1]
    card = scene.stage.problem
    assert last.mapTo(card, QPoint(0, 0)).y() > card.height()
    card.buttons[0].setFocus()
    for _ in range(3):
        QTest.keyClick(scene.window.focusWidget(), Qt.Key.Key_Tab)
    assert last.hasFocus()
    assert last.mapTo(card, last.rect().bottomLeft()).y() <= card.height()


def test_a_problem_comes_up_in_160_ms(scene: Scene, qtbot: QtBot) -> None:
    scene.window.apply(changed(scene.window.settings, "window", reduce_motion=False))
    card = scene.stage.problem
    scene.reporter.receive(SILENT)
    movements = {bytes(one.propertyName().data()): one for one in card.findChildren(QPropertyAnimation)}
    assert {name: movement.duration() for name, movement in movements.items()} == {b"pos": 160, b"opacity": 160}
    begun, place = card.pos(), movements[b"pos"].endValue()
    assert begun.y() > place.y()
    scene.stage.place()
    qtbot.waitUntil(lambda: card.pos() == place and card.painted_opacity == 1.0)
    scene.reporter.receive(SILENT)
    assert card.painted_opacity == 1.0


def test_a_problem_is_there_at_once_where_motion_is_reduced(scene: Scene) -> None:
    scene.reporter.receive(SILENT)
    assert scene.stage.problem.painted_opacity == 1.0
    assert scene.stage.problem.findChildren(QPropertyAnimation) == []


def test_buttons_that_do_not_fit_a_row_begin_another(qapp: QApplication) -> None:
    holder = QWidget()
    row = FlowLayout(8, last_apart=True)
    for _ in range(3):
        row.add(QWidget(minimumSize=QSize(100, 30), maximumSize=QSize(100, 30)))
    holder.setLayout(row)
    holder.resize(250, 200)
    row.setGeometry(QRect(0, 0, 250, 200))
    places = [row.itemAt(index).geometry() for index in range(3)]
    assert [(place.x(), place.y()) for place in places] == [(0, 0), (108, 0), (150, 38)]
    assert row.heightForWidth(250) == 68
    assert row.heightForWidth(400) == 30
    holder.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    row.setGeometry(QRect(0, 0, 250, 200))
    assert [row.itemAt(index).geometry().x() for index in range(3)] == [150, 42, 0]


@pytest.mark.parametrize(("window", "panel"), [(960, 300), (1280, 352), (1920, 400)])
def test_the_panel_is_as_wide_as_drawn(scene: Scene, window: int, panel: int) -> None:
    scene.window.resize(window, 800)
    assert panel_width(window) == panel
    assert scene.window.panel.width() == panel
    assert scene.stage.width() == window - panel


@pytest.mark.parametrize(("window", "panel"), [(720, 360), (960, 480), (1280, 640), (1920, 800)])
def test_larger_text_gets_a_wider_panel_up_to_half_of_the_window(
    window: int, panel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.theme.text_scale", lambda: 2.0)
    assert panel_width(window) == panel


def test_a_narrow_window_has_the_panel_over_the_picture_closed_at_first(scene: Scene) -> None:
    scene.window.resize(740, 600)
    assert scene.stage.width() == 740
    assert not scene.window.panel.isVisible()
    scene.window.toggle_panel()
    assert scene.window.panel.isVisible()
    assert scene.stage.width() == 740
    assert scene.window.panel.geometry().right() == 739


def test_the_picture_fills_the_stage_where_little_falls_off_the_bottom() -> None:
    assert picture_rect(928, 800) == QRectF(0, 0, 928, 928)
    assert picture_rect(660, 640) == QRectF(0, 0, 660, 660)


def test_a_wide_stage_shows_the_picture_a_little_taller_than_itself() -> None:
    place = picture_rect(1520, 1080)
    assert place.height() == pytest.approx(1.06 * 1080)
    assert place.center().x() == pytest.approx(760)
    assert place.top() == 0


def test_a_tall_stage_loses_the_sides_and_never_the_top() -> None:
    place = picture_rect(400, 600)
    assert (place.top(), place.height(), place.width()) == (0, 600, 600)
    assert place.center().x() == pytest.approx(200)


def test_the_caption_moves_down_when_the_bar_leaves(scene: Scene) -> None:
    scene.engine.now_caption = FakeCaption("Hello.")
    scene.stage.pulse(0.033)
    above = scene.stage.caption.y()
    scene.stage.bar.recede()
    below = scene.stage.caption.y()
    assert below - above == scene.stage.bar.height() + 12
    assert scene.stage.caption.geometry().bottom() < scene.stage.height() - 19


def test_the_bar_leaves_after_three_seconds_of_rest_and_comes_with_the_mouse(scene: Scene, qtbot: QtBot) -> None:
    bar = scene.stage.bar
    assert bar.REST_MS == 3000
    bar.rest_after(20)
    bar.wake()
    qtbot.waitUntil(lambda: bar.away)
    assert bar.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    qtbot.mouseMove(scene.window.panel, QPoint(30, 300))
    qtbot.waitUntil(lambda: not bar.away)


def test_the_bar_stays_while_a_control_has_the_focus(scene: Scene) -> None:
    bar = scene.stage.bar
    bar.mute.setFocus(Qt.FocusReason.TabFocusReason)
    bar.recede_if_idle()
    assert not bar.away


def test_full_screen_leaves_the_picture_alone(scene: Scene) -> None:
    scene.window.actions_by_name["full_screen"].trigger()
    scene.stage.bar.recede()
    assert scene.stage.pill.chip
    assert scene.stage.cursor().shape() is Qt.CursorShape.BlankCursor
    assert not scene.window.panel.isVisible()
    scene.stage.activity()
    assert not scene.stage.pill.chip
    assert scene.stage.cursor().shape() is not Qt.CursorShape.BlankCursor


def test_the_compact_window_shows_its_controls_only_while_the_mouse_is_on_it(scene: Scene) -> None:
    scene.window.actions_by_name["compact"].trigger()
    scene.stage.leaveEvent(None)
    assert scene.stage.bar.away
    assert scene.stage.pill.chip
    assert (scene.stage.pill.width(), scene.stage.pill.height()) == (30, 30)
    scene.stage.enterEvent(None)  # pyright: ignore[reportArgumentType] - only that it happens matters
    assert not scene.stage.bar.away
    assert not scene.stage.pill.chip
    shown = [button for button in scene.stage.bar.findChildren(type(scene.stage.bar.mute)) if not button.isHidden()]
    assert len(shown) == 4
    assert scene.stage.mode is Mode.COMPACT


def test_the_compact_window_stays_a_square_within_its_limits() -> None:
    start = QRect(100, 100, 340, 340)
    larger = resized(start, QPoint(60, 10), left=False, top=False)
    assert (larger.topLeft(), larger.width(), larger.height()) == (QPoint(100, 100), 400, 400)
    from_top_left = resized(start, QPoint(40, 40), left=True, top=True)
    assert from_top_left.bottomRight() == start.bottomRight()
    assert from_top_left.width() == 300
    assert resized(start, QPoint(900, 0), left=False, top=False).width() == LARGEST
    assert resized(start, QPoint(-900, -900), left=False, top=False).width() == SMALLEST


def width_of(text: str) -> float:
    return 10.0 * len(text)


def test_a_caption_of_two_lines_is_balanced() -> None:
    lines = balanced("one two three four five six", width_of, 200)
    assert lines == ["one two three", "four five six"]


def test_a_new_page_of_captions_begins_with_a_sentence() -> None:
    first = "This is the first sentence. And this one is the second."
    assert page(first, width_of, 300) == ["This is the first sentence.", "And this one is the second."]
    assert page(first + " The third is short.", width_of, 300) == ["The third is short."]


def test_a_caption_is_cut_at_a_clause_and_never_in_a_word() -> None:
    words = "when it rains in the evening, and the library is closed, people stay at home with a good old book"
    lines = page(words, width_of, 300)
    assert " ".join(lines) in words
    assert lines[0].split()[0] in words.split()
    assert all(width_of(line) <= 300 for line in lines)
    assert words.endswith(lines[-1])
