"""The values that flow through a conversation.

Every value is frozen, compares by identity, and hands its arrays over: the giver forgets them. Media time is an ``int``
count of samples and names its clock. A cancelled `Turn` makes every value that carries it stale, wherever it is.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Samples = npt.NDArray[np.float32]
    """Mono sound, full scale ±1."""
    Pixels = npt.NDArray[np.uint8]
    """RGB, shape [h, w, 3] or [n, h, w, 3]."""

CAPTURE_RATE = 16_000
"""Samples a second of the microphone inside the engine (the rate of voice detection and recognition)."""
MEDIA_RATE = 24_000
"""Samples a second of speech on its way to the loudspeaker (the rate of Qwen3-Omni's talker)."""


@dataclass(frozen=True)
class MediaFormat:
    """The grid on which sound and picture meet.

    Raises:
        ValueError: `fps` does not divide `sample_rate`, so a frame would not be a whole number of samples.
    """

    sample_rate: int = MEDIA_RATE
    fps: int = 25

    def __post_init__(self) -> None:
        if self.fps <= 0 or self.sample_rate % self.fps:
            raise ValueError(f"{self.sample_rate} samples a second do not divide into {self.fps} frames a second")

    @property
    def samples_per_frame(self) -> int:
        return self.sample_rate // self.fps


@dataclass(frozen=True, eq=False)
class AudioChunk:
    """What the microphone heard: mono float32 at `CAPTURE_RATE`, `start` in capture samples."""

    samples: Samples
    start: int


@dataclass(frozen=True, eq=False)
class Turn:
    """One exchange: what the person said, and the right to answer it.

    `speech` is recorded sound, typed text, or None when the avatar opens the conversation by itself.
    `repeated`: it was asked before, and is asked again by itself; what may be tried for it was tried.
    Only `Conversation` makes or cancels a turn, but for asides, which are cancelled with their question; anybody may
    ask whether it is still wanted.
    """

    number: int
    speech: AudioChunk | str | None
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)
    repeated: bool = False

    def cancel(self) -> None:
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def aside(self) -> Turn:
        """What the avatar says while the answer is awaited: a turn of its own to whoever plays it, so that its samples
        are not the answer's; cancelled with this one."""
        return Turn(-self.number, None, self._cancelled)


@dataclass(frozen=True, eq=False)
class SpeechSegment:
    """A piece of the avatar's reply: media samples of any length, the words they say, and whether it is the end.

    A server whose text runs ahead of its sound sends text with no samples; the words are then spread over the sound.
    """

    turn: Turn
    samples: Samples
    text: str = ""
    last: bool = False


@dataclass(frozen=True, eq=False)
class SpeechBlock:
    """Exactly one block of media samples for a performer; `turn` is None for silence.

    `ahead` holds the look-ahead that `PerformerSpec.lookahead` asks for: the sound after the block, as far as it is
    known, then zeros.
    """

    turn: Turn | None
    samples: Samples
    ahead: Samples


@dataclass(frozen=True, eq=False)
class FrameBlock:
    """Frames and the sound they were made for: uint8 [n, h, w, 3] and n frames' worth of media samples."""

    turn: Turn | None
    frames: Pixels
    audio: Samples


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """One picture and the output-clock sample at which it is due."""

    pixels: Pixels
    at: int
    turn: Turn | None
