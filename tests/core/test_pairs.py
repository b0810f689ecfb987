"""Pairs: what one session learned of the devices, the next one begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.audio.device import PacedLoudspeaker
from core.audio.ear import Ear
from core.audio.pairs import STRANGERS, Pair, Pairs, pairs_path
from core.audio.software import SoftwareMicrophone
from core.media import CAPTURE_RATE
from tests.core.test_echo import babble, room

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = Pair(drift=1e-4, lag_s=0.08)


def test_the_next_session_begins_with_what_this_one_learned() -> None:
    pairs = Pairs(pairs_path())
    pairs.learn("Anna's microphone", "Speakers", KNOWN)
    pairs.learn("Anna's microphone", "Headphones", STRANGERS)
    pairs.keep()
    again = Pairs(pairs_path())
    assert again.recall("Anna's microphone", "Speakers") == KNOWN
    assert again.recall("Anna's microphone", "Headphones") == STRANGERS
    assert again.recall("Speakers", "Anna's microphone") == STRANGERS
    assert b"Anna" not in pairs_path().read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"not JSON",
        b'{"x": {"drift": 0.5}}',
        b'{"x": {"lag_s": "soon"}}',
        b'{"x": {"lag_s": NaN}}',
        b'{"caf\xe9": {"lag_s": 0.1}}',
    ],
)
def test_what_cannot_be_read_is_learned_again(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "devices.json"
    path.write_bytes(content)
    assert Pairs(path).recall("", "") == STRANGERS


@pytest.mark.parametrize("nowhere", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_kept(tmp_path: Path, nowhere: float) -> None:
    pairs = Pairs(tmp_path / "devices.json")
    pairs.learn("a", "b", Pair(drift=nowhere, lag_s=nowhere))
    pairs.learn("c", "d", KNOWN)
    pairs.keep()
    again = Pairs(tmp_path / "devices.json")
    assert again.recall("a", "b") == STRANGERS
    assert again.recall("c", "d") == KNOWN


def test_what_cannot_be_written_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    pairs = Pairs(tmp_path / "file" / "devices.json")
    pairs.learn("a", "b", KNOWN)
    pairs.keep()
    assert pairs.recall("a", "b") == KNOWN


class _Named(PacedLoudspeaker):
    name = "speakers"


@pytest.mark.parametrize("from_microphone", [True, False])
def test_one_sample_that_is_no_number_is_soon_forgotten(tmp_path: Path, from_microphone: bool) -> None:
    seconds = 0.0
    microphone, loudspeaker = SoftwareMicrophone(lambda: seconds), _Named(CAPTURE_RATE, lambda: seconds)
    pairs, heard = Pairs(tmp_path / "devices.json"), list[np.ndarray]()
    ear = Ear(lambda chunk: heard.append(chunk.samples), "auto", microphone, loudspeaker, pairs)
    far = babble(6, 1)
    near = room(far)
    (near if from_microphone else far)[2 * CAPTURE_RATE] = np.nan
    frame = CAPTURE_RATE // 100
    for at in range(0, len(far), frame):
        seconds += 0.01
        microphone.put(near[at : at + frame])
        ear.turn(microphone, loudspeaker, far[at : at + frame])
    assert np.isfinite(np.concatenate(heard)).all()
    assert not ear.half_duplex
    assert ear.echo_delay_s == pytest.approx(0.08, abs=0.003)


def test_an_ear_keeps_what_it_learned_and_begins_anew_with_another_loudspeaker(tmp_path: Path) -> None:
    seconds = 0.0
    microphone = SoftwareMicrophone(lambda: seconds)
    loudspeakers = [_Named(CAPTURE_RATE, lambda: seconds), PacedLoudspeaker(CAPTURE_RATE, lambda: seconds)]
    pairs = Pairs(tmp_path / "devices.json")
    ear = Ear(lambda chunk: None, "auto", microphone, loudspeakers[0], pairs)
    far = babble(6, 1)
    near = room(far)
    frame = CAPTURE_RATE // 100
    for at in range(0, len(far), frame):
        seconds += 0.01
        microphone.put(near[at : at + frame])
        ear.turn(microphone, loudspeakers[0], far[at : at + frame])
    assert ear.echo_delay_s == pytest.approx(0.08, abs=0.003)
    assert not ear.half_duplex
    ear.turn(microphone, loudspeakers[1], np.zeros(frame, np.float32))
    assert ear.echo_delay_s is None
    assert ear.half_duplex
    ear.close()
    known = Pairs(tmp_path / "devices.json").recall("software", "speakers")
    assert known.drift == pytest.approx(0, abs=2e-6)
