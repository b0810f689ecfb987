"""Runs first in a frozen LiveTalk: libraries and models are looked for inside the bundle before anywhere else."""

import ctypes.util
import os
import sys
from pathlib import Path

_BUNDLE = Path(sys._MEIPASS)  # PyInstaller's own name for the folder it unpacks to
_find_elsewhere = ctypes.util.find_library


def _find_library(name: str) -> str | None:
    inside = next(_BUNDLE.glob(f"lib{name}.so*"), None)
    return str(inside) if inside else _find_elsewhere(name)


# WORKAROUND: sounddevice asks find_library for PortAudio and would not see the copy beside it.
ctypes.util.find_library = _find_library
os.environ.setdefault("LIVETALK_MODELS", str(_BUNDLE / "models"))
