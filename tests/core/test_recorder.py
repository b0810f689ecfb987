"""The file holds exactly what was shown and heard, in step, and survives a killed process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.errors import Problem, RecordingError
from core.events import Failed, RecordingSaved, RecordingStarted
from core.media import MediaFormat, Turn
from core.playback.player import Played
from core.playback.recorder import Line, Recorder
from core.playback.subtitles import cue_texts
from core.worker import Worker
from tests.fakes import PER_FRAME, RATE, Events, tone

if TYPE_CHECKING:
    from pathlib import Path

MEDIA = MediaFormat()
needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed: make test-packages")


def flashing(seconds: int) -> list[Played]:
    """Every second one: half a second of tone with a white picture, half a second of silence with a black one."""
    played = []
    for index in range(seconds * 25):
        loud = index % 25 < 12
        samples = tone(0.04) if loud else np.zeros(PER_FRAME, np.float32)
        picture = np.full((64, 64, 3), 235 if loud else 16, np.uint8)
        played.append(Played(samples, ((0, picture),), None))
    return played


def record(path: Path, items: list[Played | Line]) -> Events:
    events = Events()
    recorder = Recorder(path, MEDIA, 64, 64, "Amara", events)
    with Worker("recorder", recorder.run, recorder.stop, events):
        for item in items:
            if isinstance(item, Line):
                recorder.line(item)
            else:
                put = recorder._inbox.put  # wait for the encoder instead of for real time
                put(item)
    return events


def probe(path: Path) -> dict:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def decoded_sound(path: Path) -> np.ndarray:
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"]
    return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.float32)


def decoded_pictures(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and mean grey of every frame in the file."""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    listed = subprocess.run([*probe, str(path)], check=True, capture_output=True, text=True).stdout.splitlines()
    times = np.array([float(line.split(",")[0]) for line in listed if line.strip(", ")])
    decode = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    command = ["ffmpeg", "-v", "error", "-i", str(path), *decode]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return times, np.frombuffer(raw, np.uint8).reshape(len(times), -1).mean(axis=1)


@needs_ffmpeg
def test_sound_and_picture_in_the_file_are_in_step(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    events = record(path, flashing(6))
    times, greys = decoded_pictures(path)
    sound = decoded_sound(path)
    loudness = np.abs(sound[: len(sound) // 240 * 240]).reshape(-1, 240).max(axis=1) > 0.1
    sound_on = np.flatnonzero(np.diff(loudness.astype(int)) > 0) * 0.01 + 0.01
    picture_on = times[np.flatnonzero(np.diff((greys > 125).astype(int)) > 0) + 1]
    assert len(picture_on) == 5
    for at in picture_on:
        assert np.abs(sound_on - at).min() <= 0.04
    (saved,) = events.of(RecordingSaved)
    assert saved.seconds == pytest.approx(6.0)


@needs_ffmpeg
def test_the_file_is_h264_and_aac_and_says_that_the_picture_is_generated(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    record(path, flashing(2))
    found = probe(path)
    assert [stream["codec_name"] for stream in found["streams"]] == ["h264", "aac"]
    assert "AI-generated" in found["format"]["tags"]["comment"]
    assert float(found["format"]["duration"]) == pytest.approx(2.0, abs=0.1)


def test_the_transcript_lies_beside_the_film_with_the_times_of_the_film(tmp_path: Path) -> None:
    turn = Turn(1, "Hello")
    spoken = [Played(tone(0.04), (), turn) for _ in range(50)]
    silence = [Played(np.zeros(PER_FRAME, np.float32), (), None) for _ in range(25)]
    ask = Line("You", "What is <this>?", 1, seconds=0.5)
    answer = Line("Amara", "A test. It is short.", 1)
    record(tmp_path / "talk.mp4", [*silence, ask, *spoken, answer])
    text = (tmp_path / "talk.vtt").read_text("utf-8")
    assert text.startswith("WEBVTT\n")
    assert "00:00:00.500 --> 00:00:01.000\n<v You>What is &lt;this&gt;?" in text
    assert "00:00:01.000 --> " in text
    assert "00:00:03.000\n<v Amara>It is short." in text


def test_long_replies_become_cues_that_can_be_read() -> None:
    pieces = cue_texts("One, " * 40 + "two. " + "x" * 200)
    assert all(0 < len(piece) <= 85 for piece in pieces)
    assert "".join(pieces).replace(" ", "").count("x") == 200


@needs_ffmpeg
def test_a_killed_process_loses_at_most_the_last_second(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    script = f"""
import sys, threading
from pathlib import Path
from core.playback.recorder import Recorder
from core.worker import Worker
from tests.core.test_recorder import MEDIA, flashing
recorder = Recorder(Path({str(path)!r}), MEDIA, 64, 64, "Amara", lambda event: None)
worker = Worker("recorder", recorder.run, recorder.stop, lambda event: None)
worker.__enter__()
for item in flashing(8):
    recorder._inbox.put(item)
while len(recorder._inbox):
    threading.Event().wait(0.01)
print("written", flush=True)
threading.Event().wait(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    times, _ = decoded_pictures(path)
    assert times[-1] >= 7.0
    assert len(decoded_sound(path)) >= 7.0 * RATE


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_lost(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(RecordingError) as refused:
        Recorder(blocked / "talk.mp4", MEDIA, 64, 64, "Amara", Events())
    assert refused.value.problem is Problem.FOLDER_UNWRITABLE


def test_a_full_disk_ends_the_recording_with_what_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage(tmp_path)
    checks = iter([real, real])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: next(checks, real._replace(free=1000)))
    events = record(tmp_path / "talk.mp4", flashing(8)[:150])
    (failed,) = events.of(Failed)
    assert failed.problem is Problem.DISK_FULL
    assert failed.advice == "4 s were saved."
    assert (tmp_path / "talk.mp4").stat().st_size > 1000
    assert events.of(RecordingStarted)


def test_a_disk_that_cannot_keep_up_ends_the_recording_and_never_the_playback(tmp_path: Path) -> None:
    events = Events()
    recorder = Recorder(tmp_path / "talk.mp4", MEDIA, 64, 64, "Amara", events)
    for item in flashing(8):
        recorder.played(item)
    with Worker("recorder", recorder.run, recorder.stop, events):
        failed = events.wait_for(Failed)
    assert failed.problem is Problem.RECORDING_FAILED
