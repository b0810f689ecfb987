"""Nothing is faked here: a recorded question is played into the microphone, and the companion's answer is heard."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr

from core.dialogue.recognizer import Recognizer
from core.events import AvatarChanged, Replying, Status, StatusChanged, TurnMeasured, UserSpoke
from core.media import CAPTURE_RATE
from core.settings import models_folder
from tests.soundserver import RATE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Running
    from tests.soundserver import SoundServer

pytestmark = [
    pytest.mark.window,
    pytest.mark.sound,
    pytest.mark.timeout(180),
    pytest.mark.skipif(not shutil.which("flite"), reason="flite is not installed: make run"),
]


@pytest.fixture
def dialogue() -> None:
    """The product's own."""


@pytest.fixture
def performer() -> None:
    """The product's own."""


def test_a_spoken_question_is_heard_answered_and_seen(running: Running, server: SoundServer, tmp_path: Path) -> None:
    question = tmp_path / "question.wav"
    subprocess.run(["flite", "-voice", "rms", "-t", "Hello. What can you do for me?", "-o", str(question)], check=True)
    samples, rate = soundfile.read(question, dtype="float32")
    running.until_event(AvatarChanged)
    running.until_event(StatusChanged, lambda event: event.status is Status.READY)
    with server.recording() as recording:
        server.say(samples, rate)
        asked = running.until_event(UserSpoke, lambda event: event.spoken and bool(event.text))
        answer = running.until_event(Replying, lambda event: event.done)
        running.spend(0.3)
        sound = np.asarray(soxr.resample(recording.samples, RATE, CAPTURE_RATE), np.float32)
    assert "what can you do" in asked.text.lower()
    assert answer.complete
    heard = Recognizer(models_folder() / "moonshine")(sound).text.lower()
    said = {word.strip(".,!?'").lower() for word in answer.text.split()}
    found = {word for word in said if word in heard}
    assert len(found) > 0.6 * len(said), f"{answer.text!r} was heard as {heard!r}"
    measured = running.until_event(TurnMeasured)
    assert not measured.typed
    assert running.engine.statistics().shown > 25
