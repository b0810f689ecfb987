"""Check: one line of the doctor."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Finding(enum.Enum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """Not there, and LiveTalk works without it."""
    NEEDED = "needed"
    """Not there, and something does not work without it."""


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and what to do when it is not well."""

    name: str
    finding: Finding
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "state": self.finding.value, "found": self.found, "advice": self.advice}
