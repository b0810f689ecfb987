"""What the pages of the settings dialog have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.card import label

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QLayout

    from app.settings_services import SettingsServices
    from core.settings import Settings


class Form(Protocol):
    """The dialog as its pages see it."""

    @property
    def settings(self) -> Settings:
        """What is in force."""
        ...

    @property
    def services(self) -> SettingsServices: ...

    def change(self, branch: str, **fields: Any) -> None:
        """Put a change in force at once."""
        ...

    def load_key(self, url: str, loaded: Callable[[], None]) -> None:
        """Have the key of the host of `url` ready; `loaded` is called once it is, unless the dialog has closed."""
        ...

    def keep_key(self, url: str, key: str, kept: Callable[[], None]) -> None:
        """Keep the key of the host of `url`; `kept` is called once it is, unless the dialog has closed."""
        ...


class Page(QWidget):
    """A titled page. Its controls apply what they are set to through `form.change`."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.title = ""
        self.about = label("", "supporting", wrap=True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(15)

    def head(self, title: str, about: str) -> None:
        self.title = title
        self._column.addWidget(label(title, "title"))
        self.about.setText(about)
        self._column.addWidget(self.about)
        self._column.addSpacing(6)

    def add(self, part: QWidget | QLayout) -> None:
        if isinstance(part, QWidget):
            self._column.addWidget(part)
        else:
            self._column.addLayout(part)

    def finish(self) -> None:
        """Everything was added: what room is left stays below."""
        self._column.addStretch(1)

    def show_settings(self, settings: Settings) -> None:
        """Put `settings` into the controls, without applying anything."""

    def entered(self) -> None:
        """The page came into view."""

    def left(self) -> None:
        """The page goes out of view, or the dialog closes: apply what is half typed, end what is running."""
