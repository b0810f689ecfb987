"""PortraitIdentity: everything about a portrait that does not move.

A picture is read, cropped to head and shoulders, traced, and refused with a reason where it cannot serve.
"""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import NoFace, PerformerError, Problem, SeveralFaces
from core.performer.portrait.covered import eyes_show, mouth_shows
from core.performer.portrait.drawn import laid_on_drawing
from core.performer.portrait.five_points import landmarks_from, like_a_face
from core.performer.portrait.imaging import continued, grey, resized
from core.performer.portrait.mesh import LEFT_EYE, LOWER_LIP, RIGHT_EYE, UPPER_LIP, fit_pose
from core.performer.portrait.seam import with_seam

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Pixels
    from core.performer.portrait.five_points import FivePoints
    from core.performer.portrait.imaging import Floats
    from core.performer.portrait.landmarks import Face, FaceFinder
    from core.performer.portrait.mesh import Pose


SIDE = 512
READ_SIDE = 3072
"""Longest side of a picture once read; larger ones are averaged down."""
FACE_SHARE = (0.36, 0.60)
"""Face height as a share of the crop: the least that is made, the most that is kept."""
EYE_LINE = 0.41
"""Where the middle of the face comes to lie, from the top of the crop."""
MIN_FACE_PX = 80
MAX_YAW, MAX_PITCH, MAX_ROLL = np.deg2rad(32), np.deg2rad(30), np.deg2rad(30)
MIN_SURE = 0.93
"""Least confidence of the landmark network; a covered or strange face gets less."""
MIN_SHARPNESS = 4.0

REFUSED = "This picture can't be used: {}"

PRESS = 0.005
"""Face heights by which open lips are closed beyond touching, so that no line of teeth is left between them."""


@dataclass(frozen=True, eq=False)
class PortraitIdentity:
    """A portrait, ready to be moved. Immutable."""

    key: str
    picture: Pixels
    """[512, 512, 3] RGB."""
    landmarks: Floats
    """[468, 3] px of `picture`."""
    pose: Pose
    rest_gap: float
    """Opening between the lips at rest, in face heights; 0 when they touch."""
    eye_opening: Floats
    """[2] height over width of the subject's right and left eye at rest."""
    closing: Floats
    """[468, 3] displacement, as in `FaceMotion`, that brings the resting lips together; zero when they touch."""


def read_picture(path: Path) -> Pixels:
    """The picture in a file as upright RGB; transparency lies over neutral grey.

    Raises:
        PerformerError: the file is not a picture or is damaged (`PICTURE_UNREADABLE`), or too large to be read
            (`PICTURE_REFUSED`).
    """
    try:
        with (
            warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning),
            Image.open(path) as opened,
        ):
            opened.draft("RGB", (READ_SIDE, READ_SIDE))
            upright = ImageOps.exif_transpose(opened)
            return _as_rgb(upright)
    except Image.DecompressionBombError as error:
        raise _refused("it is too large.", "Open a smaller one, under 170 megapixels.") from error
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise PerformerError(
            Problem.PICTURE_UNREADABLE,
            "This file can't be read as a picture.",
            "It may be damaged.",
            detail=f"{path.name}: {error}",
        ) from error


def make_identity(
    image: Pixels, finder: FaceFinder, face: int | None = None, points: FivePoints | None = None
) -> PortraitIdentity:
    """The identity of the one face in an RGB picture.

    Args:
        image: [h, w, 3] of any size.
        finder: finds and traces faces.
        face: which face to take, largest first, when there are several.
        points: where a person says that the face is; then nothing is looked for.

    Raises:
        NoFace: there is none to be found.
        SeveralFaces: there is more than one, and `face` does not say which.
        PerformerError: the picture cannot serve (`PICTURE_REFUSED`).
    """
    if points is not None:
        traced = _shown(points)
        _refuse_unfit(traced)
        return _prepared(image, traced, drawn=True)
    chosen = _choose(finder.find(image), face)
    _refuse_unfit(chosen.landmarks)
    _refuse_unsure(image, chosen)
    return _prepared(image, chosen.landmarks)


