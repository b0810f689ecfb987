"""Who hears and speaks for a model that only reads and writes: folded away, for those who have such services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.form import Settling, button, field, hint
from app.keys import ENVIRONMENT_SPEECH_KEY
from app.settings_pages.key_field import KeyField

if TYPE_CHECKING:
    from app.settings_pages.page import Form
    from core.settings import Settings

_FIELDS = ("transcription_url", "transcription_model", "speech_url", "speech_model")


class SpeechServicesFields(QWidget):
    """A button that folds out the addresses and models of two services. Typing is applied when it rests."""

    applied = Signal()

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form
        self.boxes = {name: QLineEdit() for name in _FIELDS}
        self.unfold = button(self.tr("Speech services…"), "quiet", self._unfold)
        self.card = QFrame()
        self.card.setProperty("role", "card")
        self.key = KeyField(form, self.tr("Key of these services"), ENVIRONMENT_SPEECH_KEY, service=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.unfold, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.card)
        self._fill()
        self.card.hide()
        self._settling = Settling(self, self._apply)
        for box in self.boxes.values():
            box.textEdited.connect(self._settling.touch)
            box.editingFinished.connect(self._settling.flush)

    def show_settings(self, settings: Settings) -> None:
        chosen = settings.dialogue
        for name, box in self.boxes.items():
            if box.text() != getattr(chosen, name):
                box.setText(getattr(chosen, name))
        url = chosen.speech_url or chosen.transcription_url
        self.key.setVisible(bool(url))
        if url:
            self.key.show_key_of(url)
            self.card.show()

    def left(self) -> None:
        self._settling.flush()
        self.key.flush()

    def _fill(self) -> None:
        inside = QVBoxLayout(self.card)
        inside.setContentsMargins(16, 12, 16, 14)
        inside.setSpacing(10)
        inside.addWidget(
            hint(
                self.tr(
                    "For a model that only reads and writes. Left empty, the endpoint itself is asked; where it has no "
                    "ears or no voice, this computer hears and speaks, in English."
                )
            )
        )
        for caption, address in (
            (self.tr("Speech to text"), "transcription_url"),
            (self.tr("Text to speech"), "speech_url"),
        ):
            url, model = self.boxes[address], self.boxes[address.replace("_url", "_model")]
            url.setPlaceholderText("http://localhost:8000/v1")
            url.setInputMethodHints(Qt.InputMethodHint.ImhUrlCharactersOnly)
            row = QHBoxLayout()
            row.setSpacing(16)
            row.addLayout(field(caption, url), 3)
            row.addLayout(field(self.tr("Its model"), model), 2)
            inside.addLayout(row)
        inside.addWidget(self.key)
        self.key.hide()

    def _unfold(self) -> None:
        self.card.setVisible(not self.card.isVisible())

    def _apply(self) -> None:
        self._form.change("dialogue", **{name: box.text().strip() for name, box in self.boxes.items()})
        self.show_settings(self._form.settings)
        self.applied.emit()
