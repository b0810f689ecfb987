"""What the window may tell the conversation: values for its one inbox, so no lock and no order problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.dialogue.history import History
    from core.listening.turns import TurnRules


@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Interrupt:
    pass


@dataclass(frozen=True)
class Hold:
    """The talk key went down or up."""

    pressed: bool


@dataclass(frozen=True)
class Appear:
    """The first picture is there; the avatar may open the conversation."""

    greet: bool


@dataclass(frozen=True)
class Retry:
    """Ask the last unanswered question again; `here` lets the built-in companion answer it."""

    here: bool = False


@dataclass(frozen=True)
class GoOn:
    """Have the last answer gone on with, which stopped before its end."""


@dataclass(frozen=True)
class Open:
    """Go on with another history."""

    history: History


@dataclass(frozen=True)
class Microphone:
    on: bool


@dataclass(frozen=True)
class Rules:
    """The person changed how patiently they are listened to."""

    rules: TurnRules
    hold_to_talk: bool


Command = Say | Interrupt | Hold | Appear | Retry | GoOn | Open | Microphone | Rules
"""What the window may tell the conversation."""
