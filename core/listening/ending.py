"""TurnEnding: whether somebody who has fallen silent has finished, by the tone of what they said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.listening.log_mel import log_mel
from core.listening.model import open_model
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Samples

SPAN = 8 * CAPTURE_RATE
"""Samples the model looks at: the last of what was said."""
_SHORTEST = CAPTURE_RATE // 4


class TurnEnding:
    """Smart Turn v3.2 (github.com/pipecat-ai/smart-turn): Whisper tiny's encoder and one probability. Any one thread.

    Raises:
        LiveTalkError: the model is missing or cannot be read.
    """

    def __init__(self, model: Path) -> None:
        without = "Until then, half a second of silence ends your turn."
        self._session = open_model(model, "hears whether you have finished", without)

    def __call__(self, samples: Samples) -> float:
        """The probability (0..1) that the turn whose sound (at `CAPTURE_RATE`, with the silence after it) is `samples`
        is over."""
        if len(samples) < _SHORTEST:
            return 0.0
        last = samples[-SPAN:]
        whole = np.concatenate([np.zeros(SPAN - len(last), np.float32), last])
        (probability,) = self._session.run(None, {"input_features": log_mel(whole)[None]})
        return float(np.asarray(probability).ravel()[0])
