"""The companion's ears and voice, each by itself."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.dialogue.recognizer import Recognizer, read_tokens, windows
from core.dialogue.voice import Espeak, Flite, VoiceFailed, find_voice
from core.media import CAPTURE_RATE
from core.settings import models_folder
from tests.core.companion import needs_flite, needs_models, spoken

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def ears() -> Recognizer:
    return Recognizer(models_folder() / "moonshine")


@needs_models
@needs_flite
@pytest.mark.parametrize("said", ["What time is it?", "My name is Peter.", "What is seven times eight?"])
def test_plain_english_is_understood_word_for_word(ears: Recognizer, said: str) -> None:
    heard = ears(spoken(said).samples)
    assert heard.text == said
    assert heard.confidence > 0.7


@needs_models
@needs_flite
def test_quiet_speech_is_understood_as_well(ears: Recognizer) -> None:
    assert ears(spoken("What time is it?").samples * np.float32(0.02)).text == "What time is it?"


@needs_models
@pytest.mark.parametrize("length", [0, 100, CAPTURE_RATE])
def test_silence_of_any_length_is_heard_without_confidence(ears: Recognizer, length: int) -> None:
    assert ears(np.zeros(length, np.float32)).confidence < 0.45


@needs_models
@needs_flite
def test_recognition_that_is_not_wanted_ends_early(ears: Recognizer) -> None:
    assert ears(spoken("What time is it?").samples, lambda: False).text == ""


@needs_models
@needs_flite
def test_long_speech_is_heard_to_its_end(ears: Recognizer) -> None:
    part = spoken("The garden was green and quiet. ").samples
    speech = np.concatenate([np.tile(part, 25 * CAPTURE_RATE // len(part)), spoken("What time is it?").samples])
    assert ears(speech).text.endswith("What time is it?")


def test_long_speech_is_cut_where_it_is_quiet_and_nothing_is_lost() -> None:
    speech = np.random.default_rng(1).normal(size=45 * CAPTURE_RATE).astype(np.float32)
    speech[15 * CAPTURE_RATE : 16 * CAPTURE_RATE] = 0
    pieces = windows(speech)
    assert 15 * CAPTURE_RATE <= len(pieces[0]) <= 16 * CAPTURE_RATE
    assert all(len(piece) <= 20 * CAPTURE_RATE for piece in pieces)
    np.testing.assert_array_equal(np.concatenate(pieces), speech)


def test_the_token_table_is_read_with_short_and_long_entries() -> None:
    long = b"x" * 200
    assert read_tokens(bytes([2]) + b"ab" + bytes([128 + 200 % 128, 200 // 128]) + long) == [b"ab", long]
    with pytest.raises(ValueError, match="cut off"):
        read_tokens(bytes([5]) + b"ab")


def test_a_missing_and_a_damaged_model_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Recognizer(tmp_path)
    for name in ("tokenizer.bin", "encoder_model.ort", "decoder_model_merged.ort"):
        (tmp_path / name).write_bytes(b"\x01a")
    with pytest.raises(ValueError, match="cannot be loaded"):
        Recognizer(tmp_path)


@needs_flite
def test_phonemes_follow_each_other_to_the_end_of_the_sound() -> None:
    said = Flite().say("Hello there. How are you, my friend?")
    names = [phone.name for phone in said.phones]
    assert names[:4] == ["pau", "hh", "ax", "l"]
    assert said.phones[0].start_s == 0
    assert all(a.end_s == pytest.approx(b.start_s) for a, b in zip(said.phones, said.phones[1:], strict=False))
    assert said.phones[-1].end_s == pytest.approx(said.seconds, abs=0.03)


@needs_flite
def test_the_voice_begins_without_a_pause() -> None:
    said = Flite().say("Hello.")
    onset = int(np.argmax(np.abs(said.samples) > 0.02))
    assert onset < 0.1 * said.rate


@needs_flite
@pytest.mark.parametrize("text", ["", "...", "-help", "$(ls) `x` 'y' \"z\"", "a\nb"])
def test_no_text_is_taken_for_a_command(text: str) -> None:
    try:
        assert Flite().say(text).rate == 16_000
    except VoiceFailed as silence:
        assert "silence" in str(silence)  # noqa: PT017 - both ends are right


def test_a_voice_that_is_gone_says_so_without_the_words(tmp_path: Path) -> None:
    with pytest.raises(VoiceFailed) as failure:
        Flite(program=str(tmp_path / "flite")).say("secret words")
    assert "secret" not in str(failure.value)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_has_a_voice_too() -> None:
    said = Espeak().say("Hello there.")
    assert said.rate == 22_050
    assert 0.5 < said.seconds < 2


def test_without_a_program_there_is_no_voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_voice() is None
