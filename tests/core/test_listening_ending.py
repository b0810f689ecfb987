"""TurnEnding: a sentence that is over sounds over, one that is cut off does not."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from core.errors import LiveTalkError, Problem
from core.listening.ending import SPAN, TurnEnding
from core.listening.log_mel import BANDS, log_mel
from core.media import CAPTURE_RATE
from core.settings import models_folder

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Samples

MODEL = "smart-turn-v3.2-cpu.onnx"


@pytest.fixture(scope="module")
def ending() -> TurnEnding:
    return TurnEnding(models_folder() / "smart-turn" / MODEL)


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """A sentence of the rms voice, without the silence around it."""
    wav = tmp_path_factory.mktemp("said") / "said.wav"
    words = "Can you tell me a story?"
    subprocess.run(["flite", "-voice", "rms", "-t", words, "-o", str(wav)], check=True)
    said, rate = soundfile.read(wav, dtype="float32")
    assert rate == CAPTURE_RATE
    loud = np.flatnonzero(np.abs(said) > 0.02)
    return np.asarray(said[loud[0] : loud[-1]], np.float32)


def with_pause(said: Samples) -> Samples:
    return np.concatenate([said, np.zeros(CAPTURE_RATE // 4, np.float32)])


def test_the_bands_are_those_of_whispers_own_extractor() -> None:
    transformers = pytest.importorskip("transformers")
    extractor = transformers.WhisperFeatureExtractor(chunk_length=8)
    noise = np.random.default_rng(1).normal(0.01, 0.1, SPAN).astype(np.float32)
    half = np.concatenate([np.zeros(SPAN // 2, np.float32), noise[SPAN // 2 :] * np.linspace(0, 1, SPAN // 2)])
    for sound in (noise, half.astype(np.float32)):
        expected = extractor(sound, sampling_rate=CAPTURE_RATE, do_normalize=True, return_tensors="np").input_features
        assert log_mel(sound).shape == (BANDS, 800)
        assert np.abs(log_mel(sound) - expected[0]).max() < 1e-3


def test_a_sentence_that_is_over_sounds_over_and_half_of_it_does_not(ending: TurnEnding, sentence: Samples) -> None:
    assert ending(with_pause(sentence)) > 0.5
    assert ending(with_pause(sentence[: len(sentence) // 2])) < 0.5


def test_only_the_last_eight_seconds_count(ending: TurnEnding, sentence: Samples) -> None:
    long = np.concatenate([*[sentence] * 8, with_pause(sentence)])
    assert len(long) > SPAN
    assert ending(long) == ending(long[-SPAN:])


def test_next_to_no_sound_is_no_turn(ending: TurnEnding) -> None:
    assert ending(np.zeros(100, np.float32)) == 0.0


def test_a_missing_model_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(LiveTalkError, match="make models") as caught:
        TurnEnding(tmp_path / MODEL)
    assert caught.value.problem is Problem.MODEL_MISSING
