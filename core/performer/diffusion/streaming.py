"""A stream of blocks: typed state apart from the weights, one block in, one block out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.performer.diffusion.attention import SinkCache
from core.performer.diffusion.sampler import denoise
from core.performer.diffusion.transformer import Condition, TextKeys, Transformer

if TYPE_CHECKING:
    from core.performer.diffusion.schedule import Schedule
    from core.performer.diffusion.window import Window


@dataclass(eq=False)
class StreamState:
    """All that changes while a stream runs. Renderer thread only."""

    cache: SinkCache
    noise: torch.Generator
    noise_before: Tensor
    """The generator's state before the open block, for `rewind`."""


class BlockStream:
    """Blocks of one identity, one after the other. Renderer thread only.

    Args:
        reference: the conditioning latent [1, channels, h, w]: held in the stream's first frame, shown to every frame.
        text: rows of the prompt's encoding [1, rows, text_dim].
        seed: the same seed, sound and identity give the same blocks.
    """

    def __init__(
        self, model: Transformer, window: Window, schedule: Schedule, reference: Tensor, text: Tensor, seed: int
    ) -> None:
        self._model, self._window, self._schedule, self._reference = model, window, schedule, reference
        with torch.inference_mode():
            self._text: TextKeys = model.text_keys(text)
        sizes, device = model.sizes, reference.device
        cache = SinkCache(
            window,
            model.rope(reference.shape[-2], reference.shape[-1], device),
            layers=sizes.layers,
            heads=sizes.heads,
            width=sizes.dim,
            dtype=reference.dtype,
            device=device,
        )
        noise = torch.Generator(device=device).manual_seed(seed)
        self._state = StreamState(cache, noise, noise.get_state())

    @property
    def blocks(self) -> int:
        """How many blocks have been made."""
        return self._state.cache.block + 1

    @torch.inference_mode()
    def imagine(self, features: Tensor) -> Tensor:
        """The next block's latents [1, frames, channels, h, w] for audio features [1, 4 * frames, audio_dim]."""
        state, frames = self._state, self._window.block_frames
        state.noise_before = state.noise.get_state()
        state.cache.open_block()
        beginning = state.cache.block == 0
        condition = Condition(self._text, self._model.audio_terms(features))
        given = conditioning(self._reference, frames, beginning=beginning)

        def flow(x: Tensor, timestep: float) -> Tensor:
            return self._model(torch.cat((x, given), 2), _filled(x, timestep), condition, state.cache)

        clean = denoise(flow, self._draw, self._schedule, first=self._reference if beginning else None)
        self._model.remember(torch.cat((clean, given), 2), _filled(clean, 0.0), condition, state.cache)
        return clean

    def rewind(self) -> None:
        """Forget the block made last, as if it had never been imagined; once for each block."""
        self._state.cache.rewind()
        self._state.noise.set_state(self._state.noise_before)

    def _draw(self) -> Tensor:
        _, channels, height, width = self._reference.shape
        return torch.randn(
            (1, self._window.block_frames, channels, height, width),
            generator=self._state.noise,
            device=self._reference.device,
            dtype=self._reference.dtype,
        )


def conditioning(reference: Tensor, frames: int, *, beginning: bool) -> Tensor:
    """Reference latent in every frame, then the mask: 0 in the frame that is given, 1 elsewhere.

    [batch, channels, h, w] -> [batch, frames, channels + 1, h, w].
    """
    repeated = reference[:, None].expand(-1, frames, -1, -1, -1)
    mask = torch.ones_like(repeated[:, :, :1])
    if beginning:
        mask[:, 0] = 0
    return torch.cat((repeated, mask), dim=2)


def _filled(x: Tensor, timestep: float) -> Tensor:
    return torch.full(x.shape[:2], timestep, device=x.device)
