"""The shared libraries and programs of the system that LiveTalk is built on, and the package that brings each."""

from __future__ import annotations

import ctypes.util
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.checks import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon-x11-0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-image.so.0": "libxcb-cursor0",
    "libxcb-render-util.so.0": "libxcb-cursor0",
    "libxcb-util.so.1": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxkbcommon-x11-0",
    "libportaudio.so.2": "libportaudio2",
}
"""Debian's package for each library that was ever missed; all are in packaging/packages.run.txt."""

_QT_FILES = (
    "Qt/lib/libQt6Core.so.6",
    "Qt/lib/libQt6Gui.so.6",
    "Qt/lib/libQt6Widgets.so.6",
    "Qt/lib/libQt6OpenGLWidgets.so.6",
    "Qt/plugins/platforms/libqxcb.so",
)


def check_system_libraries() -> Iterator[Check]:
    """What Qt and PortAudio want of the system. Qt names xcb-cursor0 whatever is missing, so its files are asked."""
    if not sys.platform.startswith("linux"):
        yield Check("System libraries", Finding.OK, "come with the packages")
        return
    missing = missing_libraries()
    if missing:
        advice = "Run: sudo apt-get install --no-install-recommends " + " ".join(packages_for(missing))
        yield Check("System libraries", Finding.NEEDED, "missing: " + ", ".join(missing), advice)
    else:
        yield Check("System libraries", Finding.OK, "Qt, OpenGL and PortAudio have theirs")


def missing_libraries() -> list[str]:
    """Sonames that Qt's files or PortAudio ask for and the system does not have."""
    missing: set[str] = set()
    for file in _qt_files():
        missing |= absent_in(subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout)
    if ctypes.util.find_library("portaudio") is None:
        missing.add("libportaudio.so.2")
    return sorted(missing)


def absent_in(ldd: str) -> set[str]:
    """The sonames that `ldd` says are not found."""
    return set(re.findall(r"^\s*(\S+) => not found", ldd, re.MULTILINE))


def packages_for(libraries: Iterable[str]) -> list[str]:
    """Debian's packages for `libraries`; a library nobody met before stands for itself."""
    return sorted({PACKAGES.get(library, library) for library in libraries})


def _qt_files() -> list[Path]:
    spec = importlib.util.find_spec("PySide6")
    if spec is None or spec.origin is None:
        return []
    folder = Path(spec.origin).parent
    return [folder / name for name in _QT_FILES if (folder / name).exists()]


def check_voice() -> Iterator[Check]:
    """The program that speaks for the built-in companion."""
    if found := shutil.which("flite"):
        yield Check("Offline voice", Finding.OK, f"flite ({found})")
    elif found := shutil.which("espeak-ng"):
        yield Check("Offline voice", Finding.NOTE, f"espeak-ng ({found})", "flite sounds better: apt-get install flite")
    else:
        advice = "The companion cannot speak. Run: sudo apt-get install flite"
        yield Check("Offline voice", Finding.NEEDED, "neither flite nor espeak-ng", advice)
