"""Who is on the picture, chosen as a person does: gallery, file dialog, drop, and the embedded avatar behind it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from app.face_choice import FaceChoice
from app.face_points import FacePoints
from app.gallery import GallerySheet
from core.errors import Problem
from core.events import AvatarChanged
from core.settings import assets_folder, load, models_folder, settings_path
from tests.app.sheet_rig import answer_file_dialog
from tests.e2e.case import Case

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtWidgets import QWidget

    from core.media import Pixels
    from tests.e2e.conftest import Running

pytestmark = [
    pytest.mark.window,
    pytest.mark.sound,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not (models_folder() / "face").is_dir(), reason="the face models are not here: make models"),
]
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def performer() -> None:
    """The product's own."""


@pytest.fixture(autouse=True)
def own_dialogs(qapp: QApplication) -> None:
    qapp.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs, True)


def shown(running: Running) -> Pixels:
    """The frame that is due, once there is one."""
    running.until(lambda: running.engine.frame_due() is not None)
    return running.engine.frame_due().pixels


def open_gallery(running: Running) -> GallerySheet:
    QTest.keyClick(running.window, Qt.Key.Key_O, CONTROL)
    sheet = running.window.findChild(GallerySheet)
    assert sheet is not None
    running.until(sheet.isVisible)
    return sheet


def drop(window: QWidget, path: Path) -> None:
    """Drag a file from elsewhere over the middle of the window, and let go."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    middle, action = window.rect().center(), Qt.DropAction.CopyAction
    button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(middle), action, data, button, none))
    QApplication.sendEvent(window, QDropEvent(QPointF(middle), action, data, button, none))


def test_ones_own_picture_is_opened_in_the_file_dialog_and_one_that_cannot_serve_is_refused(
    running: Running, tmp_path: Path
) -> None:
    portraits = assets_folder() / "portraits"
    broken, empty, visitor = tmp_path / "broken.jpg", tmp_path / "meadow.png", tmp_path / "a visitor.jpg"
    broken.write_bytes((portraits / "mei.jpg").read_bytes()[:3000])
    Image.fromarray(np.linspace(40, 200, 300 * 400 * 3).reshape(300, 400, 3).astype(np.uint8)).save(empty)
    shutil.copy(portraits / "erik.jpg", visitor)
    running.until_event(AvatarChanged, lambda event: event.key == "amara")

    gallery = open_gallery(running)
    for path, words in ((broken, "This file can't be read as a picture"), (empty, "no face was found")):
        answer_file_dialog(path)
        QTest.keyClick(gallery.open_card, Qt.Key.Key_Return)
        running.until(lambda words=words: gallery.refusal.isVisible() and words in gallery.refusal.words)
    assert [event.key for event in running.events.of(AvatarChanged)] == ["amara"]

    answer_file_dialog(visitor)
    gallery.refusal.another.click()
    running.until_event(AvatarChanged, lambda event: event.key == str(visitor))
    assert running.window.findChild(GallerySheet) is None or not gallery.isVisible()
    wanted = np.asarray(Image.open(visitor).convert("RGB").resize((512, 512)), np.float32)
    running.until(lambda: np.abs(shown(running) - wanted).mean() < 12)
    chosen = load(settings_path()).avatar
    assert chosen.portrait == str(visitor)
    assert chosen.recent == (str(visitor),)


def test_a_picture_is_dropped_on_the_window_and_a_bad_one_leaves_the_old_face(running: Running, tmp_path: Path) -> None:
    visitor, broken = tmp_path / "guest.jpg", tmp_path / "broken.jpg"
    shutil.copy(assets_folder() / "portraits" / "rafael.jpg", visitor)
    broken.write_bytes(visitor.read_bytes()[:2000])
    running.until_event(AvatarChanged)
    drop(running.window, broken)
    Case(running).told(Problem.PICTURE_UNREADABLE, "This file can't be read as a picture.")
    drop(running.window, visitor)
    running.until_event(AvatarChanged, lambda event: event.key == str(visitor) and event.name == "Guest")
    assert [event.key for event in running.events.of(AvatarChanged)] == ["amara", str(visitor)]
    running.until(lambda: "Guest" in running.window.panel.text_box.edit.placeholderText())


@pytest.fixture
def faces() -> dict[str, Pixels]:
    """Two of the shipped portraits."""
    return {name: np.asarray(Image.open(assets_folder() / "portraits" / f"{name}.jpg")) for name in ("erik", "mei")}


@pytest.fixture
def couple(tmp_path: Path, faces: dict[str, Pixels]) -> Path:
    """Erik and Mei in one picture."""
    path = tmp_path / "couple.png"
    Image.fromarray(np.concatenate(list(faces.values()), axis=1)).save(path)
    return path


def choose(running: Running, choice: FaceChoice, right: bool) -> None:
    """Click on the person on the right, or on the left."""
    frames = choice.picture.frames
    running.until(lambda: all(frame.isVisible() for frame in frames))
    QTest.mouseClick(sorted(frames, key=lambda frame: frame.x())[right], Qt.MouseButton.LeftButton)


def until_seen(running: Running, faces: dict[str, Pixels], name: str) -> None:
    """The face on the stage is nearer to this one than to the others."""
    small = {key: np.asarray(Image.fromarray(face).resize((512, 512)), np.float32) for key, face in faces.items()}

    def nearest() -> str:
        pixels = shown(running)
        return min(small, key=lambda key: float(np.abs(pixels - small[key]).mean()))

    running.until(lambda: nearest() == name)


def change_and_return(running: Running, away: str, back: str) -> None:
    """Another portrait, then this one again, of which nothing more is said."""
    for key in (away, back):
        changes = len(running.events.of(AvatarChanged))
        running.engine.change_avatar(key)
        running.until(lambda changes=changes: len(running.events.of(AvatarChanged)) > changes)


def test_one_of_two_people_is_chosen_after_a_drop_remembered_and_changed_later(
    running: Running, couple: Path, faces: dict[str, Pixels]
) -> None:
    running.until_event(AvatarChanged)
    drop(running.window, couple)
    case = Case(running)
    case.told(Problem.PICTURE_REFUSED, "This picture can't be used: it shows two faces. LiveTalk needs one.")
    case.press("Choose a face…")
    choose(running, running.window.findChild(FaceChoice), right=True)
    running.until_event(AvatarChanged, lambda event: event.key == str(couple))
    until_seen(running, faces, "mei")
    change_and_return(running, "amara", str(couple))
    until_seen(running, faces, "mei")

    gallery = open_gallery(running)
    card = next(card for card in gallery.cards if card.accessibleName() == couple.name)
    QApplication.sendEvent(card, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(5, 5), QPoint(5, 5)))
    next(action for action in card.findChild(QMenu).actions() if "another face" in action.text()).trigger()
    running.until(lambda: gallery.findChild(FaceChoice) is not None)
    choose(running, gallery.findChild(FaceChoice), right=False)
    until_seen(running, faces, "erik")


FEATURES = ((260, 340), (380, 340), (312, 420), (262, 462), (378, 462))
"""Both eyes, the nose and the mouth's corners of the drawing."""


