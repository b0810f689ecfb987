"""Pictures and sounds as people have them: each serves, or is refused in words; nothing else ever happens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import soundfile
from PIL import Image

from core.errors import LiveTalkError, PerformerError, Problem
from core.media import MEDIA_RATE, SpeechBlock
from core.offline import read_sound, render
from core.performer.portrait.face_files import DETECTOR_FILE, LANDMARK_FILE
from core.performer.portrait.identity import make_identity, read_picture
from core.performer.portrait.landmarks import FaceFinder
from core.performer.portrait.performer import PortraitPerformer
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Pixels, Samples

FACES = models_folder() / "face"
WEIGHTS = assets_folder() / "models" / "portrait"
AMARA = assets_folder() / "portraits" / "amara.jpg"
pytestmark = pytest.mark.skipif(not FACES.is_dir(), reason="the face models are not here: run `make models`")


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    cv2.setNumThreads(1)
    return FaceFinder(FACES)


@pytest.fixture(scope="module")
def performer() -> PortraitPerformer:
    return PortraitPerformer(WEIGHTS, FACES)


def amara(side: int = 512) -> Image.Image:
    with Image.open(AMARA) as opened:
        return opened.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def pixels(picture: Image.Image) -> Pixels:
    return np.asarray(picture)


# Pictures


def cmyk(path: Path) -> Path:
    amara().convert("CMYK").save(path.with_suffix(".jpg"), quality=95)
    return path.with_suffix(".jpg")


def grey(path: Path) -> Path:
    amara().convert("L").save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def sixteen_bits(path: Path) -> Path:
    cv2.imwrite(str(path.with_suffix(".png")), pixels(amara())[..., ::-1].astype(np.uint16) * 257)
    return path.with_suffix(".png")


def sixteen_bits_grey(path: Path) -> Path:
    Image.fromarray(pixels(amara().convert("L")).astype(np.uint16) * 257).save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def palette(path: Path) -> Path:
    amara().quantize(256).save(path.with_suffix(".gif"))
    return path.with_suffix(".gif")


def clear_ground(path: Path) -> Path:
    picture = amara().convert("RGBA")
    mask = Image.new("L", picture.size, 0)
    mask.paste(255, (90, 0, 422, 512))
    picture.putalpha(mask)
    picture.save(path.with_suffix(".png"))
    return path.with_suffix(".png")


def on_its_side(path: Path) -> Path:
    tags = Image.Exif()
    tags[0x112] = 6
    amara().rotate(90, expand=True).save(path.with_suffix(".jpg"), exif=tags, quality=95)
    return path.with_suffix(".jpg")


def webp(path: Path) -> Path:
    amara().save(path.with_suffix(".webp"), quality=90)
    return path.with_suffix(".webp")


@pytest.mark.parametrize(
    "made",
    [cmyk, grey, sixteen_bits, sixteen_bits_grey, palette, clear_ground, on_its_side, webp],
    ids=lambda f: f.__name__,
)
def test_every_kind_of_file_gives_the_same_portrait(tmp_path, finder, made):
    plain = make_identity(pixels(amara()), finder)
    seen = make_identity(read_picture(made(tmp_path / "portrait")), finder)
    apart = np.hypot(*(seen.landmarks - plain.landmarks)[:, :2].T)
    assert apart.mean() < 3, "px"
    assert seen.picture.shape == (512, 512, 3)


def test_a_face_in_a_picture_of_a_hundred_megapixels_is_found(tmp_path, finder):
    wide = Image.new("L", (12_000, 9_000), 130)
    wide.paste(amara().convert("L").resize((5000, 5000), Image.Resampling.BILINEAR), (4000, 2000))
    wide.save(tmp_path / "wide.jpg", quality=50)
    identity = make_identity(read_picture(tmp_path / "wide.jpg"), finder)
    assert 0.3 < identity.pose.scale / 512 < 0.62


def drawn_cat() -> Pixels:
    """A cat's head: ears, slit eyes, a nose, whiskers."""
    picture = np.full((512, 512, 3), (120, 160, 110), np.uint8)
    fur, dark = (190, 150, 100), (40, 30, 30)
    for x in (150, 362):
        cv2.fillPoly(picture, [np.array([[x - 60, 200], [x, 60], [x + 60, 200]])], fur)
    cv2.ellipse(picture, (256, 290), (165, 145), 0, 0, 360, fur, -1)
    for x in (190, 322):
        cv2.ellipse(picture, (x, 260), (34, 26), 0, 0, 360, (200, 210, 90), -1)
        cv2.ellipse(picture, (x, 260), (6, 24), 0, 0, 360, dark, -1)
    cv2.fillPoly(picture, [np.array([[236, 320], [276, 320], [256, 342]])], (210, 120, 130))
    for sign in (-1, 1):
        for dy in (-12, 0, 12):
            cv2.line(picture, (256 + sign * 40, 340), (256 + sign * 190, 330 + 2 * dy), dark, 2)
    return picture


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (lambda: pixels(amara(140)), "too small"),
        (lambda: cv2.GaussianBlur(pixels(amara()), (0, 0), 9), "too blurred"),
        (lambda: np.rot90(pixels(amara())), "turned too far"),
        (lambda: pixels(amara())[::-1], "no face was found"),
        (lambda: drawn_cat(), "no face was found"),
        (lambda: np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8), "no face was found"),
        (lambda: np.zeros((31, 4000, 3), np.uint8), "no face was found"),
    ],
    ids=["tiny", "blurred", "lying", "upside down", "animal", "noise", "a line"],
)
def test_what_cannot_serve_is_refused_by_the_real_models_too(finder, picture, words):
    with pytest.raises(PerformerError, match=words) as refusal:
        make_identity(np.ascontiguousarray(picture()), finder)
    assert refusal.value.advice


