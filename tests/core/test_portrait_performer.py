"""A portrait speaks: sound in, pictures out, through the performer's own face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import PerformerError, Problem
from core.media import SpeechBlock
from core.performer.portrait.identity import read_picture
from core.performer.portrait.performer import PortraitPerformance, PortraitPerformer
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from pathlib import Path

FACES = models_folder() / "face"
WEIGHTS = assets_folder() / "models" / "portrait"


@pytest.fixture(scope="module")
def performer() -> PortraitPerformer:
    if not FACES.exists():
        pytest.skip("the face models are not here (make models)")
    return PortraitPerformer(WEIGHTS, FACES)


@pytest.fixture(scope="module")
def performance(performer: PortraitPerformer) -> PortraitPerformance:
    portrait = sorted((assets_folder() / "portraits").glob("*.jpg"))[0]
    return performer.open(performer.prepare(read_picture(portrait)), seed=2)


def block(performer: PortraitPerformer, seed: int) -> SpeechBlock:
    spec = performer.spec
    sound = 0.1 * np.random.default_rng(seed).standard_normal(spec.block_frames * spec.samples_per_frame)
    return SpeechBlock(None, sound.astype(np.float32), np.zeros(spec.lookahead, np.float32))


def test_a_block_of_sound_becomes_a_block_of_pictures(
    performer: PortraitPerformer, performance: PortraitPerformance
) -> None:
    latents = performance.imagine(block(performer, 0))
    frames = performance.draw(latents)
    assert frames.ready
    pixels = frames.wait()
    assert pixels.shape == (performance.next_frames, performer.spec.height, performer.spec.width, 3)
    assert pixels.dtype == np.uint8
    assert not np.array_equal(pixels[0], pixels[-1])


def test_rewinding_when_everything_is_drawn_changes_nothing(
    performer: PortraitPerformer, performance: PortraitPerformance
) -> None:
    performance.draw(performance.imagine(block(performer, 1))).wait()
    performance.rewind()
    index = performance.imagine(block(performer, 2)).index
    performance.rewind()
    performance.rewind()
    again = performance.imagine(block(performer, 3))
    assert again.index == index
    performance.draw(again)


def test_missing_weights_are_said_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(PerformerError) as trouble:
        PortraitPerformer(tmp_path, FACES)
    assert trouble.value.problem is Problem.MODEL_MISSING


def test_without_what_it_listens_through_there_is_advice(tmp_path: Path) -> None:
    with pytest.raises(PerformerError) as missing:
        PortraitPerformer(WEIGHTS, FACES, speech_model=tmp_path)
    assert missing.value.problem is Problem.MODEL_MISSING
    assert "make models" in missing.value.advice
