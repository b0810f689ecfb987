"""`livetalk bench`: how fast the engine is here, and how soon a conversation answers."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from app import VERSION
from app.commands.bench_conversation import measure_conversation
from app.commands.bench_engine import measure_engine
from app.commands.bench_long import measure_long
from app.commands.bench_step import measure_step
from app.commands.bench_window import measure_window, measure_window_memory
from app.commands.choices import with_options
from app.commands.converse import SWITCH_INTERVAL_S
from app.commands.terminal import table
from core.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from app.commands.terminal import Terminal

_VERSIONS = ("torch", "numpy", "onnxruntime", "opencv-python-headless", "av", "xllamacpp")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0; trouble is raised."""
    if options.probe:
        from app.commands import window_probe

        measured = (
            window_probe.measure_memory(options.memory)
            if options.memory
            else window_probe.measure_window(options.probe)
        )
        terminal.say(json.dumps(measured))
        return 0
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settings = with_options(Settings(), options)
    machine = describe_machine()
    for name, value in machine.items():
        terminal.say(f"{name:<12} {value}")
    document: dict[str, object] = {"machine": machine, "versions": _versions(), "performer": options.performer}
    if options.long:
        figures = measure_long(options.long, terminal)
        document["long"] = _told(terminal, "A long conversation, on a silent device paced by the clock", figures)
        terminal.finish(document)
        return 0
    with tempfile.TemporaryDirectory(prefix="livetalk-") as folder:
        if options.memory:
            figures = measure_window_memory(settings, options.memory, Path(folder), terminal)
            document["memory"] = _told(terminal, "Memory of the whole program over a long conversation", figures)
            terminal.finish(document)
            return 0
        if options.only in (None, "engine"):
            document["engine"] = _told(terminal, "Engine", measure_engine(settings.avatar, Path(folder), terminal))
            document["step"] = _told(terminal, "Sound and picture in step", measure_step(terminal))
        if options.only in (None, "conversation"):
            figures = measure_conversation(settings, options.turns, Path(folder), terminal)
            document["conversation"] = _told(terminal, "Conversation with the built-in companion", figures)
        if options.only in (None, "window"):
            document["window"] = _window(settings, Path(folder), terminal)
    terminal.finish(document)
    return 0


def _window(settings: Settings, folder: Path, terminal: Terminal) -> Mapping[str, object]:
    measured = measure_window(settings, folder, terminal)
    if "skipped" in measured:
        terminal.say()
        terminal.say(f"The window was not measured: {measured['skipped']}.")
        return measured
    for view, figures in measured.items():
        assert isinstance(figures, dict)
        _told(terminal, f"Window, drawn by {view}", figures)
    return measured


def describe_machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "load": f"{os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else "unknown",
        "system": platform.platform(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _versions() -> dict[str, str]:
    installed = {name: importlib.metadata.version(name) for name in _VERSIONS}
    return {"livetalk": VERSION, "python": platform.python_version(), **installed}


def _told(terminal: Terminal, title: str, figures: Mapping[str, object]) -> Mapping[str, object]:
    terminal.say()
    terminal.say(title)
    for line in table([(name.replace("_", " "), _figure(value)) for name, value in figures.items()]):
        terminal.say(f"  {line}")
    return figures


def _figure(value: object) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, int | float) else str(value)
