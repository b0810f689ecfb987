"""Asks for a picture of the person's own with the file dialog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QStandardPaths
from PySide6.QtWidgets import QFileDialog

from app.drop_zone import PICTURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QWidget


def open_picture(parent: QWidget, chosen: Callable[[str], object], folder: Path | None = None) -> None:
    """Show the dialog over `parent`, in `folder` or where the system keeps pictures; `chosen` gets the path."""
    tr = QCoreApplication.translate
    start = folder or Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation))
    pattern = " ".join(f"*{ending}" for ending in PICTURES)
    words = tr("OpenPicture", "Pictures ({pattern})").format(pattern=pattern)
    dialog = QFileDialog(
        parent, tr("OpenPicture", "Open a picture"), str(start if start.is_dir() else Path.home()), words
    )
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(chosen)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
