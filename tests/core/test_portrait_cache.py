"""Prepared portraits on disk: kept, found again, never trusted when damaged; and faces shown by five points."""

from __future__ import annotations

import dataclasses
import os

import cv2
import numpy as np
import pytest

from core.errors import NoFace, PerformerError, Problem, SeveralFaces
from core.performer.portrait.cache import IdentityCache
from core.performer.portrait.face import FaceMotion
from core.performer.portrait.five_points import FivePoints, landmarks_from, like_a_face
from core.performer.portrait.identity import PortraitIdentity, make_identity
from core.performer.portrait.landmarks import Face
from core.performer.portrait.mesh import (
    LEFT_EYE,
    LOWER_LIP,
    NOSE_TIP,
    RIGHT_EYE,
    UPPER_LIP,
    canonical_mesh,
    fit_pose,
    head_turn,
)
from core.performer.portrait.warp import PortraitPainter

SKIN, INK = (240, 200, 170), (30, 25, 35)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    cv2.setNumThreads(1)


class Finds:
    """A finder that always sees these faces, and counts how often it was asked."""

    def __init__(self, *faces: Face) -> None:
        self._faces = list(faces)
        self.asked = 0

    def find(self, image: np.ndarray) -> list[Face]:
        self.asked += 1
        return self._faces


def drawing(width=640, height=800) -> tuple[np.ndarray, FivePoints]:
    """A cartoon with large eyes and a line for a mouth, and where its features are."""
    picture = np.full((height, width, 3), (150, 190, 220), np.uint8)
    cv2.ellipse(picture, (320, 380), (150, 190), 0, 0, 360, SKIN, -1)
    cv2.ellipse(picture, (320, 380), (150, 190), 0, 0, 360, INK, 4)
    for x in (260, 380):
        cv2.ellipse(picture, (x, 360), (32, 22), 0, 0, 360, (255, 255, 255), -1)
        cv2.ellipse(picture, (x, 360), (32, 22), 0, 0, 360, INK, 3)
        cv2.circle(picture, (x, 360), 12, INK, -1)
    cv2.line(picture, (320, 400), (310, 430), INK, 3)
    cv2.ellipse(picture, (320, 470), (50, 12), 0, 0, 180, (150, 60, 60), 5)
    return picture, FivePoints((260, 360), (380, 360), (316, 425), (270, 470), (370, 470))


def drawn() -> PortraitIdentity:
    picture, points = drawing()
    return make_identity(picture, Finds(), points=points)


def same(one: PortraitIdentity, other: PortraitIdentity) -> bool:
    fields = ("picture", "landmarks", "eye_opening", "closing")
    return (
        one.key == other.key
        and one.rest_gap == other.rest_gap
        and (one.pose.scale, one.pose.misfit) == (other.pose.scale, other.pose.misfit)
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in fields)
        and all(np.array_equal(getattr(one.pose, name), getattr(other.pose, name)) for name in ("rotation", "origin"))
    )


# The cache


def test_a_portrait_that_was_kept_comes_back_the_same(tmp_path):
    cache, identity = IdentityCache(tmp_path / "new"), drawn()
    picture = drawing()[0]
    key = cache.key(picture, None, None)
    assert cache.load(key) is None
    cache.keep(key, identity)
    found = IdentityCache(tmp_path / "new").load(key)
    assert found is not None
    assert same(found, identity)
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".npz"]


def test_another_picture_face_or_points_have_another_key(tmp_path):
    cache = IdentityCache(tmp_path)
    picture, points = drawing()
    touched = picture.copy()
    touched[0, 0, 0] += 1
    turned = picture.reshape(picture.shape[1], picture.shape[0], 3)
    keys = [
        cache.key(picture, None, None),
        cache.key(touched, None, None),
        cache.key(turned, None, None),
        cache.key(picture, 0, None),
        cache.key(picture, 1, None),
        cache.key(picture, None, points),
        cache.key(picture, None, dataclasses.replace(points, nose=(0, 0))),
    ]
    assert len(set(keys)) == len(keys)
    assert cache.key(picture.copy(), None, None) == keys[0]


def test_a_damaged_file_is_no_portrait_and_never_a_wrong_one(tmp_path):
    cache, identity = IdentityCache(tmp_path), drawn()
    cache.keep("one", identity)
    path = tmp_path / "one.npz"
    whole = path.read_bytes()
    rng = np.random.default_rng(3)
    places = [*rng.integers(0, len(whole), 20), *range(0, 60, 4), *range(len(whole) - 300, len(whole), 12)]
    for place in places:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        found = cache.load("one")
        assert found is None or same(found, identity), f"byte {place}"
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert cache.load("one") is None, f"{length} bytes"
    cache.keep("one", identity)
    assert cache.load("one") is not None


