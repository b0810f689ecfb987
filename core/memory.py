"""Memory: how a conversation writes its own history as it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.dialogue.heard import heard_text
from core.dialogue.history import Entry
from core.errors import LiveTalkError
from core.events import Failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from core.answer import Ended
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
    kept: int = 0
    """Samples heard when the history was last told."""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)

    @property
    def samples(self) -> int:
        return sum(samples for _, samples in self.pieces)

    def split(self, heard: int) -> tuple[str, str]:
        """The words that `heard` samples have said, and the others."""
        return heard_text(self.pieces, heard, complete=self.ended is not None)


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
        """A reply that is over, heard to its end."""
        self._reply(spoken, spoken.text.strip(), spoken.samples, cut=cut)

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

    def _reply(self, spoken: Spoken, said: str, heard: int, *, cut: bool) -> None:
        self._put(
            Entry(
                spoken.turn.number,
                "assistant",
                said.strip(),
                spoken.started,
                full_text=spoken.text.strip() if cut else "",
                heard_s=heard / self._media_rate,
                cut=cut,
            )
        )

    def _put(self, entry: Entry) -> None:
        try:
            self._history.put(entry)
        except LiveTalkError as error:
            self._emit(Failed.of(error))
