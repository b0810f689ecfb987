"""Somebody who speaks at the same time as the avatar is heard from their first sound on."""

from __future__ import annotations

import numpy as np
import pytest

from core.audio.echo import FRAME, EchoGuard
from core.audio.echo_path import EchoPath
from core.media import CAPTURE_RATE
from tests.core.test_echo import babble, guarded, loudness_db, room

TENTH = CAPTURE_RATE // 10


def subtracted(far: np.ndarray, near: np.ndarray) -> np.ndarray:
    path = EchoPath(FRAME)
    return np.concatenate([path(far[at : at + FRAME], near[at : at + FRAME]) for at in range(0, len(far), FRAME)])


def test_the_way_from_the_loudspeaker_to_the_microphone_is_learned() -> None:
    far = babble(6, 1)
    rest = subtracted(far, room(far))
    assert loudness_db(room(far)[5 * CAPTURE_RATE :]) - loudness_db(rest[5 * CAPTURE_RATE :]) > 25


def test_what_is_not_echo_stays_as_it_is() -> None:
    far, person = babble(8, 1), babble(8, 2)
    person[: 6 * CAPTURE_RATE] = 0
    rest = subtracted(far, room(far) + person)
    late = slice(6 * CAPTURE_RATE, 7 * CAPTURE_RATE)
    assert loudness_db(rest[late] - person[late]) < loudness_db(person[late]) - 10


def test_the_second_tenth_of_a_second_of_somebody_is_not_swallowed() -> None:
    far, person = babble(11, 1), np.roll(babble(11, 2), -CAPTURE_RATE // 12)
    begin = int(9.2 * CAPTURE_RATE)
    person[:begin] = 0
    clean = guarded(EchoGuard("auto"), far, room(far) + person)
    first = slice(begin + TENTH, begin + 2 * TENTH)
    assert loudness_db(clean[first]) == pytest.approx(loudness_db(person[first]), abs=4)


def test_a_room_that_changes_is_not_taken_for_somebody() -> None:
    far = babble(12, 1)
    near = room(far)
    moved = 8 * CAPTURE_RATE
    near[moved:] = np.roll(near, 40)[moved:] * 0.8
    clean = guarded(EchoGuard("auto"), far, near)
    assert loudness_db(near[moved:]) - loudness_db(clean[moved:]) > 20
