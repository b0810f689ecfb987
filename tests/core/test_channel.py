"""Channels: bounded, closable, and honest about what they drop."""

from __future__ import annotations

import threading

import pytest

from core.channel import Channel, Closed, TimedOut
from core.errors import LiveTalkError, Problem
from core.events import Crashed, Failed
from core.marks import Marks, Step
from core.worker import Worker
from tests.fakes import Events


def test_a_full_channel_drops_the_oldest_sound_and_counts_it_but_never_a_command() -> None:
    channel: Channel[tuple[str, int]] = Channel(10, lambda item: item[1])
    channel.offer(("interrupt", 0))
    channel.offer(("first", 6))
    channel.offer(("second", 6))
    assert channel.dropped == 1
    assert [channel.take()[0], channel.take()[0]] == ["interrupt", "second"]


def test_putting_waits_for_room_and_looks_again_whether_it_is_still_wanted() -> None:
    channel: Channel[str] = Channel(1)
    channel.put("first")
    cancelled = threading.Event()
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(channel.put("stale", cancelled.is_set)))
    waiter.start()
    cancelled.set()
    channel.drop(lambda item: item == "first")
    waiter.join(5)
    assert answers == [False]
    assert len(channel) == 0


def test_closing_wakes_the_taker_after_what_is_left_was_taken() -> None:
    channel: Channel[str] = Channel(2)
    channel.put("left")
    channel.close()
    assert channel.take() == "left"
    with pytest.raises(Closed):
        channel.take()
    with pytest.raises(Closed):
        channel.put("late")


def test_taking_gives_up_after_its_limit() -> None:
    with pytest.raises(TimedOut):
        Channel[str](1).take(0.001)


def test_a_worker_turns_expected_trouble_into_a_failure_and_a_bug_into_a_crash(expected_log: list[str]) -> None:
    expected_log.append("thread buggy stopped")
    events = Events()

    def trouble() -> None:
        raise LiveTalkError(Problem.MODEL_MISSING, "It is missing.", "Fetch it.")

    def bug() -> None:
        raise ZeroDivisionError

    with Worker("troubled", trouble, lambda: None, events), Worker("buggy", bug, lambda: None, events):
        failed = events.wait_for(Failed)
        crashed = events.wait_for(Crashed)
    assert failed.title == "It is missing."
    assert crashed.worker == "buggy"
    assert "ZeroDivisionError" in crashed.report


def test_stages_add_up_to_the_response_and_what_was_ready_early_takes_no_time() -> None:
    marks = Marks(lambda: 0.0)
    for step, at in (
        (Step.SPEECH_END, 10.0),
        (Step.RECOGNISED, 10.3),
        (Step.TURN_END, 10.5),
        (Step.FIRST_TEXT, 10.6),
        (Step.FIRST_SOUND, 10.7),
        (Step.FIRST_FRAME, 10.9),
        (Step.SHOWN, 11.0),
    ):
        marks.mark(3, step, at)
    marks.mark(3, Step.SHOWN, 99.0)
    stages = marks.stages(3)
    assert stages["Recognise"] == 0
    assert sum(stages.values()) == pytest.approx(1.0)
    assert marks.since_end(3)["first_sound"] == pytest.approx(0.7)
    assert marks.stages(4) == {}
