"""ODE initialisation: the student learns where the teacher's trajectories end, from every noise level it will meet.

Each block of a clip stands at a noisy state of its own, and sees the blocks before it in theirs; one pass with a
block-causal mask answers for the whole clip (LiveTalk paper, section on converged ODE initialisation).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Estimate = Callable[[Tensor, Tensor], Tensor]
"""(noisy latents [batch, frames, channels, h, w], timesteps [batch, frames]) -> clean latents, block by block."""


def ode_loss(
    estimate: Estimate,
    trajectory: Tensor,
    timesteps: tuple[float, ...],
    block: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Mean square to the end of the trajectory, over everything.

    Args:
        trajectory: the teacher's states [batch, states + 1, frames, channels, h, w], noisiest first, the clean one
            last.
        timesteps: of the noisy states.
        block: latent frames a block; all of a block stand at one state.
    """
    batch, states, frames = trajectory.shape[:3]
    if states != len(timesteps) + 1 or frames % block:
        raise ValueError(f"{states} states of {frames} frames, for {len(timesteps)} timesteps and blocks of {block}")
    drawn = torch.randint(len(timesteps), (batch, frames // block), generator=generator)
    chosen = drawn.repeat_interleave(block, 1).to(trajectory.device)
    places = torch.arange(frames, device=trajectory.device)
    noisy = trajectory[torch.arange(batch, device=trajectory.device)[:, None], chosen, places[None]]
    times = torch.tensor(timesteps, device=trajectory.device)[chosen]
    return (estimate(noisy, times) - trajectory[:, -1]).square().mean()
