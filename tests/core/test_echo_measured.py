"""The measurement of the echo: a room that answers, and a guard that makes a difference in it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from core.evaluation.echo import Scene, avatar_voice, look
from core.evaluation.echo_room import SOUND_M_S, Room, impulse_response
from core.listening.vad import Vad
from core.media import CAPTURE_RATE
from core.settings import models_folder


def test_the_room_answers_first_by_the_shortest_way_and_then_fades() -> None:
    room = Room()
    response = impulse_response(room, (2.1, 2.2, 0.85), mouth=(2.1, 1.2, 0.85))
    first = int(np.flatnonzero(response)[0])
    assert first == pytest.approx(1.0 / SOUND_M_S * CAPTURE_RATE, abs=1)
    assert np.argmax(response) == first
    assert np.sum(np.square(response)) == pytest.approx(1, rel=1e-3)
    energy = [float(np.sum(np.square(piece))) for piece in np.split(response, 6)]
    assert energy == sorted(energy, reverse=True)
    dead = impulse_response(Room(absorption=0.99), (2.1, 2.2, 0.85), mouth=(2.1, 1.2, 0.85))
    assert np.sum(np.square(dead[first + 1 :])) < 0.1 * np.sum(np.square(response[first + 1 :]))


@pytest.mark.skipif(not shutil.which("flite"), reason="needs flite")
def test_without_a_guard_the_avatar_hears_itself_and_with_it_it_does_not() -> None:
    voice, vad = avatar_voice(), Vad(models_folder() / "silero" / "silero_vad.onnx")
    alone = look(Scene("no guard", 0.15, mode="off"), voice, vad)
    guarded = look(Scene("laptop", 0.15), voice, vad)
    assert alone.erle_db == pytest.approx(0, abs=1)
    assert alone.self_interruptions > 0
    assert guarded.erle_db > 25
    assert guarded.self_interruptions == 0
    assert guarded.delay_ms == pytest.approx(75, abs=20)
