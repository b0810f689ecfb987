"""`python -m core.evaluation.sinks`: what the window's sinks are worth, over ten minutes of performance.

The same weights act to the same conversation with the window of five blocks split in different ways between blocks that
stay for ever (sinks) and the latest ones; the block being made is among the latter, as in the release.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from core.evaluation.acting import Actor
from core.evaluation.people import People
from core.evaluation.roll_out import LONG, drift, spread_of, talk
from core.settings import assets_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
WINDOW = 5
SINKS = (0, 1, 3, 4)
_MINUTE = 60


@dataclasses.dataclass(frozen=True)
class Split:
    """Figures of one split, the mean over the seeds.

    `face_drift` is in face heights, `head_drift` and spreads in degrees. `jump` is the mean change of the head and of
    the lips from frame to frame across the edge of a block, over that within blocks: 1 is a seam nobody sees.
    """

    sinks: int
    face_drift: float
    head_drift: float
    spread_first_minute: float
    spread_last_minute: float
    head_jump: float
    lip_jump: float


def measure(actor: Actor, people: People, sinks: int, seconds: float, seeds: Sequence[int]) -> Split:
    """Act with so many sinks in a window of five blocks."""
    actor.spec = dataclasses.replace(actor.spec, window_blocks=WINDOW, sink_blocks=sinks)
    sound, resting = talk(people, seconds)
    acts = [actor.act(sound, seed=seed) for seed in seeds]
    face, head = drift(actor, acts, resting)
    minute = _MINUTE * acts[0].fps
    block = actor.spec.block_frames
    return Split(
        sinks,
        face,
        head,
        float(np.mean([spread_of(act.part(0, minute)).mean() for act in acts])),
        float(np.mean([spread_of(act.part(len(act.gap) - minute, len(act.gap))).mean() for act in acts])),
        float(np.mean([jump(act.angles, block) for act in acts])),
        float(np.mean([jump(act.gap[:, None], block) for act in acts])),
    )


def jump(values: Floats, block: int) -> float:
    """Mean change across block edges over the mean change within blocks, of values [frames, n]."""
    change = np.abs(np.diff(values, axis=0)).mean(1)
    at_edge = (np.arange(len(change)) + 1) % block == 0
    return float(change[at_edge].mean() / change[~at_edge].mean())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.sinks", description=__doc__)
    parser.add_argument("--weights", type=Path, default=assets_folder() / "models" / "portrait")
    parser.add_argument("--people", type=Path, default=Path("../shared/data/motion"), help="recordings to act to")
    parser.add_argument("--minutes", type=float, default=LONG / _MINUTE)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args(arguments)
    actor, people = Actor(given.weights), People.load(given.people)
    trained = actor.spec.sink_blocks
    splits = [
        measure(actor, people, sinks, given.minutes * _MINUTE, given.seeds)
        for sinks in tqdm(SINKS, desc="splits", mininterval=5)
    ]
    print(table(splits, trained))
    print(json.dumps({"trained_with": trained, "seeds": given.seeds, "splits": [vars(split) for split in splits]}))
    return 0


def table(splits: Sequence[Split], trained: int) -> str:
    """A line for each split; the one that the weights were trained with is marked."""
    lines = ["sinks/latest  face drift  head drift  spread first, last minute  jump of head, lips"]
    for split in splits:
        name = f"{split.sinks}/{WINDOW - split.sinks}" + (" (trained)" if split.sinks == trained else "")
        lines.append(
            f"{name:<13} {split.face_drift:>10.4f} {split.head_drift:>11.2f} {split.spread_first_minute:>18.2f} "
            f"{split.spread_last_minute:>6.2f} {split.head_jump:>14.2f} {split.lip_jump:>6.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
