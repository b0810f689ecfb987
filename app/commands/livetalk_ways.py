"""The ways in which the bench runs LiveTalk, the one that tells most first. Imports no torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import LiveTalkError, Problem
from core.performer.livetalk.spec import FAST, FASTEST, LIVETALK_1_3B, LOW, QUALITY, TINY

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from core.performer.livetalk.spec import LiveTalkSpec, Preset

MACHINE = "the machine"
"""The part that measures no way to run the model but what the device reaches by itself."""


@dataclass(frozen=True)
class Way:
    """One way to run the model. `captured` is False where steady calls are made anew each time."""

    name: str
    spec: LiveTalkSpec
    preset: Preset
    compiled: bool = False
    captured: bool = True


def every_way(size: str) -> list[Way]:
    """Every preset, compiled too, with attention in 8 bits, without captures, and with the released positions."""
    spec = TINY if size == "tiny" else LIVETALK_1_3B
    whole = [dataclasses.replace(preset, attention="half") for preset in (QUALITY, FAST, FASTEST, LOW)]
    ways = [Way(preset.name, spec, preset) for preset in whole]
    ways += [Way(f"{preset.name}, compiled", spec, preset, compiled=True) for preset in whole[:3]]
    ways.append(Way("fastest, attention in 8 bits", spec, FASTEST))
    ways.append(Way("fastest, attention in 8 bits, compiled", spec, FASTEST, compiled=True))
    ways.append(Way("quality, without captures", spec, whole[0], captured=False))
    ways.append(Way("quality, released positions", dataclasses.replace(spec, positions="stream"), whole[0]))
    return ways


def chosen_ways(options: argparse.Namespace) -> list[Way]:
    """All, or those that were named.

    Raises:
        LiveTalkError: there is none of a name.
    """
    ways = every_way(options.size)
    return [way_called(name, ways) for name in options.ways] if options.ways else ways


def way_called(name: str, ways: Sequence[Way]) -> Way:
    for way in ways:
        if way.name == name:
            return way
    names = "; ".join(way.name for way in ways)
    raise LiveTalkError(Problem.MODEL_MISSING, f"There is no preset called “{name}”.", f"There are: {names}.")
