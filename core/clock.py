"""SampleClock: how much media has left for the loudspeaker."""

from __future__ import annotations


class SampleClock:
    """Output time in media samples. `SoundLoop` alone sets it; any thread reads it (one int, one store).

    It never goes back. While sound starves it stands still, and so does the picture.
    """

    def __init__(self) -> None:
        self._position = 0

    @property
    def position(self) -> int:
        return self._position

    def set(self, position: int) -> None:
        self._position = max(self._position, position)
