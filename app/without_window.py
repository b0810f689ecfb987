"""Trouble that is told when there is no window to tell it in: at the start, and after the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox

if TYPE_CHECKING:
    from core.errors import LiveTalkError


def tell_without_window(error: LiveTalkError) -> None:
    """Show what happened and what to do, and wait until it was read. GUI thread."""
    box = QMessageBox(QMessageBox.Icon.Critical, "LiveTalk", error.title, QMessageBox.StandardButton.Ok)
    box.setInformativeText(error.advice)
    box.setDetailedText(error.detail)
    box.exec()
