"""Stage: the conversation's hand on playback and sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.marks import Step

if TYPE_CHECKING:
    from core.audio.sound import SoundLoop
    from core.clock import SampleClock
    from core.marks import Marks
    from core.media import SpeechSegment, Turn
    from core.performer.renderer import Renderer
    from core.performer.track import SpeechTrack
    from core.playback.player import Player

_EVER = 1 << 62


class Stage:
    """Implements `core.answer.Output` with the parts of a session. Any thread."""

    def __init__(
        self, track: SpeechTrack, renderer: Renderer, player: Player, sound: SoundLoop, clock: SampleClock, marks: Marks
    ) -> None:
        self._track = track
        self._renderer = renderer
        self._player = player
        self._sound = sound
        self._clock = clock
        self._marks = marks

    def put(self, segment: SpeechSegment) -> bool:
        return self._track.put(segment)

    def drop(self, turn: Turn) -> None:
        self._track.drop(turn)

    def pending(self, turn: Turn) -> bool:
        """Until it was acted out, played, and has left the loudspeaker; what a lost device swallowed has left too."""
        if self._track.pending(turn) or self._renderer.acting(turn) or self._player.waiting(turn):
            return True
        return self.heard(turn) < self._player.heard(turn, _EVER)

    def heard(self, turn: Turn) -> int:
        return self._player.heard(turn, self._clock.position)

    def shown(self, turn: Turn) -> bool:
        if not self.heard(turn):
            return False
        self._marks.mark(turn.number, Step.SHOWN)
        return True

    def soften(self, soft: bool) -> None:
        self._sound.ducked = soft

    def silence(self, turn: Turn) -> int:
        self._player.cut(turn)
        self._sound.hush()
        return self._player.heard(turn, _EVER)
