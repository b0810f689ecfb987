"""One part of `livetalk bench --performer livetalk`, in the process that was started for it: its figures as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from app.commands.livetalk_ways import MACHINE, every_way, way_called
from core.errors import LiveTalkError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from app.commands.livetalk_ways import Way
    from app.commands.terminal import Terminal
    from core.performer.device import Device
    from core.performer.livetalk.model import LiveTalkModel

RANDOM = "random"


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0; what goes wrong on the device is an answer too."""
    try:
        answer = machine(options) if options.part == MACHINE else way(options)
    except (LiveTalkError, RuntimeError) as error:  # no compiler, no room, no such kernel: the parent names the part
        detail = error.detail if isinstance(error, LiveTalkError) else ""
        first = (str(error).splitlines() or [""])[0]
        answer = {"failed": f"{type(error).__name__}: {first} {detail}".strip(), "said": str(error)[-4000:]}
    terminal.say(json.dumps(answer, ensure_ascii=False))
    return 0


def machine(options: argparse.Namespace) -> dict[str, object]:
    """What the figures are measured on, and what it reaches in single products."""
    import torch

    from core.performer.device import choose_device
    from core.performer.livetalk.reached import reached

    device = choose_device()
    told = {
        "device": device.name,
        "memory": f"{device.memory().total / 1e9:.0f} GB",
        "numbers": f"{str(device.dtype).removeprefix('torch.')}: {device.dtype_reason}",
        "load": f"{os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else "unknown",
        "system": f"{platform.platform()}, Python {platform.python_version()}, torch {torch.__version__}",
    }
    spec = every_way(options.size)[0].spec
    return {"machine": told, "reached": reached(spec, device, time.perf_counter)}


def way(options: argparse.Namespace) -> dict[str, object]:
    """Every figure of one way to run the model."""
    from core.performer.device import choose_device
    from core.performer.livetalk.measure import matrix_peak, measure

    chosen = way_called(options.part, every_way(options.size))
    device = choose_device(captures=chosen.captured)
    if not chosen.captured and device.torch_device.type == "cpu":
        return {"failed": "a processor captures nothing"}
    peak = matrix_peak(device, time.perf_counter)
    load = _loader(options.weights, chosen, device)
    measured = measure(chosen.name, load, device, peak, options.blocks, time.perf_counter)
    return {"measured": asdict(measured)}


def _loader(weights: str, way: Way, device: Device) -> Callable[[], LiveTalkModel]:
    if weights == RANDOM:
        from core.performer.livetalk.model import random_model

        place = device.torch_device
        return lambda: random_model(way.spec, way.preset, device, compiled=way.compiled, drawn=place)
    from core.performer.livetalk.model import load_model
    from core.performer.livetalk.opening import files_in
    from core.settings import data_folder

    spec, files = files_in(weights)
    spec = dataclasses.replace(spec, positions=way.spec.positions)
    prompts = data_folder() / "prompts"
    return lambda: load_model(spec, files, way.preset, device, prompts, compiled=way.compiled)
