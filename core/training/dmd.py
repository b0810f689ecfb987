"""Distribution matching distillation: the student's own roll-outs are moved to where the teacher would have them.

The generator follows the difference of two scores on its own noised clips, that of the teacher ("real", frozen, with
guidance) and that of a critic ("fake") which learns what the generator makes at the moment. Self-Forcing's form of
DMD2, with the improvements of the LiveTalk paper: the teacher is guided by text and sound, the rates are high, and the
critic does not learn from the frame that is given.

Latents are [batch, frames, channels, h, w]; frame 0 is the reference, which the generator does not make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from core.training.noise import NoiseTable

Score = Callable[[Tensor, Tensor], Tensor]
"""(noisy latents, timestep [batch]) -> the clean latents that the network expects behind them."""


@dataclass(frozen=True)
class Guidance:
    """How far the teacher goes beyond what it expects, for text and for sound.

    With equal scales it takes one more pass than without, else two: c + s (c - u), or u + s_text (m - u) +
    s_audio (c - m), where m hears nothing and u neither hears nor reads. Scales of 5 are the released recipe's, the
    effective 6 of the usual form u + w (c - u).
    """

    text: float = 5.0
    audio: float = 5.0

    def apply(self, told: Score, neither: Score, text_only: Score) -> Score:
        """The guided score."""

        def guided(noisy: Tensor, timestep: Tensor) -> Tensor:
            full, none = told(noisy, timestep), neither(noisy, timestep)
            if self.text == self.audio:
                return full + self.text * (full - none)
            words = text_only(noisy, timestep)
            return none + self.text * (words - none) + self.audio * (full - words)

        return guided


def given_first(noisy: Tensor, reference: Tensor) -> Tensor:
    """`noisy` with its frame 0 replaced by the reference, [batch, channels, h, w]."""
    return torch.cat((reference[:, None], noisy[:, 1:]), 1)


def direction(
    made: Tensor, reference: Tensor, noise: Tensor, timestep: Tensor, *, fake: Score, real: Score, table: NoiseTable
) -> Tensor:
    """Where the made clips should not go: (fake - real) / mean |made - real|, per clip. No gradient."""
    with torch.no_grad():
        noisy = given_first(table.add_noise(made, noise, timestep), reference)
        wanted = real(noisy, timestep)
        scale = (made - wanted).abs().mean((1, 2, 3, 4), keepdim=True)
        return (fake(noisy, timestep) - wanted) / scale


def generator_loss(made: Tensor, away: Tensor) -> Tensor:
    """Half the mean square towards `made - away`, so that the gradient is `away` over the number of elements."""
    target = (made.double() - away.double()).detach()
    return 0.5 * (made.double() - target).square().mean()


def critic_loss(
    made: Tensor, reference: Tensor, noise: Tensor, timestep: Tensor, *, fake: Score, table: NoiseTable
) -> Tensor:
    """Mean square of the critic's flow on clips that the generator `made`, without the frame that is given."""
    made = made.detach()
    noisy = given_first(table.add_noise(made, noise, timestep), reference)
    flow = table.flow(noisy, fake(noisy, timestep), timestep)
    return (flow - (noise - made))[:, 1:].square().mean()
