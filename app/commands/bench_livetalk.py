"""`livetalk bench --performer livetalk`: how fast the model is here in each of its presets, stage by stage.

Needs no weights (`--weights random`) and imports little, so that it runs on a bare machine with a GPU.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from app.commands.terminal import table
from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from app.commands.terminal import Terminal
    from core.performer.device import Device
    from core.performer.livetalk.measure import Measured
    from core.performer.livetalk.model import LiveTalkModel
    from core.performer.livetalk.spec import LiveTalkSpec, Preset

RANDOM = "random"
_UNITS = {"_s": "s", "_ms": "ms", "_mb": "MB", "_tflop": "TFLOP"}
_WORDS = {
    "hear_ms": "audio",
    "steps_ms": "all steps",
    "step_ms": "each step",
    "clean_pass_ms": "clean pass",
    "draw_latent_ms": "decode, a latent",
    "copy_ms": "copy, a latent's frames",
    "block_ms": "a block, both halves side by side",
    "fps": "frames a second",
    "first_frame_cold_ms": "first frame, cold",
    "first_frame_warm_ms": "first frame, warm",
    "memory_mb": "memory, at most",
    "memory_counted_mb": "memory, as counted",
    "pass_tflop": "work of a pass",
    "block_tflop": "work of a block's passes",
    "draw_tflop": "work of its decoding",
    "tflops": "TFLOP/s in all",
    "share_of_peak": "share of the matrix peak",
}


@dataclasses.dataclass(frozen=True)
class Way:
    """One way to run the model."""

    name: str
    spec: LiveTalkSpec
    preset: Preset
    compiled: bool = False


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0; trouble is raised."""
    from core.performer.device import choose_device
    from core.performer.livetalk.measure import matrix_peak, measure

    device = choose_device()
    peak = matrix_peak(device, time.perf_counter)
    machine = _machine(device, peak)
    for name, value in machine.items():
        terminal.say(f"{name:<12} {value}")
    ways = _ways(options)
    measured: list[Measured] = []
    failed: dict[str, str] = {}
    for number, way in enumerate(ways):
        terminal.progress("LiveTalk", number, len(ways), way.name)
        load = _loader(options.weights, way, device)
        try:
            measured.append(measure(way.name, load, device, peak, options.blocks, time.perf_counter))
        except (LiveTalkError, RuntimeError) as error:  # no compiler, no room: the others are measured all the same
            failed[way.name] = f"{type(error).__name__}: {error}"
    terminal.progress("LiveTalk", len(ways), len(ways))
    for line in _table(measured) if measured else ():
        terminal.say(line)
    for name, reason in failed.items():
        terminal.say(f"{name} was not measured: {reason}")
    figures = [asdict(way) for way in measured]
    terminal.finish({"machine": machine, "weights": options.weights, "livetalk": figures, "failed": failed})
    return 0 if measured else 1


def _ways(options: argparse.Namespace) -> list[Way]:
    """Every preset, two of them compiled, and the best one with the positions of the release; or what was asked for."""
    from core.performer.livetalk.spec import FASTEST, LIVETALK_1_3B, PRESETS, QUALITY, TINY

    spec = TINY if options.size == "tiny" else LIVETALK_1_3B
    ways = [Way(preset.name, spec, preset) for preset in PRESETS]
    absolute = dataclasses.replace(spec, positions="stream")
    ways += [Way(f"{preset.name}, compiled", spec, preset, compiled=True) for preset in (QUALITY, FASTEST)]
    ways.append(Way(f"{QUALITY.name}, released positions", absolute, QUALITY))
    if not options.preset:
        return ways
    chosen = [way for way in ways if way.name in options.preset]
    if len(chosen) != len(options.preset):
        raise LiveTalkError(
            Problem.MODEL_MISSING,
            f"There is no preset called “{', '.join(sorted(set(options.preset) - {way.name for way in chosen}))}”.",
            f"There are {', '.join(way.name for way in ways)}.",
        )
    return chosen


def _loader(weights: str, way: Way, device: Device) -> Callable[[], LiveTalkModel]:
    if weights == RANDOM:
        from core.performer.livetalk.model import random_model

        return lambda: random_model(way.spec, way.preset, device, compiled=way.compiled)
    from core.performer.livetalk.model import load_model
    from core.performer.livetalk.opening import files_in
    from core.settings import data_folder

    spec, files = files_in(weights)
    spec = dataclasses.replace(spec, positions=way.spec.positions)
    prompts = data_folder() / "prompts"
    return lambda: load_model(spec, files, way.preset, device, prompts, compiled=way.compiled)


def _machine(device: Device, peak: float) -> dict[str, str]:
    import torch

    return {
        "device": device.name,
        "memory": f"{device.memory().total / 1e9:.0f} GB",
        "numbers": f"{str(device.dtype).removeprefix('torch.')}: {device.dtype_reason}",
        "matrix peak": f"{peak / 1e12:.3g} TFLOP/s",
        "load": f"{os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else "unknown",
        "system": f"{platform.platform()}, Python {platform.python_version()}, torch {torch.__version__}",
    }


def _table(measured: Sequence[Measured]) -> list[str]:
    """A row for every figure, a column for every way."""
    rows = [("", *(way.name for way in measured))]
    for field in dataclasses.fields(measured[0]):
        if field.name != "name":
            figures = (float(getattr(way, field.name)) for way in measured)
            rows.append((_label(field.name), *map(_figure, figures)))
    return table(rows)


def _label(name: str) -> str:
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    words = _WORDS.get(name, name.rpartition("_")[0].replace("_", " "))
    return f"{words} ({unit})" if unit else words


def _figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
