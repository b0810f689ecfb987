"""Self-forcing: the student makes a clip block by block from its own past, exactly as the product does.

It is the product's own `denoise`, over the product's own cache; what differs is that one step of each block lets the
gradient through. Nothing flows back through the past: the cache holds constants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.performer.diffusion.attention import SinkCache
from core.performer.diffusion.sampler import denoise
from core.performer.diffusion.sizes import FRAMES_PER_LATENT
from core.performer.diffusion.streaming import conditioning
from core.performer.diffusion.transformer import Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.performer.diffusion.schedule import Schedule
    from core.performer.diffusion.transformer import Transformer
    from core.performer.diffusion.window import Window
    from core.training.scene import Scene


def roll_out(
    model: Transformer,
    window: Window,
    schedule: Schedule,
    scene: Scene,
    draw: Callable[[tuple[int, ...]], Tensor],
    *,
    exit_step: int | None = None,
    past: torch.dtype | None = None,
) -> Tensor:
    """Clips of as many blocks as the scene's sound lasts, [batch, frames, channels, h, w].

    Args:
        draw: fresh Gaussian noise of a shape; asked in the order in which the product draws it.
        exit_step: every block ends after this step, which alone lets the gradient through; None runs them all, and
            gradients are whatever the caller's context says.
        past: numbers that the past is kept in; the reference's when it is None.
    """
    batch, channels, height, width = scene.reference.shape
    frames = window.block_frames
    cache = SinkCache(
        window,
        model.rope(height, width, scene.reference.device),
        layers=model.sizes.layers,
        heads=model.sizes.heads,
        width=model.sizes.dim,
        batch=batch,
        dtype=past or scene.reference.dtype,
        device=scene.reference.device,
    )
    text = model.text_keys(scene.text)
    blocks: list[Tensor] = []
    heard_by_block = scene.features.split(FRAMES_PER_LATENT * frames, 1)
    lasting = window.absolute and len(heard_by_block) <= window.slots
    for block, features in enumerate(heard_by_block):
        heard = Condition(text, model.audio_terms(features))
        given = conditioning(scene.reference, frames, beginning=block == 0)
        cache.open_block()

        def flow(x: Tensor, timestep: float, heard: Condition = heard, given: Tensor = given) -> Tensor:
            times = torch.full((batch, frames), timestep, device=x.device)
            memory = cache.frozen(lasting=lasting) if torch.is_grad_enabled() else cache
            return model(torch.cat((x, given), 2), times, heard, memory)

        noises = iter([draw((batch, frames, channels, height, width)) for _ in schedule.sigmas])
        first = scene.reference if block == 0 else None
        made = denoise(flow, lambda noises=noises: next(noises), schedule, first=first, grad_step=exit_step)
        with torch.no_grad():
            times = torch.zeros((batch, frames), device=made.device)
            model.remember(torch.cat((made.detach(), given), 2), times, heard, cache)
        blocks.append(made)
    return torch.cat(blocks, 1)
