"""Who is on the picture, chosen as a person does: gallery, file dialog, drop, and the embedded avatar behind it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.face_choice import FaceChoice
from app.gallery import GallerySheet
from core.events import AvatarChanged, Failed
from core.settings import assets_folder, load, models_folder, settings_path
from tests.app.sheet_rig import answer_file_dialog

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
    failed = running.until_event(Failed)
    assert failed.title == "This file can't be read as a picture."
    running.until(running.window.stage.problem.isVisible)
    drop(running.window, visitor)
    running.until_event(AvatarChanged, lambda event: event.key == str(visitor) and event.name == "Guest")
    assert [event.key for event in running.events.of(AvatarChanged)] == ["amara", str(visitor)]
    running.until(lambda: "Guest" in running.window.panel.text_box.edit.placeholderText())


def test_one_of_two_people_is_chosen_and_remembered_with_the_picture(running: Running, tmp_path: Path) -> None:
    couple = tmp_path / "couple.png"
    both = [np.asarray(Image.open(assets_folder() / "portraits" / f"{name}.jpg")) for name in ("erik", "mei")]
    Image.fromarray(np.concatenate(both, axis=1)).save(couple)
    running.until_event(AvatarChanged)
    gallery = open_gallery(running)
    gallery.try_picture(couple)
    running.until(gallery.refusal.ask.isVisible)
    gallery.refusal.ask.click()
    choice = gallery.findChild(FaceChoice)
    running.until(lambda: all(frame.isVisible() and frame.width() > 50 for frame in choice.picture.frames))
    frames = choice.picture.frames
    right = max(range(2), key=lambda index: frames[index].x())
    QTest.mouseClick(frames[right], Qt.MouseButton.LeftButton)
    running.until_event(AvatarChanged, lambda event: event.key == str(couple))
    mei = np.asarray(Image.fromarray(both[1]).resize((512, 512)), np.float32)
    erik = np.asarray(Image.fromarray(both[0]).resize((512, 512)), np.float32)

    def nearer(pixels: Pixels) -> bool:
        return np.abs(pixels - mei).mean() < np.abs(pixels - erik).mean()

    running.until(lambda: nearer(shown(running)))
    running.engine.change_avatar("erik")
    running.until_event(AvatarChanged, lambda event: event.key == "erik")
    changes = len(running.events.of(AvatarChanged))
    running.engine.change_avatar(str(couple))
    running.until(lambda: len(running.events.of(AvatarChanged)) > changes)
    running.until(lambda: nearer(shown(running)))
