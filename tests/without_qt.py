"""A pytest plugin (``-p tests.without_qt``) that makes this process one in which PySide6 is not installed."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

ABSENT = ("PySide6", "shiboken6", "pyqtgraph")


class Absent(MetaPathFinder):
    """Says of some packages that they are not there."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {fullname!r} (hidden for this run)", name=fullname)


sys.meta_path.insert(0, Absent())
