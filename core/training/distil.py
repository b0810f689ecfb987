"""On-policy distillation: one step of the generator, one of the critic, and whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.training.dmd import Guidance, Score, critic_loss, direction, generator_loss, given_first
from core.training.noise import NoiseTable
from core.training.rollout import roll_out
from core.training.scene import Scene, flow_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.performer.diffusion.schedule import Schedule
    from core.performer.diffusion.transformer import Transformer
    from core.performer.diffusion.window import Window

JUDGED_AT = (250.0, 500.0, 750.0)
"""Timesteps at which teacher and critic are asked about held-out clips."""


@dataclass(frozen=True)
class DistilRecipe:
    """Numbers of the LiveTalk paper; where it is silent, of Self-Forcing."""

    guidance: Guidance = field(default_factory=Guidance)
    shift: float = 5.0
    warm_up: int = 20
    """Steps in which only the critic learns, so that it knows the generator before it judges it."""
    ratio: int = 5
    """Critic steps for each of the generator."""

    def generator_learns(self, step: int) -> bool:
        """Whether the generator too learns at this step; the critic does at every one."""
        return step >= self.warm_up and (step - self.warm_up) % self.ratio == 0


@dataclass(frozen=True, eq=False)
class Chance:
    """What is left to chance for one clip; no number of processes and no device changes it."""

    exit_step: int
    """Where every block of every clip of the batch leaves the sampler: one for all, in all processes."""
    noise: torch.Generator
    """The clip's own, on the processor."""

    @staticmethod
    def of(seed: int, number: int, place: int, exits: int) -> Chance:
        """For the clip at `place` of the batch that has this number; `exits` steps may be left by, evenly."""
        exit_step = int(np.random.default_rng((seed, number)).integers(exits))
        return Chance(exit_step, noise_of(seed, number, place))


def noise_of(seed: int, number: int, place: int) -> torch.Generator:
    """A generator for one clip of one batch."""
    (drawn,) = np.random.SeedSequence((seed, number, place)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(drawn))


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
        *,
        half: bool = False,
    ) -> None:
        self.generator, self.critic, self.teacher = generator, critic, teacher.requires_grad_(False)
        self._window, self._schedule, self._recipe = window, schedule, recipe
        self._table = NoiseTable(recipe.shift)
        self._past = torch.bfloat16 if half else None

    def generator_loss(self, scene: Scene, chance: Chance) -> Tensor:
        """On clips that the generator makes now; every block leaves at the same step."""
        made = self.made(scene, chance.noise, chance.exit_step)
        away = direction(
            made.detach(),
            scene.reference,
            _drawing(scene, chance.noise)(tuple(made.shape)),
            self._moments(scene, chance.noise),
            fake=self._score(self.critic, scene),
            real=self._guided(scene),
            table=self._table,
        )
        return generator_loss(made, away)

    def critic_loss(self, scene: Scene, chance: Chance) -> Tensor:
        """On clips that the generator makes now, from which nothing flows back to it."""
        with torch.no_grad():
            made = self.made(scene, chance.noise, chance.exit_step)
        return critic_loss(
            made,
            scene.reference,
            _drawing(scene, chance.noise)(tuple(made.shape)),
            self._moments(scene, chance.noise),
            fake=self._score(self.critic, scene),
            table=self._table,
        )

    def made(self, scene: Scene, noise: torch.Generator, exit_step: int | None = None) -> Tensor:
        """Clips by the generator; without `exit_step` by all its steps, as the product makes them."""
        draw = _drawing(scene, noise)
        return roll_out(self.generator, self._window, self._schedule, scene, draw, exit_step=exit_step, past=self._past)

    @torch.no_grad()
    def judged(
        self, scene: Scene, made: Tensor, noise: torch.Generator, moments: Sequence[float]
    ) -> tuple[float, float]:
        """How far the guided teacher would move what was `made`, and how far it and the critic are apart.

        Mean absolute distances in latents without the given frame, over the noise levels of `moments` (timesteps).
        """
        fake, real = self._score(self.critic, scene), self._guided(scene)
        apart: list[tuple[float, float]] = []
        for moment in moments:
            times = torch.full((len(made),), moment, device=made.device)
            fresh = _drawing(scene, noise)(tuple(made.shape))
            noisy = given_first(self._table.add_noise(made, fresh, times), scene.reference)
            wanted, believed = real(noisy, times), fake(noisy, times)
            distances = [(one - wanted)[:, 1:].abs().mean() for one in (made, believed)]
            apart.append((float(distances[0]), float(distances[1])))
        return float(np.mean([pair[0] for pair in apart])), float(np.mean([pair[1] for pair in apart]))

    def _moments(self, scene: Scene, noise: torch.Generator) -> Tensor:
        """A timestep for each clip."""
        return self._table.draw(len(scene.reference), noise).to(scene.reference.device)

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


def _drawing(scene: Scene, noise: torch.Generator) -> Callable[[tuple[int, ...]], Tensor]:
    """Draws on the processor, so that a run is the same on every device."""
    return lambda shape: torch.randn(shape, generator=noise).to(scene.reference)
