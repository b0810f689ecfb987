"""One command for a recipe: `python -m core.training RECIPE [--out FOLDER] [--install FOLDER]`.

Stages run in order and are skipped when their result lies in the output folder; a stage that was interrupted goes on
where it stopped. The recipe is kept beside the results.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from core.performer.portrait.motion import MotionModel, MotionSizes, MotionSpec
from core.performer.portrait.shown import Gains
from core.performer.portrait.weights import load_weights, save_weights
from core.training.codec import train_codec
from core.training.corpus import STREAMS, corpus_at
from core.training.data import DataRecipe
from core.training.listener import hear_as_before, train_listener
from core.training.loop import LoopRecipe
from core.training.rig import Rig
from core.training.student import StudentRecipe, train_student

T = TypeVar("T")


@dataclass(frozen=True)
class Recipe:
    """Everything that the weights depend on."""

    seed: int
    begin: str
    """Weights that the run goes on from, a folder relative to the recipe: their basis and codec stay, their transformer
    learns on, the listener is made anew. Empty: everything from nothing."""
    data: DataRecipe
    sizes: MotionSizes
    spec: dict[str, Any]
    """Of `MotionSpec`, what is not its default."""
    codec: LoopRecipe
    listener: LoopRecipe | None
    """None: the listener that the run begins with stays."""
    loop: LoopRecipe
    student: StudentRecipe
    gains: Gains
    """How large the finished model's motion is shown, measured against people."""

    @staticmethod
    def load(path: Path) -> Recipe:
        """Raises TypeError for a key that no part of a recipe has."""
        stored: dict[str, Any] = tomllib.loads(path.read_text())
        return Recipe(
            seed=stored["seed"],
            begin=stored.get("begin", ""),
            data=_made(DataRecipe, stored["data"]),
            sizes=_made(MotionSizes, stored["sizes"]),
            spec={key: _tupled(value) for key, value in stored.get("spec", {}).items()},
            codec=_made(LoopRecipe, stored["codec"]),
            listener=_made(LoopRecipe, stored["listener"]) if "listener" in stored else None,
            loop=_made(LoopRecipe, stored["loop"]),
            student=_made(StudentRecipe, stored["student"]),
            gains=_made(Gains, stored["gains"]),
        )


def run(recipe_path: Path, out: Path, install: Path | None) -> None:
    """All stages of a recipe.

    Raises:
        FileNotFoundError: the recipe or the expression basis it names is not there.
    """
    recipe = Recipe.load(recipe_path)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(recipe_path, out / "recipe.toml")
    torch.set_num_threads(1)  # at these sizes a second thread mostly waits for the first
    torch.manual_seed(recipe.seed)
    spec = MotionSpec(recipe.sizes, gains=recipe.gains, **recipe.spec)
    model = MotionModel(recipe.sizes)
    if recipe.begin:
        known, its_spec = load_weights(_beginning((recipe_path.parent / recipe.begin).resolve(), out / "begin"))
        _take(model, known)
        corpus = corpus_at(out / STREAMS, recipe.data, Rig.of(model.codec), spec)
        if recipe.listener is None:
            model.listener.load_state_dict(known.listener.state_dict())
        else:
            train_listener(model, spec, corpus, recipe.listener, out, recipe.seed)
            found = hear_as_before(model, spec, known, its_spec, corpus)
            print(f"{found:.0%} of what was heard before is heard again")
    else:
        rig = Rig.load((recipe_path.parent / recipe.data.expressions).resolve())
        corpus = corpus_at(out / STREAMS, recipe.data, rig, spec)
        train_codec(model.codec, corpus, rig, recipe.codec, out, recipe.seed)
        assert recipe.listener, "a run that begins from nothing has no listener yet"
        train_listener(model, spec, corpus, recipe.listener, out, recipe.seed)
    train_student(model, spec, corpus, recipe.loop, recipe.student, out, recipe.seed)
    save_weights(model, spec, install or out)
    print(f"weights in {install or out}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.training", description="Train the embedded avatar's motion.")
    parser.add_argument("recipe", type=Path, help="a TOML file, see core/training/recipes")
    parser.add_argument("--out", type=Path, help="where checkpoints and curves go (runs/NAME)")
    parser.add_argument("--install", type=Path, help="where the weights go (assets/models/portrait); default: --out")
    given = parser.parse_args(arguments)
    run(given.recipe, given.out or Path("runs") / given.recipe.stem, given.install)


def _beginning(folder: Path, kept: Path) -> Path:
    """Where the weights lie that a run goes on from: beside its results, as others may be installed meanwhile."""
    if not kept.exists():
        partial = kept.with_suffix(".partial")
        shutil.copytree(folder, partial, dirs_exist_ok=True)
        partial.replace(kept)
    return kept


def _take(model: MotionModel, known: MotionModel) -> None:
    """Everything but the listener, which may be another one."""
    for part in ("codec", "transformer", "style"):
        getattr(model, part).load_state_dict(getattr(known, part).state_dict())


def _made(kind: type[T], values: dict[str, Any]) -> T:
    """A recipe's part; lists become tuples, unknown keys are refused by the dataclass."""
    assert dataclasses.is_dataclass(kind)
    return kind(**{key: _tupled(value) for key, value in values.items()})


def _tupled(value: Any) -> Any:
    """A TOML list as the tuple that frozen values hold."""
    return tuple(value) if isinstance(value, list) else value
