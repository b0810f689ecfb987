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
    assert np.array_equal(heard[queue.RESERVE :], tone(0, len(heard) - queue.RESERVE))


@pytest.mark.parametrize("parts_per_million", [-200, 100, 200])
def test_clocks_that_disagree_never_make_a_gap_or_a_jump(parts_per_million: int) -> None:
    queue = InStep(FRAME, 3 * FRAME)
    wanted, waiting, taken = 0.0, 0, list[np.ndarray]()
    for n in range(12_000):
        queue.put(tone(n * FRAME, FRAME))
        wanted += FRAME * (1 + parts_per_million * 1e-6)
        waiting += int(wanted) - waiting - FRAME * len(taken)
        while waiting >= FRAME:
            taken.append(queue.take(waiting))
            waiting -= FRAME
        assert not queue.drop()
    steps = np.abs(np.diff(np.concatenate(taken)[queue.RESERVE :]))
    assert steps.max() < 1.2 * 2 * np.pi * 200 / CAPTURE_RATE


def test_what_came_much_too_early_does_not_wait() -> None:
    queue = InStep(FRAME, 3 * FRAME)
    queue.put(tone(0, 10 * FRAME))
    late = queue.drop()
    assert len(late) == 7
    assert all(len(frame) == FRAME for frame in late)


def test_where_nothing_was_played_there_is_silence() -> None:
    queue = InStep(FRAME, 3 * FRAME)
    assert not np.any(queue.take(FRAME))
    queue.put(tone(0, 2 * FRAME))
    assert np.any(queue.take(FRAME))
