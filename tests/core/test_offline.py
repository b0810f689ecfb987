"""A file is rendered whole, in step, and bad sound is refused in words."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from core.errors import LiveTalkError, Problem
from core.offline import read_sound, render
from tests.core.test_recorder import decoded_pictures, decoded_sound
from tests.fakes import RATE, PaintingPerformer, level_of, tone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed: make test-packages")
def test_the_film_has_a_frame_for_every_25th_of_a_second_of_sound_and_no_more(tmp_path: Path) -> None:
    samples = np.concatenate([tone(0.5, 0.9), tone(0.5, 0.0), tone(0.33, 0.9)])
    performer = PaintingPerformer()
    told: list[tuple[int, int]] = []
    report = render(
        performer,
        performer.prepare(np.zeros((64, 64, 3), np.uint8)),
        samples,
        tmp_path / "film.mp4",
        0,
        time.perf_counter,
        lambda done, total: told.append((done, total)),
    )
    times, greys = decoded_pictures(tmp_path / "film.mp4")
    assert report.frames == len(times) == 34
    assert told[-1] == (34, 34)
    assert report.real_time_factor == pytest.approx(report.seconds / (34 / 25))
    sound = decoded_sound(tmp_path / "film.mp4")
    threshold = (16 + 219 * level_of(tone(0.04, 0.9)) / 255) / 2
    assert greys[5] > threshold > greys[18]
    assert len(sound) / RATE == pytest.approx(1.36, abs=0.1)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (48000, 6)])
def test_any_rate_and_any_number_of_channels_becomes_mono(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "speech.wav"
    wave = tone(1.0, 0.5, rate)
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), rate)
    samples = read_sound(path, RATE)
    assert len(samples) == pytest.approx(RATE, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.02)


def test_a_constant_offset_is_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    soundfile.write(path, tone(1.0, 0.2) + 0.5, RATE, subtype="FLOAT")
    assert abs(float(read_sound(path, RATE).mean())) < 1e-3


def test_what_is_no_sound_is_refused_with_the_reason(tmp_path: Path) -> None:
    text = tmp_path / "notes.wav"
    text.write_text("not sound")
    broken = tmp_path / "nan.wav"
    soundfile.write(broken, np.array([0.0, np.nan, 0.0], np.float32), RATE, subtype="FLOAT")
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0, np.float32), RATE)
    for path in (text, broken, empty, tmp_path / "missing.wav"):
        with pytest.raises(LiveTalkError) as refused:
            read_sound(path, RATE)
        assert refused.value.problem is Problem.SOUND_UNREADABLE
        assert path.name in refused.value.title
