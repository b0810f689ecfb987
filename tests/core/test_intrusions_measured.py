"""The measurement of who stops the avatar: by whom it is said, and what the product makes of it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from core.evaluation.intrusion_fit import BEFORE_S, in_quiet, learn
from core.evaluation.intrusion_material import Uttered, listed, without_silence
from core.evaluation.intrusion_sentences import ESPEAK, FLITE, INTERRUPTIONS, SIGNS
from core.evaluation.intrusions import count, in_a_quiet_room, some
from core.evaluation.turn_material import spoken_by_flite
from core.evaluation.turn_sentences import Part
from core.listening.vad import Vad
from core.media import CAPTURE_RATE
from core.settings import models_folder

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = np.zeros(1, np.float32)
needs_models = pytest.mark.skipif(
    not shutil.which("flite") or not (models_folder() / "moonshine").is_dir(), reason="needs flite and `make models`"
)


def vad() -> Vad:
    return Vad(models_folder() / "silero" / "silero_vad.onnx")


def by_flite(words: str, voice: str, sign: bool) -> Uttered:
    return Uttered(words, f"flite {voice}", Part.REPORTED, sign, spoken_by_flite(words, voice))


def test_no_voice_and_no_sentence_is_both_learned_from_and_measured_with() -> None:
    assert not set(INTERRUPTIONS[Part.FITTED]) & set(INTERRUPTIONS[Part.REPORTED])
    assert not set(FLITE[Part.FITTED]) & set(FLITE[Part.REPORTED])
    voices = {
        part: {line.rsplit(" ", 1)[0] for line in text.replace("\n", "|").split("|")} for part, text in ESPEAK.items()
    }
    assert not voices[Part.FITTED] & voices[Part.REPORTED]
    assert not {text for texts in SIGNS.values() for text in texts} & {*INTERRUPTIONS[Part.REPORTED]}


@needs_models
def test_stop_stops_the_reply_within_half_a_second_and_a_sign_of_listening_does_not() -> None:
    said = [by_flite("Right.", "slt", True), by_flite("Stop, that is not what I meant.", "slt", False)]
    stopped = in_a_quiet_room(said, vad())
    assert stopped[0] is None
    assert stopped[1] is not None
    assert stopped[1] <= 0.5
    signs, interruptions = sorted(count("quiet", said, stopped), key=lambda one: not one.sign)
    assert (signs.said, signs.stopped) == (1, 0)
    assert (interruptions.said, interruptions.stopped, interruptions.in_time) == (1, 1, 1)


@needs_models
def test_the_moments_learned_from_begin_before_the_voice_and_end_while_it_can_still_be_stopped() -> None:
    asked = list(in_quiet(by_flite("Wait, I have another question.", "rms", False), vad(), np.random.default_rng(0)))
    assert len(asked) >= 5
    for moment in asked:
        assert 0.12 < moment.voice_s <= 0.9
        assert len(moment.samples) == pytest.approx((BEFORE_S + moment.voice_s) * CAPTURE_RATE, abs=512)


def test_what_is_learned_tells_apart_what_is_apart() -> None:
    rng = np.random.default_rng(0)
    signs = np.arange(512) % 2 == 0
    features = rng.normal(size=(512, 865)).astype(np.float32) + signs[:, None].astype(np.float32)
    leaning = learn(features, signs)
    assert leaning(np.full((20, 288), 1, np.float32), 0.0, 0.5) > 0 > leaning(np.zeros((20, 288), np.float32), 0.0, 0.5)


def test_listed_sounds_are_read_without_their_silence(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(np.arange(CAPTURE_RATE // 2) * 0.3).astype(np.float32)
    silence = np.zeros(CAPTURE_RATE // 4, np.float32)
    soundfile.write(tmp_path / "a.wav", np.concatenate([silence, tone, silence]), CAPTURE_RATE)
    (tmp_path / "said.csv").write_text("a.wav,reported,people 1,Yes.,1\nb.wav,fitted,people 2,No.,0\n")
    (one,) = listed(tmp_path, Part.REPORTED)
    assert (one.words, one.source, one.sign) == ("Yes.", "people 1", True)
    assert len(one.samples) == pytest.approx(len(tone), abs=320)
    assert len(without_silence(one.samples)) == len(one.samples)


def test_each_voice_is_measured_with_as_much_of_both_kinds() -> None:
    said = [Uttered(str(n), f"voice {n % 2}", Part.REPORTED, n % 3 == 0, NOTHING) for n in range(60)]
    chosen = some(said, 4)
    assert len(chosen) == 16
    assert sum(one.sign for one in chosen) == 8
