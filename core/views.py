"""Views: what the window reads of a conversation while it goes on. Values only; nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from core.dialogue.heard import heard_text

if TYPE_CHECKING:
    from core.answer import Sounding
    from core.dialogue.history import History

_LONGEST = 110
"""Letters of a caption: two lines on a small window."""
_ENDS = ".!?…\n"


@dataclass(frozen=True)
class Levels:
    """Loudness 0..1 of the person's microphone and of the avatar's voice."""

    microphone: float
    voice: float


@dataclass(frozen=True)
class Statistics:
    """Since the session began, but for `fps`, which is of the last two seconds."""

    fps: float
    shown: int
    late: int
    dropped: int
    underruns: int
    half_duplex: bool
    drawn_by: str = ""
    """Which way of running its performer draws the picture, where there are several."""


@dataclass(frozen=True)
class Caption:
    """Words as they sound now."""

    text: str
    by_user: bool = False


@dataclass(frozen=True)
class TranscriptEntry:
    """What one side said, for a window that shows an earlier conversation. `unheard` was cut off, by the person unless
    the reply is `broken`; `answered` is False for a question without a reply."""

    role: Literal["user", "assistant"]
    text: str
    unheard: str
    time: datetime
    turn: int
    cut: bool
    answered: bool
    private: bool
    broken: bool = False


@dataclass
class Pulse:
    """Frames shown in the last seconds, for the figure on the overlay. Window thread only."""

    times: list[float] = field(default_factory=lambda: list[float]())

    def beat(self, now: float) -> None:
        self.times = [at for at in self.times if now - at < 2.0] + [now]

    def fps(self, now: float) -> float:
        recent = [at for at in self.times if now - at < 2.0]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0


def transcript(history: History) -> list[TranscriptEntry]:
    """What was said so far, oldest first."""
    entries = history.entries
    replied = {entry.turn for entry in entries if entry.role == "assistant"}
    return [
        TranscriptEntry(
            entry.role,
            entry.text,
            entry.full_text[len(entry.text) :] if entry.cut else "",
            datetime.fromisoformat(entry.started),
            entry.turn,
            entry.cut,
            entry.turn in replied,
            history.private,
            entry.broken,
        )
        for entry in entries
    ]


def caption(sounding: Sounding | None, heard: int, person: str) -> Caption | None:
    """The words of this moment: the sentence of the reply that sounds, up to the word being said, of which `heard`
    samples were heard; else the last of what the person says."""
    if sounding is not None and sounding.written and not sounding.turn.cancelled:
        return Caption("".join(words for words, _ in sounding.pieces))
    if sounding is not None and heard and not sounding.turn.cancelled:
        said, unsaid = heard_text(list(sounding.pieces), heard)
        if not unsaid.strip() and heard >= sum(samples for _, samples in sounding.pieces):
            return None
        return Caption(_sentence(said, unsaid))
    return Caption(_last_of(person), by_user=True) if person else None


def _last_of(text: str) -> str:
    """The sentence in which `text` ends; of a long one its last words."""
    sentence = _sentence(text, "")
    if len(sentence) <= _LONGEST:
        return sentence
    return "… " + sentence[-_LONGEST:].split(" ", 1)[-1]


def _sentence(said: str, unsaid: str) -> str:
    """The sentence in which `said` ends, whole."""
    start = max((said.rfind(mark) + 1 for mark in _ENDS), default=0)
    if not said[start:].strip() and start:
        start = max((said[: start - 1].rfind(mark) + 1 for mark in _ENDS), default=0)
    ends = [position + 1 for mark in _ENDS if (position := unsaid.find(mark)) >= 0]
    tail = "" if said[start:].rstrip()[-1:] in set(_ENDS) else unsaid[: min(ends, default=len(unsaid))]
    return (said[start:] + tail).strip()
