"""Memory: how a conversation writes its own history as it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.answer import Spoke
from core.dialogue.heard import heard_text
from core.dialogue.history import Entry
from core.dialogue.phrases import phrases_for
from core.dialogue.protocol import Verdict
from core.errors import LiveTalkError
from core.events import Failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.answer import Anew, Ended
    from core.dialogue.history import History
    from core.dialogue.protocol import Dialogue
    from core.events import Emit
    from core.media import Turn

_KEEP_EVERY_S = 1.0


@dataclass
class Spoken:
    """The current turn, and what is known of its answer. Conversation thread only."""

    turn: Turn
    dialogue: Dialogue
    started: str
    """ISO time at which the answer was asked for."""
    pieces: list[tuple[str, int]] = field(default_factory=lambda: list[tuple[str, int]]())
    """Words and the samples that say them, in the order in which they came."""
    ended: Ended | None = None
    sounding: bool = False
    go_on: bool = False
    """The person wants the rest of it, should it stop before its end."""
    kept: int = 0
    """Samples heard when the history was last told."""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)

    @property
    def samples(self) -> int:
        return sum(samples for _, samples in self.pieces)

    def take(self, report: Spoke | Anew) -> None:
        """More of the answer came, or it begins again."""
        if isinstance(report, Spoke):
            self.pieces.append((report.text, report.samples))
        else:
            self.pieces.clear()

    @property
    def whole(self) -> bool:
        """Whether all of its sound has come."""
        return self.ended is not None and self.ended.error is None and self.ended.verdict is not Verdict.CUT

    @property
    def stopped(self) -> bool:
        """Whether something was said and the rest is missing: the connection broke, or it grew too long."""
        early = self.ended is not None and (not self.whole or self.ended.verdict is Verdict.LENGTH)
        return early and bool(self.split(self.samples)[0].strip())

    def split(self, heard: int) -> tuple[str, str]:
        """The words that `heard` samples have said, and the others. A reply without any sound is read."""
        if self.ended is not None and not self.samples:
            return self.text, ""
        return heard_text(self.pieces, heard, complete=self.whole)


class Memory:
    """Puts questions and answers into the history; trouble with the disk is told, and the talk goes on.

    Conversation thread only. `media_rate` is samples of speech a second.
    """

    def __init__(self, history: History, media_rate: int, today: Callable[[], datetime], emit: Emit) -> None:
        self._history = history
        self._media_rate = media_rate
        self._today = today
        self._emit = emit

    @property
    def history(self) -> History:
        return self._history

    def open(self, history: History) -> None:
        """Go on with another history; the one before is closed."""
        self._history.close()
        self._history = history

    def close(self) -> None:
        self._history.close()

    def now(self) -> str:
        """ISO time to the second."""
        return self._today().isoformat(timespec="seconds")

    def question(self, turn: Turn, text: str) -> None:
        """What the person said in `turn`; `text` is empty as long as nobody knows the words."""
        self._put(Entry(turn.number, "user", text, self.now(), spoken=not isinstance(turn.speech, str)))

    def withhold(self, turn: Turn, withheld: bool) -> None:
        """A filter stopped `turn`, or let it pass after all: no model is told of what is withheld."""
        try:
            self._history.withhold(turn.number, withheld)
        except LiveTalkError as error:
            self._emit(Failed.of(error))

    def reply(self, spoken: Spoken, *, cut: bool) -> None:
        """A reply that is over, heard as far as it came."""
        self._reply(spoken, spoken.split(spoken.samples)[0], spoken.samples, cut=cut, broken=spoken.stopped)

    def heard(self, spoken: Spoken, heard: int) -> None:
        """What was heard of a reply that was cut, or that is not over."""
        if spoken.pieces:
            self._reply(spoken, spoken.split(heard)[0], heard, cut=True)

    def meanwhile(self, spoken: Spoken, heard: int) -> None:
        """While a reply sounds: a killed process loses at most the last second of what was said."""
        if heard - spoken.kept < self._media_rate * _KEEP_EVERY_S:
            return
        spoken.kept = heard
        if spoken.split(heard)[0].strip():
            self.heard(spoken, heard)

    def wish_to_go_on(self) -> str:
        """How the person asks for the rest of an answer, in the language of the conversation; empty where the last one
        was whole."""
        entries = self._history.entries
        if not entries or not entries[-1].broken:
            return ""
        return phrases_for(entry.text for entry in reversed(entries)).go_on

    def _reply(self, spoken: Spoken, said: str, heard: int, *, cut: bool, broken: bool = False) -> None:
        self._put(
            Entry(
                spoken.turn.number,
                "assistant",
                said.strip(),
                spoken.started,
                full_text=spoken.text.strip() if cut else "",
                heard_s=heard / self._media_rate,
                cut=cut,
                broken=broken,
            )
        )

    def _put(self, entry: Entry) -> None:
        try:
            self._history.put(entry)
        except LiveTalkError as error:
            self._emit(Failed.of(error))
