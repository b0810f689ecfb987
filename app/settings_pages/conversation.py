"""Settings › Conversation: who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout

from app.background import run_in_background
from app.card import label
from app.form import Outcome, Settling, State, SteadyComboBox, button, choices, field
from app.keys import ENVIRONMENT_KEY
from app.settings_pages.endpoint_kind import EndpointKindField
from app.settings_pages.key_field import KeyField
from app.settings_pages.page import Form, Page
from app.settings_pages.speech_services import SpeechServicesFields
from app.theme import px

if TYPE_CHECKING:
    from core.dialogue.probe import EndpointReport
    from core.errors import LiveTalkError
    from core.settings import Settings

_MODELS = ("qwen3-omni-flash", "qwen3.5-omni-flash", "qwen3.5-omni-plus", "Qwen/Qwen3-Omni-30B-A3B-Instruct")
_VOICES = ("Cherry", "Serena", "Ethan", "Chelsie", "Aiden", "Tina")
"""Offered, not enforced: an endpoint may have others, which are typed in."""


class ConversationPage(Page):
    """Endpoint, model, voice, key and instructions. Typing is applied when it rests or the field is left."""

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.head(self.tr("Conversation"), "")
        self._tests = 0
        self._listening = False
        self._make_fields()
        self._model_and_voice()
        self.key = KeyField(form, self.tr("Key"), ENVIRONMENT_KEY)
        self.add(self.key)
        self.instructions = QPlainTextEdit()
        self.instructions.setTabChangesFocus(True)
        self.instructions.setFixedHeight(px(72))
        self.add(field(self.tr("Instructions for the avatar"), self.instructions))
        self._builtin_card()
        self.kind = EndpointKindField(form)
        self.add(self.kind)
        self.speech_services = SpeechServicesFields(form)
        self.speech_services.applied.connect(lambda: self._tell_who_answers(self.form.settings))
        self.add(self.speech_services)
        self.finish()
        self.show_settings(form.settings)
        self._settling = Settling(self, self._apply_typed)
        self.url.textEdited.connect(self._settling.touch)
        self.url.editingFinished.connect(self._settling.flush)
        self.instructions.textChanged.connect(self._settling.touch)
        for chooser in (self.model, self.voice):
            chooser.editTextChanged.connect(self._settling.touch)
            chooser.activated.connect(self._settling.flush)

    def _make_fields(self) -> None:
        self.url = QLineEdit()
        self.url.setPlaceholderText("https://dashscope-intl.aliyuncs.com/compatible-mode/v1")
        self.url.setInputMethodHints(Qt.InputMethodHint.ImhUrlCharactersOnly)
        self.test = button(self.tr("Test"), pressed=self._test)
        self.outcome = Outcome()
        self.add(field(self.tr("Qwen3-Omni endpoint"), self.url, self.test, below=self.outcome))

    def _model_and_voice(self) -> None:
        self.model, self.voice = _suggestions(_MODELS), _suggestions(_VOICES)
        self.listen = button(self.tr("Listen"), pressed=self._listen)
        self.heard = Outcome()
        row = QHBoxLayout()
        row.setSpacing(16)
        row.addLayout(field(self.tr("Model"), self.model), 1)
        row.addLayout(field(self.tr("Voice"), self.voice, self.listen), 1)
        self.add(row)
        self.add(self.heard)

    def _builtin_card(self) -> None:
        card = QFrame()
        card.setProperty("role", "card")
        self._builtin_words = label("", "supporting", wrap=True)
        self.switch = button("", "quiet", self._switch)
        self.companion_voice = choices(
            (self.tr("Automatic"), "auto"), (self.tr("Man’s"), "rms"), (self.tr("Woman’s"), "slt")
        )
        self.companion_voice.activated.connect(
            lambda: self.form.change("dialogue", companion_voice=self.companion_voice.currentData())
        )
        row = QHBoxLayout()
        row.addWidget(self._builtin_words, 1)
        row.addWidget(self.switch)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(16, 8, 8, 14)
        inside.setSpacing(8)
        inside.addLayout(row)
        voice = field(self.tr("Voice of the built-in companion"), self.companion_voice)
        voice.setContentsMargins(0, 0, 8, 0)
        inside.addLayout(voice)
        self.add(card)

    def show_settings(self, settings: Settings) -> None:
        chosen = settings.dialogue
        if self.url.text() != chosen.url:
            self.url.setText(chosen.url)
        self.key.show_key_of(chosen.url)
        self.kind.show_settings(settings)
        self.speech_services.show_settings(settings)
        for chooser, text in ((self.model, chosen.model), (self.voice, chosen.voice)):
            chooser.blockSignals(True)
            chooser.setEditText(text)
            chooser.blockSignals(False)
        if self.instructions.toPlainText() != chosen.instructions:
            self.instructions.blockSignals(True)
            self.instructions.setPlainText(chosen.instructions)
            self.instructions.blockSignals(False)
        self.companion_voice.choose(chosen.companion_voice)
        self._tell_who_answers(settings)

    def left(self) -> None:
        self._settling.flush()
        self.key.flush()
        self.speech_services.left()

    def _apply_typed(self) -> None:
        url = self.url.text().strip()
        if url and not _is_address(url):
            self.outcome.tell(State.FAILED, self.tr("This is not an address. It begins with https:// or wss://."))
            url = self.form.settings.dialogue.url
        elif url != self.form.settings.dialogue.url:
            self.outcome.tell(State.NOTHING)
            self.key.show_key_of(url)
        use = self.form.settings.dialogue.use_endpoint or (bool(url) and url != self.form.settings.dialogue.url)
        self.form.change(
            "dialogue",
            url=url,
            model=self.model.currentText().strip(),
            voice=self.voice.currentText().strip(),
            instructions=self.instructions.toPlainText().strip(),
            use_endpoint=use,
        )
        self._tell_who_answers(self.form.settings)

    def _test(self) -> None:
        self.left()
        url = self.url.text().strip()
        if not _is_address(url):
            self.outcome.tell(State.FAILED, self.tr("Type the address of an endpoint first, then test it."))
            return
        self._tests += 1
        number = self._tests
        test, dialogue = self.form.services.test_endpoint, self.form.settings.dialogue
        key = self.key.typed
        self.outcome.tell(State.RUNNING, self.tr("Asking the endpoint…"))
        run_in_background(
            self,
            lambda: test(dialogue, key),
            lambda answer: self._answered(number, answer),
            lambda error: self._refused(number, error),
        )

    def _answered(self, number: int, answer: EndpointReport) -> None:
        if number != self._tests:
            return
        for model in answer.models:
            if self.model.findText(model) < 0:
                self.model.addItem(model)
        seconds = self.locale().toString(answer.seconds, "f", 2)
        words = {
            "model": self.tr("Answered in {} s, with sound"),
            "service": self.tr("Answered in {} s. The model writes, the speech service speaks."),
            "here": self.tr("Answered in {} s. The model writes, this computer’s voice speaks: English only."),
            "nobody": self.tr("Answered in {} s, but without sound. Choose a model that speaks."),
        }[answer.voice_from].format(seconds)
        if not answer.hears:
            words += " " + self.tr("What you say is written down before it is sent.")
        self.outcome.tell(State.OK if answer.with_sound else State.REMARK, words)

    def _refused(self, number: int, error: LiveTalkError) -> None:
        if number == self._tests:
            self.outcome.failed(error)

    def _listen(self) -> None:
        if self._listening:
            return
        self.left()
        speak, voice = self.form.services.listen, self.voice.currentText().strip()
        self._listening = True
        self.heard.tell(State.RUNNING, self.tr("Speaking…"))
        run_in_background(self, lambda: speak(voice), lambda _: self._spoken(), self._not_spoken)

    def _spoken(self) -> None:
        self._listening = False
        self.heard.tell(State.NOTHING)

    def _not_spoken(self, error: LiveTalkError) -> None:
        self._listening = False
        self.heard.failed(error)

    def _switch(self) -> None:
        self.left()
        self.form.change("dialogue", use_endpoint=not self.form.settings.dialogue.use_endpoint)
        self._tell_who_answers(self.form.settings)

    def _tell_who_answers(self, settings: Settings) -> None:
        chosen = settings.dialogue
        if chosen.transcription_url or chosen.speech_url:
            words = self.tr("Who answers. Turns are sent to this endpoint and your speech services, and nowhere else.")
        else:
            words = self.tr("Who answers. Turns are sent to this endpoint and nowhere else.")
        self.about.setText(words)
        self.switch.setVisible(bool(chosen.url))
        if chosen.url and not chosen.use_endpoint:
            self._builtin_words.setText(
                self.tr("The small companion built into LiveTalk answers. English only. Nothing is sent.")
            )
            self.switch.setText(self.tr("Use the endpoint"))
        else:
            self._builtin_words.setText(
                self.tr("Without an endpoint, the small companion built into LiveTalk answers. English only.")
            )
            self.switch.setText(self.tr("Use the built-in one"))


def _suggestions(entries: tuple[str, ...]) -> QComboBox:
    """A list that also takes what is typed."""
    made = SteadyComboBox()
    made.setEditable(True)
    made.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    made.addItems(list(entries))
    return made


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https", "ws", "wss"} and bool(parts.hostname)
