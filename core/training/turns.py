"""Turns: whose turn it is at a step of the large recipe, and the losses of the clips that it learns from."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.performer.diffusion.attention import block_causal_mask
from core.performer.diffusion.schedule import RELEASED
from core.performer.diffusion.window import Window
from core.training.distil import JUDGED_AT, Chance, Distillation, noise_of
from core.training.noise import NoiseTable
from core.training.ode import ode_loss
from core.training.rollout import roll_out
from core.training.scene import flow_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from core.performer.diffusion.transformer import Transformer
    from core.performer.livetalk.spec import LiveTalkSpec
    from core.training.clips import Batch, Chosen, ClipFolder
    from core.training.distil import DistilRecipe
    from core.training.play import Losses

    Loss = Callable[[Batch, Chosen, int], Tensor]


class Turns:
    """Called with a step's number. Every clip has noise of its own, so that the number of processes changes nothing.

    Args:
        networks: by name; "critic" and "teacher" where there is something to `distil`, which is None for the converged
            start.
        batch: clips in a step, over all processes.
        frames: latent frames of a clip.
        half: calculate in bfloat16.
    """

    def __init__(
        self,
        networks: dict[str, Transformer],
        clips: ClipFolder,
        spec: LiveTalkSpec,
        distil: DistilRecipe | None,
        *,
        seed: int,
        batch: int,
        frames: int,
        device: torch.device,
        half: bool,
    ) -> None:
        self._student, self._clips, self._spec, self._recipe = networks["student"], clips, spec, distil
        self._seed, self._batch, self._device, self._half = seed, batch, device, half
        blocks = frames // spec.block_latents
        self._window = Window(blocks, 0, spec.block_latents, absolute=True)
        self._table = NoiseTable() if distil is None else NoiseTable(distil.shift)
        self._mask, self._game = None, None
        if distil is None:
            tokens = spec.block_latents * spec.tokens_per_frame
            self._mask = block_causal_mask(blocks, tokens).to(device)
        else:
            self._game = Distillation(
                self._student, networks["critic"], networks["teacher"], self._window, RELEASED, distil, half=half
            )

    def __call__(self, step: int) -> Iterator[tuple[str, Losses]]:
        """Each player has a batch of its own."""
        if self._game is None or self._recipe is None:
            yield "student", self._losses(step, self._converged)
            return
        game = self._game
        if self._recipe.generator_learns(step):
            yield "student", self._losses(2 * step, self._played(game.generator_loss))
        yield "critic", self._losses(2 * step + 1, self._played(game.critic_loss))

    def clips(self, step: int) -> dict[str, list[str]]:
        """The names of all clips of a step, by the player that learns from them."""
        numbers = {"student": step} if self._game is None else {"student": 2 * step, "critic": 2 * step + 1}
        return {
            name: [chosen.file.name for chosen in self._clips.drawn(number, self._batch)]
            for name, number in numbers.items()
        }

    @torch.no_grad()
    def figures(self, clip: Batch, place: int) -> dict[str, float]:
        """What the student is worth on a held-out clip; the first figure chooses the best checkpoint, less is better.

        For the converged start the error of its clean estimates; for distillation how far the guided teacher would
        move the clips that the student makes, and how far teacher and critic are apart on them.
        """
        noise = noise_of(self._seed, 0, 1_000_000 + place)
        with self._numbers():
            if self._game is None:
                return {"error on held-out clips": float(self._estimated(clip, noise))}
            made = self._game.made(clip.scene, noise)
            residual, gap = self._game.judged(clip.scene, made, noise, JUDGED_AT)
        return {"teacher's correction": residual, "teacher to critic": gap}

    @torch.no_grad()
    def sample(self, clip: Batch) -> Tensor:
        """Latents [1, frames, channels, h, w] of a clip as the product makes it, with the same noise every time."""
        noise = noise_of(self._seed, 0, 2_000_000)
        scene = clip.scene

        def draw(shape: tuple[int, ...]) -> Tensor:
            return torch.randn(shape, generator=noise).to(scene.reference)

        with self._numbers():
            past = torch.bfloat16 if self._half else None
            return roll_out(self._student, self._window, RELEASED, scene, draw, past=past).float()

    def _losses(self, number: int, loss: Loss) -> Losses:
        return [partial(self._one, number, chosen, loss) for chosen in self._clips.share(number, self._batch)]

    def _one(self, number: int, chosen: Chosen, loss: Loss) -> Tensor:
        clip = self._clips.load(chosen.file)
        with self._numbers():
            return loss(clip, chosen, number)

    def _played(self, loss: Callable[..., Tensor]) -> Loss:
        def one(clip: Batch, chosen: Chosen, number: int) -> Tensor:
            return loss(clip.scene, Chance.of(self._seed, number, chosen.place, len(RELEASED.sigmas)))

        return one

    def _converged(self, clip: Batch, chosen: Chosen, number: int) -> Tensor:
        return self._estimated(clip, noise_of(self._seed, number, chosen.place))

    def _estimated(self, clip: Batch, noise: torch.Generator) -> Tensor:
        if clip.states is None:
            raise ValueError("these clips hold no trajectories: they cannot start a student")

        def estimate(noisy: Tensor, times: Tensor) -> Tensor:
            flow = flow_at_once(self._student, clip.scene, noisy, times, mask=self._mask)
            return self._table.clean(noisy, flow, times)

        return ode_loss(estimate, clip.states, RELEASED.timesteps, self._spec.block_latents, noise)

    def _numbers(self) -> AbstractContextManager[object]:
        """Entered for each loss alone: what it keeps of rounded weights must not outlive a step of the optimiser."""
        return torch.autocast(self._device.type, torch.bfloat16) if self._half else nullcontext()
