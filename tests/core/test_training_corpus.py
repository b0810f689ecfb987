"""The corpus: streams made by several processes, with what each ear hears of them, kept in a file."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from core.media import MEDIA_RATE
from core.performer.portrait.motion import MotionSizes, MotionSpec
from core.performer.portrait.speech_encoder import PER_FRAME, WIDTH
from core.performer.portrait.weights import load_weights
from core.training.corpus import corpus_at, maker_of
from core.training.data import DataRecipe
from core.training.rig import Rig
from core.training.wear import noisy, worn

RECIPE = DataRecipe(streams=2, seconds=4.0, seed=3, languages=("en-us",), variants=("",), flite=("rms",), recorded=1.0)
SPEC = MotionSpec(MotionSizes(speech_width=WIDTH))
WEIGHTS = Path(__file__).parents[2] / "assets" / "models" / "portrait"

needs_voices = pytest.mark.skipif(
    find_spec("espeakng_loader") is None or shutil.which("flite") is None, reason="espeakng-loader or flite is missing"
)


@needs_voices
@pytest.mark.timeout(240)
def test_streams_are_the_same_whoever_makes_them_and_are_kept(tmp_path: Path) -> None:
    rig = Rig.of(load_weights(WEIGHTS)[0].codec)
    corpus = corpus_at(tmp_path / "streams.npz", RECIPE, rig, SPEC)
    blocks = corpus.curves.shape[1] // SPEC.block_frames
    assert corpus.states.shape == (3, 2, blocks, PER_FRAME * SPEC.hearing.window_frames, WIDTH)
    own = maker_of(RECIPE, rig, SPEC).stream(1)
    assert np.array_equal(corpus.mels[1].numpy(), own.mels)
    assert np.array_equal(corpus.states[:, 1].numpy(), own.states)
    again = corpus_at(tmp_path / "streams.npz", RECIPE, rig, SPEC)
    assert torch.equal(again.states, corpus.states)
    learned, kept = corpus.parted(0.5)
    assert torch.equal(learned.states, corpus.states[:, :1])
    assert torch.equal(kept.curves, corpus.curves[1:])
    clean, _, drowned = (corpus.states[way].float() for way in range(3))
    assert (clean - drowned).abs().mean() > 0.05


def test_noise_lies_as_far_below_the_voice_as_it_is_told() -> None:
    voice = np.sin(np.arange(MEDIA_RATE) / 20).astype(np.float32)
    for below in (0.0, 20.0):
        noise = noisy(voice, MEDIA_RATE, below, np.random.default_rng(1)) - voice
        assert 20 * np.log10(voice.std() / noise.std()) == pytest.approx(below, abs=0.1)


def test_a_worn_voice_is_softer_and_still_that_voice() -> None:
    times = np.arange(MEDIA_RATE) / MEDIA_RATE
    voice = (np.sin(2 * np.pi * 500 * times) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * times))).astype(np.float32)
    for seed in range(8):
        heard = worn(voice, MEDIA_RATE, np.random.default_rng(seed))
        assert heard.dtype == np.float32
        assert np.abs(heard).max() <= 0.7001
        assert abs(np.corrcoef(voice, heard)[0, 1]) > 0.5
