"""`python -m core.evaluation.lengths WEIGHTS…`: the head's spread in roll-outs of 10 s, a minute and ten minutes.

As the student makes it, nothing made larger afterwards, against that of people: what on-policy distillation is for.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from core.evaluation import roll_out
from core.evaluation.acting import Actor
from core.evaluation.people import People
from core.performer.portrait.shown import Gains

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS = {10.0: 12, 60.0: 3, 600.0: 1}
"""Seconds, and how many times they are acted with other noise."""


@dataclass(frozen=True)
class Spread:
    """Of one set of weights at one length.

    ratios: yaw, pitch and roll, the median spread in 10 s over people's; drift: of the head's mean from the first to
    the last third, degrees; seeds: how many roll-outs.
    """

    seconds: float
    seeds: int
    ratios: tuple[float, float, float]
    drift: float


def measure(actor: Actor, people: People, seconds: float, seeds: int) -> Spread:
    """Roll-outs of the same conversation with other noise."""
    actor.spec = replace(actor.spec, gains=Gains())
    acts = [roll_out.perform(actor, people, seconds, seed, lambda _: None) for seed in range(1, seeds + 1)]
    ratios = np.mean([roll_out.spread_of(act) for act in acts], axis=0) / roll_out.peoples_spread(people)
    third = len(acts[0].angles) // 3
    moved = np.mean([act.angles[-third:].mean(0) - act.angles[:third].mean(0) for act in acts], axis=0)
    return Spread(seconds, seeds, (float(ratios[0]), float(ratios[1]), float(ratios[2])), float(np.abs(moved).max()))


def table(spreads: dict[str, list[Spread]]) -> str:
    """A line for each set of weights and length, as Markdown."""
    lines = ["| weights | roll-out | seeds | yaw | pitch | roll | mean | head drifts |", "|---|---|" + "---:|" * 6]
    for name, own in spreads.items():
        for one in own:
            ratios = " | ".join(f"{ratio:.2f}" for ratio in (*one.ratios, float(np.mean(one.ratios))))
            lines.append(f"| {name} | {one.seconds:.0f} s | {one.seeds} | {ratios} | {one.drift:.2f}° |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.lengths", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--people", type=Path, default=Path("../shared/data/motion"))
    given = parser.parse_args(arguments)
    people = People.load(given.people)
    spreads = {
        str(weights): [measure(Actor(weights), people, seconds, seeds) for seconds, seeds in LENGTHS.items()]
        for weights in tqdm(given.weights, desc="weights")
    }
    print(table(spreads))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
