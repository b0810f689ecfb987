"""`livetalk doctor`: what LiveTalk needs on this computer, each line well or what to do about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from app.commands import probes
from app.commands.checks import Check, Finding
from app.commands.system_libraries import check_system_libraries, check_voice

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from app.commands.terminal import Terminal

_PROBE_LIMIT_S = 60
_MARKS = {Finding.OK: "ok  ", Finding.NOTE: "note", Finding.NEEDED: "NEED"}


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 1 when something that is needed is missing."""
    if options.probe:
        terminal.say(json.dumps(probes.PROBES[options.probe]()))
        return 0
    checks: list[Check] = []
    for make in _checks():
        for check in make():
            checks.append(check)
            for line in _lines(check):
                terminal.say(line)
    needed = [check for check in checks if check.finding is Finding.NEEDED]
    terminal.say()
    terminal.say("Everything that is needed is here." if not needed else f"{len(needed)} needed: see NEED above.")
    terminal.finish({"ok": not needed, "checks": [check.as_json() for check in checks]})
    return 1 if needed else 0


def _checks() -> Iterator[Callable[[], Iterator[Check]]]:
    from app.commands import resources

    yield check_system_libraries
    yield check_screen
    yield check_sound
    yield resources.check_memory_and_disk
    yield resources.check_gpu
    yield resources.check_models
    yield resources.check_avatar
    yield check_voice
    yield resources.check_keyring
    yield resources.check_endpoint


def _lines(check: Check) -> Iterator[str]:
    yield f"{_MARKS[check.finding]}  {check.name:<18} {check.found}"
    if check.advice:
        yield f"{'':<6}{'':<18} {check.advice}"


def check_screen() -> Iterator[Check]:
    """A window and OpenGL in it, tried in a process of its own: Qt ends the process when there is no screen."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in {"darwin", "win32"}):
        yield Check("Screen", Finding.NOTE, "none", "The commands work without one; the window needs one.")
        return
    seen = probe("screen")
    if seen is None:
        yield Check("Screen", Finding.NEEDED, "Qt cannot open it", "Check DISPLAY, and the system libraries above.")
        return
    yield Check("Screen", Finding.OK, str(seen["screen"]))
    if seen["opengl"]:
        yield Check("OpenGL", Finding.OK, str(seen["opengl"]))
    else:
        yield Check("OpenGL", Finding.NOTE, "none", "The picture is drawn without it, which costs a little more.")


def check_sound() -> Iterator[Check]:
    """Microphone and loudspeaker as PortAudio sees them."""
    seen = probe("sound")
    if seen is None:
        yield Check("Sound", Finding.NEEDED, "PortAudio does not work", "Install libportaudio2 and libasound2-data.")
        return
    for name, kind, advice in (
        ("Microphone", "input", "Connect one, or type to the avatar."),
        ("Loudspeaker", "output", "Connect one; until then the avatar answers in writing."),
    ):
        device = seen[kind]
        yield Check(name, Finding.OK, str(device)) if device else Check(name, Finding.NOTE, "none", advice)


def probe(name: str) -> dict[str, object] | None:
    """What the probe of this name answers from a process of its own; None when that process fails."""
    itself = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]
    try:
        ran = subprocess.run(
            [*itself, "doctor", "--probe", name], capture_output=True, text=True, timeout=_PROBE_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return json.loads(ran.stdout.splitlines()[-1]) if ran.returncode == 0 else None
