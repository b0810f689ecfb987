"""SoftwareSound: a sound device made of a clock, for `livetalk converse` and for tests."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from core.audio.device import PacedLoudspeaker
from core.media import CAPTURE_RATE, MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.events import SessionEvent
    from core.media import Samples


class SoftwareMicrophone:
    """Hears what is played into it, at the pace of a clock, and silence otherwise."""

    name = "software"
    rate = CAPTURE_RATE
    latency_s = 0.0
    alive = True

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._waiting: deque[Samples] = deque()
        self._given = 0

    def put(self, samples: Samples) -> None:
        """Say `samples` (at `CAPTURE_RATE`) after what is being said. Any thread."""
        self._waiting.append(samples)

    @property
    def pending(self) -> int:
        """Samples still to be said."""
        return sum(len(samples) for samples in tuple(self._waiting))

    def take(self) -> Samples:
        due = int((self._now() - self._began) * self.rate) - self._given
        heard = np.zeros(max(0, due), np.float32)
        at = 0
        while at < due and self._waiting:
            samples = self._waiting[0]
            count = min(len(samples), due - at)
            heard[at : at + count] = samples[:count]
            at += count
            if count == len(samples):
                self._waiting.popleft()
            else:
                self._waiting[0] = samples[count:]
        self._given += len(heard)
        return heard

    def close(self) -> None:
        pass


class SoftwareSound:
    """A microphone that is spoken into by `play_into_microphone`, and a loudspeaker whose sound goes to `heard`.

    Args:
        now: seconds; `time.monotonic` for a conversation in real time, a test's own clock otherwise.
        heard: given every sample that was played, in order, on the sound thread.
        rate: samples a second of the loudspeaker.
    """

    def __init__(
        self, now: Callable[[], float], heard: Callable[[Samples], None] = lambda _: None, rate: int = MEDIA_RATE
    ) -> None:
        self.microphone = SoftwareMicrophone(now)
        self.loudspeaker = PacedLoudspeaker(rate, now, heard)

    def play_into_microphone(self, samples: Samples) -> None:
        """Say `samples`, mono at `CAPTURE_RATE`, after what is being said already. Any thread."""
        self.microphone.put(samples)

    def tend(self) -> Sequence[SessionEvent]:
        return ()

    def close(self) -> None:
        pass
