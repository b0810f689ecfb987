"""Ear: what the microphone takes, in chunks, without the avatar's own voice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.audio.echo import FRAME, EchoGuard
from core.audio.pairs import STRANGERS
from core.audio.resample import Resampler
from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.audio.device import Loudspeaker, Microphone
    from core.audio.echo import EchoMode
    from core.audio.pairs import Pair, Pairs
    from core.media import Samples

CHUNK = 512
"""Samples of an `AudioChunk`: one window of the voice detector."""
_LEVEL_FALL_S = 0.25


class Ear:
    """Gives `hear` what the person says. The echo is learned anew with every other microphone or loudspeaker, from
    what `pairs` know of the two. Sound thread only, but for the properties.
    """

    def __init__(
        self,
        hear: Callable[[AudioChunk], None],
        mode: EchoMode,
        microphone: Microphone | None,
        loudspeaker: Loudspeaker,
        pairs: Pairs | None,
    ) -> None:
        self.on = True
        self.level = 0.0
        self._hear = hear
        self._mode: EchoMode = mode
        self._microphone = microphone
        self._loudspeaker = loudspeaker
        self._pairs = pairs
        self._echo = EchoGuard(mode, self._known())
        self._near = Resampler(microphone.rate if microphone else CAPTURE_RATE, CAPTURE_RATE)
        self._far = Resampler(loudspeaker.rate, CAPTURE_RATE)
        self._kept = np.zeros(0, np.float32)
        self._start = 0

    @property
    def half_duplex(self) -> bool:
        return self._echo.half_duplex

    @property
    def echo_delay_s(self) -> float | None:
        return self._echo.delay_s

    def turn(self, microphone: Microphone | None, loudspeaker: Loudspeaker, played: Samples) -> None:
        """Listen, while the loudspeaker took `played` (at its rate)."""
        if microphone is not self._microphone or loudspeaker is not self._loudspeaker:
            self._meet(microphone, loudspeaker)
        if microphone is None:
            self.level = 0.0
            self._deliver(np.zeros(FRAME, np.float32))
            return
        self._echo.play(self._far(_numbers(played)))
        clean = self._echo.clean(self._near(_numbers(microphone.take())))
        if not self.on:
            clean = np.zeros_like(clean)
        self.level = fallen(self.level, clean, CAPTURE_RATE)
        self._deliver(clean)

    def close(self) -> None:
        """What was learned of the devices is kept for other sessions."""
        self._part()
        if self._pairs:
            self._pairs.keep()

    def _meet(self, microphone: Microphone | None, loudspeaker: Loudspeaker) -> None:
        self._part()
        self._microphone, self._loudspeaker = microphone, loudspeaker
        self._echo = EchoGuard(self._mode, self._known())
        self._near = Resampler(microphone.rate if microphone else CAPTURE_RATE, CAPTURE_RATE)
        self._far = Resampler(loudspeaker.rate, CAPTURE_RATE)

    def _known(self) -> Pair:
        if self._pairs is None or self._microphone is None:
            return STRANGERS
        return self._pairs.recall(self._microphone.name, self._loudspeaker.name)

    def _part(self) -> None:
        if self._pairs and self._microphone and self._loudspeaker.name:
            self._pairs.learn(self._microphone.name, self._loudspeaker.name, self._echo.learned)

    def _deliver(self, samples: Samples) -> None:
        self._kept = np.concatenate([self._kept, samples])
        while len(self._kept) >= CHUNK:
            chunk, self._kept = self._kept[:CHUNK].copy(), self._kept[CHUNK:]
            self._hear(AudioChunk(chunk, self._start))
            self._start += CHUNK


def _numbers(samples: Samples) -> Samples:
    """`samples` with silence for each that is infinite or no number, as drivers and servers may give one: filters that
    learn from it would hear nothing else from then on."""
    return np.where(np.isfinite(samples), samples, np.float32(0))


def fallen(before: float, samples: Samples, rate: int) -> float:
    """Loudness of `samples`, RMS 0..1, that rises at once and falls by e in `_LEVEL_FALL_S` from `before`."""
    if not len(samples):
        return before
    after = before * float(np.exp(-len(samples) / rate / _LEVEL_FALL_S))
    return max(after, float(np.sqrt(np.mean(np.square(samples)))))