def drawing() -> Pixels:
    """A face of a few lines, in which no network sees one, [800, 640, 3]."""
    picture = np.full((800, 640, 3), (150, 190, 220), np.uint8)
    ink = (20, 20, 20)
    cv2.circle(picture, (320, 380), 200, ink, 4)
    for eye in FEATURES[:2]:
        cv2.circle(picture, eye, 14, ink, -1)
    cv2.line(picture, (320, 370), FEATURES[2], ink, 4)
    cv2.ellipse(picture, (320, 460), (60, 20), 0, 0, 180, ink, 5)
    return picture


def test_a_drawing_lives_once_five_points_were_shown_and_is_remembered(
    running: Running, tmp_path: Path, faces: dict[str, Pixels]
) -> None:
    pixels = drawing()
    path = tmp_path / "drawing.png"
    Image.fromarray(pixels).save(path)
    running.until_event(AvatarChanged)
    gallery = open_gallery(running)
    answer_file_dialog(path)
    QTest.keyClick(gallery.open_card, Qt.Key.Key_Return)
    running.until(lambda: gallery.refusal.isVisible() and gallery.refusal.ask.isVisible())
    gallery.refusal.ask.click()
    sheet = gallery.findChild(FacePoints)
    running.until(lambda: not sheet.picture.picture.isNull() and sheet.picture.handles[0].isVisible())
    for number, at in enumerate(FEATURES):
        place = sheet.picture.on_screen(QPointF(*at)).toPoint()
        target = sheet.picture.childAt(place) or sheet.picture
        QTest.mouseClick(target, Qt.MouseButton.LeftButton, pos=target.mapFrom(sheet.picture, place))
        assert sheet.picture.count == number + 1
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    running.until_event(AvatarChanged, lambda event: event.key == str(path))
    everybody = {**faces, "drawing": pixels[60:700]}
    until_seen(running, everybody, "drawing")
    change_and_return(running, "erik", str(path))
    until_seen(running, everybody, "drawing")
    assert load(settings_path()).avatar.recent == (str(path),)