def _prepared(image: Pixels, traced: Floats, *, drawn: bool = False) -> PortraitIdentity:
    """The identity of the face with these landmarks, in px of `image`; `drawn` when they only say where it is."""
    left, top, side = _crop(traced, image.shape[1], image.shape[0])
    picture = _cut(image, left, top, side)
    traced = (traced - np.array([left, top, 0])) * (SIDE / side)
    traced[:, :2] += 0.5 * SIDE / side - 0.5  # pixel centres, as cv2.resize counts them
    traced = traced.astype(np.float32)
    pose = fit_pose(traced)
    if drawn:
        traced = laid_on_drawing(picture, traced, pose.scale)
    else:
        _refuse_covered(picture, traced, pose.scale)
    landmarks = with_seam(picture, traced, pose.scale, closed=drawn)
    gap = float(max(0.0, _lip_gap(landmarks) / pose.scale))
    return PortraitIdentity(
        key=hashlib.sha256(picture.tobytes()).hexdigest(),
        picture=picture,
        landmarks=landmarks,
        pose=pose,
        rest_gap=gap,
        eye_opening=np.array([_opening(landmarks, RIGHT_EYE), _opening(landmarks, LEFT_EYE)], np.float32),
        closing=closing_of(landmarks, pose),
    )


def _as_rgb(picture: Image.Image) -> Pixels:
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(picture).astype(np.float32)
        full = 65535.0 if values.max() > 255 else 255.0
        picture = Image.fromarray(np.clip(values * (255 / full), 0, 255).astype(np.uint8))
    if max(picture.size) > READ_SIDE:
        picture.thumbnail((READ_SIDE, READ_SIDE), Image.Resampling.BOX)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, (118, 118, 118, 255))
        picture = Image.alpha_composite(ground, picture)
    return np.array(picture.convert("RGB"))


def _choose(faces: list[Face], wanted: int | None) -> Face:
    if not faces:
        raise NoFace(
            Problem.PICTURE_REFUSED,
            REFUSED.format("no face was found."),
            "Use a picture from the front, both eyes visible.",
        )
    if wanted is not None:
        return faces[min(wanted, len(faces) - 1)]
    largest = faces[0].box[3] - faces[0].box[1]
    rivals = [face for face in faces if face.box[3] - face.box[1] > 0.4 * largest]
    if len(rivals) > 1:
        words = {2: "two", 3: "three", 4: "four", 5: "five"}
        number = words.get(len(rivals), "many")
        raise SeveralFaces(
            Problem.PICTURE_REFUSED,
            REFUSED.format(f"it shows {number} faces. LiveTalk needs one."),
            "Crop it to one person, or open another picture.",
            [(float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in (face.box for face in rivals)],
        )
    return faces[0]


def _shown(points: FivePoints) -> Floats:
    if not like_a_face(points):
        raise _refused(
            "the five points don't lie like a face.", "Place them on both eyes, the nose and the mouth's corners."
        )
    return landmarks_from(points)


def _refuse_unfit(landmarks: Floats) -> None:
    pose = fit_pose(landmarks)
    yaw, pitch, roll = pose.angles
    if pose.scale < MIN_FACE_PX:
        raise _refused("the face is too small.", "Use a picture in which the face is larger.")
    if abs(yaw) > MAX_YAW or abs(pitch) > MAX_PITCH or abs(roll) > MAX_ROLL:
        raise _refused("the face is turned too far away.", "Use a picture from the front, both eyes visible.")


def _refuse_unsure(image: Pixels, face: Face) -> None:
    if face.score < MIN_SURE:
        raise NoFace(
            Problem.PICTURE_REFUSED,
            REFUSED.format("the face can't be made out."),
            "Use a picture from the front, eyes and mouth uncovered.",
        )
    if _sharpness(image, face) < MIN_SHARPNESS:
        raise _refused("it is too blurred.", "Use a sharper picture.")


def _refuse_covered(picture: Pixels, landmarks: Floats, face_height: float) -> None:
    if not mouth_shows(picture, landmarks, face_height):
        raise _refused("the mouth is covered.", "Use a picture in which the whole face is seen.")
    if not eyes_show(picture, landmarks):
        raise _refused("the eyes are covered.", "Use a picture in which the whole face is seen.")


def _refused(reason: str, advice: str) -> PerformerError:
    return PerformerError(Problem.PICTURE_REFUSED, REFUSED.format(reason), advice)


def _sharpness(image: Pixels, face: Face) -> float:
    """Spread of the finest detail in the face against its contrast, with a large face brought to 256 px."""
    left, top, right, bottom = (round(float(v)) for v in face.box)
    part = image[max(0, top) : bottom, max(0, left) : right]
    scale = min(1.0, 256 / max(1, part.shape[0]))
    small = resized(part, (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))))
    bright = grey(small)
    contrast = max(float(bright.std()), 8.0)
    return float(np.asarray(cv2.Laplacian(bright, cv2.CV_32F)).std()) * 40 / contrast


