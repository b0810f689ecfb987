"""Trajectories: how a teacher that looks both ways comes from noise to a clip, for the converged start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.training.dmd import given_first
from core.training.noise import STEPS
from core.training.scene import flow_at_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.performer.diffusion.transformer import Transformer
    from core.training.scene import Scene


@torch.no_grad()
def trajectory(
    teacher: Transformer, scene: Scene, noise: Tensor, *, sigmas: Sequence[float], keep: int, guidance: float
) -> Tensor:
    """States before `keep` of the steps, as many apart, and the end: [batch, keep + 1, frames, channels, h, w].

    The first frame is the reference before every step.

    Args:
        noise: [batch, frames, channels, h, w].
        sigmas: the noise level before each step, from 1 downwards; the last step goes to 0. Of 48 levels shifted by 5,
            the 4 to keep are those that the released sampler asks for; `between` makes levels for any other.
        guidance: flow = nothing + guidance (told - nothing), where nothing has the negative prompt and hears nothing;
            4.5 in the paper.

    Raises:
        ValueError: the steps cannot be divided by `keep`: the states would stand elsewhere.
    """
    steps, levels = len(sigmas), [*sigmas, 0.0]
    if steps % keep:
        raise ValueError(f"{steps} steps do not divide into {keep} parts")
    x = noise
    states: list[Tensor] = []
    for step in range(steps):
        x = given_first(x, scene.reference)
        if step % (steps // keep) == 0:
            states.append(x)
        times = torch.full(x.shape[:2], STEPS * levels[step], device=x.device)
        told = flow_at_once(teacher, scene, x, times)
        nothing = flow_at_once(teacher, scene, x, times, reads=False, hears=False)
        x = x + (levels[step + 1] - levels[step]) * (nothing + guidance * (told - nothing))
    return torch.stack([*states, given_first(x, scene.reference)], 1)


def between(sigmas: Sequence[float], each: int) -> list[float]:
    """Levels for `trajectory` that pass through a sampler's own: `each` equal steps from one to the next and to 0."""
    ends = [*sigmas[1:], 0.0]
    return [high + (low - high) * step / each for high, low in zip(sigmas, ends, strict=True) for step in range(each)]
