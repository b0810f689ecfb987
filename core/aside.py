"""Asides: what the avatar says while an answer is awaited. It is heard and filmed, and no part of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.answer import Sounding
from core.dialogue.heard import heard_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.answer import Aside, Output
    from core.media import Turn


class Asides:
    """The one that is being said, from its first sample in the track to its last out of the loudspeaker; one that
    nobody can say is shown until the answer begins. Conversation thread only, but for `sounding`.

    Args:
        note: told each line for the recording's subtitles, as `Conversation` is.
    """

    def __init__(self, output: Output, note: Callable[[str, str, Turn, float | None], None]) -> None:
        self._output = output
        self._note = note
        self._current: Aside | None = None
        self.sounding: Sounding | None = None

    @property
    def heard(self) -> bool:
        """Whether the avatar's voice is in the room by it."""
        return self._current is not None and self._output.heard(self._current.turn) > 0

    def take(self, aside: Aside) -> None:
        """It was put into the track."""
        self._current = aside
        self.sounding = Sounding(aside.turn, ((aside.text, aside.samples),), written=not aside.samples)
        if aside.turn.cancelled:
            self.cut()

    def follow(self, *, awaited: bool) -> bool:
        """Time went by; True when one has just ended. `awaited`: nothing of the answer has come."""
        aside = self._current
        if aside is None or (self._output.pending(aside.turn) if aside.samples else awaited):
            return False
        self._over(self._output.heard(aside.turn))
        return True

    def cut(self) -> None:
        """The person wants to hear no more of it, nor of the answer that it goes before."""
        if self._current is not None:
            self._current.turn.cancel()
            self._output.drop(self._current.turn)
            self._over(self._output.silence(self._current.turn))

    def _over(self, heard: int) -> None:
        aside, self._current, self.sounding = self._current, None, None
        if aside is not None and (said := heard_text([(aside.text, aside.samples)], heard)[0].strip()) and heard:
            self._note("avatar", said, aside.turn, None)
