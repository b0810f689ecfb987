"""Timeline: device time to media time, through gaps and cuts."""

from __future__ import annotations

from core.audio.timeline import Timeline


def test_writes_that_follow_each_other_are_one_line() -> None:
    timeline = Timeline(24_000, 48_000)
    timeline.wrote(100, 480, 0)
    timeline.wrote(580, 480, 240)
    assert timeline.media_at(0) == 0
    assert timeline.media_at(100) == 0
    assert timeline.media_at(600) == 250
    assert timeline.media_at(5000) == 480


def test_in_a_gap_media_time_stands_still() -> None:
    timeline = Timeline(24_000, 24_000)
    timeline.wrote(0, 100, 0)
    timeline.wrote(500, 100, 100)
    assert timeline.media_at(300) == 100
    assert timeline.media_at(500) == 100
    assert timeline.media_at(550) == 150


def test_what_was_cut_is_stepped_over_where_it_was_cut() -> None:
    timeline = Timeline(24_000, 24_000)
    timeline.wrote(0, 1000, 0)
    timeline.cut(400, 1000)
    assert timeline.media_at(399) == 399
    assert timeline.media_at(400) == 1000
    timeline.wrote(400, 100, 1000)
    assert timeline.media_at(450) == 1050


def test_another_device_begins_where_media_is() -> None:
    timeline = Timeline(24_000, 48_000)
    timeline.wrote(0, 480, 0)
    timeline.restart(44_100, 240)
    assert timeline.media_at(0) == 240
    timeline.wrote(0, 441, 240)
    assert timeline.media_at(441) == 480


def test_the_distant_past_is_forgotten_and_answered_with_the_oldest_known() -> None:
    timeline = Timeline(24_000, 24_000)
    for n in range(400):
        timeline.wrote(n * 200, 100, n * 100)
    assert timeline.media_at(0) > 0
    assert timeline.media_at(399 * 200 + 50) == 39_950
