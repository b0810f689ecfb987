"""LiveTalk in the app's own loop: a conversation on its real threads, and what takes its place."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.software import SoftwareSound
from core.errors import PerformerError, PerformerUnfit, Problem, ServerError
from core.events import AvatarChanged, Crashed, Failed, Replying
from core.media import MediaFormat
from core.parts import make_lesser, make_performer
from core.performer.device import CpuDevice, DeviceFailure, HostCopy, OutOfMemory
from core.performer.livetalk.model import random_model
from core.performer.livetalk.performer import LiveTalkPerformer
from core.performer.livetalk.spec import FAST, FASTEST, LOW, QUALITY
from core.scribe import no_words
from core.session import Session
from core.session_parts import Parts
from core.settings import Settings, changed
from tests.fakes import Events, ScriptedDialogue, tone
from tests.livetalk_weights import MINI, write_weights
from tests.rig import LoudnessVad

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from core.media import Pixels, TimedFrame
    from core.performer.protocol import Performer, PerformerSpec

SPAN = MINI.samples_per_frame


def livetalk() -> LiveTalkPerformer:
    return LiveTalkPerformer(random_model(MINI, FAST, CpuDevice()), CpuDevice())


def picture(_: str) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (96, 80, 3), np.uint8)


class Talk:
    """A session with LiveTalk on the stage; the test looks at every frame that falls due."""

    def __init__(
        self,
        make: Callable[[], Performer],
        lesser: Callable[[Settings, PerformerSpec | None], Performer] | None = None,
        dialogue: ScriptedDialogue | None = None,
    ) -> None:
        self.events = Events()
        answers = dialogue or ScriptedDialogue()
        self.frames: list[TimedFrame] = []
        self.session = Session(
            changed(changed(Settings(), "audio", echo="off"), "avatar", performer="livetalk"),
            self.events,
            Parts(
                performer=lambda _: make(),
                picture=picture,
                portrait_name=lambda key: key,
                dialogue=lambda *_: answers,
                built_in=lambda *_: ScriptedDialogue(),
                introduce=lambda *_: None,
                device=lambda _: SoftwareSound(time.perf_counter),
                media=lambda _: MediaFormat(MINI.sample_rate, MINI.fps),
                vad=LoudnessVad,
                transcribe=no_words,
                lesser=lesser,
            ),
            greet=False,
        )

    def watch(self, until: Callable[[], bool], limit_s: float = 40.0) -> None:
        look = threading.Event()
        for _ in range(int(limit_s / 0.01)):
            frame = self.session.frame_due()
            if frame is not None and (not self.frames or frame is not self.frames[-1]):
                self.frames.append(frame)
            if until():
                return
            look.wait(0.01)
        raise AssertionError(f"not within {limit_s} s: {self.events.seen}")

    def replied(self) -> bool:
        return any(isinstance(event, Replying) and event.done for event in self.events.of(Replying))

    def shown(self, frames: int) -> Callable[[], bool]:
        """Whether so many more frames have been shown."""
        wanted = len(self.frames) + frames
        return lambda: len(self.frames) >= wanted

    def longest_still(self) -> int:
        """Frames in a row that show the same."""
        longest = still = 1
        for before, after in pairwise(self.frames):
            still = still + 1 if np.array_equal(before.pixels, after.pixels) else 1
            longest = max(longest, still)
        return longest


def test_a_conversation_with_livetalk_is_shown_in_step_from_the_first_word_to_the_last() -> None:
    talk = Talk(livetalk)
    with talk.session as session:
        talk.events.wait_for(AvatarChanged, limit_s=60.0)
        session.say("Hello")
        talk.watch(talk.replied)
    assert not talk.events.of(Crashed)
    assert not talk.events.of(Failed)
    spoken = [frame for frame in talk.frames if frame.turn is not None]
    assert spoken, "the reply was shown"
    assert all(frame.pixels.shape == (MINI.height, MINI.width, 3) for frame in talk.frames)
    steps = np.diff([frame.at for frame in spoken])
    assert (steps % SPAN == 0).all(), "every frame begins with its own sound, 16 a second"


def test_a_performer_that_cannot_be_loaded_gives_way_to_another_and_the_talk_goes_on() -> None:
    asked: list[PerformerSpec | None] = []

    def unfit() -> Performer:
        raise PerformerUnfit(Problem.GPU_UNSUITABLE, "The GPU has no memory left.", "Close other programs.")

    def lesser(_: Settings, spec: PerformerSpec | None) -> Performer:
        asked.append(spec)
        return livetalk()

    talk = Talk(unfit, lesser)
    with talk.session as session:
        talk.events.wait_for(AvatarChanged, limit_s=60.0)
        session.say("Hello")
        talk.watch(talk.replied)
    assert asked == [None]
    assert [failed.problem for failed in talk.events.of(Failed)] == [Problem.GPU_UNSUITABLE]


@pytest.mark.filterwarnings("ignore")
def test_latents_that_are_no_numbers_show_the_last_good_frame_are_told_and_the_talk_goes_on(
    expected_log: list[str],
) -> None:
    expected_log.append("the performer stopped: The picture broke off")
    made: list[int] = []

    def poisoned() -> LiveTalkPerformer:
        performer = livetalk()
        whole = performer.pipeline.make

        def make(features: Tensor) -> Tensor:
            made.append(len(made))
            return whole(features) * (float("nan") if len(made) == 4 else 1.0)

        performer.pipeline.make = make
        return performer

    talk = Talk(poisoned)
    with talk.session as session:
        talk.events.wait_for(AvatarChanged, limit_s=60.0)
        session.say("Hello")
        talk.watch(lambda: talk.replied() and len(made) > 6)
        talk.watch(talk.shown(4))
    assert [failed.problem for failed in talk.events.of(Failed)] == [Problem.PICTURE_RESTARTED]
    assert not talk.events.of(Crashed)
    assert all(event.complete for event in talk.events.of(Replying) if event.done), "no word was lost"
    assert talk.longest_still() >= 4
    assert len(np.unique(talk.frames[-1].pixels)) > 2, "it moves on"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("failure", [DeviceFailure("CUDA error: unspecified launch failure"), OutOfMemory("CUDA")])
def test_a_gpu_that_fails_in_mid_stream_gives_way_and_the_answer_is_said_to_its_end(
    failure: Exception, expected_log: list[str]
) -> None:
    expected_log.append("the performer stopped: The GPU")
    asked: list[PerformerSpec | None] = []
    copies: list[int] = []

    class Failing(CpuDevice):
        def to_host(self, tensor: Tensor) -> HostCopy:
            copies.append(len(copies))
            if len(copies) > 10:
                raise failure
            return super().to_host(tensor)

    def lesser(_: Settings, spec: PerformerSpec | None) -> Performer:
        asked.append(spec)
        return livetalk()

    def failing() -> LiveTalkPerformer:
        device = Failing()
        return LiveTalkPerformer(random_model(MINI, QUALITY, device), device)

    talk = Talk(failing, lesser)
    with talk.session as session:
        talk.events.wait_for(AvatarChanged, limit_s=60.0)
        session.say("Hello")
        talk.watch(lambda: talk.replied() and bool(asked))
        talk.watch(talk.shown(4))
    assert [spec.memory_mb for spec in asked if spec] == [QUALITY.memory_mb]
    assert [failed.problem for failed in talk.events.of(Failed)] == [Problem.GPU_UNSUITABLE]
    assert all(event.complete for event in talk.events.of(Replying) if event.done)
    assert not talk.events.of(Crashed)


def test_sound_that_stops_in_mid_word_leaves_a_living_picture_and_what_was_said_is_shown() -> None:
    dialogue = ScriptedDialogue(hold=True)
    talk = Talk(livetalk, dialogue=dialogue)
    with talk.session as session:
        talk.events.wait_for(AvatarChanged, limit_s=60.0)
        session.say("Hello")
        talk.watch(lambda: bool(dialogue.replies))
        (reply,) = dialogue.replies
        reply.speak(tone(1.0), "Half of a sen")
        talk.watch(lambda: any(frame.turn is not None for frame in talk.frames))
        talk.watch(talk.shown(24))
        assert talk.frames[-1].turn is None, "silence is alive while nothing comes"
        reply.fail(ServerError(Problem.ANSWER_CUT, "The answer broke off half-way.", "Ask again."))
        talk.watch(talk.replied)
        talk.watch(talk.shown(4))
    assert [failed.problem for failed in talk.events.of(Failed)] == [Problem.ANSWER_CUT]
    assert talk.longest_still() < 4
    spoken = [frame.at for frame in talk.frames if frame.turn is not None]
    assert len(spoken) >= 8, "what had come was said"


def test_a_smaller_preset_comes_before_the_portrait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVETALK_DATA", str(tmp_path / "data"))
    weights = str(write_weights(tmp_path / "weights"))
    avatar = changed(changed(Settings(), "avatar", performer="livetalk"), "avatar", weights=weights).avatar
    best = make_performer(avatar)
    assert best.spec.memory_mb == QUALITY.memory_mb
    assert make_lesser(avatar, best.spec).spec.memory_mb == FAST.memory_mb


def test_a_preset_that_could_not_be_loaded_gives_way_to_a_smaller_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVETALK_DATA", str(tmp_path / "data"))
    weights = str(write_weights(tmp_path / "weights"))
    avatar = changed(Settings(), "avatar", performer="livetalk", weights=weights, preset="fastest").avatar
    assert make_performer(avatar).spec.memory_mb == FASTEST.memory_mb
    assert make_lesser(avatar, None).spec.memory_mb == LOW.memory_mb


def test_behind_the_portrait_there_is_nobody() -> None:
    with pytest.raises(PerformerError, match="does not come back"):
        make_lesser(Settings().avatar, None)
