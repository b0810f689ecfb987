"""WindowState: where the window stood, remembered for each screen. Geometry only; what the person chose is Settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QRect, QSettings

if TYPE_CHECKING:
    from pathlib import Path


class WindowState:
    """Reads and writes one file. GUI thread."""

    def __init__(self, folder: Path) -> None:
        self._file = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)

    def geometry(self, screen: str) -> QByteArray | None:
        """What `QWidget.saveGeometry` gave on that screen."""
        kept = self._file.value(f"{_key(screen)}/geometry")
        return kept if isinstance(kept, QByteArray) else None

    def keep_geometry(self, screen: str, geometry: QByteArray) -> None:
        self._file.setValue(f"{_key(screen)}/geometry", geometry)

    def panel(self, screen: str) -> bool:
        """Whether the conversation was open."""
        return str(self._file.value(f"{_key(screen)}/panel", "true")).lower() != "false"

    def keep_panel(self, screen: str, is_open: bool) -> None:
        self._file.setValue(f"{_key(screen)}/panel", is_open)

    def compact(self, screen: str) -> QRect | None:
        """Where the compact window was."""
        kept = self._file.value(f"{_key(screen)}/compact")
        return kept if isinstance(kept, QRect) else None

    def keep_compact(self, screen: str, place: QRect) -> None:
        self._file.setValue(f"{_key(screen)}/compact", place)


def _key(screen: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in screen) or "screen"
