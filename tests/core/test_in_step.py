"""InStep: what was played keeps its distance to the microphone though the clocks differ."""

from __future__ import annotations

import numpy as np
import pytest

from core.audio.in_step import InStep
from core.media import CAPTURE_RATE

FRAME = 160


def tone(begin: int, count: int) -> np.ndarray:
    return np.sin(2 * np.pi * 200 / CAPTURE_RATE * (begin + np.arange(count))).astype(np.float32)


def test_clocks_that_agree_change_nothing() -> None:
    queue = InStep(FRAME, 3 * FRAME)
    taken: list[np.ndarray] = []
    for n in range(1000):
        queue.put(tone(n * FRAME, FRAME))
        taken.append(queue.take(FRAME))
    heard = np.concatenate(taken)
    assert np.allclose(heard[queue.RESERVE :], tone(0, len(heard) - queue.RESERVE), atol=1e-6)
    assert queue.lead == queue.RESERVE


@pytest.mark.parametrize("drift", [-200e-6, 100e-6, 200e-6])
def test_clocks_that_disagree_by_what_is_known_never_move_the_echo(drift: float) -> None:
    queue = InStep(FRAME, 3 * FRAME, pace=1 / (1 + drift))
    heard, taken = 0.0, list[np.ndarray]()
    for n in range(12_000):
        queue.put(tone(n * FRAME, FRAME))
        heard += FRAME * (1 + drift)
        while heard >= FRAME:
            taken.append(queue.take(int(heard)))
            heard -= FRAME
        assert not queue.drop()
    read = np.concatenate(taken)[CAPTURE_RATE:]
    at = (CAPTURE_RATE + np.arange(len(read))) / (1 + drift) - queue.RESERVE
    assert np.abs(read - np.sin(2 * np.pi * 200 / CAPTURE_RATE * at)).max() < 1e-3
    assert queue.jumps == 0


def test_devices_that_work_in_pieces_break_nothing_once_there_is_enough() -> None:
    queue = InStep(FRAME, 3 * FRAME)
    jumps: list[int] = []
    for n in range(2000):
        if n % 5 == 4:
            queue.put(tone((n - 4) * FRAME, 5 * FRAME))
        if n % 3 == 2:
            for left in (3, 2, 1):
                queue.take(left * FRAME)
        assert not queue.drop()
        jumps.append(queue.jumps)
    assert jumps[-1] == jumps[100]
    assert queue.moved == -jumps[-1] * FRAME


def test_what_waits_for_no_reason_is_dropped() -> None:
    queue = InStep(FRAME, 3 * FRAME)
    queue.put(tone(0, 10 * FRAME))
    late: list[np.ndarray] = []
    for n in range(300):
        queue.put(tone((10 + n) * FRAME, FRAME))
        queue.take(FRAME)
        late += queue.drop()
    assert len(late) == 8
    assert all(len(frame) == FRAME for frame in late)
    assert queue.moved == 8 * FRAME


def test_what_waits_for_a_microphone_that_stopped_is_dropped() -> None:
    queue = InStep(FRAME, 3 * FRAME)
    late: list[np.ndarray] = []
    for n in range(1000):
        queue.put(tone(n * FRAME, FRAME))
        late += queue.drop()
    assert 900 < len(late) < 1000


def test_where_nothing_was_played_there_is_silence() -> None:
    queue = InStep(FRAME, 3 * FRAME)
    assert not np.any(queue.take(FRAME))
    queue.put(tone(0, 2 * FRAME))
    assert any(np.any(queue.take(FRAME)) for _ in range(4))
