"""SpeechTrack: speech of any length in, exact blocks out; silence when there is none, just in time."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.channel import Closed
from core.media import SpeechBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import Samples, SpeechSegment, Turn

_CAPACITY_S = 300


@dataclass
class _Reply:
    """What has arrived of one turn's speech and was not yet acted out."""

    turn: Turn
    pieces: deque[Samples] = field(default_factory=lambda: deque[np.ndarray]())
    length: int = 0
    ended: bool = False

    @property
    def over(self) -> bool:
        return self.ended and not self.length


class SpeechTrack:
    """Between the dialogue, which puts segments, and the renderer, which takes blocks. One lock guards it.

    A block is given out when it is full, when the reply has ended, or — as silence — when the player is about to
    starve. A reply that stalls is bridged with silence that belongs to no turn, so it is dropped when speech arrives.

    Args:
        sample_rate: media samples a second.
        stock: how many media samples the player still has.
    """

    def __init__(self, sample_rate: int, stock: Callable[[], int]) -> None:
        self._stock = stock
        self._capacity = _CAPACITY_S * sample_rate
        self._replies: deque[_Reply] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._asked = sample_rate
        self._given: Turn | None = None
        self.lead = sample_rate // 4
        """Media samples of stock at which silence is rendered: render time plus margin. The renderer sets it."""
        self.lookahead = 0
        """Media samples after the block that the performer would like to hear. The renderer sets it."""

    def put(self, segment: SpeechSegment) -> bool:
        """Append; waits while a whole reply's worth is unplayed. False when the turn is no longer wanted.

        Raises:
            Closed: the track was closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or segment.turn.cancelled or self._length() < self._capacity)
            if self._closed:
                raise Closed
            if segment.turn.cancelled:
                return False
            if not len(segment.samples) and not segment.last:
                return True  # words alone are nothing to act out, and keep nobody's place
            reply = self._reply_of(segment.turn)
            if len(segment.samples):
                reply.pieces.append(segment.samples)
                reply.length += len(segment.samples)
            reply.ended = reply.ended or segment.last
            self._changed.notify_all()
            return True

    def take(self, samples: int, wait: bool = True) -> SpeechBlock | None:
        """The next block of exactly `samples`; None instead of waiting when `wait` is false.

        Raises:
            Closed: the track was closed.
        """
        with self._changed:
            self._asked = samples
            self._given = None
            while True:
                if self._closed:
                    raise Closed
                block = self._speech(samples) or self._silence(samples)
                if block is not None or not wait:
                    self._given = block.turn if block else None
                    return block
                self._changed.wait()

    @property
    def speech_ready(self) -> bool:
        """Whether `take` would give a block of speech now, of the size it was last asked for."""
        with self._changed:
            self._forget_stale()
            return bool(self._replies) and self._is_ready(self._replies[0], self._asked)

    def drop(self, turn: Turn) -> None:
        with self._changed:
            self._replies = deque(reply for reply in self._replies if reply.turn is not turn)
            self._changed.notify_all()

    def pending(self, turn: Turn) -> bool:
        """Whether something of `turn` is still to be acted out, or is being acted out: whoever takes the next block
        has finished the one before."""
        with self._changed:
            self._forget_stale()
            return self._given is turn or any(reply.turn is turn and not reply.over for reply in self._replies)

    def wake(self) -> None:
        """The player's stock changed: whoever waits looks again."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _length(self) -> int:
        return sum(reply.length for reply in self._replies)

    def _reply_of(self, turn: Turn) -> _Reply:
        for reply in self._replies:
            if reply.turn is turn:
                return reply
        reply = _Reply(turn)
        self._replies.append(reply)
        return reply

    def _forget_stale(self) -> None:
        """Replies that were cancelled, and replies that have been acted out to their end."""
        while self._replies and (self._replies[0].turn.cancelled or self._replies[0].over):
            self._replies.popleft()

    def _is_ready(self, reply: _Reply, samples: int) -> bool:
        if reply.ended or reply.length >= samples + self.lookahead:
            return reply.length > 0
        return reply.length >= samples and self._stock() <= self.lead

    def _speech(self, samples: int) -> SpeechBlock | None:
        self._forget_stale()
        if not self._replies or not self._is_ready(self._replies[0], samples):
            return None
        reply = self._replies[0]
        block = SpeechBlock(reply.turn, _cut(reply, samples), _peek(reply, self.lookahead))
        self._changed.notify_all()
        return block

    def _silence(self, samples: int) -> SpeechBlock | None:
        if self._stock() > self.lead:
            return None
        return SpeechBlock(None, np.zeros(samples, np.float32), np.zeros(self.lookahead, np.float32))


def _cut(reply: _Reply, samples: int) -> Samples:
    out = np.zeros(samples, np.float32)
    done = 0
    while done < samples and reply.pieces:
        piece = reply.pieces.popleft()
        count = min(len(piece), samples - done)
        out[done : done + count] = piece[:count]
        done += count
        if count < len(piece):
            reply.pieces.appendleft(piece[count:])
    reply.length -= done
    return out


def _peek(reply: _Reply, samples: int) -> Samples:
    out = np.zeros(samples, np.float32)
    done = 0
    for piece in reply.pieces:
        if done == samples:
            break
        count = min(len(piece), samples - done)
        out[done : done + count] = piece[:count]
        done += count
    return out
