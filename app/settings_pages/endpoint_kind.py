"""Which kind of server the endpoint is: found out by itself, or named, among them the kinds that the person wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.form import Outcome, State, choices, field, hint
from core.errors import SettingsError

if TYPE_CHECKING:
    from app.settings_pages.page import Form
    from core.settings import Settings

AUTOMATIC = "auto"


class EndpointKindField(QWidget):
    """A list of kinds. A file of the person's own that cannot be read is told of below it; what is chosen stays."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form
        self.kinds = choices()
        self.kinds.activated.connect(self._choose)
        self.outcome = Outcome()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(field(self.tr("Kind of endpoint"), self.kinds))
        column.addWidget(
            hint(
                self.tr("Found out by itself. Kinds of your own are described in {path}").format(
                    path=form.services.own_kinds
                )
            )
        )
        column.addWidget(self.outcome)

    def show_settings(self, settings: Settings) -> None:
        chosen = settings.dialogue.dialect
        entries = [(self.tr("Automatic"), AUTOMATIC), *self._known()]
        if chosen not in [key for _, key in entries]:
            entries.append((self.tr("{key} (not there any more)").format(key=chosen), chosen))
        self.kinds.clear()
        for words, key in entries:
            self.kinds.addItem(words, key)
        self.kinds.choose(chosen)

    def _known(self) -> list[tuple[str, str]]:
        try:
            kinds = self._form.services.endpoint_kinds()
        except SettingsError as error:
            self.outcome.failed(error)
            return []
        self.outcome.tell(State.NOTHING)
        return [(title, key) for key, title in kinds]

    def _choose(self) -> None:
        self._form.change("dialogue", dialect=self.kinds.currentData())
