"""EchoGuard: the avatar does not hear itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.signal import lfilter

from core.audio.delay import DelayMeter
from core.audio.echo import FRAME, TAIL_S, EchoGuard, Trust
from core.audio.in_step import InStep
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from core.media import Samples


def babble(seconds: float, seed: int) -> Samples:
    """Noise with the colour and the rhythm of a voice."""
    count = int(seconds * CAPTURE_RATE)
    noise = np.random.default_rng(seed).normal(0, 1, count)
    coloured = np.asarray(lfilter([1.0], [1.0, -1.3, 0.6], noise))
    rhythm = np.clip(np.sin(2 * np.pi * 3.1 * np.arange(count) / CAPTURE_RATE + seed), 0, 1)
    return (0.05 * coloured * rhythm).astype(np.float32)


def room(far: Samples) -> Samples:
    """The loudspeaker as the microphone hears it, 80 ms later and softer."""
    late = np.concatenate([np.zeros(CAPTURE_RATE * 8 // 100, np.float32), far])[: len(far)]
    return (0.4 * late + 0.1 * np.roll(late, 300)).astype(np.float32)


def guarded(guard: EchoGuard, far: Samples, near: Samples) -> Samples:
    clean: list[Samples] = []
    for at in range(0, len(far), 2 * FRAME):
        guard.play(far[at : at + 2 * FRAME])
        clean.append(guard.clean(near[at : at + 2 * FRAME]))
    return np.concatenate(clean)


def loudness_db(samples: Samples) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples)) + 1e-12))


def test_the_echo_is_taken_away() -> None:
    far = babble(6, 1)
    near = room(far)
    clean = guarded(EchoGuard("auto"), far, near)
    half = len(far) // 2
    assert loudness_db(near[half:]) - loudness_db(clean[half:]) > 20


def test_the_person_is_still_heard_while_the_avatar_speaks() -> None:
    far = babble(8, 1)
    person = babble(8, 2)
    person[: 5 * CAPTURE_RATE] = 0
    person[7 * CAPTURE_RATE :] = 0
    guard = EchoGuard("auto")
    clean = guarded(guard, far, room(far) + 2 * person)
    late = slice(5 * CAPTURE_RATE, 7 * CAPTURE_RATE)
    assert loudness_db(clean[late]) - loudness_db(clean[2 * CAPTURE_RATE : 4 * CAPTURE_RATE]) > 15
    assert not guard.half_duplex


def test_half_duplex_closes_the_microphone_while_the_voice_sounds_and_a_little_longer() -> None:
    far = np.zeros(3 * CAPTURE_RATE, np.float32)
    far[CAPTURE_RATE : 2 * CAPTURE_RATE] = 0.1
    near = np.full(3 * CAPTURE_RATE, 0.2, np.float32)
    clean = guarded(EchoGuard("half_duplex"), far, near)
    closed = np.nonzero(clean == 0)[0]
    assert closed[0] == CAPTURE_RATE + InStep.RESERVE
    assert 2 + TAIL_S <= (closed[-1] + 1) / CAPTURE_RATE < 2 + TAIL_S + 0.2
    assert np.all(clean[: closed[0]] == near[0])


def test_off_changes_nothing() -> None:
    near = babble(1, 3)
    assert np.array_equal(guarded(EchoGuard("off"), babble(1, 1), near), near)


def test_trust_is_lost_when_the_echo_stays_and_won_back_when_it_goes() -> None:
    trust = Trust()
    for _ in range(500):
        trust.look(far=0.1, near=0.05, clean=0.045, rest=0.045)
    assert not trust.kept
    for _ in range(500):
        trust.look(far=0.1, near=0.05, clean=0.002, rest=0.01)
    assert trust.kept


def test_trust_survives_a_person_who_interrupts_and_headphones() -> None:
    interrupted = Trust()
    for n in range(2000):
        speaking = n % 500 >= 350
        interrupted.look(far=0.1, near=0.06, clean=0.05 if speaking else 0.002, rest=0.05 if speaking else 0.01)
    assert interrupted.kept
    headphones = Trust()
    for _ in range(2000):
        headphones.look(far=0.1, near=0.001, clean=0.001, rest=0.001)
    assert headphones.kept


def test_an_avatar_that_is_silent_proves_nothing() -> None:
    trust = Trust()
    for _ in range(2000):
        trust.look(far=0.0, near=0.05, clean=0.05, rest=0.05)
    assert not trust.kept
    for _ in range(400):
        trust.look(far=0.1, near=0.05, clean=0.002, rest=0.01)
    assert trust.kept
    for _ in range(2000):
        trust.look(far=0.0, near=0.05, clean=0.05, rest=0.05)
    assert trust.kept


def test_there_is_no_trust_before_the_canceller_has_shown_what_it_can() -> None:
    trust = Trust()
    for _ in range(250):
        trust.look(far=0.1, near=0.05, clean=0.002, rest=0.01)
        assert not trust.kept
    for _ in range(100):
        trust.look(far=0.1, near=0.05, clean=0.002, rest=0.01)
    assert trust.kept


def test_a_loudspeaker_that_rattles_is_not_trusted_though_its_echo_is_silenced_for_a_while() -> None:
    trust = Trust()
    for _ in range(500):
        trust.look(far=0.1, near=0.05, clean=0.0001, rest=0.035)
        assert not trust.kept


def test_the_noise_of_the_room_is_not_taken_for_echo() -> None:
    trust = Trust()
    for n in range(4000):
        voice = n % 400 >= 200
        trust.look(far=0.1 if voice else 0.0, near=0.021 if voice else 0.02, clean=0.012, rest=0.02)
    assert trust.kept


def test_the_delay_of_the_echo_is_measured() -> None:
    far = babble(8, 1)
    guard = EchoGuard("auto")
    assert guard.delay_s is None
    guarded(guard, far, room(far))
    assert guard.delay_s is not None
    assert abs(guard.delay_s - 0.08) < 0.002


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_sample_that_is_no_number_costs_the_second_in_which_it_was_heard(wrong: float) -> None:
    far = babble(3, 1)
    near = room(far)
    near[CAPTURE_RATE + 5] = wrong
    meter = DelayMeter()
    found: list[float | None] = []
    for second in np.split(np.arange(len(far)), 3):
        meter.look(far[second], near[second])
        found.append(meter.seconds)
    assert found == [pytest.approx(0.08, abs=0.002)] * 3


def test_headphones_have_no_delay() -> None:
    far = babble(8, 1)
    guard = EchoGuard("auto")
    guarded(guard, far, 0.2 * babble(8, 2))
    assert guard.delay_s is None
