"""Vad: how likely a piece of sound is speech, by Silero's model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.listening.model import open_model
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import AudioChunk, Samples

WINDOW = 512
"""Samples the model looks at in one step (32 ms)."""
_CONTEXT = 64
"""Samples before the window that it also wants to see."""


class Vad:
    """A stream of sound at `CAPTURE_RATE`, judged window by window; owned by one thread.

    Raises:
        LiveTalkError: the model is missing or cannot be read.
    """

    def __init__(self, model: Path) -> None:
        self._session = open_model(model, "hears when you speak", "Typing works without it.")
        self._rate = np.array(CAPTURE_RATE, np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget the stream: what comes next is its beginning."""
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(_CONTEXT, np.float32)
        self._waiting = np.zeros(0, np.float32)
        self._probability = 0.0

    def __call__(self, chunk: AudioChunk) -> float:
        """The highest probability of speech (0..1) of the windows that `chunk` completes; the last one's when it
        completes none."""
        self._waiting = np.concatenate([self._waiting, chunk.samples])
        judged: list[float] = []
        while len(self._waiting) >= WINDOW:
            judged.append(self._judge(self._waiting[:WINDOW]))
            self._waiting = self._waiting[WINDOW:]
        if judged:
            self._probability = max(judged)
        return self._probability

    def _judge(self, window: Samples) -> float:
        feed = {"input": np.concatenate([self._context, window])[None], "state": self._state, "sr": self._rate}
        probability, state = self._session.run(None, feed)
        self._state = np.asarray(state)
        self._context = window[-_CONTEXT:]
        return float(np.asarray(probability)[0, 0])
