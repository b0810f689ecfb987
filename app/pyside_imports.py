"""Keeps PySide from reading the source of every module that is imported after it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

_USE_PYSIDE = ("app", "pyqtgraph", "PySide6")


def spare_sources() -> None:
    """From now on PySide knows by its name whether a module uses PySide.

    WORKAROUND: https://bugreports.qt.io/browse/PYSIDE-2029. To tell which modules its switchable features concern,
    PySide's import hook reads and keeps the source of each; with torch these are a thousand files, a quarter of a
    second and 50 MB. No module here switches features.
    """
    hook = sys.modules.get("shibokensupport.feature")
    if hook is not None and hasattr(hook, "_mod_uses_pyside"):
        setattr(hook, "_mod_uses_pyside", _uses_pyside)  # noqa: B010 - the module has no types


def _uses_pyside(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] in _USE_PYSIDE
