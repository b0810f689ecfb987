"""What a voice goes through before it is heard: another microphone, a telephone, a room's noise, distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from core.media import Samples

_TELEPHONE_HZ = (250.0, 3400.0)
_LOUDEST = 0.7


def worn(samples: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """The same voice through an equaliser, sometimes a telephone, mostly with noise 8 to 40 dB below it, and softer."""
    spectrum, hz = np.fft.rfft(samples), np.fft.rfftfreq(len(samples), 1 / rate)
    if rng.random() < 0.6:
        corners = np.linspace(np.log(60.0), np.log(8000.0), 6)
        spectrum *= np.exp(np.interp(np.log(hz + 60.0), corners, rng.normal(0, 0.5, 6)))
    if rng.random() < 0.25:
        low, high = _TELEPHONE_HZ
        spectrum *= np.exp(-((np.maximum(0.0, hz - high) / 300.0) ** 2)) * (1 - np.exp(-((hz / low) ** 4)))
    heard = np.fft.irfft(spectrum, len(samples)).astype(np.float32)
    if rng.random() < 0.7:
        heard = noisy(heard, rate, float(rng.uniform(8.0, 40.0)), rng)
    loudest = max(float(np.abs(heard).max()), 1e-6)
    return (heard / loudest * _LOUDEST * 10 ** (-rng.uniform(0.0, 24.0) / 20)).astype(np.float32)


def noisy(samples: Samples, rate: int, below_db: float, rng: np.random.Generator) -> Samples:
    """With noise of some colour so many decibels below the whole of it."""
    spectrum = np.fft.rfft(rng.normal(0, 1, len(samples)))
    hz = np.fft.rfftfreq(len(samples), 1 / rate)
    noise = np.fft.irfft(spectrum / np.maximum(hz, 50.0) ** rng.uniform(0.0, 1.0), len(samples))
    level = float(samples.std()) * 10 ** (-below_db / 20)
    return (samples + noise / noise.std() * level).astype(np.float32)