def test_arrays_of_other_shapes_are_no_portrait(tmp_path):
    cache = IdentityCache(tmp_path)
    np.savez(tmp_path / "one.npz", picture=np.zeros((4, 4, 3), np.uint8))
    assert cache.load("one") is None
    cache.keep("one", dataclasses.replace(drawn(), landmarks=np.zeros((4, 3), np.float32)))
    assert cache.load("one") is None


def test_the_portraits_used_longest_ago_are_let_go(tmp_path):
    cache, identity = IdentityCache(tmp_path, kept=3), drawn()
    for age, name in enumerate(("new", "middle", "old")):
        cache.keep(name, identity)
        os.utime(tmp_path / f"{name}.npz", (1e9 - age, 1e9 - age))
    assert cache.load("old") is not None  # used: it is the newest now
    cache.keep("another", identity)
    assert {path.stem for path in tmp_path.iterdir()} == {"new", "old", "another"}


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = IdentityCache(tmp_path / "file")
    cache.keep("one", drawn())
    assert cache.load("one") is None


# Faces that are shown


def test_the_points_of_the_canonical_face_give_that_face():
    vertices = canonical_mesh().vertices
    turn = head_turn(np.array([(0, 0, 0.2)]))[0]
    placed = vertices @ turn.T * 230 + np.array([300, 280, 0])
    eyes = [placed[sorted({*upper, *lower}), :2].mean(0) for upper, lower in (RIGHT_EYE, LEFT_EYE)]
    points = FivePoints(*(tuple(map(float, p)) for p in (*eyes, placed[NOSE_TIP, :2], placed[61, :2], placed[291, :2])))
    landmarks = landmarks_from(points)
    assert np.abs(landmarks[:, :2] - placed[:, :2]).max() < 2
    assert fit_pose(landmarks).angles[2] == pytest.approx(0.2, abs=0.03)


def test_landmarks_meet_the_points_of_a_drawing_and_nothing_folds():
    points = drawing()[1]
    landmarks = landmarks_from(points)
    eyes = [landmarks[sorted({*upper, *lower}), :2].mean(0) for upper, lower in (RIGHT_EYE, LEFT_EYE)]
    met = np.stack([*eyes, landmarks[NOSE_TIP, :2], landmarks[61, :2], landmarks[291, :2]])
    assert np.abs(met - points.flat).max() < 6
    flat, corners = landmarks[:, :2], canonical_mesh().triangles
    first, second = flat[corners[:, 1]] - flat[corners[:, 0]], flat[corners[:, 2]] - flat[corners[:, 0]]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    vertices = canonical_mesh().vertices[:, :2]
    own_first = vertices[corners[:, 1]] - vertices[corners[:, 0]]
    own_second = vertices[corners[:, 2]] - vertices[corners[:, 0]]
    own = own_first[:, 0] * own_second[:, 1] - own_first[:, 1] * own_second[:, 0]
    seen = np.abs(own) > 1e-5
    assert np.mean(np.sign(area[seen]) == np.sign(own[seen])) > 0.99


def test_a_drawing_in_which_no_face_is_found_serves_once_it_is_shown():
    picture, points = drawing()
    finder = Finds()
    with pytest.raises(NoFace) as refusal:
        make_identity(picture, finder)
    assert refusal.value.problem is Problem.PICTURE_REFUSED
    assert "no face was found" in refusal.value.title
    identity = make_identity(picture, finder, points=points)
    assert finder.asked == 1
    assert identity.picture.shape == (512, 512, 3)
    assert 0.3 < identity.pose.scale / 512 < 0.6


def test_a_drawing_opens_its_mouth_between_its_lips():
    identity = drawn()
    moved = np.zeros((468, 3), np.float32)
    lower = list(LOWER_LIP[1:-1])
    vertices = canonical_mesh().vertices
    below = vertices[:, 1] > vertices[13, 1] + 0.012
    moved[below, 1] = 0.1 * np.clip(1 - np.abs(vertices[below, 0]) / 0.4, 0, 1)
    moved[lower, 1] = 0.1 * np.sin(np.linspace(0, np.pi, len(LOWER_LIP)))[1:-1]
    moved[list(UPPER_LIP)] = 0
    none = np.zeros((1, 3), np.float32)
    frame = PortraitPainter(identity).paint(FaceMotion(moved[None], none, none, none[:, :2], none[:, :2]))[0]
    x, y = identity.landmarks[13, :2]
    inside = frame[round(float(y + 0.06 * identity.pose.scale)), round(float(x))]
    assert inside.max() < 120, "the dark of the mouth, not skin"


