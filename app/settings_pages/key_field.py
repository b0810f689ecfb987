"""A field for the key of a host: hidden unless asked for, kept in the keyring, said where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QLineEdit, QWidget

from app.form import Settling, button, field, hint
from app.keys import Place
from app.theme import restyle

if TYPE_CHECKING:
    from app.settings_pages.page import Form


class KeyField(QWidget):
    """Caption, field, Show, and a line that says where the key lies. GUI thread.

    Args:
        variable: the environment variable that wins over what is typed.
        service: for a speech service on another host than the endpoint's.
    """

    def __init__(self, form: Form, caption: str, variable: str, *, service: bool = False) -> None:
        super().__init__()
        self._form = form
        self._variable = variable
        self._service = service
        self._url = ""
        self.key = QLineEdit()
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.reveal = button(self.tr("Show"), "quiet", self._toggle)
        self.reveal.setAccessibleName(self.tr("Show the key"))
        self.place = hint("")
        column = field(caption, self.key, self.reveal, below=self.place)
        column.setContentsMargins(0, 0, 0, 0)
        self.setLayout(column)
        self._settling = Settling(self, self._keep)
        self.key.textEdited.connect(self._settling.touch)
        self.key.editingFinished.connect(self._settling.flush)

    def show_key_of(self, url: str) -> None:
        """From here on it is about the host of `url`; what was typed for another one is kept for that."""
        self.flush()
        self._url = url
        self._refresh()
        self._form.load_key(url, self._refresh)

    def flush(self) -> None:
        """Keep what is half typed."""
        self._settling.flush()

    @property
    def typed(self) -> str:
        return self.key.text().strip()

    def _keep(self) -> None:
        self._form.keep_key(self._url, self.typed, self._refresh)

    def _refresh(self) -> None:
        if self._settling.isActive():
            return
        keys = self._form.services.keys
        key = keys.key_of(self._url, self._service)
        if self.key.text() != key:
            self.key.setText(key)
        place = keys.place_of(self._url, self._service)
        self.key.setReadOnly(place is Place.ENVIRONMENT)
        self.place.setText(self._words(place))
        self.place.setProperty("tone", "warning" if place is Place.THIS_RUN else "")
        restyle(self.place)

    def _words(self, place: Place) -> str:
        tr = QCoreApplication.translate
        if place is Place.ENVIRONMENT:
            return tr("KeyField", "{} is set in the environment and is used.").format(self._variable)
        if place is Place.THIS_RUN:
            return tr("KeyField", "No keyring was found, so the key is kept until you quit.")
        return tr("KeyField", "Kept in this computer’s keyring. {}, if set, is used instead.").format(self._variable)

    def _toggle(self) -> None:
        hidden = self.key.echoMode() == QLineEdit.EchoMode.Password
        self.key.setEchoMode(QLineEdit.EchoMode.Normal if hidden else QLineEdit.EchoMode.Password)
        self.reveal.setText(self.tr("Hide") if hidden else self.tr("Show"))
        self.reveal.setAccessibleName(self.tr("Hide the key") if hidden else self.tr("Show the key"))
