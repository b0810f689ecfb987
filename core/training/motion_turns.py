"""Whose turn it is at a step of the embedded avatar's recipe, and what its student is worth on clips it never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.performer.diffusion.attention import block_causal_mask
from core.performer.portrait.codec import CURVES, LATENT
from core.training.distil import JUDGED_AT, Chance, Distillation
from core.training.ode import ode_loss
from core.training.rollout import roll_out
from core.training.scene import flow_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.performer.diffusion.transformer import Transformer
    from core.performer.portrait.codec import MotionCodec
    from core.performer.portrait.motion import MotionSpec
    from core.training.distil import DistilRecipe
    from core.training.motion_scenes import Drawn, Paths, Scenes
    from core.training.play import Losses
    from core.training.scene import Scene

_ANGLES = [CURVES.index(name) for name in ("yaw", "pitch", "roll_angle")]


class MotionTurns:
    """Called with a step's number.

    Args:
        networks: "student" and "teacher", and "critic" where the student is distilled.
        paths: the teacher's trajectories, for the converged start; None distils.
    """

    def __init__(
        self,
        networks: dict[str, Transformer],
        scenes: Scenes,
        paths: Paths | None,
        spec: MotionSpec,
        recipe: DistilRecipe,
        seed: int,
    ) -> None:
        self._student, self._scenes, self._paths, self._spec = networks["student"], scenes, paths, spec
        self._recipe, self._seed = recipe, seed
        tokens = spec.block_latents * LATENT[1] * LATENT[2] // int(np.prod(spec.sizes.transformer().patch))
        self._mask = block_causal_mask(spec.window_blocks, tokens)
        self._game = None
        if paths is None:
            self._game = Distillation(
                self._student, networks["critic"], networks["teacher"], spec.window, spec.schedule, recipe
            )

    def __call__(self, step: int) -> Iterator[tuple[str, Losses]]:
        """Each player has a batch of its own."""
        if self._paths is not None:
            paths = self._paths
            yield "student", [lambda: self._converged(paths, step)]
            return
        game = self._game
        assert game is not None
        if self._recipe.generator_learns(step):
            yield "student", [lambda: game.generator_loss(*self._chosen(2 * step))]
        yield "critic", [lambda: game.critic_loss(*self._chosen(2 * step + 1))]

    @torch.no_grad()
    def made(self, scene: Scene, seed: int) -> Tensor:
        """Clips by all steps of the student, as the product makes them: [batch, frames, 16, 2, 2]."""
        drawn = torch.Generator().manual_seed(seed)
        return roll_out(
            self._student,
            self._spec.window,
            self._spec.schedule,
            scene,
            lambda shape: torch.randn(shape, generator=drawn),
        )

    @torch.no_grad()
    def figures(self, drawn: Drawn, codec: MotionCodec) -> dict[str, float]:
        """What the student is worth on held-out clips; the first figure chooses the best checkpoint, less is better.

        `distance` is what the lips miss of the true ones (1 - correlation of their opening) plus how far the spread of
        the head is from the true one (absolute logarithm of their ratio). `flicker` is the mean jerk of the lips over
        the true one's.
        """
        made = self.made(drawn.scene, self._seed)
        seen, true = (curves_of(codec, latents, drawn.scene.reference) for latents in (made, drawn.batch.clean))
        lips, wanted = (self._scenes.lessons.lips(curves)[..., -2] for curves in (seen, true))
        follows = float(torch.corrcoef(torch.stack((lips.flatten(), wanted.flatten())))[0, 1])
        begins = self._spec.block_frames  # the first block comes from rest, the others follow each other
        spread = float(_spread(seen[:, begins:]) / _spread(true[:, begins:]))
        jerk, its_jerk = (float(one.diff(dim=1).diff(dim=1).abs().mean()) for one in (lips, wanted))
        told = {
            "distance": 1 - follows + abs(float(np.log(spread))),
            "lips follow": follows,
            "spread of the head": spread,
            "flicker": jerk / its_jerk,
        }
        if self._game is not None:
            noise = torch.Generator().manual_seed(self._seed)
            told["teacher's correction"], told["teacher to critic"] = self._game.judged(
                drawn.scene, made, noise, JUDGED_AT
            )
        return told

    def _converged(self, paths: Paths, step: int) -> Tensor:
        rng = np.random.default_rng((self._seed, step))
        scene, states = paths.draw(rng)
        drawn = torch.Generator().manual_seed(int(rng.integers(2**62)))

        def estimate(noisy: Tensor, times: Tensor) -> Tensor:
            flow = flow_at_once(self._student, scene, noisy, times, mask=self._mask)
            return noisy - (times / 1000.0)[..., None, None, None] * flow

        return ode_loss(estimate, states, self._spec.timesteps, self._spec.block_latents, drawn)

    def _chosen(self, number: int) -> tuple[Scene, Chance]:
        """The batch of that number, and what is left to chance in it."""
        chance = Chance.of(self._seed, number, 0, len(self._spec.sigmas))
        return self._scenes.draw(number).scene, chance


def curves_of(codec: MotionCodec, latents: Tensor, reference: Tensor) -> Tensor:
    """Curves of clips [batch, frames, 16, 2, 2] that come from rest: [batch, 4 * frames, CURVES]."""
    past = reference[:, None].expand(-1, codec.face.PAST, -1, -1, -1)
    return codec.decode(torch.cat((past, latents), 1))


def _spread(curves: Tensor) -> Tensor:
    """Of yaw, pitch and roll within clips, radians."""
    return curves[..., _ANGLES].std(1).mean()
