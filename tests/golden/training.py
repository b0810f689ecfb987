"""The distillation's equations: the generator's direction, loss and gradient, and the critic's loss.

They are worked out in float64: in float32 the order of the terms alone moves the result by 1e-6.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from core.training.dmd import Guidance, critic_loss, direction, generator_loss
from core.training.noise import NoiseTable
from tests.golden.folder import Case, greatest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from core.training.dmd import Score
    from tests.golden.folder import Folder

BOUND = 1e-6
KINDS = (("same_scale", Guidance(5, 5)), ("split_scale", Guidance(5, 3)))


def cases(folder: Folder) -> Iterator[Case]:
    for stem in folder.stems:
        if stem.startswith("train_math") and folder.has(stem):
            for kind, guidance in KINDS:
                words = f"{stem}: generator, {kind.replace('_', ' ')}"
                yield Case(words, (stem,), BOUND, partial(generator, folder, stem, kind, guidance))
            yield Case(f"{stem}: critic, without the given frame", (stem,), BOUND, partial(critic, folder, stem))


def generator(folder: Folder, stem: str, kind: str, guidance: Guidance) -> float:
    golden, made = _exact(folder.tensors(stem)), folder.config(stem)
    text, audio, silence = golden["cond.text"], golden["cond.audio"], torch.zeros_like(golden["cond.audio"])
    real = guidance.apply(
        _score(made["real"], text, audio),
        _score(made["real"], golden["uncond.text"], silence),
        _score(made["real"], text, silence),
    )
    with torch.inference_mode(False), torch.enable_grad():
        x = golden["generated"].clone().requires_grad_()
        away = direction(
            x,
            golden["ref_image"][:, 0, : x.shape[2]].clone(),
            golden[f"dmd.{kind}.noise"].clone(),
            golden[f"dmd.{kind}.timestep"][:, 0].clone(),
            fake=_score(made["fake"], text, audio),
            real=real,
            table=NoiseTable(),
        ).clone()
        loss = generator_loss(x, away)
        (gradient,) = torch.autograd.grad(loss, x)
    return max(
        greatest(away, golden[f"dmd.{kind}.kl_grad"]),
        greatest(loss.detach()[None], golden[f"dmd.{kind}.loss"]),
        greatest(gradient, golden[f"dmd.{kind}.grad_wrt_generated"]),
    )


def critic(folder: Folder, stem: str) -> float:
    golden, made = _exact(folder.tensors(stem)), folder.config(stem)
    loss = critic_loss(
        golden["generated"],
        golden["ref_image"][:, 0, : golden["generated"].shape[2]],
        golden["critic.noise"],
        golden["critic.timestep"][:, 0],
        fake=_score(made["fake"], golden["cond.text"], golden["cond.audio"]),
        table=NoiseTable(),
    )
    return greatest(loss[None], golden["critic.loss_first_frame_masked"])


def _exact(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in tensors.items()}


def _score(weights: list[float], text: Tensor, audio: Tensor) -> Score:
    """The golden file's stand-in for a network: x0 = a x + b text + c audio + 0.001 t."""
    a, b, c = weights
    return lambda noisy, timestep: a * noisy + b * text + c * audio + 0.001 * timestep.reshape(-1, 1, 1, 1, 1)
