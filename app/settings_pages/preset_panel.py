"""PresetPanel: on the card of a performer that can be run in several ways, which of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QRadioButton, QVBoxLayout, QWidget

from app.card import label
from app.theme import px

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.settings_services import PresetChoice

_INDENT = 30
"""Pixels from the edge of a radio button to its words, whatever their size."""
_GAP = 10
"""Pixels between one preset and the next."""


class PresetPanel(QWidget):
    """Every preset with what it is, so that they can be compared before one is chosen: choosing loads it.

    `chosen` carries the key.
    """

    chosen = Signal(str)

    def __init__(self, presets: Sequence[PresetChoice]) -> None:
        super().__init__()
        self.choices: dict[str, QRadioButton] = {}
        group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 4)
        column.setSpacing(0)
        column.addWidget(label(self.tr("Preset"), "label"))
        for preset in presets:
            self.choices[preset.key] = choice = QRadioButton(preset.name)
            choice.setAccessibleName(preset.name)
            choice.setAccessibleDescription(preset.words)
            choice.setEnabled(preset.possible)
            choice.clicked.connect(lambda _, key=preset.key: self.chosen.emit(key))
            group.addButton(choice)
            words = label(preset.words, "small", wrap=True)
            words.setContentsMargins(_INDENT, 0, 0, px(_GAP))
            column.addWidget(choice)
            column.addWidget(words)

    def show_chosen(self, key: str) -> None:
        """The preset that the settings ask for, without anybody hearing of it."""
        if key in self.choices:
            self.choices[key].setChecked(True)
