"""Loads torch's libraries before `import torch` does, which would hold the interpreter for as long as that takes.

The linker needs a few tenths of a second for them, and nothing else in Python goes on meanwhile, the window included.
A foreign function lets go of the interpreter while it runs; an import does not.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

_LARGE = {"linux": ("libtorch_cpu.so", "libtorch_python.so"), "darwin": ("libtorch_cpu.dylib", "libtorch_python.dylib")}
"""By system, in the order in which they need each other. On others the import loads them, and the window waits."""


def load_libraries() -> None:
    """Load what `import torch` will find loaded; where that cannot be, the import will say why. Any thread but the
    window's."""
    names = _LARGE.get(sys.platform, ())
    found = importlib.util.find_spec("torch") if names and "torch" not in sys.modules else None
    if found is None or found.origin is None:
        return
    linker = ctypes.CDLL(None).dlopen
    linker.argtypes, linker.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for name in names:
        linker(str(Path(found.origin).parent / "lib" / name).encode(), os.RTLD_NOW)
