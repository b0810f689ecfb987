"""The look at voices, and one language, that no stage of the training has heard: against the true curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.evaluation.people import correlation
from core.evaluation.report import Figure, Look
from core.performer.portrait.codec import FACE_CURVES, LIP_CURVES
from core.performer.portrait.motion import STYLE_WORDS, style_rows
from core.training.data import DataRecipe, StreamMaker
from core.training.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.evaluation.acting import Actor

Floats = npt.NDArray[np.float64]
TITLE = "Held-out synthetic voices"
VOICES = DataRecipe(
    streams=10,
    seconds=30.0,
    seed=990,
    languages=("it", "en-gb-scotland"),
    variants=("+m4", "+f4"),
    flite=("awb",),
)
CLOSED = 0.012
"""Face heights of lip opening under which a mouth counts as closed on p, b, m."""
NEARLY = 0.02
"""Openings beyond are all the same when it is asked how well closed lips are followed."""
SECONDS = VOICES.streams * VOICES.seconds


def look(actor: Actor, done: Callable[[float], object]) -> Look:
    """Figures of `VOICES` made with the rig that the model itself shows.

    Raises:
        ModuleNotFoundError: espeakng_loader is not installed.
        FileNotFoundError: flite is not installed.
    """
    maker = StreamMaker(VOICES, Rig.of(actor.model.codec), actor.spec.hearing)
    true: list[Floats] = []
    made: list[Floats] = []
    gaps: list[Floats] = []
    shut: list[bool] = []
    for number in range(VOICES.streams):
        scene = maker.scene(number)
        words = " ".join(word for word in STYLE_WORDS if style_rows(word)[1] in scene.style)
        acted = actor.act(scene.samples, seed=number, style=words, rest=scene.rest.astype(np.float64), done=done)
        curves = scene.curves.astype(np.float64)
        true.append(curves)
        made.append(acted.curves)
        gaps.append(acted.gap)
        events = closures(actor.opening(curves), scene.speaking)
        shut.extend(acted.gap[max(0, first - 1) : last + 1].min() < CLOSED for first, last in events)
    return Look(TITLE, _figures(actor, np.concatenate(true), np.concatenate(made), np.concatenate(gaps), shut))


def closures(gap: Floats, speaking: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of closed frames within speech, shorter than 0.3 s, which p, b and m make: [first, last)."""
    closed = (gap < 0.004) & speaking
    edges = np.flatnonzero(np.diff(np.concatenate(([False], closed, [False])).astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a <= 7]


def _figures(actor: Actor, true: Floats, made: Floats, gap: Floats, shut: list[bool]) -> list[Figure]:
    wanted = actor.opening(true)
    closed = correlation(np.minimum(wanted, NEARLY), np.minimum(gap, NEARLY))
    figures = [
        Figure("jaw, correlation with the true curve", _followed(true, made, "jaw"), least=0.85),
        Figure("lips closed, correlation", closed, least=0.88),
        Figure("closures on p, b, m found", float(np.mean(shut)), least=0.90),
        Figure("lip opening, correlation", correlation(wanted, gap)),
        Figure("lip opening, spread against the true one", float(gap.std() / wanted.std())),
    ]
    others = [name for name in LIP_CURVES if name not in ("jaw", "close")]
    return figures + [Figure(f"{name}, correlation", _followed(true, made, name)) for name in others]


def _followed(true: Floats, made: Floats, name: str) -> float:
    column = FACE_CURVES.index(name)
    return correlation(true[:, column], made[:, column])
