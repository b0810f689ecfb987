"""The look at a listening face: in digital silence and in room tone the mouth rests and the rest lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.acting import ANGLES
from core.evaluation.report import Figure, Look
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.evaluation.acting import Acted, Actor
    from core.evaluation.people import People

TITLE = "Silence and room tone"
SEED = 3
SECONDS_EACH = 60.0
SECONDS = 2 * SECONDS_EACH
SHUT = 0.02
"""Face heights of lip opening under which a silent mouth counts as shut."""
ROOM = 0.002
"""Root mean square of the room tone, full scale 1."""
_LEAST_TURN, _LEAST_GAZE = 0.3, 0.004
"""Degrees and eye widths below which a head or an eye would look dead."""


def look(actor: Actor, people: People | None, done: Callable[[float], object]) -> Look:
    silence = np.zeros(int(SECONDS_EACH * MEDIA_RATE), np.float32)
    tone = np.random.default_rng(0).normal(0, ROOM, len(silence)).astype(np.float32)
    figures: list[Figure] = []
    for name, samples in (("silence", silence), ("room tone", tone)):
        figures.extend(_figures(name, actor.act(samples, seed=SEED, done=done), people))
    return Look(TITLE, figures)


def _figures(name: str, acted: Acted, people: People | None) -> list[Figure]:
    listening = people.figures["head_listening_quiet"] if people else None
    turns = [
        Figure(
            f"{name}: {angle} still moves",
            float(acted.angles[:, index].std()),
            least=_LEAST_TURN,
            people=listening[f"{angle}_sd"]["p50"] if listening else None,
            unit="degrees SD",
        )
        for index, angle in enumerate(ANGLES)
    ]
    gaze = float(np.hypot(*acted.gaze.std(0)))
    seen = people.figures if people else None
    peoples_gaze = float(np.hypot(*(seen[f"gaze_sd_eyewidths_{axis}"]["p50"] for axis in "xy"))) if seen else None
    return [
        Figure(f"{name}: mouth shut", float((acted.gap < SHUT).mean()), least=0.98, unit="of frames"),
        Figure(f"{name}: lip opening in 99 of 100 frames", float(np.percentile(acted.gap, 99)), unit="face heights"),
        *turns,
        Figure(f"{name}: gaze still moves", gaze, least=_LEAST_GAZE, people=peoples_gaze, unit="eye widths SD"),
        Figure(f"{name}: blinks", len(acted.blinks()) * 60 / acted.seconds, least=4, most=40, unit="a minute"),
    ]
