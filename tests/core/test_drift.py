"""DriftMeter: clocks that differ are known by how the echo moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.drift import DriftMeter
from core.audio.echo import FRAME, EchoGuard
from core.audio.pairs import Pair
from core.audio.resample import Between
from core.media import CAPTURE_RATE
from tests.core.test_echo import babble, loudness_db, room

if TYPE_CHECKING:
    from core.media import Samples


def drifting(near: Samples, drift: float) -> Samples:
    """`near` as a microphone gives it whose clock runs faster."""
    where = np.arange(len(near)) / (1 + drift)
    inside = (where >= Between.REACH) & (where < len(near) - Between.REACH)
    return np.concatenate([near[: int((where < Between.REACH).sum())], Between()(near, where[inside])])


def heard(guard: EchoGuard, far: Samples, near: Samples, drift: float) -> Samples:
    """What the guard lets through while the loudspeaker takes a frame every 10 ms and the microphone gives a little
    more or less."""
    clean: list[Samples] = []
    given = 0
    for n in range(min(len(far) // FRAME, int(len(near) / (1 + drift)) // FRAME)):
        guard.play(far[n * FRAME : (n + 1) * FRAME])
        due = int((n + 1) * FRAME * (1 + drift))
        clean.append(guard.clean(near[given:due]))
        given = due
    return np.concatenate(clean)


@pytest.mark.parametrize("drift", [-200e-6, 0.0, 100e-6])
def test_the_drift_is_known_after_some_seconds_and_the_echo_stays_away(drift: float) -> None:
    far = babble(12, 1)
    near = drifting(room(far), drift)
    guard = EchoGuard("auto")
    clean = heard(guard, far, near, drift)
    assert guard.learned.drift == pytest.approx(drift, abs=2e-6)
    late = slice(8 * CAPTURE_RATE, 11 * CAPTURE_RATE)
    assert loudness_db(near[late]) - loudness_db(clean[late]) > 25
    assert not guard.half_duplex


def test_a_drift_that_is_known_keeps_the_echo_in_its_place_from_the_start() -> None:
    far = babble(3, 1)
    near = drifting(room(far), 100e-6)
    guard = EchoGuard("auto", Pair(drift=100e-6, lag_s=0.06))
    heard(guard, far, near, 100e-6)
    assert guard.learned.drift == pytest.approx(100e-6, abs=2e-6)
    assert guard.learned.lag_s == pytest.approx(0.06, abs=0.002)


def test_somebody_who_moves_in_the_room_is_no_drift() -> None:
    meter = DriftMeter()
    rng = np.random.default_rng(4)
    echo = np.zeros(9600, np.float32)
    echo[1000:1200] = np.convolve(rng.normal(0, 1, 200), [0.5, 1, 0.5], "same")
    for n in range(20):
        meter.look(np.roll(echo, 3 if n >= 12 else 0), n * CAPTURE_RATE, 0.0)
    assert meter.drift == pytest.approx(0, abs=1e-7)


def test_another_echo_says_nothing() -> None:
    meter = DriftMeter()
    rng = np.random.default_rng(4)
    for n in range(5):
        echo = np.zeros(9600, np.float32)
        echo[1000:1200] = rng.normal(0, 1, 200)
        meter.look(echo, n * CAPTURE_RATE, 0.0)
    assert meter.drift is None


def test_after_a_jump_the_canceller_has_to_earn_its_trust_again() -> None:
    far = babble(10, 1)
    near = room(far)
    guard = EchoGuard("auto")
    for at in range(0, 9 * CAPTURE_RATE, FRAME):
        guard.play(far[at : at + FRAME])
        guard.clean(near[at : at + FRAME])
    assert not guard.half_duplex
    guard.clean(near[9 * CAPTURE_RATE : 9 * CAPTURE_RATE + 4 * FRAME])
    assert guard.half_duplex


def test_with_headphones_a_jump_closes_nothing() -> None:
    far = babble(10, 1)
    near = np.random.default_rng(5).normal(0, 0.0005, len(far)).astype(np.float32)
    guard = EchoGuard("auto")
    for at in range(0, 9 * CAPTURE_RATE, FRAME):
        guard.play(far[at : at + FRAME])
        guard.clean(near[at : at + FRAME])
    assert not guard.half_duplex
    for at in range(9 * CAPTURE_RATE, len(near), FRAME):
        guard.clean(near[at : at + FRAME])
        assert not guard.half_duplex
