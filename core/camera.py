"""Camera: the recording of a conversation, from the wish for one to the file that is whole."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING

from core.errors import LiveTalkError
from core.events import Failed
from core.playback.player import Played
from core.playback.recorder import Line, Recorder
from core.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.events import Emit
    from core.media import Samples, Turn
    from core.playback.player import Player


class Camera:
    """One recording at a time; each ends in `RecordingSaved` or `Failed`, after which another may be started. Its
    methods may be called from the window's thread and from the renderer's.

    Args:
        recorder: makes the recorder of a file; only called when there is a picture.
        loudness: the gain with which so many media samples from the first were heard.
    """

    def __init__(
        self, player: Player, recorder: Callable[[Path], Recorder], loudness: Callable[[int, int], Samples], emit: Emit
    ) -> None:
        self._player = player
        self._make = recorder
        self._loudness = loudness
        self._emit = emit
        self._wanted: deque[Path] = deque()
        self._recorder: Recorder | None = None
        self._running = ExitStack()

    @property
    def recorded_s(self) -> float | None:
        """Seconds in the recording that runs, None when none does."""
        return self._recorder.seconds if self._recorder and not self._recorder.over else None

    def want(self, path: Path) -> bool:
        """Record into `path` with the next `roll`; False when a recording runs or is wanted already."""
        if self.recorded_s is not None or self._wanted:
            return False
        self._wanted.append(path)
        return True

    def roll(self) -> None:
        """There is a picture: begin the recording that is wanted, if one is."""
        try:
            path = self._wanted.popleft()
        except IndexError:
            return
        try:
            recorder = self._make(path)
        except LiveTalkError as error:
            self._emit(Failed.of(error))
            return
        self.finish()
        self._running.enter_context(Worker("recorder", recorder.run, recorder.stop, self._emit))
        self._player.record_to(self._played)
        self._recorder = recorder

    def stop(self) -> None:
        """Finish the file; `RecordingSaved` says when it is whole."""
        self._wanted.clear()
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._player.record_to(None)
            recorder.stop()

    def finish(self) -> None:
        """Wait until the recording that was stopped is whole."""
        self._running.close()

    def line(self, speaker: str, text: str, turn: Turn, seconds: float | None) -> None:
        """A line of the transcript, for the subtitles of the recording that runs."""
        if recorder := self._recorder:
            recorder.line(Line(speaker, text, turn.number, seconds))

    def _played(self, played: Played) -> None:
        """The film holds what was heard: a muted voice is silence in it too, and one that gave way is softer. Its
        loudness is the voice's own, not the room's."""
        if recorder := self._recorder:
            samples = played.samples * self._loudness(played.start, len(played.samples))
            recorder.played(Played(samples, played.frames, played.turn, played.start))
