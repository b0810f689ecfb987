"""The recipe of the embedded avatar: a teacher, the converged start from its trajectories, on-policy distillation.

    python -m core.training core/training/recipes/portrait-teacher.toml --out runs/portrait-teacher
    python -m core.training core/training/recipes/portrait-ode.toml --out runs/portrait-ode
    python -m core.training core/training/recipes/portrait-dmd.toml --out runs/portrait-dmd

It is the large recipe at a size that one CPU core bears: the same equations, the same roll-out, the same turns, a batch
at once instead of a clip. Ears, styles and codec are those of the weights that the teacher begins with.
"""

from __future__ import annotations

import argparse
import copy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import torch
from safetensors.torch import load_file, save_file

from core.performer.portrait.motion import MotionModel
from core.performer.portrait.shown import Gains  # noqa: TC001 - msgspec reads it
from core.performer.portrait.weights import SPEC, load_weights, save_weights
from core.training.corpus import STREAMS, corpus_at
from core.training.crew import Crew
from core.training.data import DataRecipe  # noqa: TC001 - msgspec reads it
from core.training.dataset import Corpus
from core.training.distil import DistilRecipe
from core.training.loop import LoopRecipe  # noqa: TC001 - msgspec reads it
from core.training.motion_scenes import ConditionRecipe, Paths, Scenes, TrajectoryRecipe, save_trajectories
from core.training.motion_turns import MotionTurns
from core.training.motion_watch import MotionWatch
from core.training.play import Play, Player, PlayerRecipe, PlayRecipe
from core.training.rig import Rig
from core.training.teacher import TeacherRecipe, train_teacher

if TYPE_CHECKING:
    from core.performer.diffusion.transformer import Transformer
    from core.performer.portrait.motion import MotionSpec

TEACHER = "teacher.safetensors"


class MotionRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that a stage depends on. Folders are relative to the recipe."""

    stage: Literal["teacher", "ode", "dmd"]
    seed: int
    model: Literal["portrait"] = "portrait"
    begin: str = ""
    """The teacher stage: weights to begin with. Distillation: the student that the converged start left."""
    teacher: str = ""
    """The folder that the teacher stage left; for the two others."""
    batch: int = 32
    data: DataRecipe | None = None
    loop: LoopRecipe | None = None
    """How the teacher learns."""
    teaching: TeacherRecipe = msgspec.field(default_factory=TeacherRecipe)
    conditions: ConditionRecipe = msgspec.field(default_factory=ConditionRecipe)
    trajectories: TrajectoryRecipe = msgspec.field(default_factory=TrajectoryRecipe)
    distil: DistilRecipe = msgspec.field(default_factory=DistilRecipe)
    gains: Gains | None = None
    """How large the finished student's motion is shown; None: as that of the weights that the teacher began with."""
    learning: PlayerRecipe | None = None
    critic_learning: PlayerRecipe | None = None
    play: PlayRecipe | None = None

    @staticmethod
    def load(path: Path) -> MotionRecipe:
        """Raises msgspec.ValidationError, which names the key, for a recipe that is not one."""
        return msgspec.toml.decode(path.read_bytes(), type=MotionRecipe)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.training", description="Distil the embedded avatar.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, help="where checkpoints, curves and weights go (runs/NAME)")
    parser.add_argument("--install", type=Path, help="where the student's weights go (assets/models/portrait)")
    given = parser.parse_args(arguments)
    out = given.out or Path("runs") / given.recipe.stem
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(given.recipe, out / "recipe.toml")
    recipe, beside = MotionRecipe.load(given.recipe), given.recipe.parent
    torch.set_num_threads(1)  # at these sizes a second thread mostly waits for the first
    try:
        if recipe.stage == "teacher":
            teach(recipe, (beside / recipe.begin).resolve(), out)
            return
        begin = (beside / recipe.begin).resolve() if recipe.stage == "dmd" else None
        distil(recipe, (beside / recipe.teacher).resolve(), begin, out)
    except FileNotFoundError as missing:
        parser.error(str(missing))
    if given.install:
        for file in ("model.safetensors", "spec.json"):
            shutil.copy(out / file, given.install / file)
        print(f"weights in {given.install}")


