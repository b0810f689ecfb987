"""What the tests on a GPU say of themselves, where there is none."""

from __future__ import annotations

import pytest

from tests.gpu.proved import sentence


@pytest.mark.parametrize(
    ("nodeid", "said"),
    [
        ("tests/gpu/test_device.py::test_drawing_waits_for_it", "drawing waits for it"),
        ("tests/gpu/test_livetalk.py::test_nothing_waits[quality]", "nothing waits (quality)"),
        ("tests/gpu/test_diffusion.py::test_it_is_so[True-0.3]", "it is so (True-0.3)"),
    ],
)
def test_a_test_is_told_as_the_sentence_that_it_is(nodeid: str, said: str) -> None:
    assert sentence(nodeid) == said
