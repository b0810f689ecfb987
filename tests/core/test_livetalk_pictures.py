"""What LiveTalk shows of a picture that is not square: the part with the face that is meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from core.performer.device import CpuDevice
from core.performer.livetalk.frames import to_pixels
from core.performer.livetalk.model import random_model
from core.performer.livetalk.performer import LiveTalkPerformer
from core.performer.livetalk.picture import framed
from core.performer.livetalk.spec import FAST
from core.performer.livetalk.whereabouts import FacePlaces
from core.performer.portrait.identity import read_picture
from core.performer.portrait.landmarks import FaceFinder
from core.performer.protocol import UNSAID, Said
from core.settings import assets_folder, models_folder
from tests.livetalk_weights import MINI

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.livetalk.whereabouts import Point
    from core.performer.portrait.landmarks import Face

FACES = models_folder() / "face"
SIDE = 320
needs_face_models = pytest.mark.skipif(not FACES.is_dir(), reason="the face models are not here: run `make models`")


def person(name: str) -> Pixels:
    shipped = read_picture(assets_folder() / "portraits" / f"{name}.jpg")
    return np.asarray(cv2.resize(shipped, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def wall(rows: int, columns: int, *people: tuple[str, int, int]) -> Pixels:
    """A grey wall with people before it: name, top and left."""
    made = np.full((rows, columns, 3), 120, np.uint8)
    for name, top, left in people:
        made[top : top + SIDE, left : left + SIDE] = person(name)
    return made


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    cv2.setNumThreads(1)
    return FaceFinder(FACES)


@pytest.fixture
def places(tmp_path: Path) -> FacePlaces:
    return FacePlaces(FACES, tmp_path / "avatars")


def seen(finder: FaceFinder, image: Pixels, place: Point | None) -> list[Face]:
    """The faces in what is shown of a picture."""
    return finder.find(to_pixels(framed(image, 512, 512, place)[None, :, None]).numpy()[0])


@needs_face_models
@pytest.mark.parametrize("left", [0, 640])
def test_a_face_at_the_side_of_a_wide_picture_is_kept_whole(finder: FaceFinder, places: FacePlaces, left: int) -> None:
    image = wall(SIDE, 960, ("amara", 0, left))
    assert seen(finder, image, None) == [], "the middle of the picture shows a wall"
    (face,) = seen(finder, image, places.middle(image))
    assert (face.box > 0).all()
    assert (face.box < 512).all()


@needs_face_models
def test_a_face_at_the_foot_of_a_high_picture_is_kept_whole(finder: FaceFinder, places: FacePlaces) -> None:
    image = wall(960, SIDE, ("mei", 640, 0))
    assert seen(finder, image, None) == []
    (face,) = seen(finder, image, places.middle(image))
    assert face.box[3] < 512


@needs_face_models
def test_a_face_in_the_middle_stays_there_with_room_above_and_shoulders_below(
    finder: FaceFinder, places: FacePlaces
) -> None:
    image = wall(900, 400, ("erik", 280, 40))
    (face,) = seen(finder, image, places.middle(image))
    left, top, right, bottom = (float(edge) for edge in face.box)
    assert abs((left + right) / 2 - 256) < 16
    assert abs((top + bottom) / 2 - 0.42 * 512) < 16


@needs_face_models
def test_of_several_the_one_who_was_chosen_is_shown_and_remembered(places: FacePlaces) -> None:
    image = wall(SIDE, 960, ("amara", 0, 0), ("erik", 0, 640))
    largest = places.middle(image)
    other = places.middle(image, Said(face=1))
    assert largest is not None
    assert other is not None
    assert abs(largest[0] - other[0]) > SIDE
    assert places.middle(image) == other, "nobody has to say it again"
    assert places.middle(image, Said(anew=True)) == largest


@needs_face_models
def test_a_face_that_was_shown_by_points_is_where_they_say(places: FacePlaces) -> None:
    drawing = wall(SIDE, 960)
    points = ((700.0, 100.0), (760.0, 100.0), (730.0, 140.0), (705.0, 180.0), (755.0, 180.0))
    assert places.middle(drawing) is None
    assert places.middle(drawing, Said(points=points)) == pytest.approx((730.0, 140.0))
    assert places.middle(drawing) == pytest.approx((730.0, 140.0))


def test_without_the_face_models_the_middle_is_shown_and_the_log_says_so(
    tmp_path: Path, expected_log: list[str]
) -> None:
    expected_log.append("the picture is cut to its middle")
    assert FacePlaces(tmp_path, tmp_path).middle(wall(SIDE, 960, ("amara", 0, 0))) is None


class Recorded(FacePlaces):
    def __init__(self) -> None:
        super().__init__(Path(), Path())
        self.asked: list[Said] = []

    def middle(self, image: Pixels, said: Said = UNSAID) -> Point | None:
        self.asked.append(said)
        return 100.0, 20.0


def test_the_performer_asks_only_where_something_falls_off_and_shows_what_it_is_told() -> None:
    faces = Recorded()
    performer = LiveTalkPerformer(random_model(MINI, FAST, CpuDevice()), CpuDevice(), faces=faces)
    pixels = np.random.default_rng(0).integers(0, 256, (80, 120, 3), np.uint8)
    performer.prepare(pixels[:, :80])
    assert faces.asked == []
    shown = performer.prepare(pixels, Said(face=1))
    assert faces.asked == [Said(face=1)]
    wanted = to_pixels(framed(pixels, MINI.height, MINI.width, (100.0, 20.0))[None, :, None]).numpy()[0]
    assert np.array_equal(shown.picture, wanted)
    assert shown.key != LiveTalkPerformer(performer._model, CpuDevice()).prepare(pixels).key
