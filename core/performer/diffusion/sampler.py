"""`denoise`: noise to a clean block in a few steps, the same for the product and for training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

Flow = Callable[[Tensor, float], Tensor]
"""(noisy latents [batch, frames, channels, h, w], timestep) -> flow of the same shape."""


@dataclass(frozen=True)
class Schedule:
    """The steps as data: how much noise there is, and what the network is told about it."""

    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.sigmas) != len(self.timesteps) or self.sigmas[0] != 1.0:
            raise ValueError(f"a schedule starts from pure noise, one timestep a sigma: {self}")


def shifted_sigmas(steps: int, shift: float) -> list[float]:
    """`steps` equal steps from 1 down to (not including) 0, warped towards noise: s' = shift*s / (1 + (shift-1)*s)."""
    even = [1 - step / steps for step in range(steps)]
    return [shift * s / (1 + (shift - 1) * s) for s in even]


RELEASED = Schedule(tuple(shifted_sigmas(4, 5.0)), (1000.0, 936.0, 832.0, 624.0))
"""The released model's: exact sigmas, and the timesteps that its bf16 really feeds and that it was trained with."""


def denoise(
    flow: Flow,
    draw: Callable[[], Tensor],
    schedule: Schedule,
    *,
    first: Tensor | None = None,
    grad_step: int | None = None,
) -> Tensor:
    """One block from noise.

    Args:
        flow: the network, bound to its conditions and its memory.
        draw: fresh Gaussian noise [batch, frames, channels, h, w]; asked once, then once between two steps.
        first: the latent that frame 0 is held to at every step, [batch, channels, h, w]; only for a stream's first
            block.
        grad_step: stop after this step and let the gradient through it alone (self-forcing); None for the product,
            where gradients are whatever the caller's context says.

    Returns:
        Clean latents; with `grad_step`, the estimate of that step.
    """
    x = _held(draw(), first)
    last = len(schedule.sigmas) - 1 if grad_step is None else grad_step
    clean = x
    for step in range(last + 1):
        with torch.no_grad() if grad_step is not None and step < grad_step else nullcontext():
            clean = x - schedule.sigmas[step] * flow(x, schedule.timesteps[step])
        if step < last:
            sigma = schedule.sigmas[step + 1]
            x = _held((1 - sigma) * clean + sigma * draw(), first)
    return _held(clean, first)


def _held(x: Tensor, first: Tensor | None) -> Tensor:
    if first is None:
        return x
    return torch.cat((first[:, None], x[:, 1:]), dim=1)
