"""TurnTaker: when the person began to speak and when they have finished, by counting samples."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from core.media import CAPTURE_RATE

_USUAL_SILENCE_MS = 500


class Floor(enum.Enum):
    """What changed with a piece of sound."""

    NOTHING = "nothing"
    INTRUDING = "intruding"
    """They speak into the avatar's reply; whether they want the floor is not known yet."""
    WITHDREW = "withdrew"
    """They fell silent again after a moment: "mm-hm", a cough, or one word that `TurnTaker.accept` makes a turn."""
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
    intrude_ms: int = 128
    """Speech into a reply that makes it softer."""
    barge_in_ms: int = 352
    """Speech that interrupts the avatar: longer than most of "mm-hm", "yeah", a laugh, a cough."""
    doubted_ms: int = 448
    """The same, when they may say no more than "I am listening"."""
    spared_ms: int = 960
    """The same, as long as the words so far say no more than "I am listening"."""
    withdraw_ms: int = 224
    """Silence after which what was said into a reply seems to be over."""
    bridge_ms: int = 448
    """Silence after which it is: "no, (...) I mean" is one interruption, also where the canceller took a syllable."""
    pause_ms: int = 128
    """Silence in which the end of the turn is judged."""
    quick_ms: int = 224
    """Silence that ends a turn when it sounds finished."""
    silence_ms: int = _USUAL_SILENCE_MS
    """Silence that ends a turn when nothing is known but the silence."""
    patience_ms: int = 1100
    """Silence that ends a turn however unfinished it sounds."""
    finished: float = 0.6
    unfinished: float = 0.04
    """Probabilities of being finished from which on a turn ends after `quick_ms`, and up to which after
    `patience_ms`; in between the silence shrinks evenly. Chosen by `python -m core.evaluation.turns --fit`."""
    likely: float = 0.25
    """Probability from which on an answer is asked for while the silence goes on."""
    longest_ms: int = 60_000
    """A turn ends after that much of it; the floor is to be had again after a silence of `silence_ms`, so that a
    television is answered once and not over and over."""
    tap_ms: int = 250
    """The key held for less, and nothing said meanwhile: no turn, only the end of what the avatar was saying."""
    before_ms: int = 400
    """Kept before the first sound of speech, so that no first letter is lost."""

    @classmethod
    def for_sensitivity(cls, sensitivity: float, silence_ms: int = _USUAL_SILENCE_MS) -> TurnRules:
        """`sensitivity` 0..1: 0.5 is the model's own threshold of 0.5; 1 hears whispers, 0 only clear speech.
        `silence_ms` moves the patience with it: 800 for 300 and less, 1100 for 500, 3000 for 2000 and more."""
        on = 0.75 - 0.5 * min(1.0, max(0.0, sensitivity))
        if silence_ms <= _USUAL_SILENCE_MS:
            patience = max(800, 800 + (silence_ms - 300) * 3 // 2)
        else:
            patience = min(3000, cls.patience_ms + (silence_ms - _USUAL_SILENCE_MS) * 19 // 15)
        quick = min(cls.quick_ms, silence_ms)
        return cls(on=on, off=on - 0.15, silence_ms=silence_ms, patience_ms=patience, quick_ms=quick)

    def wait_ms(self, finished: float) -> float:
        """The silence that ends a turn which is finished with this probability."""
        doubt = (self.finished - finished) / (self.finished - self.unfinished)
        return self.quick_ms + (self.patience_ms - self.quick_ms) * min(1.0, max(0.0, doubt))


class TurnTaker:
    """A pure state machine over (probability, samples); it never sees a clock. One thread.

    `avatar_speaks` is set by whoever knows: while it is true, more speech is needed to take the floor. `start`,
    `end` and `speech_end` (where the silence that ended the turn began) are capture positions, counted from the first
    sample heard.

    Args:
        rules: may be replaced at any time.
        hold_to_talk: only the key gives and takes the floor.
        judged: after every PAUSED somebody calls `judge`; until they have, the turn goes on for `patience_ms`.
    """

    def __init__(self, rules: TurnRules, hold_to_talk: bool = False, judged: bool = False) -> None:
        self.rules = rules
        self.hold_to_talk = hold_to_talk
        self.judged = judged
        self.avatar_speaks = False
        self.start = 0
        self.end = 0
        self.speech_end = 0
        self._position = 0
        self._speaking = False
        self._held = False
        self._last_turn_end = 0
        self._pause: _Pause | None = None
        self._silent = 0
        self._onset = 0
        self._loud = 0
        self._gap = 0
        self._intruding = False
        self._spared: bool | None = False
        self._withdrawn: tuple[int, int] | None = None
        self._overlong = False
        self._pressed = 0
        self._voiced = False

    @property
    def speaking(self) -> bool:
        """The person has the floor."""
        return self._speaking

    @property
    def position(self) -> int:
        """Samples heard so far."""
        return self._position

    @property
    def onset(self) -> int:
        """Where what is being said, or was said last, into the avatar's reply begins, with the sound before it."""
        return max(self._last_turn_end, self._onset - _samples(self.rules.before_ms))

    @property
    def voiced_at(self) -> int:
        """Where the voice in it begins."""
        return self._onset

    @property
    def paused_at(self) -> int | None:
        """Where the pause that goes on was noticed."""
        return self._pause.at if self._pause else None

    def hear(self, probability: float, samples: int) -> Floor:
        """The next `samples` of the microphone are speech with this probability."""
        before = self._position
        self._position += samples
        self._voiced = self._voiced or probability >= self.rules.on
        if self.hold_to_talk:
            return self._hear_held()
        if self._speaking:
            return self._hear_speaker(probability, samples)
        return self._hear_silence(probability, samples, before)

    def judge(self, asked_at: int, finished: float | None) -> Floor:
        """The turn that had PAUSED at the position `asked_at` is finished with this probability; None when nobody can
        tell. Says nothing about any other pause."""
        pause = self._pause
        if pause is None or pause.at != asked_at:
            return Floor.NOTHING
        pause.wait_ms = self.rules.silence_ms if finished is None else self.rules.wait_ms(finished)
        return self._end_when_due()

    def spare(self, spared: bool | None = True) -> None:
        """What is being said into the reply is no more than a sign of listening so far, or not any more, or may be."""
        self._spared = spared if self._intruding else False

    def claim(self) -> Floor:
        """What is being said into the reply is meant to stop it: SPEAKING, unless they fell silent meanwhile."""
        return self._take_floor(self._onset) if self._intruding else Floor.NOTHING

    def accept(self) -> Floor:
        """What they said before they WITHDREW was meant for the avatar: QUIET, and it is the turn. When they have the
        floor by now, it becomes the beginning of that turn."""
        if self._withdrawn is None:
            return Floor.NOTHING
        start, end = self._withdrawn
        self._withdrawn = None
        self.start = min(start, self.start) if self._speaking else start
        if self._speaking:
            return Floor.NOTHING
        self._silent = self._position - end
        return self._give_floor(self._position)

    def press(self) -> Floor:
        """The person holds the key: they have the floor from here, and nobody else decides when it ends."""
        self._held = True
        if self._speaking:
            return Floor.NOTHING
        self._pressed, self._voiced, self._overlong = self._position, self._loud > 0, False
        return self._take_floor(self._position)

    def release(self) -> Floor:
        """The key was let go: the turn is over. A tap in which nobody spoke is none."""
        if not self._held:
            return Floor.NOTHING
        self._held = False
        if not self._speaking:
            return Floor.NOTHING
        if not self._voiced and self._position - self._pressed < _samples(self.rules.tap_ms):
            self.forget()
            return Floor.NOTHING
        return self._give_floor(self._position)

    def forget(self) -> None:
        """Whoever was speaking is not any more (the microphone was switched off, the turn was taken by typing)."""
        self._speaking = self._held = self._overlong = False
        self._hush()
        self._withdrawn = None
        self._last_turn_end = self._position

    def _hear_held(self) -> Floor:
        if self._speaking and self._too_long():
            self._held = False
            return self._cut_off()
        return Floor.NOTHING

    # -- nobody has the floor

    def _hear_silence(self, probability: float, samples: int, before: int) -> Floor:
        if probability < (self.rules.off if self._loud or self._overlong else self.rules.on):
            return self._hear_gap(samples)
        if self._overlong:
            self._gap = 0
            return Floor.NOTHING
        if not self._loud:
            self._onset = before
        self._gap = 0
        self._loud += samples
        if self._loud >= _samples(self._needed_ms()):
            return self._take_floor(self._onset)
        if self.avatar_speaks and not self._intruding and self._loud >= _samples(self.rules.intrude_ms):
            self._intruding = True
            self._withdrawn = None
            return Floor.INTRUDING
        return Floor.NOTHING

    def _needed_ms(self) -> int:
        if not self.avatar_speaks:
            return self.rules.begin_ms
        if self._spared is None:
            return self.rules.doubted_ms
        return self.rules.spared_ms if self._spared else self.rules.barge_in_ms

    def _hear_gap(self, samples: int) -> Floor:
        """Below the threshold: the end of a noise, or of an intrusion, when it lasts."""
        self._gap += samples
        if self._gap >= _samples(self.rules.silence_ms):
            self._overlong = False
        if self._gap >= _samples(self.rules.bridge_ms if self.avatar_speaks else 0):
            self._loud = 0
        if not self._intruding or self._gap < _samples(self.rules.withdraw_ms):
            return Floor.NOTHING
        self._intruding = self._spared = False
        self._withdrawn = (self.onset, self._position - self._gap)
        return Floor.WITHDREW

    # -- the person has the floor

    def _hear_speaker(self, probability: float, samples: int) -> Floor:
        if self._held:
            return self._hear_held()
        if self._too_long():
            return self._cut_off()
        threshold = self.rules.on if self._silent else self.rules.off
        if probability >= threshold:
            self._silent = 0
            if self._pause is not None:
                self._pause = None
                return Floor.RESUMED
            return Floor.NOTHING
        self._silent += samples
        if self._pause is None and self._silent >= _samples(self.rules.pause_ms):
            wait_ms = self.rules.patience_ms if self.judged else self.rules.silence_ms
            self._pause = _Pause(self._position, wait_ms)
            return Floor.PAUSED
        return self._end_when_due()

    def _too_long(self) -> bool:
        return self._position - self.start >= _samples(self.rules.longest_ms)

    def _cut_off(self) -> Floor:
        """They have said more than a turn may hold, and go on."""
        self._overlong = self._silent == 0
        return self._give_floor(self._position)

    def _end_when_due(self) -> Floor:
        if self._pause is not None and self._silent >= self._pause.wait_ms * CAPTURE_RATE / 1000:
            return self._give_floor(self._position)
        return Floor.NOTHING

    def _take_floor(self, onset: int) -> Floor:
        self.start = max(self._last_turn_end, onset - _samples(self.rules.before_ms))
        self._hush()
        self._speaking = True
        return Floor.SPEAKING

    def _give_floor(self, end: int) -> Floor:
        self.end = end
        self.speech_end = end - self._silent
        self._last_turn_end = end
        self._speaking = False
        self._withdrawn = None
        self._hush()
        return Floor.QUIET

    def _hush(self) -> None:
        self._pause = None
        self._loud = self._silent = self._gap = 0
        self._intruding = self._spared = False


@dataclass
class _Pause:
    """The silence that goes on: the position at which it was noticed, and how long it may last."""

    at: int
    wait_ms: float


def _samples(ms: int) -> int:
    return ms * CAPTURE_RATE // 1000
