"""Noise by table: the training schedule of a flow model, and which moments of it are learned from."""

from __future__ import annotations

import torch
from torch import Tensor

from core.performer.diffusion.schedule import shifted_sigmas

STEPS = 1000
CLAMP = (20.0, 980.0)


class NoiseTable:
    """1000 noise levels, warped by `shift` (5 in the released recipe); a timestep 0..1000 stands for the nearest one.

    Shapes: latents are [batch, frames, channels, h, w], timesteps [batch] or [batch, frames].
    """

    def __init__(self, shift: float = 5.0, steps: int = STEPS) -> None:
        self._shift = shift
        self._sigmas = torch.tensor(shifted_sigmas(steps, shift), dtype=torch.float64)

    def sigma(self, timestep: Tensor) -> Tensor:
        """The level of the entry nearest to `timestep`, of the same shape, float64."""
        table = self._sigmas.to(timestep.device)
        return table[(STEPS * table - timestep.double()[..., None]).abs().argmin(-1)]

    def add_noise(self, clean: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
        """(1 - s) clean + s noise."""
        sigma = _like(self.sigma(timestep), clean)
        return ((1 - sigma) * clean + sigma * noise).to(clean.dtype)

    def flow(self, noisy: Tensor, clean: Tensor, timestep: Tensor) -> Tensor:
        """What leads from noise to `clean`: (noisy - clean) / s."""
        return ((noisy.double() - clean.double()) / _like(self.sigma(timestep), noisy)).to(noisy.dtype)

    def clean(self, noisy: Tensor, flow: Tensor, timestep: Tensor) -> Tensor:
        """noisy - s flow."""
        return (noisy.double() - _like(self.sigma(timestep), noisy) * flow.double()).to(noisy.dtype)

    def warped(self, raw: Tensor) -> Tensor:
        """Evenly drawn timesteps 0..1000, leaned towards noise by the shift and kept away from both ends."""
        even = raw.double() / STEPS
        return (STEPS * self._shift * even / (1 + (self._shift - 1) * even)).clamp(*CLAMP)

    def draw(self, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """A timestep for each clip of a batch, [batch], from integers drawn evenly."""
        return self.warped(torch.randint(STEPS, (batch,), generator=generator))


def _like(sigma: Tensor, latents: Tensor) -> Tensor:
    return sigma.to(latents.device).reshape(*sigma.shape, *[1] * (latents.ndim - sigma.ndim))