def teach(recipe: MotionRecipe, begin: Path, out: Path) -> None:
    """The teacher stage: in `out` the streams, a copy of the weights it began with, and the teacher.

    Raises:
        FileNotFoundError: there are no weights to begin with.
        ValueError: the recipe does not say from what or how to learn.
    """
    if recipe.data is None or recipe.loop is None:
        raise ValueError("a teacher needs [data] and [loop]")
    _there(begin / SPEC, "the weights that the recipe begins with; run portrait.toml first")
    kept = out / "begin"
    if not kept.exists():
        partial = kept.with_suffix(".partial")
        shutil.copytree(begin, partial, dirs_exist_ok=True)
        partial.replace(kept)
    model, spec = load_weights(kept)
    corpus = corpus_at(out / STREAMS, recipe.data, Rig.of(model.codec), spec)
    learned, _ = corpus.parted(recipe.conditions.held_out)
    torch.manual_seed(recipe.seed)
    teacher = train_teacher(model, spec, learned, recipe.loop, recipe.teaching, out, recipe.seed)
    save_file(teacher.state_dict(), out / TEACHER)


def distil(
    recipe: MotionRecipe, teacher_folder: Path, begin: Path | None, out: Path, trajectories: Path | None = None
) -> None:
    """The converged start (`begin` is None: the student begins as its teacher), or distillation of the student in
    `begin`. The weights of its moving average lie in `out`, those of the best checkpoint in `out/best`.

    Args:
        trajectories: where the teacher's are kept; in `out` when it is not said.

    Raises:
        FileNotFoundError: the stage before has not run.
        ValueError: the recipe does not say how to learn.
    """
    if recipe.play is None:
        raise ValueError("a student needs [play]")
    _there(teacher_folder / TEACHER, "the teacher; run portrait-teacher.toml first")
    if begin is not None:
        _there(begin / SPEC, "the student to distil; run portrait-ode.toml first")
    out.mkdir(parents=True, exist_ok=True)
    model, spec = load_weights(teacher_folder / "begin")
    learned, kept = Corpus.load(teacher_folder / STREAMS).parted(recipe.conditions.held_out)
    torch.manual_seed(recipe.seed)
    networks = _networks(teacher_folder, begin, spec)
    players = _players(recipe, networks)
    scenes = Scenes(model, spec, learned, recipe.conditions, recipe.batch, recipe.seed)
    paths = None
    if begin is None:
        folder = trajectories or out / "trajectories"
        paths = Paths(save_trajectories(networks["teacher"], scenes, spec, recipe.trajectories, folder))
    turns = MotionTurns(networks, scenes, paths, spec, recipe.distil, recipe.seed)
    figures = Scenes(model, spec, kept, ConditionRecipe(), recipe.conditions.judged, recipe.seed)
    spec = replace(spec, gains=recipe.gains) if recipe.gains else spec
    watch = MotionWatch(turns, players["student"], model, spec, figures, out)
    Play(players, turns, recipe.play, out, Crew(), watch).run()
    model.transformer.load_state_dict(players["student"].whole_average())
    save_weights(model, spec, out)


def _networks(teacher_folder: Path, begin: Path | None, spec: MotionSpec) -> dict[str, Transformer]:
    """By name: the teacher, the student, and for distillation the critic. What does not come from a file begins as the
    teacher's copy."""
    teacher = MotionModel(spec.sizes).transformer
    teacher.load_state_dict(load_file(teacher_folder / TEACHER))
    if begin is None:
        return {"student": copy.deepcopy(teacher), "teacher": teacher.requires_grad_(False)}
    student, critic = load_weights(begin)[0].transformer, copy.deepcopy(teacher)
    return {"student": student.requires_grad_(True), "critic": critic, "teacher": teacher.requires_grad_(False)}


def _players(recipe: MotionRecipe, networks: dict[str, Transformer]) -> dict[str, Player]:
    """Those that learn."""
    players: dict[str, Player] = {}
    for name, learning in (("student", recipe.learning), ("critic", recipe.critic_learning)):
        if name in networks:
            if learning is None:
                raise ValueError(f"the recipe does not say how the {name} learns")
            players[name] = Player(networks[name], learning, Crew())
    return players


def _there(file: Path, what: str) -> None:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not there: {what}")
