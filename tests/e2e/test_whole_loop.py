"""The whole loop as a person meets it: a window on a screen, sound in the air, a film on the disk."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.events import AvatarChanged, Interrupted, RecordingSaved, RecordingStarted, Replying, Status, StatusChanged
from tests.core.test_recorder import decoded_pictures, decoded_sound
from tests.e2e.conftest import ScreenWatch, TimedRecording
from tests.fakes import tone
from tests.soundserver import RATE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Running
    from tests.soundserver import SoundServer

pytestmark = [pytest.mark.window, pytest.mark.sound, pytest.mark.timeout(180)]


def rises(values: np.ndarray) -> np.ndarray:
    """Indices at which a boolean series becomes true."""
    return np.flatnonzero(np.diff(values.astype(int)) > 0) + 1


def speech(path: Path, text: str, voice: str = "slt") -> tuple[np.ndarray, int]:
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    return soundfile.read(path, dtype="float32")


def done(event: object) -> bool:
    return isinstance(event, Replying) and event.done


FLASH_S = 0.8
MINUTE = 75
"""Flashes in a reply of 60 s."""


def flashes_seen_and_heard(running: Running, flashes: int) -> tuple[np.ndarray, np.ndarray]:
    """Let the avatar flash and sound in one reply; when each flash appeared on the screen, and its sound in the air."""
    recording, watch = TimedRecording(), ScreenWatch(running.program)
    running.spend(0.5)
    before = len(running.dialogue.replies)
    turns = len(running.events.of(Replying))
    running.engine.say("Go")
    running.until(lambda: len(running.dialogue.replies) > before)
    reply = running.dialogue.replies[-1]
    reply.speak(np.tile(np.concatenate([tone(0.36, 0.9), tone(FLASH_S - 0.36, 0.0)]), flashes), "flash " * flashes)
    reply.finish()
    limit_s = 2 * FLASH_S * flashes + 10
    running.until(lambda: any(done(event) for event in running.events.of(Replying)[turns:]), limit_s)
    running.spend(0.3)
    times, greys = watch.stop()
    sound, began = recording.stop()
    loud = np.abs(sound[: len(sound) // 48 * 48]).reshape(-1, 48).max(axis=1) > 0.2
    # A tone crosses zero every 1.25 ms: quiet means ten milliseconds of it.
    loud = np.convolve(loud, np.ones(10), "full")[: len(loud)] > 0
    return times[rises(greys > 110)], began + rises(loud) / (RATE / 48)


@pytest.mark.timeout(300)
def test_sound_and_picture_stay_in_step_for_a_minute_on_the_screen_and_in_the_film(
    running: Running, tmp_path: Path
) -> None:
    running.until_event(AvatarChanged)
    running.dialogue.hold = True
    film = tmp_path / "talk.mp4"
    running.engine.start_recording(film)
    running.until_event(RecordingStarted)
    for _ in range(3):  # a sound server that is starved tears sounds apart: that says nothing about the step
        seen, heard = flashes_seen_and_heard(running, MINUTE)
        if len(seen) == len(heard) == MINUTE:
            break
    assert len(seen) == len(heard) == MINUTE
    apart = seen[1:] - heard[1:]  # the first one fades in from idle
    assert abs(np.median(apart)) <= 0.04, f"{np.round(apart * 1000)} ms"
    assert np.percentile(np.abs(apart), 95) <= 0.06, f"{np.round(apart * 1000)} ms"
    assert abs(np.median(apart[-15:]) - np.median(apart[:15])) <= 0.04, f"drift: {np.round(apart * 1000)} ms"
    running.engine.stop_recording()
    running.until_event(RecordingSaved)
    steps = steps_in_film(film)
    assert len(steps) >= MINUTE - 1
    assert np.abs(steps).max() <= 0.04, f"{np.round(steps * 1000)} ms"


def steps_in_film(film: Path) -> np.ndarray:
    """Seconds by which each flash follows its sound, without those that fade in from idle."""
    times, greys = decoded_pictures(film)
    sound = decoded_sound(film)
    loud = np.abs(sound[: len(sound) // 240 * 240]).reshape(-1, 240).max(axis=1) > 0.2
    sounds_at, shows_at = rises(loud) * 0.01, times[rises(greys > 110)]
    assert len(sounds_at) == len(shows_at)
    return np.delete(shows_at - sounds_at, slice(None, None, MINUTE))


@pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed: make run")
def test_a_person_interrupts_by_speaking(running: Running, server: SoundServer, tmp_path: Path) -> None:
    samples, rate = speech(tmp_path / "stop.wav", "Excuse me, please stop for a moment, I want to say something.")
    story, story_rate = speech(tmp_path / "story.wav", "Once upon a time there was a king. " * 9, "rms")
    running.until_event(AvatarChanged)
    running.dialogue.hold = True
    running.engine.say("Tell me a long story")
    running.until(lambda: bool(running.dialogue.replies))
    running.dialogue.replies[0].speak(soxr.resample(story, story_rate, 24_000), "Once upon a time " * 20)
    running.until_event(StatusChanged, lambda event: event.status is Status.SPEAKING)
    running.spend(5.0)  # until the echo canceller has earned its trust
    server.say(samples, rate)
    cut = running.until_event(Interrupted)
    running.until_event(StatusChanged, lambda event: event.status is Status.LISTENING)
    running.until(lambda: len(running.dialogue.started) == 2)
    assert cut.heard.startswith("Once upon a time")
    assert running.dialogue.cancelled[0] is running.dialogue.started[0]


def test_keys_type_record_interrupt_and_show_the_overlay(running: Running) -> None:
    window = running.window
    running.until_event(AvatarChanged)
    QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(window.focusWidget(), "Hello there")
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    running.until(lambda: [turn.speech for turn in running.dialogue.started] == ["Hello there"])
    QTest.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    running.until_event(RecordingStarted)
    running.until_event(StatusChanged, lambda event: event.status is Status.SPEAKING)
    QTest.keyClick(window, Qt.Key.Key_F3)
    assert window.overlay_shown
    QTest.keyClick(window, Qt.Key.Key_Escape)
    running.until_event(Interrupted)
    QTest.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    saved = running.until_event(RecordingSaved)
    assert saved.path.stat().st_size > 1000
    assert saved.subtitles.read_text("utf-8").startswith("WEBVTT")
