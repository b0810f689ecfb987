"""Pictures: what the window is brought is looked at, asked about, and put on the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.face_choice import FaceChoice
from app.pictures import Pictures
from core.errors import NoFace, PerformerError, Problem, SeveralFaces
from core.performer.protocol import UNSAID, Said
from tests.app.fake_engine import FakeEngine
from tests.app.sheet_rig import settle

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from tests.app.conftest import Scene

TITLE = "This picture can't be used: something."
REFUSALS = {
    "blurred.png": PerformerError(Problem.PICTURE_REFUSED, TITLE, ""),
    "torn.png": PerformerError(Problem.PICTURE_UNREADABLE, TITLE, ""),
    "two.png": SeveralFaces(Problem.PICTURE_REFUSED, TITLE, "", [(4, 4, 20, 28), (34, 4, 60, 30)]),
    "drawing.png": NoFace(Problem.PICTURE_REFUSED, TITLE, ""),
}


class Judge:
    """Refuses by the file's name what nobody said anything about."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Said]] = []

    def __call__(self, path: Path, said: Said) -> None:
        self.said.append((path.name, said))
        if path.name in REFUSALS and not said:
            raise REFUSALS[path.name]


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def pictures(scene: Scene, judge: Judge) -> Pictures:
    return Pictures(scene.window, judge)


def brought(scene: Scene, folder: Path, name: str) -> str:
    """A picture dropped on the window, or opened by the file dialog."""
    image = QImage(64, 64, QImage.Format.Format_RGB32)
    image.fill(QColor("#808080"))
    path = str(folder / name)
    assert image.save(path)
    scene.window.picture_brought.emit(path)
    settle()
    return path


def offers(scene: Scene) -> list[str]:
    return [button.text() for button in scene.stage.problem.buttons]


def press_first(scene: Scene) -> None:
    QTest.mouseClick(scene.stage.problem.buttons[0], Qt.MouseButton.LeftButton)
    settle()


def test_what_can_serve_is_put_on_the_stage(scene: Scene, pictures: Pictures, tmp_path: Path) -> None:
    path = brought(scene, tmp_path, "me.png")
    assert scene.engine.asked == [("change_avatar", path)]


@pytest.mark.parametrize("name", list(REFUSALS))
def test_what_cannot_serve_is_refused_with_what_helps(
    scene: Scene, pictures: Pictures, tmp_path: Path, name: str
) -> None:
    brought(scene, tmp_path, name)
    first = {"two.png": ["Choose a face…"], "drawing.png": ["Place the points…"]}.get(name, [])
    assert offers(scene) == [*first, "Try another…"]
    assert scene.asked == []


def test_one_of_several_people_in_a_dropped_picture_is_chosen(
    qtbot: QtBot, scene: Scene, pictures: Pictures, judge: Judge, tmp_path: Path
) -> None:
    path = brought(scene, tmp_path, "two.png")
    press_first(scene)
    assert not scene.stage.problem.isVisible()
    first = scene.window.findChild(FaceChoice).picture.frames[0]
    qtbot.waitUntil(first.isVisible)
    QTest.keyClick(first, "2")
    settle()
    assert judge.said == [("two.png", UNSAID), ("two.png", Said(1))]
    assert scene.engine.asked == [("change_avatar", path)]


def test_the_face_in_a_dropped_drawing_is_shown_by_five_points(
    scene: Scene, pictures: Pictures, judge: Judge, tmp_path: Path
) -> None:
    path = brought(scene, tmp_path, "drawing.png")
    press_first(scene)
    for _ in range(6):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    settle()
    assert [name for name, _ in judge.said] == ["drawing.png", "drawing.png"]
    assert len(judge.said[1][1].points) == 5
    assert scene.engine.asked == [("change_avatar", path)]


def test_a_later_wish_overtakes_a_picture_that_is_still_looked_at(
    scene: Scene, pictures: Pictures, tmp_path: Path
) -> None:
    scene.window.picture_brought.emit(str(tmp_path / "me.png"))
    pictures.use("mei")
    settle()
    assert scene.engine.asked == [("change_avatar", "mei")]


@pytest.mark.parametrize("wish", ["mei", "me.png", "two.png"])
def test_a_wish_made_while_no_conversation_runs_waits_for_the_next(
    scene: Scene, pictures: Pictures, tmp_path: Path, wish: str
) -> None:
    scene.window.attach(None)
    pictures.use("erik")
    own = wish.endswith(".png")
    key = brought(scene, tmp_path, wish) if own else wish
    if not own:
        pictures.use(wish)
    assert scene.asked == []
    engine = FakeEngine()
    scene.window.attach(engine)
    settle()
    assert engine.asked == ([] if wish == "two.png" else [("change_avatar", key)])
    assert offers(scene) == (["Choose a face…", "Try another…"] if wish == "two.png" else [])
    another = FakeEngine()
    scene.window.attach(another)
    settle()
    assert another.asked == []
