from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication, QWidget

from app.gl_view import GlView
from app.picture import differ, edges_of
from app.raster_view import RasterView
from app.video_view import make_view
from app.view_pictures import Pictures
from core.media import TimedFrame
from core.settings import changed
from tests.app.conftest import Scene, pattern

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from app.theme import Theme
    from core.media import Pixels

SIDE = 256


def frame(pixels: Pixels, at: int = 0) -> TimedFrame:
    return TimedFrame(pixels, at, None)


def flat(red: int, green: int, blue: int) -> Pixels:
    return np.full((SIDE, SIDE, 3), (red, green, blue), np.uint8)


def pixels_of(image: QImage) -> Pixels:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def shown_by(view: GlView | RasterView) -> Pixels:
    return pixels_of(view.grabFramebuffer() if isinstance(view, GlView) else view.grab().toImage())


@pytest.fixture(params=[pytest.param(GlView, marks=pytest.mark.window, id="gl"), pytest.param(RasterView, id="raster")])
def view(request: pytest.FixtureRequest, qtbot: QtBot, theme: Theme) -> GlView | RasterView:
    made = request.param()
    qtbot.addWidget(made)
    made.resize(SIDE, SIDE)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_a_frame_is_shown_exactly(view: GlView | RasterView) -> None:
    for seed in range(3):
        wanted = pattern(seed, SIDE)
        assert view.show_frame(frame(wanted, seed))
        assert np.array_equal(shown_by(view), wanted)


def test_a_frame_that_is_not_contiguous_is_shown_exactly(view: GlView | RasterView) -> None:
    wanted = pattern(1, 2 * SIDE)[::2, ::2]
    view.show_frame(frame(wanted))
    assert np.array_equal(shown_by(view), wanted)


def test_the_same_frame_is_not_drawn_again(view: GlView | RasterView) -> None:
    one = frame(pattern(0, SIDE))
    assert view.show_frame(one)
    assert not view.show_frame(one)
    assert not view.show_frame(None)


