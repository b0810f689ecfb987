"""Dialogue: the seam between a conversation and whoever answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.errors import LiveTalkError
    from core.media import AudioChunk, Samples, Turn


@dataclass(frozen=True)
class Message:
    """One entry of the conversation as the model is told it: what the person said, or what was *heard* of the reply.

    `text` is empty where the person spoke and nobody knows the words. `turn` is its number, 0 where it has none.
    """

    role: Literal["user", "assistant"]
    text: str
    turn: int = field(default=0, compare=False)


class Verdict(enum.Enum):
    """How a reply ended, as far as the dialogue knows. MUTE is NO_AUDIO for the second time in a row: the endpoint has
    no speech stage, and the person is told."""

    OK = "ok"
    CUT = "cut"
    FILTERED = "filtered"
    LENGTH = "length"
    NO_AUDIO = "no_audio"
    MUTE = "mute"


class Reply(Protocol):
    """Where an answer goes; one per turn, made by `Conversation`. Every method may be called from any thread.

    After `finish` or `fail` nothing more may be called but `user_said`. Once the turn is cancelled every call is
    ignored, but for `user_said`: what the person said stays said.
    """

    @property
    def turn(self) -> Turn: ...

    def user_said(self, text: str) -> None:
        """The words of the person's spoken turn became known."""
        ...

    def worded(self) -> None:
        """The first words of the answer are known and their sound is being made: a mark for the latency figures."""
        ...

    def speak(self, samples: Samples, text: str) -> bool:
        """Media samples (24 kHz mono float32) and the words they say; either may be empty. Waits while the track is
        full (asyncio callers use a thread). False when the turn is no longer wanted."""
        ...

    def aside(self, samples: Samples, text: str) -> bool:
        """One whole sentence that is no part of the answer, said (or, without samples, shown) while that is awaited:
        before any sound of it. Heard, and remembered by nobody. False when the turn is no longer wanted."""
        ...

    def anew(self) -> None:
        """The answer begins again: the words that were given so far came without sound and do not count."""
        ...

    def tell(self, error: LiveTalkError) -> None:
        """The person should know this of whoever answers; the answer goes on."""
        ...

    def finish(self, verdict: Verdict = Verdict.OK) -> None:
        """The reply is complete, or ended as `verdict` says; what was spoken plays to its end."""
        ...

    def fail(self, error: LiveTalkError) -> None:
        """The reply cannot go on; what was spoken plays to its end, the turn is kept for a retry."""
        ...


class Dialogue(Protocol):
    """Answers turns. Every method returns at once; the work happens on the dialogue's own thread.

    At most one turn is answered at a time: `start` is called after the turn before it ended or was cancelled.
    """

    def anticipate(self, speech: AudioChunk) -> None:
        """The person has paused and may have finished: begin what does not commit to an answer (recognition, a warm
        connection). `start` with a turn whose speech begins at the same capture sample and is as long, bar trailing
        silence, may use it; `anticipate` again or `start` with other speech discards it."""
        ...

    def start(self, turn: Turn, history: Sequence[Message], reply: Reply, *, draft: bool = False) -> None:
        """Answer `turn`, given what was said before it (the turn itself is not in `history`). Of a `draft` it is not
        certain yet that the person has finished: it ends with `release`, or with `cancel`, and then it leaves no
        trace: nothing of it is kept, and nobody is told that it was asked."""
        ...

    def release(self, turn: Turn) -> None:
        """The person has finished: the draft of `turn` is a turn like any other."""
        ...

    def cancel(self, turn: Turn) -> None:
        """Stop answering: close the connection or have the other side stop, stop the models. The turn is already marked
        cancelled."""
        ...

    def heard(self, turn: Turn, text: str, seconds: float) -> None:
        """After `cancel`: what was heard of the reply to `turn`, its words and the length of its sound. Not told of a
        turn that goes on, or of which nobody shall know."""
        ...

    def forget(self) -> None:
        """Another conversation begins: nothing that is kept of this one, its sound above all, goes into what is asked
        from here on. No turn is under way."""
        ...

    def close(self) -> None:
        """End the thread and the connection; waits until they have ended."""
        ...