def _crop(landmarks: Floats, width: int, height: int) -> tuple[float, float, float]:
    """Left, top and side of the square that shows head and shoulders, in px; inside the picture where it can be."""
    face_height = fit_pose(landmarks).scale
    side = face_height / FACE_SHARE[0]
    largest = min(width, height)
    if side > largest:
        side = float(np.clip(largest, face_height / FACE_SHARE[1], side))
    middle_x, middle_y = landmarks[:, :2].min(0) * 0.5 + landmarks[:, :2].max(0) * 0.5
    left, top = float(middle_x - side / 2), float(middle_y - (EYE_LINE + 0.07) * side)
    if side <= width:
        left = float(np.clip(left, 0, width - side))
    if side <= height:
        top = float(np.clip(top, 0, height - side))
    return left, top, side


def _cut(image: Pixels, left: float, top: float, side: float) -> Pixels:
    x, y, size = round(left), round(top), max(1, round(side))
    height, width = image.shape[:2]
    pads = (max(0, -y), max(0, y + size - height), max(0, -x), max(0, x + size - width))
    part = image[max(0, y) : min(height, y + size), max(0, x) : min(width, x + size)]
    if any(pads):
        part = continued(part, pads)
    return np.ascontiguousarray(resized(part, (SIDE, SIDE), cubic=True))


def _lip_gap(landmarks: Floats) -> float:
    return float(landmarks[[14, 87, 317], 1].mean() - landmarks[[13, 82, 312], 1].mean())


def _opening(landmarks: Floats, eye: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
    upper, lower = landmarks[list(eye[0])], landmarks[list(eye[1])]
    width = np.hypot(*(upper[-1] - upper[0])[:2])
    return float((lower[3:6, 1] - upper[3:6, 1]).mean() / max(width, 1e-3))


def closing_of(landmarks: Floats, pose: Pose) -> Floats:
    """Displacement [468, 3] that brings the inner lips together, and takes lips and chin along, less and less."""
    moved = np.zeros((468, 3), np.float32)
    local = (landmarks - pose.origin) @ pose.rotation / pose.scale
    upper, lower = list(UPPER_LIP), list(LOWER_LIP)
    opening = local[lower, 1] - local[upper, 1]
    gap = np.maximum(opening, 0)
    gap = gap + PRESS * np.clip(gap / 0.01, 0, 1)
    if gap.max() <= 0:
        return moved
    moved[lower, 1] -= 0.65 * gap
    moved[upper, 1] += 0.35 * gap
    middle = local[[13, 14]].mean(0)
    for point in range(468):
        if point in upper or point in lower or local[point, 1] < local[2, 1]:
            continue
        below = local[point, 1] > np.interp(local[point, 0], local[lower, 0], local[lower, 1])
        across = np.interp(local[point, 0], local[lower, 0], gap, left=gap[0], right=gap[-1])
        distance = abs(local[point, 1] - middle[1]) / (0.25 if below else 0.08)
        fade = max(0.0, 1 - distance)
        moved[point, 1] = (-0.65 if below else 0.35) * across * fade
    return moved
