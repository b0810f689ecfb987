"""What the window may learn: small, rare values that cross to the GUI by one queued signal.

Frames, sound, levels and statistics never travel this way: the window pulls them from `Session`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.errors import LiveTalkError, Problem


class Status(enum.Enum):
    """What is going on, exactly one at a time (the words of the status pill)."""

    STARTING = "starting"
    READY = "ready"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    MICROPHONE_OFF = "microphone_off"
    RECONNECTING = "reconnecting"
    NOT_CONNECTED = "not_connected"
    STOPPED = "stopped"


@dataclass(frozen=True)
class StatusChanged:
    """The status pill's new word. `detail` is what is being loaded, or which attempt is made."""

    status: Status
    detail: str = ""


@dataclass(frozen=True)
class UserSpoke:
    """The person took a turn. `text` is empty while spoken words are not known yet; the same turn may come again
    with the words."""

    turn: int
    text: str
    spoken: bool


@dataclass(frozen=True)
class Replying:
    """The avatar's reply so far; `text` is the whole of it and grows. `done` once the last of it was heard. A turn that
    failed before anything was said has no reply."""

    turn: int
    text: str
    done: bool = False
    complete: bool = True
    """With `done`: False when the reply was cut or faulty."""
    unsaid: str = ""
    """With `done`: the words after `text` that came and were never spoken."""
    may_go_on: bool = False
    """With `done`: it stopped before its end, and the rest of it can be asked for."""


@dataclass(frozen=True)
class Interrupted:
    """The reply was cut by the person: what was heard, and what was not."""

    turn: int
    heard: str
    unheard: str
    heard_s: float


@dataclass(frozen=True)
class Failed:
    """Expected trouble. `turn` is the turn it ended, if any; `retry_after_s` as in `LiveTalkError`."""

    problem: Problem
    title: str
    advice: str
    detail: str = ""
    turn: int | None = None
    retry_after_s: float | None = None

    @classmethod
    def of(cls, error: LiveTalkError, turn: int | None = None) -> Failed:
        return cls(error.problem, error.title, error.advice, error.detail, turn, error.retry_after_s)


@dataclass(frozen=True)
class Recovered:
    """A problem that was reported is over (a device came back, the question is asked again)."""

    problem: Problem


@dataclass(frozen=True)
class Crashed:
    """A bug ended a worker; the session closes. `report` is a traceback without anything that was said."""

    worker: str
    report: str


@dataclass(frozen=True)
class AvatarChanged:
    """Another portrait is on the stage; `key` is a shipped name or the picture's path."""

    key: str
    name: str


@dataclass(frozen=True)
class ConversationOpened:
    """Another conversation is current: a new one, or an earlier one that goes on."""

    private: bool


@dataclass(frozen=True)
class RecordingStarted:
    path: Path


@dataclass(frozen=True)
class RecordingSaved:
    """The file is complete. `seconds` of picture and sound are in it; `subtitles` is the .vtt beside it."""

    path: Path
    subtitles: Path
    seconds: float


@dataclass(frozen=True)
class TurnMeasured:
    """How long each stage of a turn took, in seconds, in the order of time (see `core.marks`)."""

    turn: int
    typed: bool
    stages: dict[str, float]

    @property
    def response_s(self) -> float:
        return sum(self.stages.values())


SessionEvent = (
    StatusChanged
    | UserSpoke
    | Replying
    | Interrupted
    | Failed
    | Recovered
    | Crashed
    | AvatarChanged
    | ConversationOpened
    | RecordingStarted
    | RecordingSaved
    | TurnMeasured
)
if TYPE_CHECKING:
    Emit = Callable[[SessionEvent], None]
