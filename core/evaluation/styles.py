"""The look at the five words of style: what each changes against no word, on the same speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.report import Figure, Look
from core.evaluation.roll_out import talk
from core.performer.portrait.motion import STYLE_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.evaluation.acting import Acted, Actor
    from core.evaluation.people import People

TITLE = "Words of style"
SEEDS = (11, 12)
EACH_S = 60.0
SECONDS = (1 + len(STYLE_WORDS)) * len(SEEDS) * EACH_S


@dataclass(frozen=True)
class Bearing:
    """What is seen of a manner: means and spreads over all that was acted."""

    head: float
    """Degrees of spread, mean of the three angles."""
    opening: float
    """Face heights that the lips open at the 90th percentile."""
    smile: float
    brow_inner: float
    brow_down: float
    brows_move: float
    gaze: float

    @staticmethod
    def of(acts: list[Acted]) -> Bearing:
        def mean(name: str) -> float:
            return float(np.mean([act.curve(name).mean() for act in acts]))

        return Bearing(
            head=float(np.mean([act.angles.std(0).mean() for act in acts])),
            opening=float(np.mean([np.percentile(act.gap, 90) for act in acts])),
            smile=mean("smile"),
            brow_inner=mean("brow_inner"),
            brow_down=mean("brow_down"),
            brows_move=float(np.mean([act.curve("brow_outer").std() for act in acts])),
            gaze=float(np.mean([np.hypot(*act.gaze.std(0)) for act in acts])),
        )


def look(actor: Actor, people: People, done: Callable[[float], object]) -> Look:
    sound = talk(people, EACH_S)[0]

    def bearing(word: str) -> Bearing:
        return Bearing.of([actor.act(sound, seed=seed, style=word, done=done) for seed in SEEDS])

    plain = bearing("")
    of = {word: bearing(word) for word in STYLE_WORDS}
    figures = [
        Figure("calm: head against no word", of["calm"].head / plain.head, most=0.8),
        Figure("calm: lip opening against no word", of["calm"].opening / plain.opening),
        Figure("lively: head against no word", of["lively"].head / plain.head, least=1.2),
        Figure("lively: brows move against no word", of["lively"].brows_move / plain.brows_move, least=1.2),
        Figure("smiling: smile more than with no word", of["smiling"].smile - plain.smile, least=0.15),
        Figure("serious: brows lower than with no word", of["serious"].brow_down - plain.brow_down, least=0.1),
        Figure("serious: head against no word", of["serious"].head / plain.head),
        Figure("attentive: brows higher than with no word", of["attentive"].brow_inner - plain.brow_inner, least=0.07),
        Figure("attentive: gaze against no word", of["attentive"].gaze / plain.gaze, most=0.85),
    ]
    return Look(TITLE, figures)
