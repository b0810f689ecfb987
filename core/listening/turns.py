"""TurnTaker: when the person began to speak and when they have finished, by counting samples."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from core.media import CAPTURE_RATE


class Floor(enum.Enum):
    """What changed with a piece of sound."""

    NOTHING = "nothing"
    SPEAKING = "speaking"
    """The person has the floor; their speech began at `TurnTaker.start`."""
    PAUSED = "paused"
    """They fell silent for a moment: an answer may be prepared, and thrown away if they go on."""
    RESUMED = "resumed"
    """They went on."""
    QUIET = "quiet"
    """They have finished; their speech is [`TurnTaker.start`, `TurnTaker.end`)."""


@dataclass(frozen=True)
class TurnRules:
    """Thresholds of probability, and times. `for_sensitivity` is what the person chooses."""

    on: float = 0.5
    off: float = 0.35
    begin_ms: int = 96
    """Speech that begins a turn."""
    barge_in_ms: int = 256
    """Speech that interrupts the avatar."""
    pause_ms: int = 200
    silence_ms: int = 500
    """Silence that ends a turn."""
    longest_ms: int = 60_000
    before_ms: int = 400
    """Kept before the first sound of speech, so that no first letter is lost."""

    @classmethod
    def for_sensitivity(cls, sensitivity: float, silence_ms: int = 500) -> TurnRules:
        """`sensitivity` 0..1: 0.5 is the model's own threshold of 0.5; 1 hears whispers, 0 only clear speech."""
        on = 0.75 - 0.5 * min(1.0, max(0.0, sensitivity))
        return cls(on=on, off=on - 0.15, silence_ms=silence_ms, pause_ms=min(200, silence_ms))


class TurnTaker:
    """A pure state machine over (probability, samples); it never sees a clock. One thread.

    `avatar_speaks` is set by whoever knows: while it is true, more speech is needed to take the floor. `start`,
    `end` and `speech_end` (where the silence that ended the turn began) are capture positions, counted from the first
    sample heard.
    """

    def __init__(self, rules: TurnRules, hold_to_talk: bool = False) -> None:
        self.rules = rules
        self.hold_to_talk = hold_to_talk
        self.avatar_speaks = False
        self.start = 0
        self.end = 0
        self.speech_end = 0
        self._position = 0
        self._speaking = False
        self._paused = False
        self._held = False
        self._loud = 0
        self._silent = 0
        self._onset = 0
        self._last_turn_end = 0

    @property
    def speaking(self) -> bool:
        """The person has the floor."""
        return self._speaking

    @property
    def position(self) -> int:
        """Samples heard so far."""
        return self._position

    def hear(self, probability: float, samples: int) -> Floor:
        """The next `samples` of the microphone are speech with this probability."""
        before = self._position
        self._position += samples
        if self.hold_to_talk:
            return self._hear_held()
        if self._speaking:
            return self._hear_speaker(probability, samples)
        return self._hear_silence(probability, samples, before)

    def press(self) -> Floor:
        """The person holds the key: they have the floor from here, and nobody else decides when it ends."""
        self._held = True
        if self._speaking:
            return Floor.NOTHING
        return self._take_floor(self._position)

    def release(self) -> Floor:
        """The key was let go: the turn is over."""
        if not self._held:
            return Floor.NOTHING
        self._held = False
        return self._give_floor(self._position) if self._speaking else Floor.NOTHING

    def forget(self) -> None:
        """Whoever was speaking is not any more (the microphone was switched off, the turn was taken by typing)."""
        self._speaking = self._paused = self._held = False
        self._loud = self._silent = 0
        self._last_turn_end = self._position

    def _hear_held(self) -> Floor:
        if self._speaking and self._position - self.start >= _samples(self.rules.longest_ms):
            self._held = False
            return self._give_floor(self._position)
        return Floor.NOTHING

    def _hear_silence(self, probability: float, samples: int, before: int) -> Floor:
        if probability < (self.rules.off if self._loud else self.rules.on):
            self._loud = 0
            return Floor.NOTHING
        if not self._loud:
            self._onset = before
        self._loud += samples
        needed = self.rules.barge_in_ms if self.avatar_speaks else self.rules.begin_ms
        if self._loud < _samples(needed):
            return Floor.NOTHING
        return self._take_floor(self._onset)

    def _hear_speaker(self, probability: float, samples: int) -> Floor:
        if self._held:
            return self._hear_held()
        if self._position - self.start >= _samples(self.rules.longest_ms):
            return self._give_floor(self._position)
        threshold = self.rules.on if self._silent else self.rules.off
        if probability >= threshold:
            self._silent = 0
            if self._paused:
                self._paused = False
                return Floor.RESUMED
            return Floor.NOTHING
        self._silent += samples
        if self._silent >= _samples(self.rules.silence_ms):
            return self._give_floor(self._position)
        if not self._paused and self._silent >= _samples(self.rules.pause_ms):
            self._paused = True
            return Floor.PAUSED
        return Floor.NOTHING

    def _take_floor(self, onset: int) -> Floor:
        self.start = max(self._last_turn_end, onset - _samples(self.rules.before_ms))
        self._speaking = True
        self._paused = False
        self._silent = 0
        return Floor.SPEAKING

    def _give_floor(self, end: int) -> Floor:
        self.end = end
        self.speech_end = end - self._silent
        self._last_turn_end = end
        self._speaking = self._paused = False
        self._loud = self._silent = 0
        return Floor.QUIET


def _samples(ms: int) -> int:
    return ms * CAPTURE_RATE // 1000
