"""On-policy distillation: one step of the generator, one of the critic, and whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.training.dmd import Guidance, Score, critic_loss, direction, generator_loss
from core.training.noise import NoiseTable
from core.training.rollout import roll_out
from core.training.scene import Scene, flow_at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.performer.diffusion.schedule import Schedule
    from core.performer.diffusion.transformer import Transformer
    from core.performer.diffusion.window import Window
    from core.training.crew import Crew


@dataclass(frozen=True)
class DistilRecipe:
    """Numbers of the LiveTalk paper; where it is silent, of Self-Forcing."""

    guidance: Guidance = field(default_factory=Guidance)
    shift: float = 5.0
    warm_up: int = 20
    """Steps in which only the critic learns, so that it knows the generator before it judges it."""
    ratio: int = 5
    """Critic steps for each of the generator."""
    average_from: int = 200
    """The generator's step from which its moving average is kept."""

    def generator_learns(self, step: int) -> bool:
        """Whether the generator too learns at this step; the critic does at every one."""
        return step >= self.warm_up and (step - self.warm_up) % self.ratio == 0


class Distillation:
    """The three networks of the game, with the same layout at any size.

    Args:
        generator: the causal student.
        critic: looks both ways; learns what the generator makes.
        teacher: looks both ways; frozen.
        half: the past of a roll-out is kept in bfloat16.
    """

    def __init__(
        self,
        generator: Transformer,
        critic: Transformer,
        teacher: Transformer,
        window: Window,
        schedule: Schedule,
        recipe: DistilRecipe,
        crew: Crew,
        *,
        half: bool = False,
    ) -> None:
        self.generator, self.critic, self.teacher = generator, critic, teacher.requires_grad_(False)
        self._window, self._schedule, self._recipe = window, schedule, recipe
        self._table, self._crew = NoiseTable(recipe.shift), crew
        self._past = torch.bfloat16 if half else None

    def generator_loss(self, scene: Scene, noise: torch.Generator) -> Tensor:
        """On clips that the generator makes now; every block leaves at the same step, drawn evenly."""
        made = self._made(scene, noise)
        away = direction(
            made.detach(),
            scene.reference,
            self._draw(scene, noise)(tuple(made.shape)),
            self._moments(scene, noise),
            fake=self._score(self.critic, scene),
            real=self._guided(scene),
            table=self._table,
        )
        return generator_loss(made, away)

    def critic_loss(self, scene: Scene, noise: torch.Generator) -> Tensor:
        """On clips that the generator makes now, from which nothing flows back to it."""
        with torch.no_grad():
            made = self._made(scene, noise)
        return critic_loss(
            made,
            scene.reference,
            self._draw(scene, noise)(tuple(made.shape)),
            self._moments(scene, noise),
            fake=self._score(self.critic, scene),
            table=self._table,
        )

    def _made(self, scene: Scene, noise: torch.Generator) -> Tensor:
        exit_step = int(torch.randint(len(self._schedule.sigmas), (1,), generator=noise))
        return roll_out(
            self.generator,
            self._window,
            self._schedule,
            scene,
            self._draw(scene, noise),
            exit_step=exit_step,
            past=self._past,
        )

    def _draw(self, scene: Scene, noise: torch.Generator) -> Callable[[tuple[int, ...]], Tensor]:
        """Noise for this process's share of a batch: drawn for the whole batch, on the processor, so that a run is the
        same on every device and with any number of processes."""

        def draw(shape: tuple[int, ...]) -> Tensor:
            whole = torch.randn((shape[0] * self._crew.size, *shape[1:]), generator=noise)
            return whole.chunk(self._crew.size)[self._crew.rank].to(scene.reference)

        return draw

    def _moments(self, scene: Scene, noise: torch.Generator) -> Tensor:
        """A timestep for each clip of the share."""
        whole = self._table.draw(len(scene.reference) * self._crew.size, noise)
        return whole.chunk(self._crew.size)[self._crew.rank].to(scene.reference.device)

    def _guided(self, scene: Scene) -> Score:
        return self._recipe.guidance.apply(
            self._score(self.teacher, scene),
            self._score(self.teacher, scene, reads=False, hears=False),
            self._score(self.teacher, scene, hears=False),
        )

    def _score(self, model: Transformer, scene: Scene, *, reads: bool = True, hears: bool = True) -> Score:
        def score(noisy: Tensor, timestep: Tensor) -> Tensor:
            every = timestep[:, None].expand(-1, noisy.shape[1])
            flow = flow_at_once(model, scene, noisy, every, reads=reads, hears=hears)
            return self._table.clean(noisy, flow, timestep)

        return score
