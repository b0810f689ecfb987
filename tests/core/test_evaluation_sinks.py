"""The ablation of the sinks counts what it says."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.sinks import Split, jump, table


def test_a_smooth_motion_has_no_seams_and_a_stepped_one_has() -> None:
    smooth = np.sin(np.arange(240) / 17)[:, None]
    assert jump(smooth, 12) == pytest.approx(1.0, abs=0.1)
    stepped = smooth + 0.3 * (np.arange(240) // 12 % 2)[:, None]
    assert jump(stepped, 12) > 5


def test_the_split_of_the_training_is_marked() -> None:
    shown = table([Split(0, 0.1, 1, 2, 3, 1, 1), Split(1, 0.1, 1, 2, 3, 1, 1)], trained=1).splitlines()
    assert shown[1].startswith("0/5 ")
    assert shown[2].startswith("1/4 (trained)")
