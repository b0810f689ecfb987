"""What the embedded avatar's clips are told: conditions drawn from a corpus, and the teacher's ways through them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from core.performer.portrait.audio import power_of, scaled_log
from core.performer.portrait.codec import FRAMES
from core.training.dataset import DROWNED, heard_as
from core.training.scene import Scene
from core.training.student import Batch, Lessons
from core.training.teacher import scene_of
from core.training.trajectory import between, trajectory

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.diffusion.transformer import Transformer
    from core.performer.portrait.motion import MotionModel, MotionSpec
    from core.training.dataset import Corpus

_SCENE = ("reference", "features", "text", "no_text")


@dataclass(frozen=True)
class ConditionRecipe:
    """Which conditions are learned from.

    `curated` as the paper's: a face at rest that looks at us, a voice that can be heard, words on how to move.
    Otherwise the face is any moment of the person (mouth open, turned, in a blink), half of the voices drown in noise,
    and half of the words are missing.
    """

    curated: bool = True
    drop_style: float = 0.15
    held_out: float = 0.1
    """Share of the streams, the last ones, that are never learned from."""
    judged: int = 32
    """Clips of them that figures are made of."""


@dataclass(frozen=True)
class TrajectoryRecipe:
    """How the teacher makes clips: so many, in so many steps between two noise levels of the student's sampler."""

    clips: int = 4096
    each: int = 6
    guidance: float = 1.5


@dataclass(frozen=True, eq=False)
class Drawn:
    """A batch of conditions, and what a person did to them: the clean latents and the lips."""

    scene: Scene
    batch: Batch


class Scenes:
    """Conditions from a corpus, the same for the same seed and number."""

    def __init__(
        self, model: MotionModel, spec: MotionSpec, corpus: Corpus, recipe: ConditionRecipe, size: int, seed: int
    ) -> None:
        self._model, self._spec, self._corpus, self._recipe, self._seed = model, spec, corpus, recipe, seed
        drop = recipe.drop_style if recipe.curated else 0.5
        self.lessons = Lessons(model, spec, corpus, size, drop)

    def draw(self, number: int) -> Drawn:
        """The batch of that number."""
        rng = np.random.default_rng((self._seed, number))
        batch = self.lessons.batch(rng)
        if not self._recipe.curated:
            batch = self._spoiled(batch, rng)
        return Drawn(scene_of(self._model, batch), batch)

    def _spoiled(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """With any moment as its rest, and noise as loud as the voice on half of the clips."""
        size = len(batch.clean)
        who, when = rng.integers(0, len(self._corpus.curves), size), rng.integers(0, self._corpus.curves.shape[1], size)
        seen = self._corpus.curves[torch.from_numpy(who), torch.from_numpy(when)]
        with torch.no_grad():
            reference = self._model.codec.encode(seen[:, None].expand(-1, FRAMES, -1))[:, 0]
        mels = batch.mels.unflatten(0, (size, -1))
        power = power_of(mels).clamp_min(0.0)
        loud = power.mean((1, 2, 3), keepdim=True)
        flicker = torch.from_numpy(rng.random(mels.shape, np.float32)).mul_(1.4).add_(0.3)
        drowned = torch.from_numpy((rng.random((size, 1, 1, 1)) < 0.5).astype(np.float32))
        level = torch.from_numpy(np.exp(rng.uniform(-1.0, 1.0, (size, 1, 1, 1))).astype(np.float32))
        mels = scaled_log(power + drowned * level * loud * flicker)
        states = batch.states
        if states is not None:
            how = DROWNED * drowned.flatten().numpy().astype(np.int64)
            states = heard_as(self._corpus, how, batch.who.numpy(), batch.blocks)
        return dataclasses.replace(batch, reference=reference, mels=mels.flatten(0, 1), states=states)


def save_trajectories(
    teacher: Transformer, scenes: Scenes, spec: MotionSpec, recipe: TrajectoryRecipe, folder: Path
) -> list[Path]:
    """A file for each batch: the scene, and `states` [batch, states + 1, frames, 16, 2, 2]. Those that are there stay.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sigmas = between(spec.sigmas, recipe.each)
    size = len(scenes.draw(0).batch.clean)
    files = [folder / f"{number:05d}.safetensors" for number in range(-(-recipe.clips // size))]
    for number, file in enumerate(tqdm(files, desc="trajectories", mininterval=5.0)):
        if file.exists():
            continue
        drawn = scenes.draw(number)
        noise = torch.randn(drawn.batch.clean.shape, generator=torch.Generator().manual_seed(number))
        states = trajectory(teacher, drawn.scene, noise, sigmas=sigmas, keep=len(spec.sigmas), guidance=recipe.guidance)
        told = {name: getattr(drawn.scene, name).contiguous() for name in _SCENE}
        partial = file.with_suffix(".partial")
        save_file({**told, "states": states}, partial)
        partial.replace(file)
    return files


class Paths:
    """The teacher's trajectories, read when they are asked for."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._kept: dict[Path, tuple[Scene, Tensor]] = {}

    def draw(self, rng: np.random.Generator) -> tuple[Scene, Tensor]:
        """A batch of clips that have lain in different files: what they were told, and their states."""
        first = self._read(self._files[int(rng.integers(len(self._files)))])
        other = self._read(self._files[int(rng.integers(len(self._files)))])
        size = len(first[1])
        mine = torch.from_numpy(rng.permutation(size)[: size // 2])
        theirs = torch.from_numpy(rng.permutation(size)[: size - size // 2])

        def mixed(one: Tensor, two: Tensor) -> Tensor:
            return torch.cat((one[mine], two[theirs]))

        told = [mixed(getattr(first[0], name), getattr(other[0], name)) for name in _SCENE]
        return Scene(*told), mixed(first[1], other[1])

    def _read(self, file: Path) -> tuple[Scene, Tensor]:
        if file not in self._kept:
            stored = load_file(file)
            self._kept[file] = (Scene(*(stored[name] for name in _SCENE)), stored["states"])
        return self._kept[file]
