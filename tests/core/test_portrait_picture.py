"""The picture half of the embedded avatar: reading and refusing pictures, and moving a portrait."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from core.errors import PerformerError, Problem
from core.performer.portrait.identity import PortraitIdentity, make_identity, read_picture
from core.performer.portrait.landmarks import FaceFinder
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
from core.settings import models_folder
from tests.core.drawn_faces import (
    IRIS,
    NOSE,
    SCALE,
    Finds,
    drawn_face,
    face,
    identity_of,
    landmarks_of,
    lips_apart,
    middle_of,
    motion,
    mouth_pixels,
)

SHIPPED = Path(__file__).parents[2] / "assets" / "portraits"
MODELS = models_folder() / "face"
needs_models = pytest.mark.skipif(not MODELS.is_dir(), reason="the face models are not here: run `make models`")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    cv2.setNumThreads(1)


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(MODELS)


def test_no_motion_shows_the_portrait_itself():
    identity = identity_of(landmarks_of())
    frames = PortraitPainter(identity).paint(motion(2))
    assert frames.shape == (2, 512, 512, 3)
    assert frames.dtype == np.uint8
    assert np.abs(frames.astype(int) - identity.picture).max() <= 2


def test_the_least_motion_shows_nearly_the_portrait():
    identity = identity_of(landmarks_of())
    frame = PortraitPainter(identity).paint(motion(lids=(0.01, 0.01), gaze=(0.002, 0), turn=(0.001, 0, 0)))[0]
    assert np.abs(frame.astype(int) - identity.picture).mean() < 0.5


@pytest.mark.parametrize(
    ("turn", "where"),
    [((0.15, 0, 0), (-1, 0)), ((0, 0.15, 0), (0, 1)), ((0, 0, 0.15), None)],
    ids=["yaw", "pitch", "roll"],
)
def test_the_head_turns_as_the_motion_says(turn, where):
    landmarks = landmarks_of()
    identity = identity_of(landmarks)
    frame = PortraitPainter(identity).paint(motion(turn=turn))[0]
    arm = landmarks[NOSE_TIP] - identity.pose.origin
    expected = (head_turn(np.array([turn]))[0] @ arm - arm)[:2]
    moved = middle_of(frame, NOSE) - middle_of(identity.picture, NOSE)
    assert moved == pytest.approx(expected, abs=2.0)
    if where is not None:
        assert moved @ np.array(where) > 8


def test_the_edge_of_the_picture_stays_when_the_head_turns():
    rng = np.random.default_rng(5)
    identity = identity_of(landmarks_of())
    noisy = cv2.GaussianBlur(rng.integers(0, 255, (512, 512, 3), dtype=np.uint8), (0, 0), 3)
    textured = PortraitIdentity(
        "noise", noisy, identity.landmarks, identity.pose, 0, identity.eye_opening, identity.closing
    )
    frame = PortraitPainter(textured).paint(motion(turn=(0.2, 0.15, 0.1), shift=(0.05, -0.04, 0.05)))[0]
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(frame[edge].astype(int) - noisy[edge]).max() <= 4


def test_nothing_folds_when_the_head_turns_far():
    rows = np.tile(np.linspace(0, 255, 512).astype(np.uint8)[None, :, None], (512, 1, 3))
    identity = identity_of(landmarks_of())
    ramp = PortraitIdentity("ramp", rows, identity.landmarks, identity.pose, 0, identity.eye_opening, identity.closing)
    frame = PortraitPainter(ramp).paint(motion(turn=(0.2, 0, 0)))[0]
    assert np.diff(frame[..., 0].astype(int), axis=1).min() >= -2


def test_parted_lips_show_the_inside_of_the_mouth_and_no_lip():
    landmarks = landmarks_of()
    painter = PortraitPainter(identity_of(landmarks))
    frame = painter.paint(motion(displacement=lips_apart(0.10)))[0]
    deep = mouth_pixels(frame, landmarks, 0.06 * SCALE).mean((0, 1))
    assert deep.max() < 110, deep


def test_upper_teeth_show_when_the_lips_part():
    landmarks = landmarks_of()
    frame = PortraitPainter(identity_of(landmarks)).paint(motion(displacement=lips_apart(0.08)))[0]
    bright = mouth_pixels(frame, landmarks, 0.010 * SCALE).mean(0)
    spread = bright.max(1) - bright.min(1)
    assert bright.mean() > 120
    assert spread.mean() < 60, "teeth are nearly colourless"


def test_lips_of_an_open_mouth_meet_under_the_closing_displacement():
    landmarks = landmarks_of(gap=0.03)
    identity = identity_of(landmarks)
    identity.picture[round(float(landmarks[13, 1])) + 1 : round(float(landmarks[14, 1])), 236:277] = 240
    shown = np.count_nonzero((identity.picture[240:330, 236:277] > 225).all(-1))
    frame = PortraitPainter(identity).paint(motion(displacement=identity.closing))[0]
    left = np.count_nonzero((frame[240:330, 236:277] > 225).all(-1))
    assert identity.rest_gap > 0.02
    assert shown > 100
    assert left < 0.1 * shown


def test_teeth_that_a_rising_lip_uncovers_have_no_streaks():
    landmarks = landmarks_of(gap=0.04)
    picture = drawn_face(landmarks)
    between = np.concatenate([landmarks[list(UPPER_LIP), :2], landmarks[list(LOWER_LIP), :2][::-1]])
    cv2.fillPoly(picture, [np.round(between).astype(np.int32)], (230, 225, 215))
    top = round(float(landmarks[13, 1]))
    picture[top + 1 : top + 4, 226:287:3] = (150, 120, 115)  # specks at the lip's edge
    pose = fit_pose(landmarks)
    none = np.zeros((468, 3), np.float32)
    identity = PortraitIdentity("teeth", picture, landmarks, pose, 0.04, np.array([0.3, 0.3], np.float32), none)
    lifted = none.copy()
    vertices = canonical_mesh().vertices
    above = (vertices[:, 1] < vertices[LOWER_LIP[5], 1]) & (np.abs(vertices[:, 0]) < 0.2)
    lifted[above, 1] = -0.04 * np.clip(1 - (vertices[13, 1] - vertices[above, 1]) / 0.2, 0, 1)
    lifted[list(LOWER_LIP)] = 0
    frame = PortraitPainter(identity).paint(motion(displacement=lifted))[0]
    uncovered = frame[top - 6 : top - 3, 240:273].astype(float).mean((0, 2))
    assert uncovered.mean() > 120, "teeth"
    assert uncovered.std() < 12


def test_shut_lids_hide_the_eyes_and_half_shut_lids_do_not_squash_the_iris():
    landmarks = landmarks_of()
    identity = identity_of(landmarks)
    painter = PortraitPainter(identity)
    upper, lower = landmarks[159, 1], landmarks[145, 1]
    part = np.s_[int(upper) - 2 : int(lower) + 3, int(landmarks[33, 0]) : int(landmarks[133, 0])]

    def dark(frame: np.ndarray) -> np.ndarray:
        return (frame[part].astype(int).sum(-1) < 240).sum(1)

    shut = painter.paint(motion(lids=(1, 1)))[0]
    assert dark(shut).sum() < 0.05 * dark(identity.picture).sum()
    open_rows, half_rows = dark(identity.picture), dark(painter.paint(motion(lids=(0.6, 0.6)))[0])
    seen = half_rows > 0
    assert 0 < seen.sum() < (open_rows > 0).sum()
    assert half_rows.max() == pytest.approx(open_rows.max(), abs=2), "as wide as before: covered, not squashed"


def test_nothing_white_shines_between_shut_lids_though_an_edge_was_traced_too_high():
    landmarks = landmarks_of()
    seen = drawn_face(landmarks)
    for upper, lower in (RIGHT_EYE, LEFT_EYE):
        outline = np.concatenate([landmarks[list(upper), :2], landmarks[list(lower), :2][::-1]])
        cv2.fillPoly(seen, [np.round(outline).astype(np.int32)], (235, 235, 235))
        landmarks[list(lower[1:-1]), 1] -= 2
    traced = identity_of(landmarks)
    identity = PortraitIdentity("high", seen, landmarks, traced.pose, 0, traced.eye_opening, traced.closing)
    frame = PortraitPainter(identity).paint(motion(lids=(1, 1)))[0]
    white = [(picture.min(-1) > 200).sum() for picture in (seen, frame)]
    assert white[0] > 150
    assert white[1] < 0.08 * white[0]


def test_gaze_moves_the_irises_by_its_share_of_the_eye():
    landmarks = landmarks_of()
    identity = identity_of(landmarks)
    frame = PortraitPainter(identity).paint(motion(gaze=(0.1, 0)))[0]
    width = landmarks[133, 0] - landmarks[33, 0]
    moved = middle_of(frame, IRIS) - middle_of(identity.picture, IRIS)
    assert moved[0] == pytest.approx(0.1 * width, abs=1.0)


def test_frames_do_not_depend_on_the_frames_before():
    painter = PortraitPainter(identity_of(landmarks_of()))
    last = motion(turn=(0.1, 0, 0), displacement=lips_apart(0.05), lids=(0.5, 0.5))
    alone = painter.paint(last)[0]
    painter.paint(motion(4, turn=(-0.1, 0.1, 0), gaze=(0.1, 0)))
    assert np.array_equal(painter.paint(last)[0], alone)


# Refusals


def noise(side=512) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("faces", "words"),
    [
        ((), "no face was found"),
        ((face(landmarks_of()), face(landmarks_of())), "it shows two faces"),
        ((face(landmarks_of(scale=60)),), "too small"),
        ((face(landmarks_of((0.7, 0, 0))),), "turned too far"),
        ((face(landmarks_of((0, 0, 0.8))),), "turned too far"),
        ((face(landmarks_of(), score=0.7),), "can't be made out"),
    ],
)
def test_a_picture_that_cannot_serve_is_refused_with_the_reason(faces, words):
    with pytest.raises(PerformerError) as refusal:
        make_identity(noise(), Finds(*faces))
    assert refusal.value.problem is Problem.PICTURE_REFUSED
    assert refusal.value.title.startswith("This picture can't be used: ")
    assert words in refusal.value.title
    assert refusal.value.advice


def test_a_blurred_picture_is_refused():
    with pytest.raises(PerformerError, match="too blurred"):
        make_identity(cv2.GaussianBlur(drawn_face(landmarks_of()), (0, 0), 12), Finds(face(landmarks_of())))


def test_one_of_several_faces_can_be_chosen():
    small = landmarks_of(scale=120, centre=(400, 300))
    identity = make_identity(noise(), Finds(face(landmarks_of()), face(small)), face=1)
    assert identity.pose.scale == pytest.approx(120 / (120 / 0.36) * 512, rel=0.05)


def test_missing_models_say_how_to_get_them(tmp_path):
    with pytest.raises(PerformerError) as missing:
        FaceFinder(tmp_path)
    assert missing.value.problem is Problem.MODEL_MISSING
    assert missing.value.advice == "Run `make models`."


def test_damaged_models_are_named(tmp_path):
    (tmp_path / "face_detection_short_range.tflite").write_bytes(b"nonsense" * 20)
    with pytest.raises(PerformerError) as damaged:
        FaceFinder(tmp_path)
    assert damaged.value.problem is Problem.MODEL_DAMAGED


@needs_models
@pytest.mark.parametrize("name", ["amara", "erik", "mei", "rafael"])
def test_a_shipped_portrait_serves_and_rests_exactly(finder, name):
    identity = make_identity(read_picture(SHIPPED / f"{name}.jpg"), finder)
    assert identity.picture.shape == (512, 512, 3)
    assert identity.rest_gap == 0
    assert np.abs(np.array(identity.pose.angles)).max() < 0.25
    assert np.array_equal(PortraitPainter(identity).paint(motion())[0], identity.picture)


@needs_models
def test_the_same_picture_has_the_same_key_and_another_has_another(finder):
    keys = [make_identity(read_picture(SHIPPED / f"{name}.jpg"), finder).key for name in ("mei", "mei", "erik")]
    assert keys[0] == keys[1] != keys[2]


@needs_models
def test_two_people_in_one_picture_are_refused(finder):
    pair = np.concatenate([read_picture(SHIPPED / f"{name}.jpg") for name in ("mei", "erik")], axis=1)
    assert len(finder.find(pair)) == 2
    with pytest.raises(PerformerError, match="two faces"):
        make_identity(pair, finder)


@needs_models
def test_a_face_far_off_the_middle_of_a_wide_picture_is_found_and_cropped(finder):
    wide = np.full((1100, 2600, 3), 128, np.uint8)
    wide[300:1000, 1800:2500] = cv2.resize(
        read_picture(SHIPPED / "rafael.jpg"), (700, 700), interpolation=cv2.INTER_AREA
    )
    identity = make_identity(wide, finder)
    assert identity.landmarks[NOSE_TIP, 0] == pytest.approx(256, abs=60)
    assert 0.3 < identity.pose.scale / 512 < 0.6


@needs_models
@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (512, 512)])
def test_pictures_without_a_face_are_refused_at_every_size(finder, shape):
    with pytest.raises(PerformerError, match="no face was found"):
        make_identity(np.full((*shape, 3), 127, np.uint8), finder)


# Files


def written(tmp_path: Path, name: str, picture: Image.Image, **options) -> Path:
    path = tmp_path / name
    picture.save(path, **options)
    return path


def test_a_picture_lying_on_its_side_is_turned_upright(tmp_path):
    upright = Image.new("RGB", (40, 80), (255, 0, 0))
    upright.paste((0, 0, 255), (0, 40, 40, 80))
    tags = Image.Exif()
    tags[0x112] = 6
    read = read_picture(written(tmp_path, "side.jpg", upright.rotate(90, expand=True), exif=tags, quality=95))
    assert read.shape == (80, 40, 3)
    assert read[10, 20, 0] > 200
    assert read[70, 20, 2] > 200


def test_transparency_lies_over_neutral_grey(tmp_path):
    read = read_picture(written(tmp_path, "clear.png", Image.new("RGBA", (8, 8), (255, 0, 0, 0))))
    assert read[4, 4].tolist() == [118, 118, 118]


@pytest.mark.parametrize("mode", ["CMYK", "L", "LA", "P", "1", "I;16", "RGBA"])
def test_every_kind_of_pixel_becomes_rgb_of_about_the_same_brightness(tmp_path, mode):
    grey = Image.new("L", (32, 32), 255)
    if mode == "I;16":
        picture = Image.fromarray(np.full((32, 32), 65535, np.uint16))
    else:
        picture = grey.convert("RGB").convert(mode)
    read = read_picture(written(tmp_path, "kind." + ("tif" if mode == "CMYK" else "png"), picture))
    assert read.shape == (32, 32, 3)
    assert read.dtype == np.uint8
    assert read.mean() > 240


def test_a_huge_picture_is_read_small(tmp_path):
    read = read_picture(written(tmp_path, "huge.jpg", Image.new("L", (12_000, 9_000), 90), quality=40))
    assert max(read.shape) <= 3072
    assert read.shape[1] / read.shape[0] == pytest.approx(12 / 9, rel=0.01)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(300), b"\xff\xd8\xff\xe0" + bytes(50)])
def test_a_file_that_is_no_picture_is_said_to_be_none(tmp_path, content):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(PerformerError) as refusal:
        read_picture(tmp_path / "broken.png")
    assert refusal.value.problem is Problem.PICTURE_UNREADABLE
    assert refusal.value.title == "This file can't be read as a picture."


def test_half_a_picture_and_a_missing_one_are_unreadable(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(noise(256)).save(whole, "JPEG")
    (tmp_path / "half.jpg").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    for name in ("half.jpg", "nowhere.jpg"):
        with pytest.raises(PerformerError) as refusal:
            read_picture(tmp_path / name)
        assert refusal.value.problem is Problem.PICTURE_UNREADABLE
