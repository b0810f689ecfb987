"""The picture of sound that Whisper's encoder looks at: the logarithm of 80 mel bands, 100 times a second."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft

from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from core.media import Samples

BANDS = 80
HOP = CAPTURE_RATE // 100
_WINDOW = 400
_FLOOR = 1e-10
_RANGE = 8.0
"""Powers of ten below the loudest band at which the picture is cut off."""
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
"""Slaney's scale: linear below, logarithmic above, 27 mels for a factor of 6.4."""
_MELS_PER_E = 27.0 / np.log(6.4)


def log_mel(samples: Samples) -> Samples:
    """[BANDS, len(samples) / HOP] of sound at `CAPTURE_RATE`, brought to mean 0 and variance 1 before.

    Equals `transformers.WhisperFeatureExtractor(do_normalize=True)` (Radford et al. 2022, section 2.2): windows of
    25 ms centred on every 10 ms of the reflected sound, power, mel bands, log10, cut 8 below the maximum, (x + 4) / 4.
    """
    normal = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    padded = np.pad(normal.astype(np.float32), _WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP][: len(samples) // HOP]
    power = np.square(np.abs(np.asarray(fft.rfft(windows * _hann()), np.complex64)))
    logs = np.log10(np.maximum(power @ _filters(), _FLOOR)).T
    return ((np.maximum(logs, logs.max() - _RANGE) + 4) / 4).astype(np.float32)


@cache
def _hann() -> Samples:
    return np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


@cache
def _filters() -> Samples:
    """[window bins, BANDS] triangles of equal area, evenly spaced in mels from 0 Hz to half the rate."""
    bins = np.linspace(0, CAPTURE_RATE / 2, _WINDOW // 2 + 1)
    top = _BREAK_MEL + _MELS_PER_E * np.log(CAPTURE_RATE / 2 / _BREAK_HZ)
    corners = _hertz(np.linspace(0, top, BANDS + 2))
    rising = (bins[:, None] - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins[:, None]) / (corners[2:] - corners[1:-1])
    areas = 2 / (corners[2:] - corners[:-2])
    return (np.clip(np.minimum(rising, falling), 0, None) * areas).astype(np.float32)


def _hertz(mels: np.ndarray) -> np.ndarray:
    linear = mels * _BREAK_HZ / _BREAK_MEL
    return np.where(mels < _BREAK_MEL, linear, _BREAK_HZ * np.exp((mels - _BREAK_MEL) / _MELS_PER_E))
