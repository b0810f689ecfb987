"""What the avatar hears, block by block: windows of the sound that overlap, each encoded as a clip of its own.

wav2vec2 was trained on whole clips and looks both ways: its normalisations, its positions and its attention reach over
all of what it is given. A window as long as a training clip, which ends `audio_lookahead_frames` after the block, is
the nearest thing that a stream can have. Features stand 1000 samples apart, as in training. Windows begin where a
convolution frame of the whole stream begins, every eight video frames, so that all of them hear the same frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr
import torch

from core.performer.diffusion.sizes import FRAMES_PER_LATENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from core.media import Samples
    from core.performer.livetalk.spec import LiveTalkSpec
    from core.performer.livetalk.wav2vec import Wav2Vec2

_MARGIN_FRAMES = 1
"""Video frames of sound before a window, for the resampler to settle in."""


@dataclass(frozen=True, eq=False)
class _Heard:
    """The sound so far, as much as later windows need; replaced, never written."""

    past: Samples
    """Media samples."""
    frames: int
    """Video frames since the beginning."""
    blocks: int


class AudioStream:
    """One stream of sound, in blocks. Renderer thread only.

    Args:
        model: in evaluation mode, on its device.
        to_device: puts sound beside the model; where that is a GPU, without waiting for it.
    """

    def __init__(
        self, model: Wav2Vec2, spec: LiveTalkSpec, to_device: Callable[[Samples], Tensor] = torch.from_numpy
    ) -> None:
        self._model, self._spec, self._to_device = model, spec, to_device
        hop, frame = model.sizes.hop, spec.audio_samples_per_frame
        self._stride = frame / hop
        self._grid = hop // math.gcd(hop, frame)
        self._heard = _Heard(np.zeros(0, np.float32), 0, 0)
        self._before = self._heard

    @torch.inference_mode()
    def hear(self, samples: Samples, ahead: Samples) -> Tensor:
        """Features of the next block, [1, 4 * latent frames, features], as the transformer wants them.

        Args:
            samples: exactly the block's media samples. Sound that is no sound (NaN, infinite, beyond full scale) is
                made so.
            ahead: the media samples after it, as far as they are known; what is missing of the look-ahead is silence.

        Raises:
            ValueError: the block has another length than the stream has come to.
        """
        spec, heard = self._spec, self._heard
        frames = spec.frames_of(heard.blocks)
        if len(samples) != frames * spec.samples_per_frame:
            raise ValueError(f"block {heard.blocks} is {frames * spec.samples_per_frame} samples, not {len(samples)}")
        known = np.zeros(spec.lookahead, np.float32)
        known[: len(ahead)] = ahead[: spec.lookahead]
        sound = np.concatenate((heard.past, _mended(samples)))
        rows = self._encode(
            np.concatenate((sound, _mended(known))), heard.frames + frames + spec.audio_lookahead_frames
        )
        end = rows.shape[1] - spec.audio_lookahead_frames
        self._before, self._heard = heard, _Heard(self._kept(sound), heard.frames + frames, heard.blocks + 1)
        return packed_alone(rows[:, end - frames : end])

    def rewind(self) -> None:
        """Forget the block heard last; once for each block."""
        self._heard = self._before

    def _encode(self, sound: Samples, end: int) -> Tensor:
        """Features of the window that ends with `sound`, at video frame `end` of the stream."""
        spec = self._spec
        frames = min(end, spec.audio_window_frames)
        first = end - frames
        start = first - first % self._grid
        margin = min(start, _MARGIN_FRAMES)
        wanted = sound[-(end - start + margin) * spec.samples_per_frame :]
        heard = resampled(wanted, spec.sample_rate, spec.audio_rate)[margin * spec.audio_samples_per_frame :]
        clip = torch.from_numpy(heard)[None].to(self._model.device, non_blocking=True)
        return self._model(clip, frames, self._stride, first - start)

    def _kept(self, sound: Samples) -> Samples:
        spec = self._spec
        before = spec.audio_window_frames - spec.block_frames - spec.audio_lookahead_frames
        return sound[-(before + self._grid - 1 + _MARGIN_FRAMES) * spec.samples_per_frame :].copy()


def packed_alone(features: Tensor) -> Tensor:
    """Features of a block's video frames, as many rows as 4 a latent: a stream's first latent hears one frame only.

    [batch, frames, features] -> [batch, 4 * latents, features]; the first row is repeated where rows are missing.
    """
    missing = -features.shape[1] % FRAMES_PER_LATENT
    return torch.cat((features[:, :1].expand(-1, missing, -1), features), dim=1)


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Mono sound at another rate, linear phase, as long as it was."""
    return samples if rate == wanted else soxr.resample(samples, rate, wanted).astype(np.float32)


def _mended(samples: Samples) -> Samples:
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(-1.0, 1.0).astype(np.float32)