def test_the_surround_runs_from_the_pictures_edge_colour_into_the_dark(view: GlView | RasterView) -> None:
    view.resize(3 * SIDE, SIDE)
    view.show_frame(frame(flat(200, 100, 50)))
    image = shown_by(view).astype(int)
    middle = image[SIDE // 2]
    assert abs(middle[3 * SIDE // 2] - (200, 100, 50)).max() <= 1
    assert abs(middle[1] - np.array((200, 100, 50)) * 0.42).max() <= 3
    assert abs(middle[-2] - np.array((200, 100, 50)) * 0.42).max() <= 3
    brightness = middle[: 3 * SIDE // 2, 0]
    assert (np.diff(brightness) >= -1).all()
    assert np.abs(np.diff(brightness)).max() <= 3


def test_a_picture_drawn_smaller_does_not_alias(view: GlView | RasterView) -> None:
    stripes = flat(0, 0, 0)
    stripes[:, ::2] = 255
    view.resize(SIDE // 4, SIDE // 4)
    view.show_frame(frame(stripes))
    image = shown_by(view).astype(int)
    assert image[8:-8, 8:-8].std() < 30


@pytest.mark.window
def test_gl_and_raster_draw_the_same_stage(qtbot: QtBot, theme: Theme) -> None:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    smooth = np.stack([x, y, (x + y) // 2], -1).astype(np.uint8)
    images = []
    for made in (GlView(), RasterView()):
        qtbot.addWidget(made)
        made.resize(700, 300)
        with qtbot.waitExposed(made):
            made.show()
        made.show_frame(frame(smooth))
        images.append(shown_by(made).astype(int))
    assert np.abs(images[0] - images[1]).mean() < 4


def test_edge_colours_are_those_of_the_upper_sides() -> None:
    picture = flat(10, 20, 30)
    picture[:, : SIDE // 16] = (255, 0, 0)
    picture[:, -SIDE // 16 :] = (0, 0, 255)
    picture[int(SIDE * 0.7) + 1 :] = (0, 255, 0)
    edges = edges_of(picture)
    assert edges.left == pytest.approx((1, 0, 0), abs=0.01)
    assert edges.right == pytest.approx((0, 0, 1), abs=0.01)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_another_avatar_fades_in_over_the_one_before(theme: Theme, qapp: QApplication) -> None:
    qapp.setProperty("reduceMotion", False)
    clock = Clock()
    pictures = Pictures(clock)
    amara, mei = flat(120, 90, 60), flat(60, 120, 200)
    pictures.take(frame(amara))
    pictures.expect_another()
    clock.now = 0.4
    pictures.take(frame(amara + 1))
    assert pictures.arrived == 1.0
    pictures.take(frame(mei))
    assert pictures.arrived == 0.0
    clock.now += 0.15
    assert pictures.arrived == pytest.approx(0.5)
    clock.now += 0.15
    assert pictures.arrived == 1.0
    assert pictures.before is None
    assert pictures.edges == edges_of(mei)


def test_another_avatar_that_comes_in_small_steps_has_its_own_surround(theme: Theme, qapp: QApplication) -> None:
    clock = Clock()
    pictures = Pictures(clock)
    amara, mei = flat(120, 90, 60), flat(60, 120, 200)
    pictures.take(frame(amara))
    pictures.expect_another()
    for step in range(1, 9):
        clock.now += 0.04
        mixed = amara + (mei.astype(int) - amara) * step // 8
        pictures.take(frame(mixed.astype(np.uint8)))
    assert pictures.before is not None
    assert pictures.edges != edges_of(amara)
    clock.now += 0.6
    pictures.take(frame(mei.copy()))
    assert pictures.edges == edges_of(mei)


def test_a_face_that_moves_is_no_other_person() -> None:
    face = np.kron(pattern(3, 16), np.ones((16, 16, 1), np.uint8)) // 3 + 80
    assert not differ(face, np.roll(face, 2, axis=1))
    assert differ(flat(200, 190, 180), flat(90, 90, 120))


def test_a_screen_without_opengl_gets_the_painted_view(qtbot: QtBot, theme: Theme) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    assert isinstance(make_view(holder, raster=True), RasterView)


@pytest.mark.window
def test_the_picture_stays_when_the_window_is_made_anew_for_compact(qtbot: QtBot, theme: Theme, tmp_path: Path) -> None:
    scene = Scene(tmp_path, view=GlView())
    qtbot.addWidget(scene.window)
    scene.stage.beat()
    scene.window.actions_by_name["compact"].trigger()
    for side in (340, 300):
        scene.window.resize(side, side)
        qtbot.waitUntil(lambda side=side: scene.stage.view.width() == side)
        assert np.ptp(shown_by(scene.stage.view)) > 60
    scene.window.actions_by_name["compact"].trigger()
    qtbot.waitUntil(lambda: scene.stage.view.width() > 340)
    assert np.ptp(shown_by(scene.stage.view)) > 60
    scene.window.attach(None)
    scene.window.close()


def test_the_picture_stays_when_it_is_drawn_by_other_means(scene: Scene) -> None:
    scene.stage.beat()
    before = shown_by(scene.stage.view)
    scene.window.apply(changed(scene.window.settings, "window", raster=True))
    assert np.array_equal(shown_by(scene.stage.view), before)


@pytest.mark.window
def test_software_opengl_counts_as_none(qtbot: QtBot, theme: Theme, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    names = {"llvmpipe (LLVM 15.0.6, 256 bits)": RasterView, "": RasterView, "Mesa Intel(R) UHD 620": GlView}
    for name, expected in names.items():
        monkeypatch.setattr("app.video_view.opengl_renderer", lambda name=name: name)
        assert isinstance(make_view(holder, raster=False), expected), name


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda widget, _: widget.update(), id="QWidget.update"),
        pytest.param(lambda _, painter: painter.save() or painter.restore(), id="QPainter.save"),
        pytest.param(lambda widget, _: widget.setToolTip("a"), id="QWidget.setToolTip"),
    ],
)
def test_calls_without_a_result_keep_the_count_of_references_to_none(
    qtbot: QtBot, call: Callable[[QWidget, QPainter], object]
) -> None:
    """PySide6 6.12 on Python 3.11 loses one with each call, and the process dies after some minutes of frames."""
    widget = QWidget()
    qtbot.addWidget(widget)
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    call(widget, painter)
    before = sys.getrefcount(None)
    for _ in range(2000):
        call(widget, painter)
    after = sys.getrefcount(None)
    painter.end()
    assert before - after < 100