@pytest.mark.parametrize(
    ("place", "words"), [("mouth", "the mouth is covered"), ("eyes", "the eyes are covered")], ids=["mask", "bar"]
)
def test_a_mask_and_a_bar_over_the_eyes_are_seen_in_a_real_portrait(finder, place, words):
    picture = pixels(amara()).copy()
    points = finder.find(picture)[0].landmarks
    x, y = points[[13, 14] if place == "mouth" else [33, 263], :2].mean(0).astype(int)
    high = 38 if place == "mouth" else 24
    cv2.rectangle(picture, (x - 75, y - high), (x + 75, y + high), (70, 110, 160), -1)
    grain = np.random.default_rng(0).normal(0, 5, (2 * high, 150, 3))
    part = picture[y - high : y + high, x - 75 : x + 75]
    part[:] = np.clip(part + grain, 0, 255).astype(np.uint8)
    with pytest.raises(PerformerError, match=words):
        make_identity(picture, finder)


def test_a_portrait_is_ready_within_a_second_and_a_half_of_one_thread(finder):
    picture = read_picture(AMARA)
    begun = time.process_time()
    make_identity(picture, finder)
    assert time.process_time() - begun < 1.5


def test_a_face_model_with_one_wrong_byte_is_found_by_its_hash(tmp_path):
    for name in (DETECTOR_FILE, LANDMARK_FILE):
        stored = bytearray((FACES / name).read_bytes())
        stored[len(stored) // 2] ^= 1
        (tmp_path / name).write_bytes(stored)
    with pytest.raises(PerformerError) as damaged:
        FaceFinder(tmp_path)
    assert damaged.value.problem is Problem.MODEL_DAMAGED
    assert damaged.value.advice == "Run `make models`."


# Sounds


def voice(seconds: float, rate: int) -> Samples:
    """Syllables of a buzzing voice."""
    times = np.arange(int(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 130 * k * times) / k for k in range(1, 20))
    return (0.2 * buzz * np.clip(np.sin(2 * np.pi * 3 * times), 0, None)).astype(np.float32)


@pytest.mark.parametrize(
    ("rate", "change"),
    [
        (8_000, lambda wave: wave),
        (48_000, lambda wave: np.stack([wave, 0.5 * wave], axis=1)),
        (44_100, lambda wave: wave + 0.4),
        (24_000, lambda wave: np.clip(30 * wave, -1, 1)),
        (24_000, lambda wave: 10 * wave),
        (96_000, lambda wave: np.repeat(wave[:, None], 6, axis=1)),
    ],
    ids=["8 kHz", "stereo", "offset", "clipped", "beyond full scale", "six channels"],
)
def test_every_kind_of_sound_becomes_a_film_of_its_length(tmp_path, performer, rate, change):
    soundfile.write(tmp_path / "speech.wav", change(voice(1.2, rate)), rate, subtype="FLOAT")
    samples = read_sound(tmp_path / "speech.wav", MEDIA_RATE)
    identity = performer.prepare(read_picture(AMARA))
    report = render(performer, identity, samples, tmp_path / "film.mp4", 0, time.perf_counter)
    assert report.frames == 30
    assert (tmp_path / "film.mp4").stat().st_size > 10_000


def test_sound_that_is_not_a_number_is_refused_in_words_and_not_acted_out(tmp_path):
    broken = voice(1.0, MEDIA_RATE)
    broken[5000:5100] = np.nan
    soundfile.write(tmp_path / "broken.wav", broken, MEDIA_RATE, subtype="FLOAT")
    with pytest.raises(LiveTalkError, match="can't be read as sound") as refused:
        read_sound(tmp_path / "broken.wav", MEDIA_RATE)
    assert refused.value.problem is Problem.SOUND_UNREADABLE


@pytest.mark.parametrize("kind", ["not a number", "infinite", "far too loud", "silent", "constant"])
def test_a_block_of_any_sound_moves_a_face_by_no_more_than_a_face_can(performer, kind):
    """What no file has, a live connection may send."""
    spec = performer.spec
    samples = np.tile(voice(0.48, MEDIA_RATE), 1)[: spec.block_frames * spec.samples_per_frame].copy()
    changed = {
        "not a number": np.where(np.arange(len(samples)) % 7 == 0, np.nan, samples),
        "infinite": np.where(np.arange(len(samples)) % 50 == 0, np.inf, samples),
        "far too loud": 1e6 * samples,
        "silent": 0 * samples,
        "constant": 0 * samples + 0.9,
    }[kind].astype(np.float32)
    performance = performer.open(performer.prepare(read_picture(AMARA)), seed=0)
    for _ in range(4):
        block = SpeechBlock(None, changed, changed[: spec.lookahead])
        motion = performance.motion(performance.imagine(block).latents)
        for part in vars(motion).values():
            assert np.isfinite(part).all()
        assert np.abs(motion.rotation).max() < np.radians(25)
        assert np.abs(motion.displacement).max() < 0.4
