"""Every key of the window, as actions that also make the picture's context menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from app.noop import QT_TRANSLATE_NOOP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PySide6.QtWidgets import QWidget

ACTIONS: tuple[tuple[tuple[str, str, str], ...], ...] = (
    (
        ("microphone", QT_TRANSLATE_NOOP("Actions", "Microphone on or off"), "M"),
        ("interrupt", QT_TRANSLATE_NOOP("Actions", "Interrupt"), "Esc"),
        ("mute", QT_TRANSLATE_NOOP("Actions", "Mute avatar"), "Ctrl+M"),
        ("record", QT_TRANSLATE_NOOP("Actions", "Record, stop recording"), "Ctrl+R"),
        ("louder", QT_TRANSLATE_NOOP("Actions", "Louder"), "Ctrl+Up"),
        ("quieter", QT_TRANSLATE_NOOP("Actions", "Quieter"), "Ctrl+Down"),
    ),
    (
        ("avatar", QT_TRANSLATE_NOOP("Actions", "Choose avatar…"), "Ctrl+O"),
        ("open_image", QT_TRANSLATE_NOOP("Actions", "Open image…"), "Ctrl+Shift+O"),
    ),
    (
        ("text", QT_TRANSLATE_NOOP("Actions", "Go to the text box"), "Ctrl+L"),
        ("panel", QT_TRANSLATE_NOOP("Actions", "Conversation panel"), "F2"),
        ("history", QT_TRANSLATE_NOOP("Actions", "Earlier conversations…"), "Ctrl+H"),
        ("new", QT_TRANSLATE_NOOP("Actions", "New conversation"), "Ctrl+N"),
        ("new_private", QT_TRANSLATE_NOOP("Actions", "New private conversation"), "Ctrl+Shift+N"),
    ),
    (
        ("overlay", QT_TRANSLATE_NOOP("Actions", "Figures over the picture"), "F3"),
        ("full_screen", QT_TRANSLATE_NOOP("Actions", "Full screen"), "F11"),
        ("compact", QT_TRANSLATE_NOOP("Actions", "Compact window"), "Ctrl+K"),
        ("settings", QT_TRANSLATE_NOOP("Actions", "Settings…"), "Ctrl+,"),
        ("help", QT_TRANSLATE_NOOP("Actions", "Keys"), "F1"),
    ),
)
"""Groups of (name, words, key); a group is followed by a line in the menu."""


def add_actions(window: QWidget, does: Mapping[str, Callable[[], None]]) -> dict[str, QAction]:
    """Make every action of the table, with its key, on `window`. `does` has a function for each name."""
    made: dict[str, QAction] = {}
    for group in ACTIONS:
        for name, words, key in group:
            action = QAction(QCoreApplication.translate("Actions", words), window)
            keys = [QKeySequence(key)]
            if name == "full_screen":
                keys += [
                    key for key in QKeySequence.keyBindings(QKeySequence.StandardKey.FullScreen) if key not in keys
                ]
            action.setShortcuts(keys)
            action.triggered.connect(does[name])
            window.addAction(action)
            made[name] = action
    return made


def context_menu(parent: QWidget, actions: Mapping[str, QAction]) -> QMenu:
    """The picture's menu: every key can be found there."""
    menu = QMenu(parent)
    for index, group in enumerate(ACTIONS):
        if index:
            menu.addSeparator()
        for name, _, _ in group:
            menu.addAction(actions[name])
    return menu
