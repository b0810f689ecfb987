"""The gallery: who is on the picture, and which pictures cannot be."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QContextMenuEvent, QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication, QMenu

from app.face_choice import FaceChoice
from app.gallery import GallerySheet
from app.point_picture import COUNT
from core.errors import LiveTalkError, NoFace, PerformerError, Problem, SeveralFaces
from tests.app.sheet_rig import answer_file_dialog, settle, use_theme, window_with_opener

if TYPE_CHECKING:
    from core.performer.protocol import Said

NAMES = ("amara", "erik", "mei", "rafael", "zoe")
TWO_FACES = PerformerError(
    Problem.PICTURE_REFUSED,
    "This picture can't be used: it shows two faces.",
    "LiveTalk needs one. Crop it to one person, or open another picture.",
)

BOXES = [(4.0, 10.0, 24.0, 34.0), (36.0, 12.0, 58.0, 40.0)]


NO_FACE = NoFace(
    Problem.PICTURE_REFUSED,
    "This picture can't be used: no face was found.",
    "Use a picture from the front, both eyes visible.",
)


class Judge:
    """Finds every picture fit but those whose name says otherwise, and keeps what it was asked and told."""

    def __init__(self) -> None:
        self.asked: list[Path] = []
        self.faces: list[int | None] = []
        self.points: list[object] = []
        self.several = {"family.png"}
        self.known: set[Path] = set()
        """Pictures of which it was told before which face it is."""
        self.refuse_points: LiveTalkError | None = None
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, path: Path, said: Said) -> None:
        self.asked.append(path)
        assert self.may_answer.wait(10)
        if said.points:
            self.points.append(said.points)
            if self.refuse_points is not None:
                raise self.refuse_points
            return
        if "drawing" in path.name:
            raise NO_FACE
        if path.name in self.several and said.face is None and (said.anew or path not in self.known):
            raise SeveralFaces(Problem.PICTURE_REFUSED, TWO_FACES.title, TWO_FACES.advice, BOXES)
        self.known.add(path)
        self.faces.append(said.face)
        if "two" in path.name:
            raise TWO_FACES


def _picture(path: Path) -> Path:
    image = QImage(64, 64, QImage.Format.Format_RGB32)
    image.fill(QColor("#808080"))
    assert image.save(str(path))
    return path


@pytest.fixture
def judge():
    return Judge()


@pytest.fixture
def gallery(qtbot, qapp, tmp_path, judge):
    """An open gallery of five shipped portraits and two pictures of one's own; `told` holds what it signals."""
    use_theme(qapp)
    window, _ = window_with_opener()
    qtbot.addWidget(window)
    shipped = [(name, name.title(), _picture(tmp_path / f"{name}.png")) for name in NAMES]
    recent = [_picture(tmp_path / "grandpa.png"), _picture(tmp_path / "team.png")]
    sheet = GallerySheet(shipped, recent, "erik", window, judge, reduce_motion=True)
    sheet.told = []
    sheet.chosen.connect(lambda key: sheet.told.append(("chosen", key)))
    sheet.removed.connect(lambda path: sheet.told.append(("removed", Path(path).name)))
    sheet.restored.connect(lambda path, place: sheet.told.append(("restored", Path(path).name, place)))
    sheet.open()
    sheet.activateWindow()
    qtbot.waitUntil(sheet.isActiveWindow)
    settle()
    yield sheet
    judge.may_answer.set()
    settle()


def _names(sheet: GallerySheet) -> list[str]:
    return [card.accessibleName() for card in sheet.cards]


def test_shipped_portraits_come_first_then_open_image_then_ones_own(gallery):
    assert _names(gallery) == ["Amara", "Erik", "Mei", "Rafael", "Zoe", "Open image…", "grandpa.png", "team.png"]


def test_the_one_in_use_is_marked_and_has_the_focus(gallery):
    assert [card.accessibleName() for card in gallery.cards if card.isChecked()] == ["Erik"]
    assert gallery.cards[1].hasFocus()
    assert gallery.cards[1].accessibleDescription().startswith("In use")


@pytest.mark.parametrize(
    ("keys", "reached"),
    [
        ("Right", "Mei"),
        ("Left Left", "Amara"),
        ("Down", "Zoe"),
        ("Down Down", "Open image…"),
        ("Right Down Down", "Open image…"),
        ("Right Down Down Right", "grandpa.png"),
        ("End", "team.png"),
        ("End Up", "Zoe"),
        ("End Home", "Amara"),
        ("Up", "Erik"),
    ],
)
def test_arrows_walk_the_cards_as_they_are_seen(qtbot, gallery, keys, reached):
    for name in keys.split():
        qtbot.keyClick(QApplication.focusWidget(), getattr(Qt.Key, f"Key_{name}"))
    assert QApplication.focusWidget().accessibleName() == reached


