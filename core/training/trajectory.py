"""Trajectories: how a teacher that looks both ways comes from noise to a clip, for the converged start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.performer.diffusion.schedule import shifted_sigmas
from core.training.dmd import given_first
from core.training.noise import STEPS
from core.training.scene import flow_at_once

if TYPE_CHECKING:
    from core.performer.diffusion.transformer import Transformer
    from core.training.scene import Scene


@torch.no_grad()
def trajectory(
    teacher: Transformer, scene: Scene, noise: Tensor, *, steps: int, keep: int, guidance: float, shift: float = 5.0
) -> Tensor:
    """States before `keep` evenly spaced steps, and the end: [batch, keep + 1, frames, channels, h, w].

    The first frame is the reference before every step. With 48 steps and 4 to keep, the states stand at the noise
    levels that the student's sampler asks for.

    Args:
        noise: [batch, frames, channels, h, w].
        guidance: flow = nothing + guidance (told - nothing), where nothing has the negative prompt and hears nothing;
            4.5 in the paper.

    Raises:
        ValueError: `steps` cannot be divided by `keep`: the states would stand elsewhere.
    """
    if steps % keep:
        raise ValueError(f"{steps} steps do not divide into {keep} parts")
    sigmas = [*shifted_sigmas(steps, shift), 0.0]
    x = noise
    states: list[Tensor] = []
    for step in range(steps):
        x = given_first(x, scene.reference)
        if step % (steps // keep) == 0:
            states.append(x)
        times = torch.full(x.shape[:2], STEPS * sigmas[step], device=x.device)
        told = flow_at_once(teacher, scene, x, times)
        nothing = flow_at_once(teacher, scene, x, times, reads=False, hears=False)
        x = x + (sigmas[step + 1] - sigmas[step]) * (nothing + guidance * (told - nothing))
    return torch.stack([*states, given_first(x, scene.reference)], 1)
