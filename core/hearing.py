"""Hearing: what the microphone gave of the person, and who has the floor by it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    from core.listening.turns import Floor, TurnRules, TurnTaker
    from core.media import Samples

_KEPT_BEFORE = 2 * CAPTURE_RATE
_KEPT_SILENCE = int(0.2 * CAPTURE_RATE)


class Listener(Protocol):
    """Voice probability of the next samples."""

    def __call__(self, chunk: AudioChunk) -> float: ...

    def reset(self) -> None: ...


class Hearing:
    """The voice detector, the rules of the turn, and the sound they speak of. Conversation thread only."""

    def __init__(self, vad: Listener, turns: TurnTaker) -> None:
        self._vad = vad
        self._turns = turns
        self._kept: deque[tuple[int, Samples]] = deque()

    @property
    def speaking(self) -> bool:
        """The person has the floor."""
        return self._turns.speaking

    @property
    def position(self) -> int:
        """Capture samples heard so far."""
        return self._turns.position

    def hear(self, chunk: AudioChunk, *, avatar_speaks: bool) -> Floor:
        """What changed with this piece of sound; while the avatar speaks it takes more to have the floor."""
        self._forget_old_sound()
        self._kept.append((self._turns.position, chunk.samples))
        self._turns.avatar_speaks = avatar_speaks
        return self._turns.hear(self._vad(chunk), len(chunk.samples))

    @property
    def begin(self) -> int:
        """The capture sample at which what they say began, of which the sound is still kept."""
        return max(self._kept[0][0], self._turns.start) if self._kept else self._turns.position

    def so_far(self) -> AudioChunk:
        """What the person said since they took the floor."""
        return self._speech(self._turns.position)

    def speech(self) -> tuple[AudioChunk, float]:
        """The turn that has just ended, with a little of the silence after it, and the seconds of that silence."""
        silence = self._turns.end - self._turns.speech_end
        return self._speech(self._turns.end - max(0, silence - _KEPT_SILENCE)), silence / CAPTURE_RATE

    def judge(self, asked_at: int, finished: float | None) -> Floor:
        """The pause noticed at that position ends the turn with this probability; QUIET when it is over by that."""
        return self._turns.judge(asked_at, finished)

    def probably_over(self, asked_at: int, finished: float) -> bool:
        """The pause noticed at that position goes on, and the turn is more likely finished than just begun."""
        return self._turns.paused_at == asked_at and finished > self._turns.rules.likely

    def intrusion(self) -> tuple[AudioChunk, float]:
        """What was said into the reply just now, and the seconds of it before the voice begins."""
        said = self._since(self._turns.onset, self._turns.position)
        return said, max(0, self._turns.voiced_at - said.start) / CAPTURE_RATE

    def spare(self, spared: bool | None) -> None:
        """Whether it is a sign of listening so far; None: it may be."""
        self._turns.spare(spared)

    def claim(self) -> Floor:
        """It is meant to stop the reply: SPEAKING when it still goes on."""
        return self._turns.claim()

    def accept(self) -> Floor:
        """What was said into the reply was meant for the avatar: QUIET when it is a turn."""
        return self._turns.accept()

    def press(self) -> None:
        """The talk key went down: the person has the floor."""
        self._turns.press()

    def release(self) -> Floor:
        """The talk key was let go."""
        return self._turns.release()

    def follow(self, rules: TurnRules, hold_to_talk: bool) -> None:
        """Decide by these rules from here on."""
        self._turns.rules = rules
        self._turns.hold_to_talk = hold_to_talk

    def forget(self) -> None:
        """The microphone was switched off: whoever was speaking is not any more."""
        self._turns.forget()
        self._vad.reset()
        self._kept.clear()

    def _speech(self, until: int) -> AudioChunk:
        """What the person said since they took the floor, up to the capture position `until`."""
        return self._since(self._turns.start, until)

    def _since(self, start: int, until: int) -> AudioChunk:
        pieces = [samples for _, samples in self._kept]
        if not pieces:
            return AudioChunk(np.zeros(0, np.float32), until)
        first = self._kept[0][0]
        start = max(first, start)
        return AudioChunk(np.concatenate(pieces)[start - first : max(start, until) - first], start)

    def _forget_old_sound(self) -> None:
        if not self._turns.speaking:
            while self._kept and self._turns.position - self._kept[0][0] > _KEPT_BEFORE:
                self._kept.popleft()
