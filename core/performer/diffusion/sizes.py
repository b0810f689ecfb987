"""Sizes of the transformer, free of torch so that a spec can be read before anything heavy is loaded."""

from __future__ import annotations

from dataclasses import dataclass

FRAMES_PER_LATENT = 4


@dataclass(frozen=True)
class Sizes:
    """Everything that a checkpoint's tensor shapes depend on."""

    dim: int
    ffn_dim: int
    layers: int
    heads: int
    text_dim: int
    audio_dim: int
    """Width of the audio features of one video frame."""
    audio_hidden: int
    audio_layers: tuple[int, ...]
    """Layers before which the sound is added."""
    latent_channels: int = 16
    freq_dim: int = 256
    patch: tuple[int, int, int] = (1, 2, 2)
    eps: float = 1e-6

    @property
    def in_channels(self) -> int:
        """Noisy latent, reference latent, and the mask that says which frame is given."""
        return 2 * self.latent_channels + 1

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    @property
    def patch_size(self) -> int:
        return self.patch[0] * self.patch[1] * self.patch[2]
