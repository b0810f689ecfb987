"""What the embedded avatar hears: log-mel windows cut from a stream, and the small network that listens to them.

Every block is heard through one window: the frames before it, its own, and the look-ahead. The window is all that the
network sees, so a stream and a file give the same features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from core.media import SpeechBlock
from core.performer.portrait.speech_encoder import PER_FRAME

if TYPE_CHECKING:
    from core.media import Samples

BANDS = 80
HOPS_PER_FRAME = 4
_WINDOW_HOPS = 2.5
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 7600.0
_FLOOR = 1e-6
_TO_FRAMES = 3
"""Layers of the listener until there is one vector a frame."""


@dataclass(frozen=True)
class Hearing:
    """Sizes of the window in media samples, derived from rate, fps and block."""

    sample_rate: int
    fps: int
    block_frames: int
    frames_before: int
    frames_ahead: int
    """Lips shape a sound before it is heard."""
    seconds_before: float = 0.0
    """Of the past that a speech encoder looks at, where there is one."""

    @property
    def frame(self) -> int:
        return self.sample_rate // self.fps

    @property
    def hop(self) -> int:
        return self.frame // HOPS_PER_FRAME

    @property
    def span(self) -> int:
        """Length of one spectrum: 25 ms."""
        return int(_WINDOW_HOPS * self.hop)

    @property
    def before(self) -> int:
        """Samples of the past that a block's window needs."""
        return self.frames_before * self.frame + self.span - self.hop

    @property
    def past(self) -> int:
        """Samples of the past that are kept: what the longest ear needs."""
        return max(self.before, int(self.seconds_before * self.sample_rate))

    @property
    def ahead(self) -> int:
        return self.frames_ahead * self.frame

    @property
    def window_frames(self) -> int:
        return self.frames_before + self.block_frames + self.frames_ahead


class LogMel:
    """Log power in 80 mel bands every 10 ms, each from the 25 ms that end there; roughly -1.5 to 1.5.

    The bands end at 7.6 kHz, which 16 kHz speech still has.
    """

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._taper = torch.hann_window(hearing.span, periodic=True)
        self._bank = mel_bank(hearing.sample_rate, hearing.span, BANDS)

    def __call__(self, samples: Tensor) -> Tensor:
        """[n] samples -> [(n - span) / hop + 1, 80]."""
        pieces = samples.unfold(-1, self._hearing.span, self._hearing.hop) * self._taper
        power = torch.fft.rfft(pieces).abs().square() / self._hearing.span
        return scaled_log(power @ self._bank)


def scaled_log(mel: Tensor) -> Tensor:
    """Power to the scale that the network is trained on."""
    return (torch.log(mel + _FLOOR) + 7.0) / 5.0


def power_of(scaled: Tensor) -> Tensor:
    """The inverse of `scaled_log`."""
    return torch.exp(scaled * 5.0 - 7.0) - _FLOOR


def mel_bank(sample_rate: int, span: int, bands: int) -> Tensor:
    """Triangles of unit area, evenly spaced in mel: [span // 2 + 1, bands]."""

    def mel(hz: float) -> float:
        return 2595.0 * float(np.log10(1.0 + hz / 700.0))

    corners = 700.0 * (10.0 ** (np.linspace(mel(_LOWEST_HZ), mel(_HIGHEST_HZ), bands + 2) / 2595.0) - 1.0)
    bins = np.arange(span // 2 + 1) * sample_rate / span
    rising = (bins[:, None] - corners[None, :-2]) / np.diff(corners)[None, :-1]
    falling = (corners[None, 2:] - bins[:, None]) / np.diff(corners)[None, 1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    # the lowest triangles are narrower than a bin: each takes its nearest bin, so that no band is deaf
    deaf = triangles.sum(0) < 1e-3
    nearest = np.abs(bins[:, None] - corners[None, 1:-1]).argmin(0)
    triangles[nearest[deaf], np.nonzero(deaf)[0]] = 1.0
    return torch.from_numpy((triangles / triangles.sum(0)).astype(np.float32))


def blocks_of(samples: Samples, hearing: Hearing) -> list[SpeechBlock]:
    """A whole recording as the product would get it: blocks with their look-ahead, silence after its end."""
    size = hearing.block_frames * hearing.frame
    blocks = -(-len(samples) // size)
    padded = np.concatenate((samples, np.zeros(blocks * size - len(samples) + hearing.ahead, np.float32)))
    ends = range(size, (blocks + 1) * size, size)
    return [SpeechBlock(None, padded[end - size : end], padded[end : end + hearing.ahead]) for end in ends]


@dataclass(frozen=True, eq=False)
class AudioState:
    """The sound just heard, as much as the next window needs. Replaced, never written."""

    past: Samples

    @staticmethod
    def silent(hearing: Hearing) -> AudioState:
        return AudioState(np.zeros(hearing.past, np.float32))

    def hear(self, block: Samples, ahead: Samples, hearing: Hearing) -> tuple[AudioState, Samples]:
        """The state after `block`, and the samples of its window.

        Sound that is no sound (NaN, infinite, beyond full scale) is made so; a short `ahead` is followed by silence.

        Raises:
            ValueError: the block has another length than the performer asked for.
        """
        wanted = hearing.block_frames * hearing.frame
        if len(block) != wanted:
            raise ValueError(f"a block is {wanted} samples, this one has {len(block)}")
        known = ahead[: hearing.ahead]
        silence = np.zeros(hearing.ahead - len(known), np.float32)
        fresh = np.nan_to_num(np.concatenate((block, known, silence)), nan=0.0, posinf=0.0, neginf=0.0).clip(-1.0, 1.0)
        window = np.concatenate((self.past, fresh.astype(np.float32)))
        return AudioState(window[wanted : wanted + hearing.past].copy()), window


class AudioEncoder(nn.Module):
    """Log-mels to one vector a video frame; convolutions without padding, so the window's edges are honest.

    Args:
        kernels: frames that the last convolutions look at, one after the other.
        speech_width: of a speech encoder's states, which join after the mels have come down to frames; 0 without one.
    """

    def __init__(self, width: int, features: int, kernels: tuple[int, ...], speech_width: int = 0) -> None:
        super().__init__()
        wide = [layer for kernel in kernels[:-1] for layer in (nn.Conv1d(width, width, kernel), nn.GELU())]
        self.layers = nn.Sequential(
            nn.Conv1d(BANDS, width, 5),
            nn.GELU(),
            nn.Conv1d(width, width, 2 * HOPS_PER_FRAME, stride=HOPS_PER_FRAME),
            nn.GELU(),
            *wide,
            nn.Conv1d(width, features, kernels[-1]),
        )
        self.speech = nn.Conv1d(speech_width, width, PER_FRAME, stride=PER_FRAME) if speech_width else None

    @staticmethod
    def context(kernels: tuple[int, ...]) -> int:
        """Frames before and after a frame that its features see."""
        return 2 + sum(kernel - 1 for kernel in kernels)

    def forward(self, mels: Tensor, states: Tensor | None = None) -> Tensor:
        """[batch, hops, 80] with the frames before and ahead, and the speech encoder's states [batch, PER_FRAME *
        window frames, width] -> [batch, frames, features]."""
        x = self.layers[:_TO_FRAMES](mels.transpose(1, 2))
        if self.speech is not None:
            assert states is not None, "these weights listen through a speech encoder"
            x = x + self.speech(states.transpose(1, 2))[..., 1:-1]  # the mels have lost a frame at each end
        return self.layers[_TO_FRAMES:](x).transpose(1, 2)
