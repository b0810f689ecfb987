"""Figures of the whole program with its window, by both ways of drawing; each start is a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from core.settings import ENVIRONMENT, Settings, changed, models_folder, save

if TYPE_CHECKING:
    from pathlib import Path

    from app.commands.terminal import Terminal

VIEWS = ("raster", "opengl")
_EXPECTED_S = 65.0
_LIMIT_S = 300.0
_LOOK_S = 1.0


def measure_window(settings: Settings, folder: Path, terminal: Terminal) -> dict[str, object]:
    """For each way of drawing: seconds from the start of the process to the first living picture, milliseconds for
    which the GUI thread was blocked, processor time while idle, frames late and dropped in half a minute of repainting
    and answering, and memory. OpenGL is drawn in software on every computer.

    The first start prepares the portrait, the next one finds it prepared. Files go into `folder`.
    """
    if not has_screen():
        return {"skipped": "there is no screen"}
    settings = changed(settings, "window", greeted=True, offer_dismissed=True)
    settings = changed(changed(settings, "privacy", save_conversations=False), "dialogue", use_endpoint=False)
    save(settings, folder / "config" / "settings.toml")
    return {view: _probe(view, folder, terminal) for view in VIEWS}


def measure_window_memory(settings: Settings, minutes: int, folder: Path, terminal: Terminal) -> dict[str, object]:
    """Resident memory of the program with its window over a conversation of `minutes`, a question every half minute.
    Files go into `folder`."""
    if not has_screen():
        return {"skipped": "there is no screen"}
    settings = changed(settings, "window", greeted=True, offer_dismissed=True)
    save(changed(settings, "dialogue", use_endpoint=False), folder / "config" / "settings.toml")
    return _probe("raster", folder, terminal, minutes)


def has_screen() -> bool:
    """Whether Qt has something to open a window on."""
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in named)


def command(view: str, minutes: int = 0) -> list[str]:
    """What starts the program so that it measures itself, or its memory over so many minutes, and prints figures."""
    itself = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]
    return [*itself, "bench", "--probe", view, *(("--memory", str(minutes)) if minutes else ())]


def _probe(view: str, folder: Path, terminal: Terminal, minutes: int = 0) -> dict[str, object]:
    started = time.perf_counter()
    expected_s = 60.0 * minutes + 30.0 if minutes else _EXPECTED_S
    program = subprocess.Popen(
        command(view, minutes),
        env=_environment(view, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while True:
        try:
            said, complained = program.communicate(timeout=_LOOK_S)
            break
        except subprocess.TimeoutExpired:
            elapsed = time.perf_counter() - started
            terminal.progress(f"Window, {view}", elapsed, expected_s)
            if elapsed > expected_s + _LIMIT_S:
                program.kill()
    if program.returncode or not said.strip():
        complaint = complained.strip().splitlines() or [f"exit status {program.returncode}"]
        return {"failed": complaint[-1]}
    return json.loads(said.splitlines()[-1])


def _environment(view: str, folder: Path) -> dict[str, str]:
    """Folders and a keyring of nobody, and the models of this computer."""
    kept = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    kept |= {
        "LIVETALK_CONFIG": str(folder / "config"),
        "LIVETALK_DATA": str(folder / "data"),
        "LIVETALK_MODELS": str(models_folder()),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    return kept | ({"LIBGL_ALWAYS_SOFTWARE": "1"} if view == "opengl" else {})
