"""A stream of blocks: typed state apart from the weights, one block in, one block out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.performer.diffusion.attention import SinkCache
from core.performer.diffusion.sampler import denoise
from core.performer.diffusion.transformer import Condition, Moment, TextKeys, Transformer

if TYPE_CHECKING:
    from core.performer.diffusion.schedule import Schedule
    from core.performer.diffusion.window import Window

Call = Callable[..., Tensor]
Steady = Callable[[Call], Call]
"""Makes a call fast that always gets the same shapes and always does the same; what it returns may be overwritten by
the next call."""


@dataclass(eq=False)
class StreamState:
    """All that changes while a stream runs. Renderer thread only."""

    cache: SinkCache
    noise: torch.Generator
    noise_before: Tensor
    """The generator's state before the open block, for `rewind`."""
    latents: Tensor
    """The open block's clean latents, [1, frames, channels, h, w]."""
    features: Tensor
    """What the open block heard, [1, 4 * frames, audio_dim]."""


@dataclass(frozen=True, eq=False)
class _Constants:
    """What every block is told alike."""

    moments: tuple[Moment, ...]
    """One for each step."""
    clean: Moment
    first_given: Tensor
    """Reference latent and mask of the stream's first block, [1, frames, channels + 1, h, w]."""
    given: Tensor
    """The same of every later one."""


class BlockStream:
    """Blocks of one identity, one after the other. Renderer thread only.

    Args:
        reference: the conditioning latent [1, channels, h, w]: held in the stream's first frame, shown to every frame.
        text: rows of the prompt's encoding [1, rows, text_dim].
        seed: the same seed, sound and identity give the same blocks.
        steady: how calls whose shapes never change again are made fast; they are taken as they are without it.
        fp8_cache: keep the past in eight bits.
    """

    def __init__(
        self,
        model: Transformer,
        window: Window,
        schedule: Schedule,
        reference: Tensor,
        text: Tensor,
        seed: int,
        *,
        steady: Steady | None = None,
        fp8_cache: bool = False,
    ) -> None:
        self._model, self._window, self._schedule, self._reference = model, window, schedule, reference.clone()
        frames, device = window.block_frames, reference.device
        with torch.inference_mode():
            self._text: TextKeys = model.text_keys(text)
            self._constants = _constants(model, schedule, reference, frames)
        sizes = model.sizes
        cache = SinkCache(
            window,
            model.rope(reference.shape[-2], reference.shape[-1], device),
            layers=sizes.layers,
            heads=sizes.heads,
            width=sizes.dim,
            dtype=reference.dtype,
            device=device,
            fp8=fp8_cache,
        )
        noise = torch.Generator(device=device).manual_seed(seed)
        self._state = StreamState(cache, noise, noise.get_state(), torch.empty(0), torch.empty(0))
        self._steady_make = steady(self._later_block) if steady else self._later_block
        self._steady_remember = steady(self._later_keys) if steady else self._later_keys

    @property
    def blocks(self) -> int:
        """How many blocks have been made."""
        return self._state.cache.block + 1

    def imagine(self, features: Tensor) -> Tensor:
        """The next block's latents [1, frames, channels, h, w] for audio features [1, 4 * frames, audio_dim]."""
        latents = self.make(features)
        self.remember()
        return latents

    @torch.inference_mode()
    def make(self, features: Tensor) -> Tensor:
        """The next block's latents; they may be drawn while `remember` runs, which has to come before the next."""
        state = self._state
        state.noise_before = state.noise.get_state()
        state.cache.open_block()
        noises = torch.stack([self._draw() for _ in self._schedule.sigmas])
        if state.cache.block == 0:
            state.latents = self._block(noises, features, self._constants.first_given, self._reference)
        elif state.cache.steady:
            state.latents = self._steady_make(noises, features).clone()
        else:
            state.latents = self._later_block(noises, features)
        state.features = features
        return state.latents

    @torch.inference_mode()
    def remember(self) -> None:
        """Put the block made last, clean, into the memory that later ones look at."""
        state = self._state
        if state.cache.block == 0:
            self._keys(state.latents, state.features, self._constants.first_given)
        elif state.cache.steady:
            self._steady_remember(state.latents, state.features)
        else:
            self._later_keys(state.latents, state.features)

    def rewind(self) -> None:
        """Forget the block made last, as if it had never been imagined; once for each block."""
        self._state.cache.rewind()
        self._state.noise.set_state(self._state.noise_before)

    @torch.inference_mode()
    def restart(self, reference: Tensor, text: Tensor, seed: int) -> None:
        """Begin anew with another identity, in this one's memory and with the calls that have become steady."""
        self._reference.copy_(reference)
        for given, beginning in ((self._constants.first_given, True), (self._constants.given, False)):
            given.copy_(conditioning(reference, self._window.block_frames, beginning=beginning))
        self.prompt(text)
        self._state.cache.restart()
        self._state.noise.manual_seed(seed)

    @torch.inference_mode()
    def prompt(self, text: Tensor) -> None:
        """Listen to another prompt [1, rows, text_dim], of as many rows, from the next block on."""
        self._text.copy_(self._model.text_keys(text))

    def _later_block(self, noises: Tensor, features: Tensor) -> Tensor:
        return self._block(noises, features, self._constants.given, None)

    def _later_keys(self, latents: Tensor, features: Tensor) -> Tensor:
        return self._keys(latents, features, self._constants.given)

    def _block(self, noises: Tensor, features: Tensor, given: Tensor, first: Tensor | None) -> Tensor:
        """Noises [steps, 1, frames, channels, h, w] -> clean latents."""
        condition, cache = Condition(self._text, self._model.audio_terms(features)), self._state.cache
        moments, fresh = iter(self._constants.moments), iter(noises)

        def flow(x: Tensor, timestep: float) -> Tensor:
            return self._model.flow_at(next(moments), torch.cat((x, given), 2), condition, cache)

        return denoise(flow, lambda: next(fresh), self._schedule, first=first)

    def _keys(self, latents: Tensor, features: Tensor, given: Tensor) -> Tensor:
        condition = Condition(self._text, self._model.audio_terms(features))
        self._model.remember_at(self._constants.clean, torch.cat((latents, given), 2), condition, self._state.cache)
        return latents

    def _draw(self) -> Tensor:
        _, channels, height, width = self._reference.shape
        return torch.randn(
            (1, self._window.block_frames, channels, height, width),
            generator=self._state.noise,
            device=self._reference.device,
            dtype=self._reference.dtype,
        )


def _constants(model: Transformer, schedule: Schedule, reference: Tensor, frames: int) -> _Constants:
    def moment(timestep: float) -> Moment:
        return model.moment(torch.full((1, frames), timestep, device=reference.device))

    return _Constants(
        tuple(moment(timestep) for timestep in schedule.timesteps),
        moment(0.0),
        conditioning(reference, frames, beginning=True),
        conditioning(reference, frames, beginning=False),
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
