"""Trouble that the engine must survive: a device that goes in mid-sentence, a disk that is full, an endpoint that is
busy for ever, a picture too large for the memory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from core.errors import PerformerError, Problem, ServerError
from core.events import (
    AvatarChanged,
    Failed,
    RecordingSaved,
    RecordingStarted,
    Recovered,
    Replying,
    Status,
    StatusChanged,
    UserSpoke,
)
from core.performer.portrait.identity import read_picture
from tests.core.test_recorder import decoded_pictures, decoded_sound, needs_ffmpeg
from tests.core.test_session import Talk, reply_done
from tests.fakes import RATE, ScriptedDialogue
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from pathlib import Path

HALF = (("Half of the", 0.5),)


def test_a_microphone_unplugged_in_mid_sentence_ends_the_sentence_and_it_is_answered() -> None:
    rig = ConversationRig()
    rig.crank(0.5)
    rig.speak(1.5)
    assert rig.events.of(StatusChanged)[-1].status is Status.LISTENING
    rig.device.microphone = None
    rig.crank(1.5)
    assert rig.events.of(UserSpoke)[-1].spoken
    assert len(rig.dialogue.started[0].speech.samples) > 16_000
    rig.crank(3.0)
    assert rig.events.of(Replying)[-1].done
    assert rig.events.of(StatusChanged)[-1].status is Status.READY


def test_a_problem_of_the_endpoint_is_over_once_the_question_is_asked_again() -> None:
    error = ServerError(Problem.ENDPOINT_BUSY, "Busy.", "Trying again in 2 s.", retry_after_s=2.0)
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Hello")
    rig.crank(1.0)
    assert not rig.events.of(Recovered)
    rig.dialogue.error, rig.dialogue.pieces = None, HALF
    rig.crank(2.0)
    assert rig.events.of(Recovered) == [Recovered(Problem.ENDPOINT_BUSY)]
    assert [event for event in rig.events.seen if isinstance(event, Failed | Recovered)][-1] == Recovered(
        Problem.ENDPOINT_BUSY
    )


def test_an_endpoint_that_stays_busy_is_not_said_to_be_tried_for_ever() -> None:
    error = ServerError(Problem.ENDPOINT_BUSY, "Busy.", "Trying again in 1 s.", retry_after_s=1.0)
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Hello")
    rig.crank(12.0)
    last = rig.events.of(Failed)[-1]
    assert (last.retry_after_s, last.title) == (None, "Busy.")
    assert last.advice.startswith("Your last question is kept.")
    assert "Trying again" not in last.advice
    assert rig.events.of(StatusChanged)[-1].status is Status.NOT_CONNECTED


def test_a_turn_that_failed_before_a_word_has_no_reply_to_show() -> None:
    error = ServerError(Problem.KEY_REFUSED, "The endpoint did not accept the key.", "Check it in Settings.")
    rig = ConversationRig(ScriptedDialogue(pieces=(), error=error))
    rig.session.say("Hello")
    rig.crank(1.0)
    assert rig.events.of(Failed)
    assert not rig.events.of(Replying)


def test_a_recording_wanted_before_the_avatar_is_there_begins_with_it(tmp_path: Path) -> None:
    talk = Talk()
    talk.session.start_recording(tmp_path / "early.mp4")
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        talk.events.wait_for(RecordingStarted)
        session.say("Hello")
        talk.events.wait_for(Replying, reply_done)
        session.stop_recording()
        assert talk.events.wait_for(RecordingSaved).seconds > 1


def test_after_a_recording_that_failed_another_can_be_made_elsewhere(tmp_path: Path) -> None:
    talk = Talk()
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.start_recording(blocked / "talk.mp4")
        assert talk.events.wait_for(Failed).problem is Problem.FOLDER_UNWRITABLE
        assert session.recorded_s is None
        (tmp_path / "taken.mp4").mkdir()
        session.start_recording(tmp_path / "taken.mp4")
        talk.events.wait_for(Failed, lambda event: event.problem is Problem.RECORDING_FAILED)
        session.start_recording(tmp_path / "good.mp4")
        talk.events.wait_for(RecordingStarted, lambda event: event.path == tmp_path / "good.mp4")


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from core.playback.recorder import Recorder
from core.worker import Worker
from tests.core.test_recorder import MEDIA
from tests.fakes import Events, PER_FRAME, tone
import numpy as np
from core.playback.player import Played

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
events = Events()
recorder = Recorder(Path(sys.argv[1]), MEDIA, 64, 64, "Amara", events)
noise = np.random.default_rng(0)
with Worker("recorder", recorder.run, recorder.stop, events):
    for index in range(500):
        picture = noise.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        recorder.played(Played(tone(0.04), ((0, picture),), None))
        if recorder.over:
            break
        while len(recorder._inbox) > 20:
            pass
for event in events.seen:
    told = [str(getattr(event, name, "")) for name in ("problem", "title", "advice")]
    print(type(event).__name__, *told)
"""


@needs_ffmpeg
@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of a file as Linux does")
def test_a_disk_that_fills_up_leaves_a_film_that_plays(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(path)],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    started, failed = done.stdout.splitlines()
    assert started.startswith("RecordingStarted")
    assert failed.startswith("Failed Problem.DISK_FULL Recording stopped: the disk is full.")
    told = int(failed.split("full. ")[1].split(" s")[0])
    times, _ = decoded_pictures(path)
    assert told >= 1
    assert times[-1] >= told - 1
    assert len(decoded_sound(path)) >= (told - 1) * RATE
    assert not done.stderr


def test_a_picture_with_more_pixels_than_memory_is_refused_with_the_reason(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    (tmp_path / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b""))
    with pytest.raises(PerformerError) as refused:
        read_picture(tmp_path / "vast.png")
    assert refused.value.problem is Problem.PICTURE_REFUSED
    assert refused.value.title == "This picture can't be used: it is too large."
