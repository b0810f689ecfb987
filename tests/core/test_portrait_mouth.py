"""The mouth of difficult portraits (turned, grey, traced wrongly, covered), and pictures that end too soon."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.errors import PerformerError, Problem
from core.performer.portrait.field import LOWER_LAYER, UPPER_LAYER, depth_of, field_at, grid
from core.performer.portrait.identity import PortraitIdentity, closing_of, make_identity
from core.performer.portrait.imaging import continued
from core.performer.portrait.mesh import LIP_RINGS, LOWER_LIP, OUTER_LIPS, UPPER_LIP, fit_pose
from core.performer.portrait.seam import with_seam
from core.performer.portrait.warp import PortraitPainter
from tests.core.drawn_faces import (
    LIP,
    SCALE,
    SKIN,
    Finds,
    drawn_face,
    face,
    identity_of,
    landmarks_of,
    lips_apart,
    motion,
    mouth_pixels,
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    cv2.setNumThreads(1)


def overlapping() -> np.ndarray:
    """Landmarks whose upper lip was traced over the lower one, as in turned heads."""
    landmarks = landmarks_of((0.2, 0.15, 0.0))
    landmarks[list(LIP_RINGS[0][1][1:-1]), 1] += 9
    landmarks[list(LIP_RINGS[0][1][1:-1]), 2] -= 5
    return landmarks


def test_no_piece_of_lip_hangs_in_an_open_mouth_though_the_traced_lips_overlap():
    landmarks = overlapping()
    frame = PortraitPainter(identity_of(landmarks)).paint(motion(displacement=lips_apart(0.13)))[0]
    inside = mouth_pixels(frame, landmarks, 0.07 * SCALE)
    assert np.abs(inside - np.array(LIP)).sum(-1).min() > 90


def test_flesh_beyond_a_lips_edge_moves_as_the_edge_does():
    landmarks = overlapping()
    pose = fit_pose(landmarks)
    x = float(landmarks[13, 0])
    edge = float(landmarks[14, 1])
    column = np.array([[x, edge - 30], [x, edge - 8], [x, edge - 1]], np.float32)
    lower = field_at(column, landmarks, pose, depth_of(landmarks, pose, 512), LOWER_LAYER)
    moved = np.zeros((468, 2), np.float32)
    moved[list(LOWER_LIP), 1] = 20
    down = lower.move(moved, np.zeros((2, 3), np.float32), np.zeros(2, np.float32))[:, 1]
    assert down == pytest.approx([20, 20, 20], abs=1.0)


def test_both_layers_agree_past_the_corners_where_the_cut_heals():
    landmarks = landmarks_of()
    pose = fit_pose(landmarks)
    depth = depth_of(landmarks, pose, 512)
    left = float(landmarks[LOWER_LIP[0], 0])
    points = grid(left - 40, float(landmarks[13, 1]) - 2, 3, 3, 2).reshape(-1, 2)
    rng = np.random.default_rng(0)
    moved = rng.normal(0, 5, (468, 2)).astype(np.float32)
    none = np.zeros((2, 3), np.float32), np.zeros(2, np.float32)
    both = [field_at(points, landmarks, pose, depth, layer).move(moved, *none) for layer in (UPPER_LAYER, LOWER_LAYER)]
    assert both[0] == pytest.approx(both[1], abs=0.2)


def test_the_lips_flesh_comes_along_with_their_inner_edge():
    picture = drawn_face(landmarks_of())
    traced = landmarks_of()
    shifted = traced.copy()
    shifted[list(UPPER_LIP), 1] += 4
    shifted[list(LOWER_LIP), 1] += 4
    seamed = with_seam(picture, shifted, SCALE, closed=True)
    for edge, rings, outer in zip((UPPER_LIP, LOWER_LIP), LIP_RINGS, (OUTER_LIPS[5], OUTER_LIPS[15]), strict=True):
        down = [seamed[index, 1] for index in (outer, rings[0][5], rings[1][5], edge[5])]
        assert np.all(np.diff(down) > 0) or np.all(np.diff(down) < 0), down


def test_a_grey_photograph_has_a_grey_mouth():
    landmarks = landmarks_of()
    coloured = identity_of(landmarks)
    grey = np.repeat(cv2.cvtColor(coloured.picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    identity = PortraitIdentity(
        "grey", grey, landmarks, coloured.pose, 0.0, coloured.eye_opening, closing_of(landmarks, coloured.pose)
    )
    for painted, least, most in ((identity, 0, 4), (coloured, 20, 255)):
        frame = PortraitPainter(painted).paint(motion(displacement=lips_apart(0.12)))[0]
        inside = mouth_pixels(frame, landmarks, 0.09 * SCALE)
        assert least <= (inside.max(-1) - inside.min(-1)).max() <= most


def test_rounded_lips_leave_the_teeth_in_their_shadow():
    landmarks = landmarks_of()
    painter = PortraitPainter(identity_of(landmarks))
    apart = lips_apart(0.06)
    narrow = apart.copy()
    narrow[OUTER_LIPS[0], 0], narrow[OUTER_LIPS[10], 0] = 0.03, -0.03
    bright = [
        mouth_pixels(painter.paint(motion(displacement=d))[0], landmarks, 0.012 * SCALE).mean() for d in (apart, narrow)
    ]
    assert bright[1] < 0.8 * bright[0]


@pytest.mark.parametrize(
    ("place", "words"), [((13, 14), "the mouth is covered"), ((33, 263), "the eyes are covered")], ids=["mouth", "eyes"]
)
def test_a_covered_mouth_or_covered_eyes_are_refused_in_words(place, words):
    landmarks = landmarks_of()
    picture = drawn_face(landmarks)
    x, y = landmarks[list(place), :2].mean(0).astype(int)
    cv2.rectangle(picture, (x - 90, y - 32), (x + 90, y + 40), (60, 90, 140), -1)
    with pytest.raises(PerformerError, match=words) as refusal:
        make_identity(picture, Finds(face(landmarks)))
    assert refusal.value.problem is Problem.PICTURE_REFUSED
    assert refusal.value.advice


def test_a_picture_that_ends_too_soon_goes_on_softly():
    rng = np.random.default_rng(3)
    stripes = np.repeat(rng.integers(0, 255, (1, 200, 3), dtype=np.uint8), 200, axis=0)
    wide = continued(stripes, (60, 0, 0, 20))
    assert wide.shape == (260, 220, 3)
    assert np.array_equal(wide[60:, :200], stripes)
    detail = np.abs(np.diff(wide[:, :200].astype(int), axis=1)).mean((1, 2))
    assert detail[0] < 0.2 * detail[100], "nothing of the stripes is left at the edge"
    assert np.abs(wide[59, :200].astype(int) - stripes[0]).mean() < 20, "and no seam where the picture ends"


def test_a_face_that_fills_its_picture_is_not_framed_with_invented_surroundings():
    landmarks = landmarks_of(scale=300, centre=(256.0, 260.0))
    picture = cv2.resize(drawn_face(landmarks), (512, 512))
    identity = make_identity(picture, Finds(face(landmarks)))
    assert np.array_equal(identity.picture[5], picture[5])
    assert np.allclose(SKIN, identity.picture[300, 200], atol=3)


def test_the_rim_of_glasses_stays_where_it_is_when_the_eyes_shut():
    landmarks = landmarks_of()
    picture = drawn_face(landmarks)
    width = landmarks[133, 0] - landmarks[33, 0]
    under = round(float(landmarks[[159, 386], 1].min() - 0.17 * width))
    left, right = round(float(landmarks[33, 0] - 12)), round(float(landmarks[263, 0] + 12))
    cv2.rectangle(picture, (left, under - 7), (right, under), (20, 20, 25), -1)
    bare = identity_of(landmarks)
    identity = PortraitIdentity("glasses", picture, landmarks, bare.pose, 0.0, bare.eye_opening, bare.closing)
    frame = PortraitPainter(identity).paint(motion(lids=(1, 1)))[0]
    rim = np.s_[under - 7 : under + 1, left + 6 : right - 6]
    assert np.abs(frame[rim].astype(int) - picture[rim]).max() < 30
    shut = frame[
        round(float(landmarks[159, 1])) + 2 : round(float(landmarks[145, 1])) - 1, round(float(landmarks[159, 0]))
    ]
    assert np.abs(shut.astype(int) - np.array(SKIN)).sum(-1).mean() < 120


def test_the_upper_teeth_are_still_seen_when_the_upper_lip_sinks_with_the_jaw():
    landmarks = landmarks_of()
    sinking = lips_apart(0.12)
    rings = (UPPER_LIP, *LIP_RINGS[0], OUTER_LIPS[:11])
    sinking[[point for ring in rings for point in ring[2:-2]], 1] = 0.02
    frame = PortraitPainter(identity_of(landmarks)).paint(motion(displacement=sinking))[0]
    x, y = landmarks[13, :2].astype(int)
    below_lip = frame[y : y + 20, x - 6 : x + 7].astype(int)
    pale = (below_lip.min(-1) > 75) & (below_lip.max(-1) - below_lip.min(-1) < 60)
    assert pale.mean(1).max() > 0.8
