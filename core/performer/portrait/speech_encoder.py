"""What a speech recogniser's ear makes of a block's window: Moonshine tiny's encoder (Useful Sensors, MIT).

It has heard a hundred thousand hours of people, which no synthetic voice replaces: with mel bands alone the lips close
on hardly more p, b and m of people who were recorded than at moments taken at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from core.errors import PerformerError, Problem
from core.network import open_network

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.portrait.audio import Hearing

SPEECH_FOLDER = "moonshine"
"""Beneath the folder of models."""
FILE = "encoder_model.ort"
WIDTH = 288
PER_FRAME = 2
"""States a video frame, taken between the encoder's own, which are 24 ms apart."""
SECONDS_BEFORE = 1.0
"""Of the past in every window: the encoder looks at all of it at once."""
_RATE = 16_000
_STRIDE, _FIRST = 384, 447
"""Samples from state to state, and to the middle of what the first one's convolutions see."""


class SpeechEncoder:
    """The encoder in `folder`, with one thread.

    Raises:
        PerformerError: the file is missing (`MODEL_MISSING`) or damaged (`MODEL_DAMAGED`).
    """

    def __init__(self, folder: Path, hearing: Hearing) -> None:
        try:
            self._session = open_network(folder / FILE)
        except OSError as error:
            title = "The model that hears speech is not here."
            raise _trouble(Problem.MODEL_MISSING, title, f"{folder / FILE} is not there") from error
        except ValueError as error:
            title = "The model that hears speech is damaged."
            raise _trouble(Problem.MODEL_DAMAGED, title, f"{folder}: {error}") from error
        self._rate = hearing.sample_rate
        self._before = int(SECONDS_BEFORE * hearing.sample_rate)
        self._after = hearing.ahead + hearing.block_frames * hearing.frame
        self._lower, self._weight = _places(hearing)

    def __call__(self, windows: Tensor) -> Tensor:
        """[n, samples at the media rate], which end with the look-ahead -> [n, PER_FRAME * window frames, WIDTH]."""
        return torch.stack([self._states(one) for one in windows[:, -(self._before + self._after) :]])

    def _states(self, window: Tensor) -> Tensor:
        """Of one window: the encoder rounds to eight bits by what it is given at once, so that windows given together
        would change each other."""
        sound = soxr.resample(window.numpy(), self._rate, _RATE).astype(np.float32)[None]
        told = {"input_values": sound, "attention_mask": np.ones(sound.shape, np.int64)}
        states: npt.NDArray[np.float32] = np.asarray(self._session.run(None, told)[0])[0]
        lower, upper = states[self._lower], states[self._lower + 1]
        return torch.from_numpy(lower + self._weight * (upper - lower))


def _places(hearing: Hearing) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """For every moment that is asked for the state before it, and how far it lies towards the next."""
    seconds = SECONDS_BEFORE + (hearing.block_frames + hearing.frames_ahead) / hearing.fps
    states = _states(int(seconds * _RATE))
    middles = (_FIRST + _STRIDE * np.arange(states)) / _RATE
    begin = SECONDS_BEFORE - hearing.frames_before / hearing.fps
    moments = begin + (np.arange(PER_FRAME * hearing.window_frames) + 0.5) / (PER_FRAME * hearing.fps)
    lower = np.clip(np.searchsorted(middles, moments) - 1, 0, states - 2)
    weight = np.clip((moments - middles[lower]) * _RATE / _STRIDE, 0.0, 1.0)
    return lower, weight[:, None].astype(np.float32)


def _states(samples: int) -> int:
    """How many states the three convolutions (127 by 64, 7 by 3, 3 by 2) leave of so many samples."""
    return (((samples - 127) // 64 + 1 - 7) // 3 + 1 - 3) // 2 + 1


def _trouble(problem: Problem, title: str, detail: str) -> PerformerError:
    return PerformerError(problem, title, "Bring it back with “make models”.", detail=detail)