def test_a_shipped_portrait_is_chosen_by_enter_and_closes_the_sheet(qtbot, gallery, judge):
    with qtbot.waitSignal(gallery.finished):
        qtbot.keyClick(gallery.cards[2], Qt.Key.Key_Return)
    assert gallery.told == [("chosen", "mei")]
    assert judge.asked == []


def test_a_picture_opened_in_the_file_dialog_is_checked_then_chosen(qtbot, gallery, judge, qapp, tmp_path):
    qapp.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs, True)
    path = _picture(tmp_path / "me.png")
    answer_file_dialog(path)
    with qtbot.waitSignal(gallery.finished, timeout=5000):
        qtbot.mouseClick(gallery.open_card, Qt.MouseButton.LeftButton)
    assert judge.asked == [path]
    assert gallery.told == [("chosen", str(path))]


def test_a_picture_that_is_being_checked_says_so(qtbot, gallery, judge, tmp_path):
    judge.may_answer.clear()
    gallery.try_picture(_picture(tmp_path / "me.png"))
    card = gallery.cards[6]
    assert (card.accessibleName(), card.accessibleDescription()) == ("me.png", "Checking…")
    assert gallery.told == []


def test_a_refused_picture_shows_the_reason_and_keeps_the_old_avatar(qtbot, gallery, tmp_path):
    before = _names(gallery)
    gallery.try_picture(_picture(tmp_path / "two.png"))
    settle()
    assert gallery.refusal.isVisible()
    assert gallery.refusal.words == (
        "This picture can't be used: it shows two faces. "
        "LiveTalk needs one. Crop it to one person, or open another picture."
    )
    assert gallery.told == []
    assert gallery.isVisible()
    assert _names(gallery) == before
    assert [card.accessibleName() for card in gallery.cards if card.isChecked()] == ["Erik"]


def test_try_another_after_a_refusal_opens_the_file_dialog(qtbot, gallery, qapp, tmp_path):
    qapp.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs, True)
    gallery.try_picture(_picture(tmp_path / "two.png"))
    settle()
    path = _picture(tmp_path / "better.png")
    answer_file_dialog(path)
    with qtbot.waitSignal(gallery.finished, timeout=5000):
        gallery.refusal.another.click()
    assert gallery.told == [("chosen", str(path))]


def test_a_later_choice_overtakes_a_check_that_still_runs(qtbot, gallery, judge, tmp_path):
    judge.may_answer.clear()
    gallery.try_picture(_picture(tmp_path / "me.png"))
    gallery.cards[0].click()
    judge.may_answer.set()
    settle()
    assert gallery.told == [("chosen", "amara")]


def test_delete_takes_a_picture_off_the_list_and_undo_puts_it_back_in_its_place(qtbot, gallery, tmp_path):
    card = gallery.cards[6]
    card.setFocus()
    qtbot.keyClick(card, Qt.Key.Key_Delete)
    assert _names(gallery)[6:] == ["team.png"]
    assert QApplication.focusWidget().accessibleName() == "team.png"
    assert (tmp_path / "grandpa.png").exists()
    gallery.remark.undo.click()
    assert _names(gallery)[6:] == ["grandpa.png", "team.png"]
    assert gallery.told == [("removed", "grandpa.png"), ("restored", "grandpa.png", 0)]


def test_the_context_menu_removes_too_but_not_what_was_shipped(qtbot, gallery):
    def entries(card) -> list:
        at = card.rect().center()
        QApplication.sendEvent(card, _context(card, at))
        return card.findChild(QMenu).actions()

    assert [action.text() for action in entries(gallery.cards[0])] == ["Use this picture"]
    own = entries(gallery.cards[7])
    assert [action.text() for action in own] == ["Use this picture", "Choose another face…", "Remove from this list"]
    own[2].trigger()
    assert gallery.told == [("removed", "team.png")]


def _context(card, at: QPoint) -> QContextMenuEvent:
    return QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, at, card.mapToGlobal(at))


def test_delete_on_a_shipped_portrait_does_nothing(qtbot, gallery):
    qtbot.keyClick(gallery.cards[0], Qt.Key.Key_Delete)
    assert len(gallery.cards) == 8
    assert gallery.told == []


