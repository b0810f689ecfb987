"""Imports what sheets and figures need before anybody asks for them, so that the first one opens at once."""

from __future__ import annotations

import importlib

_ASKED_FOR_LATER = (
    "app.settings_dialog",
    "app.services",
    "app.gallery",
    "app.face_choice",
    "app.face_points",
    "app.history_sheet",
    "app.help_sheet",
    "app.overlay",
)


def import_the_rest() -> None:
    """Takes a second or so. Pool thread: the window goes on between one module and the next."""
    for name in _ASKED_FOR_LATER:
        importlib.import_module(name)