def test_the_large_eyes_of_a_drawing_shut_and_its_lips_lie_on_its_line():
    identity = drawn()
    points, scale = identity.landmarks, identity.pose.scale
    none = np.zeros((1, 3), np.float32)
    shut = FaceMotion(np.zeros((1, 468, 3), np.float32), none, none, np.ones((1, 2), np.float32), none[:, :2])
    frame = PortraitPainter(identity).paint(shut)[0]
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        x, y = points[sorted({*upper, *lower}), :2].mean(0).round().astype(int)
        part = np.s_[y - 6 : y + 7, x - 8 : x + 9]
        assert (identity.picture[part].max(-1) < 90).any(), "an iris"
        assert (frame[part].astype(int) - SKIN).max() < 30
        assert (frame[part].min(-1) > 90).mean() > 0.7, "skin"
    bottom = points[17, 1]
    middle = identity.picture[round(float(points[13, 1])), round(float(points[13, 0]))].astype(int)
    assert np.abs(middle - (150, 60, 60)).max() < 40, "red, as the line is"
    assert bottom - points[13, 1] < 0.2 * scale


def test_eyes_that_run_into_hair_keep_the_canonical_size():
    picture, points = drawing()
    plain = make_identity(picture, Finds(), points=points)
    picture[300:350, 200:300] = INK  # over the right eye only
    covered = make_identity(picture, Finds(), points=points)
    assert plain.eye_opening.min() > 0.42
    assert covered.eye_opening.max() < 0.36


def test_a_flat_drawing_gets_no_shadows():
    identity = drawn()
    dropped = np.zeros((1, 468, 3), np.float32)
    dropped[0, canonical_mesh().vertices[:, 1] > 0.25, 1] = 0.1
    none = np.zeros((1, 3), np.float32)
    frame = PortraitPainter(identity).paint(FaceMotion(dropped, none, none, none[:, :2], none[:, :2]))[0]
    x, y = identity.landmarks[207, :2].round().astype(int)
    assert np.abs(frame[y, x].astype(int) - SKIN).max() <= 2


@pytest.mark.parametrize(
    "flat",
    [
        [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0)],
        [(380, 360), (260, 360), (316, 425), (370, 470), (270, 470)],
        [(260, 360), (380, 360), (316, 300), (270, 470), (370, 470)],
        [(260, 360), (380, 360), (316, 500), (270, 470), (370, 470)],
        [(260, 360), (380, 360), (316, 425), (370, 470), (270, 470)],
        [(260, 360), (380, 360), (316, 361), (270, 362), (370, 362)],
    ],
    ids=["one place", "mirrored", "nose above", "nose below", "mouth mirrored", "flat"],
)
def test_points_that_lie_like_no_face_are_refused_in_words(flat):
    points = FivePoints(*flat)
    assert not like_a_face(points)
    with pytest.raises(PerformerError, match="don't lie like a face") as refusal:
        make_identity(drawing()[0], Finds(), points=points)
    assert refusal.value.problem is Problem.PICTURE_REFUSED


def test_several_faces_are_offered_with_their_places():
    vertices = canonical_mesh().vertices
    first, second = (
        (vertices * size + np.array([x, 300, 0])).astype(np.float32) for size, x in ((230, 300), (200, 850))
    )
    faces = [Face(np.concatenate([one[:, :2].min(0), one[:, :2].max(0)]), 1.0, one) for one in (first, second)]
    picture = np.random.default_rng(1).integers(0, 255, (640, 1200, 3), dtype=np.uint8)
    with pytest.raises(SeveralFaces, match="two faces") as offered:
        make_identity(picture, Finds(*faces))
    assert offered.value.boxes == [tuple(float(v) for v in face.box) for face in faces]
    chosen = make_identity(picture, Finds(*faces), face=1)
    assert chosen.landmarks[NOSE_TIP, 0] == pytest.approx(256, abs=70)


def test_the_picture_need_not_hold_the_whole_head():
    picture, points = drawing()
    cut = np.ascontiguousarray(picture[250:520, 180:460])
    moved = FivePoints(*((float(x - 180), float(y - 250)) for x, y in points.flat))
    identity = make_identity(cut, Finds(), points=moved)
    assert identity.picture.shape == (512, 512, 3)
