"""Settings › Privacy: what is kept, and what leaves this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from app.card import label
from app.form import TickBox, button, hint
from app.settings_pages.page import Form, Page

if TYPE_CHECKING:
    from core.settings import Settings


class PrivacyPage(Page):
    """Says where words are sent, and lets the person keep conversations off the disk."""

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.head(self.tr("Privacy"), self.tr("What is kept on this computer, and what leaves it."))
        self.sent = label("", "supporting", wrap=True)
        card = QFrame()
        card.setProperty("role", "card")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(16, 12, 16, 12)
        inside.addWidget(label(self.tr("Where your words go"), "heading"))
        inside.addWidget(self.sent)
        self.add(card)
        self.save = TickBox(self.tr("Save conversations on this computer"))
        self.save.clicked.connect(lambda on: self.form.change("privacy", save_conversations=on))
        self.add(self.save)
        self.add(
            hint(
                self.tr(
                    "Only the words are saved, never your voice. Ctrl+H shows earlier conversations; there you can "
                    "delete them. Ctrl+Shift+N starts one that is not saved."
                )
            )
        )
        row = QHBoxLayout()
        folder = self.form.services.conversations_folder
        self.open = button(
            self.tr("Open the folder of conversations"), pressed=lambda: self.form.services.open_folder(folder)
        )
        row.addWidget(self.open)
        row.addStretch(1)
        self.add(row)
        self.finish()
        self.show_settings(form.settings)

    def show_settings(self, settings: Settings) -> None:
        self.save.setChecked(settings.privacy.save_conversations)
        self._tell(settings)

    def entered(self) -> None:
        self._tell(self.form.settings)

    def _tell(self, settings: Settings) -> None:
        chosen = settings.dialogue
        if chosen.url and chosen.use_endpoint:
            addresses = (chosen.url, chosen.transcription_url, chosen.speech_url)
            hosts = dict.fromkeys(urlsplit(address).hostname or address for address in addresses if address)
            words = self.tr(
                "Your voice, your words and the instructions are sent to {}, and nowhere else. Pictures, recordings "
                "and saved conversations stay on this computer."
            ).format(self.locale().createSeparatedList(list(hosts)))
        else:
            words = self.tr("The built-in companion answers on this computer. Nothing leaves it.")
        self.sent.setText(words)
