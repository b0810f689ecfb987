"""`denoise`: noise to a clean block in a few steps, the same for the product and for training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from core.performer.diffusion.schedule import Schedule

Flow = Callable[[Tensor, float], Tensor]
"""(noisy latents [batch, frames, channels, h, w], timestep) -> flow of the same shape."""


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
            velocity = flow(x, schedule.timesteps[step])
            clean = (x.float() - schedule.sigmas[step] * velocity.float()).to(x.dtype)
        if step < last:
            sigma = schedule.sigmas[step + 1]
            x = _held(((1 - sigma) * clean.float() + sigma * draw().float()).to(x.dtype), first)
    return _held(clean, first)


def _held(x: Tensor, first: Tensor | None) -> Tensor:
    if first is None:
        return x
    return torch.cat((first[:, None], x[:, 1:]), dim=1)
