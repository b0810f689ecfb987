"""`python -m core.evaluation.recipe_table`: what each part of the recipe is worth (LiveTalk paper, Table 3), embedded.

Five students of the same teacher, each with one more part of the recipe than the one before, and the converged start
alone; every one with several seeds. What was trained lies in --out and is not trained again.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from core.evaluation import held_out, recorded, roll_out
from core.evaluation.acting import Actor
from core.evaluation.people import People
from core.evaluation.phones import PhoneFinder
from core.performer.portrait.shown import Gains
from core.training.dmd import Guidance
from core.training.motion import MotionRecipe, distil
from core.training.watch import BEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.evaluation.acting import Acted
    from core.media import Samples

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
RECIPES = Path(__file__).parents[1] / "training" / "recipes"
START = "converged start alone"


@dataclass(frozen=True)
class Arm:
    """One row: which start it has, and how it is distilled."""

    name: str
    curated: bool
    start_steps: int
    rates: float
    """Factor on both learning rates of the recipe, which are the aggressive ones."""
    guidance: float

    @property
    def start(self) -> str:
        """The folder of its start, which rows share."""
        return f"start-{'curated' if self.curated else 'any'}-{self.start_steps}"


CLIPS = 2048
"""Trajectories, the same for all seeds."""
SHORT, CONVERGED = 200, 1500
"""Steps of the converged start, and of one that is not."""
DISTILLED = 200
"""Steps of distillation: of the critic; the generator takes half as many."""
ARMS = (
    Arm("baseline", curated=False, start_steps=SHORT, rates=0.25, guidance=0.0),
    Arm("+ curated conditions", curated=True, start_steps=SHORT, rates=0.25, guidance=0.0),
    Arm("+ converged start", curated=True, start_steps=CONVERGED, rates=0.25, guidance=0.0),
    Arm("+ aggressive rate", curated=True, start_steps=CONVERGED, rates=1.0, guidance=0.0),
    Arm("+ guidance", curated=True, start_steps=CONVERGED, rates=1.0, guidance=0.5),
)


@dataclass(frozen=True)
class Row:
    """Figures of one student; see the heads of the table."""

    arm: str
    seed: int
    follows: float
    """Correlation of the lip opening with the true one, voices never heard."""
    closures: float
    """Share of p, b, m of these voices on which the lips close."""
    sync_r: float
    """On recordings of people."""
    closed: float
    """Share of p, b, m of recorded English on which the lips close."""
    spread: float
    """Of the head over a minute against people's: yaw, pitch, roll, mean of the ratios."""
    flicker: float
    """Mean jerk of the lips against that of people on the same recordings."""
    rest: float
    """Face heights between the face at rest in pauses and the portrait's own: identity, as far as motion can change
    it."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.recipe_table", description=__doc__)
    parser.add_argument("--teacher", type=Path, default=Path("runs/portrait-teacher"))
    parser.add_argument("--people", type=Path, default=Path("../shared/data/motion"))
    parser.add_argument("--out", type=Path, default=Path("runs/recipe-table"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = [row for seed in given.seeds for row in of_seed(seed, given.teacher, given.people, given.out)]
    print(table(rows))
    return 0


def of_seed(seed: int, teacher: Path, people: Path, out: Path) -> list[Row]:
    """Train and measure all students of one seed; what lies in `out` stays."""
    rows: list[Row] = []
    for arm in tqdm(ARMS, desc=f"seed {seed}", mininterval=5):
        start, end = out / f"{arm.start}-{seed}", out / f"{arm.name.strip('+ ').replace(' ', '-')}-{seed}"
        if not (start / "spec.json").exists():
            distil(_start(arm, seed), teacher, None, start, out / ("curated" if arm.curated else "any"))
        if not (end / "spec.json").exists():
            distil(_end(arm, seed), teacher, start, end)
        rows.append(_kept(end / "row.json", arm.name, seed, end / BEST, people))
        if arm == ARMS[2]:
            rows.append(_kept(start / "row.json", START, seed, start, people))
    return rows


def measure(actor: Actor, folder: Path, arm: str, seed: int) -> Row:
    """The figures of one student. Recordings are acted to once, a minute of conversation twice."""
    people = People.load(folder)
    actor.spec = replace(actor.spec, gains=Gains())  # as the student makes it, nothing made larger afterwards
    voices = {figure.name: figure.value for figure in held_out.look(actor, lambda _: None).figures}
    spoken = recorded.speak(actor, people, folder, _finder(), lambda _: None)
    long = [one for one in spoken if one.clip.seconds >= recorded.LEAST_S]
    shut = {figure.name: figure.value for figure in recorded.closing_look(spoken).figures}
    acts = [roll_out.perform(actor, people, roll_out.MINUTE, number, lambda _: None) for number in (1, 2)]
    human = roll_out.peoples_spread(people)
    resting = roll_out.talk(people, roll_out.MINUTE)[1]
    return Row(
        arm,
        seed,
        voices["lip opening, correlation"],
        voices["closures on p, b, m found"],
        float(np.mean([one.sync.r for one in long])),
        shut["lips closed around P, B, M"],
        float(np.mean([roll_out.spread_of(act) / human for act in acts])),
        float(np.mean([_jerk(one.acted.gap) / _jerk(one.clip.gap) for one in long])),
        float(np.mean([_from_rest(actor, act, resting) for act in acts])),
    )


def table(rows: Sequence[Row]) -> str:
    """A line for each arm: mean and spread over the seeds, as Markdown."""
    names = [name for name in Row.__dataclass_fields__ if name not in ("arm", "seed")]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for arm in dict.fromkeys(row.arm for row in rows):
        own = [row for row in rows if row.arm == arm]
        cells = [[getattr(row, name) for row in own] for name in names]
        lines.append(f"| {arm} | " + " | ".join(f"{np.mean(c):.3f} ± {np.std(c):.3f}" for c in cells) + " |")
    return "\n".join(lines)


def _start(arm: Arm, seed: int) -> MotionRecipe:
    recipe = MotionRecipe.load(RECIPES / "portrait-ode.toml")
    assert recipe.play
    return msgspec.structs.replace(
        recipe,
        seed=seed,
        conditions=replace(recipe.conditions, curated=arm.curated),
        trajectories=replace(recipe.trajectories, clips=CLIPS),
        play=replace(recipe.play, steps=arm.start_steps, save_every=arm.start_steps),
    )


def _end(arm: Arm, seed: int) -> MotionRecipe:
    recipe = MotionRecipe.load(RECIPES / "portrait-dmd.toml")
    assert recipe.learning
    assert recipe.critic_learning
    assert recipe.play
    return msgspec.structs.replace(
        recipe,
        seed=seed,
        conditions=replace(recipe.conditions, curated=arm.curated),
        distil=replace(recipe.distil, guidance=Guidance(arm.guidance, arm.guidance)),
        learning=replace(recipe.learning, rate=arm.rates * recipe.learning.rate),
        critic_learning=replace(recipe.critic_learning, rate=arm.rates * recipe.critic_learning.rate),
        play=replace(recipe.play, steps=DISTILLED, save_every=DISTILLED // 4),
    )


def _kept(path: Path, arm: str, seed: int, weights: Path, people: Path) -> Row:
    """The figures in `path`, measured when they are not there."""
    if not path.exists():
        path.write_text(json.dumps(vars(measure(Actor(weights), people, arm, seed))))
    return Row(**json.loads(path.read_text()))


class _Finder(PhoneFinder):
    """Remembers what it found in a sound, which takes longer than acting to it."""

    def __init__(self) -> None:
        super().__init__()
        self._found: dict[bytes, list[tuple[float, float]]] = {}

    def lips_meet(self, sound: Samples) -> list[tuple[float, float]]:
        key = hashlib.sha256(sound.tobytes()).digest()
        if key not in self._found:
            self._found[key] = super().lips_meet(sound)
        return self._found[key]


@functools.cache
def _finder() -> PhoneFinder:
    return _Finder()


def _jerk(gap: Floats) -> float:
    return float(np.abs(np.diff(gap, 2)).mean())


def _from_rest(actor: Actor, act: Acted, resting: Bools) -> float:
    mesh = np.einsum("c,cvk->vk", act.face[resting].mean(0), actor.model.codec.basis.numpy())
    return float(np.sqrt((mesh**2).sum(1).mean()))


if __name__ == "__main__":
    raise SystemExit(main())
