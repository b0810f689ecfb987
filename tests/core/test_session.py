"""The real threads: a conversation starts, talks, records and ends, whatever happens."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.software import SoftwareSound
from core.dialogue.history import delete
from core.errors import PerformerError, Problem
from core.events import AvatarChanged, ConversationOpened, Crashed, Failed, RecordingSaved, Replying, StatusChanged
from core.media import MediaFormat
from core.scribe import no_words
from core.session import Session
from core.session_parts import Parts
from core.settings import Settings, changed
from tests.core.test_recorder import decoded_pictures, decoded_sound
from tests.fakes import PER_FRAME, RATE, Events, PaintingPerformer, ScriptedDialogue, level_of, tone, until
from tests.rig import LoudnessVad

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import Pixels

SOFTWARE = changed(Settings(), "audio", echo="off")


class Talk:
    """A session of fakes on its real threads."""

    def __init__(
        self,
        performer: PaintingPerformer | None = None,
        load: Callable[[], PaintingPerformer] | None = None,
        picture: Callable[[str], Pixels] | None = None,
        settings: Settings = SOFTWARE,
    ) -> None:
        self.events = Events()
        self.dialogue = ScriptedDialogue()
        self.performer = performer or PaintingPerformer()
        self.session = Session(
            settings,
            self.events,
            Parts(
                performer=lambda _: load() if load else self.performer,
                picture=picture or self.picture,
                portrait_name=lambda key: Path(key).stem.title(),
                dialogue=lambda *_: self.dialogue,
                built_in=lambda *_: self.dialogue,
                introduce=lambda *_: None,
                device=lambda _: SoftwareSound(time.perf_counter),
                media=lambda _: MediaFormat(),
                vad=LoudnessVad,
                transcribe=no_words,
            ),
            greet=False,
        )

    def picture(self, key: str) -> Pixels:
        if key == "broken.png":
            raise PerformerError(Problem.PICTURE_UNREADABLE, "This file can't be read as a picture.", "Try another.")
        return np.zeros((64, 64, 3), np.uint8)


def reply_done(event: object) -> bool:
    return isinstance(event, Replying) and event.done


def test_a_session_starts_talks_and_ends_with_every_thread_joined() -> None:
    before = set(threading.enumerate())
    talk = Talk()
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.say("Hello")
        talk.events.wait_for(Replying, reply_done)
    assert set(threading.enumerate()) == before
    assert talk.dialogue.closed
    assert all(performance.closed for performance in talk.performer.performances)
    assert not talk.events.of(Crashed)


def test_stopping_in_mid_reply_leaves_no_thread_however_often() -> None:
    before = set(threading.enumerate())
    for _ in range(15):
        talk = Talk()
        with talk.session as session:
            talk.events.wait_for(AvatarChanged)
            session.say("Hello")
            talk.events.wait_for(Replying)
        assert set(threading.enumerate()) == before


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed: make test-packages")
def test_the_film_of_a_conversation_shows_every_sound_with_its_picture(tmp_path: Path) -> None:
    talk = Talk()
    talk.dialogue.pieces = [("word ", 0.4), ("pause ", 0.4)] * 4
    levels = iter([0.9, 0.0] * 4)
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.start_recording(tmp_path / "talk.mp4")
        until(lambda: (session.recorded_s or 0) > 0.3)
        talk.dialogue.hold = True
        session.say("Hello")
        talk.events.wait_for(StatusChanged, lambda event: event.status.value == "thinking")
        (reply,) = talk.dialogue.replies
        for text, seconds in talk.dialogue.pieces:
            reply.speak(tone(seconds, next(levels)), text)
        reply.finish()
        talk.events.wait_for(Replying, reply_done)
        session.stop_recording()
        talk.events.wait_for(RecordingSaved)
    times, greys = decoded_pictures(tmp_path / "talk.mp4")
    sound = decoded_sound(tmp_path / "talk.mp4")
    loud = np.abs(sound[: len(sound) // 240 * 240]).reshape(-1, 240).max(axis=1) > 0.2
    sound_on = (np.flatnonzero(np.diff(loud.astype(int)) > 0) + 1) * 0.01
    threshold = (16 + 219 * (level_of(tone(0.04, 0.9)) / 255)) / 2
    picture_on = times[np.flatnonzero(np.diff((greys > threshold).astype(int)) > 0) + 1]
    assert len(sound_on) == len(picture_on) == 4
    fade = 3 * PER_FRAME / RATE
    assert abs(picture_on[0] - sound_on[0]) <= 0.04 + fade, "the first one fades in from idle"
    assert np.abs(picture_on[1:] - sound_on[1:]).max() <= 0.04
    assert "<v You>Hello" in (tmp_path / "talk.vtt").read_text("utf-8")
    assert "<v Amara>word pause" in (tmp_path / "talk.vtt").read_text("utf-8")


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed: make test-packages")
def test_a_muted_voice_is_silence_in_the_film_too(tmp_path: Path) -> None:
    talk = Talk()
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.set_muted(True)
        session.start_recording(tmp_path / "talk.mp4")
        session.say("Hello")
        talk.events.wait_for(Replying, reply_done)
        session.stop_recording()
        talk.events.wait_for(RecordingSaved)
    sound = decoded_sound(tmp_path / "talk.mp4")
    assert len(sound) > 2 * RATE
    assert np.abs(sound).max() < 0.01


def test_another_portrait_takes_the_stage_and_a_broken_one_does_not() -> None:
    talk = Talk()
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.change_avatar("broken.png")
        failed = talk.events.wait_for(Failed)
        assert failed.problem is Problem.PICTURE_UNREADABLE
        assert session.avatar_name == "Amara"
        session.change_avatar("erik")
        talk.events.wait_for(AvatarChanged, lambda event: event.name == "Erik")
        session.say("Who are you?")
        talk.events.wait_for(Replying, reply_done)
    assert len(talk.performer.performances) == 2


def test_another_manner_is_taken_over_while_talking() -> None:
    talk = Talk()
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        assert session.apply(changed(SOFTWARE, "avatar", style="smiling", motion_amount=0.8))
        until(lambda: len(talk.performer.performances) == 2)
        assert session.apply(changed(SOFTWARE, "avatar", style="smiling", motion_amount=0.8, recent=("a.png",)))
        session.say("Hello")
        talk.events.wait_for(Replying, reply_done)
    assert talk.performer.directed == [("smiling", 0.8)]
    assert talk.performer.performances[0].closed


def test_a_conversation_that_is_about_to_be_deleted_is_left_and_never_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVETALK_DATA", str(tmp_path))
    talk = Talk()
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.say("Hello")
        talk.events.wait_for(Replying, reply_done)
        until(lambda: len(session.history.entries) == 2)
        path = session.history.path
        session.say("And now this")
        until(lambda: len(talk.dialogue.started) == 2)
        session.leave_conversation(path)
        trashed = delete(path)
        kept = trashed.read_bytes()
        session.say("Something else")
        until(lambda: any(entry.text == "Something else" for entry in session.history.entries))
        talk.events.wait_for(ConversationOpened)
        another = session.history.path
        session.leave_conversation(trashed)
        assert session.history.path == another
    assert trashed.read_bytes() == kept
    assert another != path
    assert not path.exists() or b"And now this" not in path.read_bytes()


def test_a_portrait_that_has_gone_gives_way_to_the_default_one() -> None:
    talk = Talk(settings=changed(SOFTWARE, "avatar", portrait="broken.png"))
    with talk.session as session:
        talk.events.wait_for(AvatarChanged, lambda event: event.key == "amara")
        assert talk.events.of(Failed)[0].problem is Problem.PICTURE_UNREADABLE
        assert session.avatar_name == "Amara"


def test_without_its_models_the_portrait_stays_still_and_the_talk_goes_on() -> None:
    def missing() -> PaintingPerformer:
        raise PerformerError(Problem.MODEL_MISSING, "The face models are missing.", "Run `make models`.")

    talk = Talk(load=missing)
    with talk.session as session:
        assert talk.events.wait_for(Failed).problem is Problem.MODEL_MISSING
        talk.events.wait_for(AvatarChanged)
        session.say("Are you there?")
        talk.events.wait_for(Replying, reply_done)
        until(lambda: session.frame_due() is not None)
        assert session.frame_due().pixels.shape == (512, 512, 3)


def test_of_two_wishes_for_a_portrait_the_newest_wins() -> None:
    looking, looked = threading.Event(), threading.Event()

    def slow_first(key: str) -> Pixels:
        if key == "slow":
            looking.set()
            looked.wait(5)
        return np.zeros((64, 64, 3), np.uint8)

    talk = Talk(picture=slow_first)
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.change_avatar("slow")
        looking.wait(5)
        session.change_avatar("fast")
        looked.set()
        talk.events.wait_for(AvatarChanged, lambda event: event.name == "Fast")
    assert [event.name for event in talk.events.of(AvatarChanged)] == ["Amara", "Fast"]


def test_a_new_conversation_forgets_and_an_earlier_one_goes_on() -> None:
    talk = Talk()
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.say("First question")
        talk.events.wait_for(Replying, reply_done)
        kept = session.history.path
        session.new_conversation(private=True)
        talk.events.wait_for(ConversationOpened, lambda event: event.private)
        session.say("A secret")
        talk.events.wait_for(Replying, lambda event: reply_done(event) and event.turn == 2)
        assert session.history.path is None
        session.open_conversation(kept)
        talk.events.wait_for(ConversationOpened, lambda event: not event.private)
        session.say("Go on")
        talk.events.wait_for(Replying, lambda event: reply_done(event) and event.turn == 3)
    assert talk.dialogue.histories[1] == []
    assert [message.text for message in talk.dialogue.histories[2]] == ["First question", "Hello there. How are you?"]
    assert [entry.text for entry in session.transcript()][::2] == ["First question", "Go on"]
    folder = kept.parent
    assert all("secret" not in path.read_text("utf-8") for path in folder.glob("*.jsonl"))


def test_a_performer_that_raises_in_mid_reply_does_not_end_the_conversation(expected_log: list[str]) -> None:
    expected_log.append("the performer failed, 1 in a row")
    talk = Talk(PaintingPerformer(fail_on=[4]))
    with talk.session as session:
        talk.events.wait_for(AvatarChanged)
        session.say("Hello")
        talk.events.wait_for(Replying, reply_done)
        session.say("Still there?")
        talk.events.wait_for(Replying, lambda event: reply_done(event) and event.turn == 2)
    assert [event.problem for event in talk.events.of(Failed)] == [Problem.PICTURE_RESTARTED]
    assert not talk.events.of(Crashed)
