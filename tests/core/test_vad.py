"""Vad: Silero's model tells speech from what is none."""

from __future__ import annotations

import io
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from core.errors import LiveTalkError, Problem
from core.listening.turns import Floor, TurnRules, TurnTaker
from core.listening.vad import WINDOW, Vad
from core.media import CAPTURE_RATE, AudioChunk
from core.settings import models_folder

if TYPE_CHECKING:
    from core.media import Samples


def model() -> Path:
    return models_folder() / "silero" / "silero_vad.onnx"


@cache
def speech() -> Samples:
    """A second of silence, a sentence of the rms voice at 16 kHz, a second of silence."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", "rms", "-t", "The weather is nice today.", "-o", str(wav)], check=True)
        said, rate = soundfile.read(io.BytesIO(wav.read_bytes()), dtype="float32")
    assert rate == CAPTURE_RATE
    silence = np.zeros(CAPTURE_RATE, np.float32)
    return np.concatenate([silence, np.asarray(said, np.float32), silence])


def judge(vad: Vad, samples: Samples, piece: int = WINDOW) -> list[float]:
    pieces = [AudioChunk(samples[at : at + piece], at) for at in range(0, len(samples) - piece + 1, piece)]
    return [vad(chunk) for chunk in pieces]


def test_speech_is_likely_and_silence_is_not() -> None:
    judged = np.array(judge(Vad(model()), speech()))
    margin = CAPTURE_RATE // WINDOW
    assert judged[: margin - 2].max() < 0.2
    assert np.median(judged[margin:-margin]) > 0.9
    assert judged[-margin // 2 :].max() < 0.2


def test_noise_and_a_chord_are_not_speech() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 2 * CAPTURE_RATE).astype(np.float32)
    time = np.arange(2 * CAPTURE_RATE) / CAPTURE_RATE
    chord = 0.1 * np.sin(2 * np.pi * np.outer([220, 277, 330], time)).sum(axis=0)
    vad = Vad(model())
    assert max(judge(vad, noise)) < TurnRules().on
    assert max(judge(vad, chord.astype(np.float32))) < TurnRules().on


def test_how_the_sound_is_cut_into_pieces_does_not_matter() -> None:
    whole = judge(Vad(model()), speech())
    halves = judge(Vad(model()), speech(), WINDOW // 2)
    assert halves[1::2][: len(whole)] == whole


def test_after_a_reset_it_judges_as_if_fresh() -> None:
    vad = Vad(model())
    first = judge(vad, speech())
    vad.reset()
    assert judge(vad, speech()) == first


def test_a_spoken_sentence_is_one_turn_with_nothing_cut_off() -> None:
    vad, taker = Vad(model()), TurnTaker(TurnRules())
    samples = speech()
    changes = [taker.hear(probability, WINDOW) for probability in judge(vad, samples)]
    assert [change for change in changes if change in (Floor.SPEAKING, Floor.QUIET)] == [Floor.SPEAKING, Floor.QUIET]
    loud = np.nonzero(np.abs(samples) > 0.05)[0]
    assert taker.start <= loud[0]
    assert taker.end >= loud[-1]


def test_a_missing_model_is_named_with_the_command_that_brings_it(tmp_path: Path) -> None:
    with pytest.raises(LiveTalkError, match="make models") as caught:
        Vad(tmp_path / "silero_vad.onnx")
    assert caught.value.problem is Problem.MODEL_MISSING


def test_a_damaged_model_is_said_to_be_damaged(tmp_path: Path) -> None:
    damaged = tmp_path / "silero_vad.onnx"
    damaged.write_bytes(b"not a model" * 100)
    with pytest.raises(LiveTalkError) as caught:
        Vad(damaged)
    assert caught.value.problem is Problem.MODEL_DAMAGED
