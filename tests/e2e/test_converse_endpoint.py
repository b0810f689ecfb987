"""`livetalk converse` with an endpoint, as a program that a script would call: its film, and its JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import soundfile
import soxr

from core.dialogue.voice import Flite
from tests.core.companion import needs_flite, needs_models
from tests.core.omni_server import (
    Event,
    Head,
    OmniServer,
    Reset,
    answering,
    chunk,
    tone,
    vllm_sound,
    vllm_words,
    wav,
)

if TYPE_CHECKING:
    from tests.core.omni_server import Asked, Script

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).resolve().parents[2]
MARKS = {"end_of_speech", "first_text", "first_audio", "first_frame_shown"}

PAINTED = """
import dataclasses, sys
import app.cli, app.commands.converse
from core.parts import product_parts
from tests.fakes import PaintingPerformer
from tests.rig import LoudnessVad

def parts(*given):
    return dataclasses.replace(product_parts(*given), performer=lambda _: PaintingPerformer(), vad=LoudnessVad)

app.commands.converse.converse.__defaults__ = (parts,)
sys.exit(app.cli.main(sys.argv[1:]))
"""
"""The command with a performer that paints and a listener that takes loud for speech: it needs no model."""


def converse(folder: Path, url: str, *turns: str) -> tuple[int, dict, str]:
    """Exit status, the JSON of the last line, and what was said to people."""
    words = ["converse", "--avatar", "amara", "--out", str(folder / "talk.mp4"), "--endpoint", url, "--model", "m"]
    done = subprocess.run(
        [sys.executable, "-c", PAINTED, *words, "--json", *turns],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def question(folder: Path) -> Path:
    path = folder / "question.wav"
    said = 0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)
    soundfile.write(path, np.concatenate([np.zeros(3200), said]), 16_000)
    return path


def test_typed_and_spoken_turns_are_answered_by_the_endpoint(tmp_path: Path) -> None:
    script = answering("Hello there.", wav(tone(1.2)), delay_s=0.3, dialect="vllm_omni")
    with OmniServer(script, (("m", "vllm"),)) as server:
        turns = ("--say", "Who are you?", "--audio", str(question(tmp_path)))
        status, report, told = converse(tmp_path, server.url, *turns)
        asked = [turn.body["messages"][-1] for turn in server.turns]
    assert status == 0, told
    typed, spoken = report["turns"]
    assert (typed["user"], typed["avatar"], spoken["avatar"]) == ("Who are you?", "Hello there.", "Hello there.")
    assert (typed["spoken"], spoken["spoken"]) == (False, True)
    assert "Who are you?" in json.dumps(asked[0])
    assert "input_audio" in json.dumps(asked[1]) or "audio_url" in json.dumps(asked[1])
    for turn in report["turns"]:
        assert turn["complete"] is True
        assert turn["problem"] == ""
        assert turn["heard_s"] == pytest.approx(1.2, abs=0.03)
        assert set(turn["marks"]) >= MARKS
        assert 0.3 <= turn["marks"]["first_audio"] <= turn["marks"]["first_frame_shown"] < 8
        assert isinstance(turn["underruns"], int)
        assert isinstance(turn["dropped_frames"], int)
    with av.open(str(tmp_path / "talk.mp4")) as film:
        assert {stream.type for stream in film.streams} == {"audio", "video"}
        assert film.duration / av.time_base == pytest.approx(report["seconds"], abs=0.1)
    assert "Who are you?" in (tmp_path / "talk.vtt").read_text("utf-8")


def cut(_: Asked) -> list[object]:
    return [Head(), vllm_words("Half of"), vllm_sound(wav(tone(0.6))), Reset()]


def refused(status: int) -> Script:
    return lambda _: [Head(status, (), {"error": {"message": "no"}})]


def test_a_reply_that_was_cut_or_refused_is_not_complete_and_says_why(tmp_path: Path) -> None:
    good = answering("All of it.", wav(tone(0.5)))
    scripts = [cut, refused(401), good]

    with OmniServer(lambda asked: scripts.pop(0)(asked), (("m", "vllm"),)) as server:
        status, report, told = converse(tmp_path, server.url, "--say", "One", "--say", "Two", "--say", "Three")
    assert status == 1
    half, locked, whole = report["turns"]
    assert [turn["complete"] for turn in report["turns"]] == [False, False, True]
    assert (half["avatar"], half["problem"]) == ("Half of", "The answer broke off half-way.")
    assert half["heard_s"] == pytest.approx(0.6, abs=0.03)
    assert (locked["avatar"], locked["heard_s"]) == ("", 0.0)
    assert "key" in locked["problem"]
    assert locked["marks"]["first_audio"] is None
    assert whole["avatar"] == "All of it."
    assert "The answer broke off half-way." in told


def test_an_endpoint_that_is_not_there_is_told_and_the_film_is_whole(tmp_path: Path) -> None:
    status, report, _ = converse(tmp_path, "http://127.0.0.1:9/v1", "--say", "Anybody?")
    assert status == 1
    (turn,) = report["turns"]
    assert turn["complete"] is False
    assert turn["problem"] == "The endpoint could not be reached."
    with av.open(str(tmp_path / "talk.mp4")) as film:
        assert film.duration / av.time_base == pytest.approx(report["seconds"], abs=0.1)


@needs_models
@needs_flite
def test_a_model_that_only_writes_converses_with_this_computers_ears_and_voice(tmp_path: Path) -> None:
    said = Flite("slt").say("What is the capital of France?")
    sound = soxr.resample(said.samples, said.rate, 16_000)
    path = tmp_path / "question.wav"
    soundfile.write(path, np.concatenate([np.zeros(3200), 0.6 * sound / np.abs(sound).max()]), 16_000)
    written = [Head(), *(Event(chunk({"content": word})) for word in ("Paris", ". It lies", " on the Seine."))]
    with OmniServer(lambda _: [*written, Event(chunk({}, "stop"))], (("m", "library"),)) as server:
        status, report, told = converse(tmp_path, server.url, "--audio", str(path))
        asked = [turn.body["messages"][-1]["content"] for turn in server.turns]
    assert status == 0, told
    (turn,) = report["turns"]
    assert "capital of france" in asked[-1].lower()
    assert "capital of france" in turn["user"].lower()
    assert turn["avatar"] == "Paris. It lies on the Seine."
    assert 1.0 < turn["heard_s"] < 6.0


def busy(_: Asked) -> list[object]:
    return [Head(429, (("retry-after", "1.5"),), {"error": {"message": "slow down"}})]


@needs_flite
def test_a_busy_endpoint_is_waited_for_with_a_word_that_is_in_the_film_and_not_in_the_answer(tmp_path: Path) -> None:
    scripts = [busy, answering("All of it.", wav(tone(0.8)))]
    with OmniServer(lambda asked: scripts.pop(0)(asked), (("m", "vllm"),)) as server:
        status, report, told = converse(tmp_path, server.url, "--say", "Who are you?")
    assert status == 0, told
    (turn,) = report["turns"]
    assert (turn["avatar"], turn["complete"], turn["problem"]) == ("All of it.", True, "")
    assert turn["heard_s"] == pytest.approx(0.8, abs=0.03)
    assert 1.5 <= turn["marks"]["first_audio"] < turn["marks"]["first_frame_shown"]
    written = (tmp_path / "talk.vtt").read_text("utf-8")
    assert written.index("One moment, please.") < written.index("All of it.")
    with av.open(str(tmp_path / "talk.mp4")) as film:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in film.decode(audio=0)])
    loud = np.abs(sound) > 0.01
    assert loud.sum() / 24_000 > 0.8 + 0.4, "the word and the answer are in the film"
