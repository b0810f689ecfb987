"""The delay of the echo on a sound server whose loudspeaker is heard by its microphone."""

from __future__ import annotations

import pytest

from core.evaluation.echo import avatar_voice
from core.evaluation.echo_devices import measure_devices
from tests.soundserver import sound_server, sound_server_available

pytestmark = [
    pytest.mark.sound,
    pytest.mark.skipif(not sound_server_available(), reason="needs pulseaudio and pulseaudio-utils"),
]


def test_the_delay_of_this_machines_devices_is_measured() -> None:
    voice = avatar_voice()
    with sound_server(echo_ms=40):
        devices = measure_devices(voice, seconds=6.0)
    assert devices is not None
    assert devices.measured_ms is not None
    assert 30 < devices.measured_ms < 500