def test_a_picture_dropped_anywhere_on_the_sheet_is_tried(qtbot, gallery, judge, tmp_path):
    path = _picture(tmp_path / "dropped.png")
    dragged = QMimeData()
    dragged.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(gallery, QDragEnterEvent(QPoint(5, 5), copy, dragged, left, none))
    assert gallery.open_card.isChecked()
    QApplication.sendEvent(gallery, QDropEvent(QPointF(5, 5), copy, dragged, left, none))
    settle()
    assert judge.asked == [path]
    assert gallery.told == [("chosen", str(path))]


def test_a_picture_whose_file_is_gone_is_refused_like_any_other(qtbot, gallery, judge, tmp_path):
    gone = tmp_path / "two-gone.png"
    gallery.try_picture(gone)
    settle()
    assert gallery.refusal.isVisible()


def _face_choice(qtbot, gallery: GallerySheet, path: Path) -> FaceChoice:
    """What the gallery asks about a picture that shows several people."""
    gallery.try_picture(path)
    settle()
    assert gallery.refusal.ask.isVisible()
    gallery.refusal.ask.click()
    choice = gallery.findChild(FaceChoice)
    settle()
    qtbot.waitUntil(choice.picture.frames[0].isVisible)
    return choice


@pytest.mark.parametrize(
    ("keys", "face"), [("Return", 0), ("Right Return", 1), ("Right Right Space", 0), ("Left Return", 1), ("2", 1)]
)
def test_one_of_several_faces_is_chosen_by_keyboard(qtbot, gallery, judge, tmp_path, keys, face):
    path = _picture(tmp_path / "family.png")
    choice = _face_choice(qtbot, gallery, path)
    frames = choice.picture.frames
    assert [frame.accessibleName() for frame in frames] == ["Face 1 of 2", "Face 2 of 2"]
    assert frames[0].hasFocus()
    for key in keys.split():
        qtbot.keyClick(QApplication.focusWidget(), getattr(Qt.Key, f"Key_{key}"))
    settle()
    assert judge.faces == [face]
    assert gallery.told == [("chosen", str(path))]


def test_the_frames_lie_around_the_faces_and_are_clicked(qtbot, gallery, judge, tmp_path):
    choice = _face_choice(qtbot, gallery, _picture(tmp_path / "family.png"))
    shown = choice.picture
    first, second = (frame.geometry() for frame in shown.frames)
    side = min(shown.width(), shown.height())
    left = (shown.width() - side) / 2
    assert first.contains(QPoint(round(left + side * 14 / 64), round(side * 22 / 64)))
    assert second.contains(QPoint(round(left + side * 47 / 64), round(side * 26 / 64)))
    assert not first.intersects(second)
    qtbot.mouseClick(shown.frames[1], Qt.MouseButton.LeftButton)
    settle()
    assert judge.faces == [1]


def test_who_closes_the_question_goes_back_to_the_refusal(qtbot, gallery, judge, tmp_path):
    choice = _face_choice(qtbot, gallery, _picture(tmp_path / "family.png"))
    qtbot.keyClick(choice, Qt.Key.Key_Escape)
    settle()
    assert gallery.refusal.isVisible()
    assert gallery.told == []
    gallery.try_picture(_picture(tmp_path / "two.png"))
    settle()
    assert not gallery.refusal.ask.isVisible()


def _another_face(gallery: GallerySheet) -> None:
    """From the menu of the first of one's own pictures."""
    card = gallery.cards[6]
    QApplication.sendEvent(card, _context(card, QPoint(5, 5)))
    card.findChild(QMenu).actions()[1].trigger()
    settle()


def test_another_face_of_the_same_picture_is_chosen_later(qtbot, gallery, judge, tmp_path):
    judge.several, judge.known = {"grandpa.png"}, {tmp_path / "grandpa.png"}
    _another_face(gallery)
    first = gallery.findChild(FaceChoice).picture.frames[0]
    qtbot.waitUntil(first.isVisible)
    qtbot.keyClick(first, "2")
    qtbot.waitUntil(lambda: bool(gallery.told))
    assert judge.faces == [1]
    assert gallery.told == [("chosen", str(tmp_path / "grandpa.png"))]


def test_where_there_is_no_other_face_it_says_so(qtbot, gallery):
    _another_face(gallery)
    assert gallery.remark.words == "grandpa.png shows one face only."
    assert gallery.findChild(FaceChoice) is None
    assert gallery.told == []


def test_in_a_drawing_the_person_shows_where_the_face_is(qtbot, gallery, judge, tmp_path):
    path = _picture(tmp_path / "drawing.png")
    gallery.try_picture(path)
    settle()
    assert gallery.refusal.ask.text() == "Place the points…"
    gallery.refusal.ask.click()
    settle()
    for _ in range(COUNT):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    settle()
    assert len(judge.points) == 1
    assert gallery.told == [("chosen", str(path))]
