"""What the sound loop asks of a microphone and a loudspeaker, whatever they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.events import SessionEvent
    from core.media import Samples

AHEAD_S = 0.5
"""How long a loudspeaker goes on, in silence, when nobody comes to write."""
_TAPE_S = 1.5


class Microphone(Protocol):
    """Mono sound coming in, counted from when it was opened."""

    @property
    def name(self) -> str: ...

    @property
    def rate(self) -> int: ...

    @property
    def latency_s(self) -> float:
        """From the air to `take`, as far as the system knows."""
        ...

    @property
    def alive(self) -> bool: ...

    def take(self) -> Samples:
        """All that was heard since the last call; the caller owns it."""
        ...

    def close(self) -> None: ...


class Loudspeaker(Protocol):
    """Mono sound going out, addressed by sample positions that never stop: what nobody wrote is silence.

    A position may be written again until the device has taken it, which is how a reply is flushed.
    """

    @property
    def name(self) -> str: ...

    @property
    def rate(self) -> int: ...

    @property
    def alive(self) -> bool: ...

    @property
    def taken(self) -> int:
        """Samples the device has taken; nothing before this position can change."""
        ...

    @property
    def leaving(self) -> float:
        """The position that is audible about now: `taken` less what the device still holds."""
        ...

    def write(self, position: int, samples: Samples) -> None:
        """Put `samples` at `position` and silence after them."""
        ...

    def played(self, start: int, end: int) -> Samples:
        """What stands at these positions, at most a second back."""
        ...

    def close(self) -> None: ...


class SoundDevice(Protocol):
    """Both directions. Owned by the sound thread once the loop runs."""

    @property
    def microphone(self) -> Microphone | None: ...

    @property
    def loudspeaker(self) -> Loudspeaker:
        """A silent one, paced by wall time, where there is none: media time goes on."""
        ...

    def tend(self) -> Sequence[SessionEvent]:
        """Notice what was lost, fall back, try again; what the person should know of it. Called every tick."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Devices:
    """What the system offers, by name; the defaults are empty when there is none."""

    microphones: tuple[str, ...] = ()
    loudspeakers: tuple[str, ...] = ()
    default_microphone: str = ""
    default_loudspeaker: str = ""


class Tape:
    """Samples by absolute position in memory that goes round; [n, channels] float32, handed to C as it is."""

    def __init__(self, rate: int, channels: int = 1) -> None:
        self.length = 1 << int(np.ceil(np.log2(_TAPE_S * rate)))
        self.memory = np.zeros((self.length, channels), np.float32)

    def put(self, position: int, samples: Samples) -> None:
        at = position % self.length
        first = min(len(samples), self.length - at)
        self.memory[at : at + first] = samples[:first, None]
        self.memory[: len(samples) - first] = samples[first:, None]

    def blank(self, start: int, end: int) -> None:
        if end > start:
            self.put(start, np.zeros(end - start, np.float32))

    def get(self, start: int, end: int) -> Samples:
        index = np.arange(start, end) % self.length
        return self.memory[index, 0]


class PacedLoudspeaker:
    """Takes samples at the pace of a clock and hands them to `heard`, or to nobody.

    Args:
        now: seconds.
        heard: given every sample taken, in order, on the sound thread.
    """

    name = ""
    alive = True

    def __init__(self, rate: int, now: Callable[[], float], heard: Callable[[Samples], None] = lambda _: None) -> None:
        self.rate = rate
        self._now = now
        self._began = now()
        self._heard = heard
        self._tape = Tape(rate)
        self._taken = 0
        self._written = 0

    @property
    def taken(self) -> int:
        due = int((self._now() - self._began) * self.rate)
        while self._taken < due:
            end = min(due, self._taken + self.rate // 2)
            written = min(end, max(self._written, self._taken))
            silence = np.zeros(end - written, np.float32)
            self._heard(np.concatenate([self._tape.get(self._taken, written), silence]))
            self._tape.blank(written, end)
            self._taken = end
        return self._taken

    @property
    def leaving(self) -> float:
        return self.taken

    def write(self, position: int, samples: Samples) -> None:
        self._tape.put(position, samples)
        self._written = position + len(samples)

    def played(self, start: int, end: int) -> Samples:
        return self._tape.get(start, end)

    def close(self) -> None:
        pass
