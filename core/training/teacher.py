"""The teacher stage: a transformer that looks both ways and knows every noise level.

It sees clips as the student's window does, a stream's first block and some that follow each other, and learns the flow
of all of it at once. Sound and text are sometimes kept from it, so that it can be guided by the difference.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from core.performer.portrait.motion import style_rows
from core.training.dmd import given_first
from core.training.loop import LoopRecipe, train
from core.training.noise import STEPS
from core.training.scene import Scene, flow_at_once
from core.training.student import Batch, Lessons

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from core.performer.diffusion.transformer import Transformer
    from core.performer.portrait.motion import MotionModel, MotionSpec
    from core.training.dataset import Corpus


@dataclass(frozen=True)
class TeacherRecipe:
    """Beside the loop's."""

    drop_sound: float = 0.1
    drop_style: float = 0.1


def train_teacher(
    model: MotionModel,
    spec: MotionSpec,
    corpus: Corpus,
    loop: LoopRecipe,
    recipe: TeacherRecipe,
    folder: Path,
    seed: int,
) -> Transformer:
    """A teacher for the student in `model`, from whose weights it begins; `model` stays as it is."""
    teacher = copy.deepcopy(model.transformer).requires_grad_(True)
    lessons = Lessons(model, spec, corpus, loop.batch, recipe.drop_style)

    def losses(batch: Batch) -> dict[str, Tensor]:
        scene = scene_of(model, batch)
        hears = (torch.rand(len(batch.clean), 1, 1) >= recipe.drop_sound).float()
        scene = Scene(scene.reference, scene.features * hears, scene.text, scene.no_text)
        sigma = torch.sigmoid(torch.randn(len(batch.clean)))[:, None]
        noise, wide = torch.randn_like(batch.clean), sigma[..., None, None, None]
        noisy = given_first((1 - wide) * batch.clean + wide * noise, batch.reference)
        flow = flow_at_once(teacher, scene, noisy, (STEPS * sigma).expand(-1, noisy.shape[1]))
        return {"flow": (flow - (noise - batch.clean))[:, 1:].square().mean()}

    teacher.load_state_dict(train(teacher, lessons.batch, losses, loop, folder, "teacher", seed))
    return teacher


@torch.no_grad()
def scene_of(model: MotionModel, batch: Batch) -> Scene:
    """What the clips of a batch are told, by ears and styles that are ready."""
    size = len(batch.clean)
    features = model.listener(batch.mels, batch.states).unflatten(0, (size, -1)).flatten(1, 2)
    nothing = model.text(torch.tensor([style_rows("")])).expand(size, -1, -1)
    return Scene(batch.reference, features, model.text(batch.style), nothing)
