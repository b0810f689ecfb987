"""Side: one direction of sound that may be lost and found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from core.errors import DeviceError, Problem
from core.events import Failed, Recovered

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import SessionEvent

RETRY_S = 2.0
_SYSTEM_NAMES = ("default", "pulse", "pipewire", "sysdefault")


class _Openable(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    def close(self) -> None: ...


D = TypeVar("D", bound=_Openable)


class Side(Generic[D]):
    """The device the person wants, the default one in its place, or none; looked for again every `RETRY_S`.

    Args:
        wanted: the name of a device; empty is the system's default.
        words: the trouble, told what is missing, whether it was there before, and what is used instead ("" for none).
        open: the device of a name, None when it cannot be had.
    """

    def __init__(
        self, wanted: str, words: Callable[[str, bool, str], DeviceError], open: Callable[[str], D | None]
    ) -> None:
        self._wanted = wanted
        self._words = words
        self._open = open
        self._missing = wanted
        self._was_there = False
        self._reported: Problem | None = None
        self._retry_at: float | None = None
        self.device: D | None = open(wanted)
        self._settled = self.device is not None
        if self.device is None and wanted:
            self.device = open("")

    @property
    def reported(self) -> Problem | None:
        """The problem the person knows of and that is not over."""
        return self._reported

    def lost(self) -> bool:
        """Whether the device went away since the last call; it is closed then."""
        if self.device is None or self.device.alive:
            return False
        self._missing, self._was_there = self.device.name, True
        self.device.close()
        self.device = None
        self._settled = False
        self._reported = None
        self._retry_at = None
        return True

    def due(self, now: float) -> bool:
        """Whether `tend` would look for a device."""
        return not self._settled and (self._retry_at is None or now >= self._retry_at)

    def tend(self, now: float) -> list[SessionEvent]:
        """Look for what is missing, if it is time; what the person should know of it."""
        if not self.due(now):
            return []
        first = self._retry_at is None
        self._retry_at = now + RETRY_S
        if not first or self._was_there:
            before = self.device
            self._look()
            if self.device is not before and self._reported is not None:
                over, self._reported = self._reported, None
                return [Recovered(over)]
        if first and not self._settled:
            error = self._words(self._missing, self._was_there, self.device.name if self.device else "")
            self._reported = error.problem
            return [Failed.of(error)]
        return []

    def close(self) -> None:
        if self.device is not None:
            self.device.close()
            self.device = None

    def _look(self) -> None:
        wanted = self._open(self._wanted)
        if wanted is not None:
            if self.device is not None:
                self.device.close()
            self.device = wanted
            self._settled = True
        elif self.device is None and self._wanted:
            self.device = self._open("")


def microphone_trouble(missing: str, was_there: bool, used: str) -> DeviceError:
    if not was_there and not used:
        return DeviceError(
            Problem.NO_MICROPHONE, "No microphone was found.", "Connect one, or type what you want to say."
        )
    advice = "Connect it again, or type what you want to say."
    return DeviceError(Problem.DEVICE_LOST, _gone("microphone", missing, was_there), _instead(used, advice))


def loudspeaker_trouble(missing: str, was_there: bool, used: str) -> DeviceError:
    if not was_there and not used:
        return DeviceError(
            Problem.NO_LOUDSPEAKER, "No loudspeaker was found.", "Answers come in writing until there is one."
        )
    advice = "Answers come in writing until it is back."
    return DeviceError(Problem.DEVICE_LOST, _gone("loudspeaker", missing, was_there), _instead(used, advice))


def _gone(kind: str, name: str, was_there: bool) -> str:
    if name in _SYSTEM_NAMES:
        return f"The {kind} was lost."
    return f'"{name}" was unplugged.' if was_there else f'"{name}" is not connected.'


def _instead(used: str, advice: str) -> str:
    if not used:
        return advice
    return "Now using the system's default." if used in _SYSTEM_NAMES else f'Now using "{used}".'
