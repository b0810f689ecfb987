"""`livetalk render` with the performer that imagines the picture, from a folder of very small weights."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import pytest
import soundfile
import torch

from app.cli import main
from tests.fakes import RATE, tone
from tests.livetalk_files import Miniature
from tests.livetalk_weights import MINI, write_weights

if TYPE_CHECKING:
    from pathlib import Path


def render(folder: Path, tmp_path: Path, seconds: float) -> list[str]:
    soundfile.write(tmp_path / "speech.wav", tone(seconds, 0.5), RATE)
    given = {"performer": "livetalk", "weights": folder, "avatar": "amara"}
    files = {"audio": tmp_path / "speech.wav", "out": tmp_path / "film.mp4"}
    return ["render", "--json", *(f"--{name}={value}" for name, value in (given | files).items())]


def test_a_picture_and_a_recording_become_a_film_at_16_frames_a_second(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_weights(tmp_path / "weights")
    assert main(render(folder, tmp_path, 2.5)) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["frames"], told["fps"]) == (40, 16)
    with av.open(str(tmp_path / "film.mp4")) as film:
        times = [float(frame.pts * frame.time_base) for frame in film.decode(video=0)]
        width, height = film.streams.video[0].width, film.streams.video[0].height
    assert (width, height) == (MINI.width, MINI.height)
    steps = [later - earlier for earlier, later in pairwise(times[1:])]  # the first is shown with the sound's priming
    assert steps == pytest.approx([1 / 16] * 38, abs=1e-3)


def test_a_folder_without_weights_is_told_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVETALK_MODELS", str(tmp_path / "models"))
    assert main(render(tmp_path, tmp_path, 0.2)) == 1
    assert "Files of LiveTalk 1.3B are missing" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer's own GPU would be found")
@pytest.mark.parametrize("preset", [[], ["--preset=low"]])
def test_a_computer_without_a_gpu_is_told_so_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], preset: list[str]
) -> None:
    folder = Miniature().put(tmp_path / "checkpoints")
    assert main([*render(folder, tmp_path, 0.2), *preset]) == 1
    said = capsys.readouterr().err
    assert "this computer has none" in said
    assert f"an NVIDIA GPU of {6 if preset else 11} GB or more" in said, "its small decoder is not here"


def test_a_preset_is_kept_to_and_its_decoder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_weights(tmp_path / "weights")
    assert main([*render(folder, tmp_path, 0.6), "--preset=low"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Drawn by livetalk-mini, preset low, Small decoder (TAEHV)" in lines
    assert json.loads(lines[-1])["variant"] == "low, Small decoder (TAEHV)"
