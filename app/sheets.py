"""Sheets: opens each sheet with what it needs, and passes on what was chosen there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.messages import Message, message_for
from app.model_fetch import ModelFetch
from core.errors import LiveTalkError
from core.events import Failed
from core.settings import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.keys import KeyStore
    from app.main_window import MainWindow
    from app.pictures import Check, Pictures
    from app.setup.stop import Stop
    from app.sheet import Sheet

RECENT = 12
"""Pictures of the person's own that the gallery remembers."""


class Sheets(QObject):
    """At most one sheet is open. Sheets are imported when they are first asked for.

    Args:
        pictures: what the person chooses in the gallery goes there.
        check: looks at a picture of the person's own.
        key_changed: the endpoint's key is another one.
    """

    def __init__(
        self,
        window: MainWindow,
        keys: KeyStore,
        pictures: Pictures,
        check: Check,
        key_changed: Callable[[], None],
        version: str,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._keys = keys
        self._pictures = pictures
        self._check = check
        self._key_changed = key_changed
        self._version = version
        self._open: Sheet | None = None
        self._fetching = ModelFetch(_bring, self)
        self._fetching.ended.connect(self._fetched)
        window.closing.connect(self._fetching.close)
        window.sheet_wanted.connect(self.open)

    def open(self, name: str) -> None:
        """`name` as in `MainWindow.sheet_wanted`."""
        if self._open is not None:
            return
        kind, _, page = name.partition("/")
        sheets: dict[str, Callable[[], Sheet]] = {
            "settings": lambda: self._settings(page or "conversation"),
            "gallery": self._gallery,
            "history": self._history,
            "help": self._help,
        }
        sheet = sheets[kind]()
        self._open = sheet
        sheet.finished.connect(self._closed)
        sheet.open()

    def avatar_changed(self, key: str) -> None:
        """Remember who is on the stage, and the person's own pictures, newest first."""
        chosen = self._window.settings.avatar
        recent = chosen.recent
        if Path(key).is_absolute():
            recent = (key, *(path for path in recent if path != key))[:RECENT]
        if (key, recent) != (chosen.portrait, chosen.recent):
            self._window.apply(changed(self._window.settings, "avatar", portrait=key, recent=recent))

    def _settings(self, page: str) -> Sheet:
        from app.services import settings_services
        from app.settings_dialog import SettingsDialog

        window = self._window
        services = settings_services(window, self._keys, self._key_changed, self._fetching, self._version)
        return SettingsDialog(window.settings, window, window.apply, services, page)

    def _gallery(self) -> Sheet:
        from app.gallery import GallerySheet
        from core.parts import shipped_portraits

        window = self._window
        chosen = window.settings.avatar
        sheet = GallerySheet(
            [(portrait.key, portrait.name, portrait.path) for portrait in shipped_portraits().values()],
            [Path(path) for path in chosen.recent if Path(path).exists()],
            chosen.portrait,
            window,
            self._check,
            window.settings.window.reduce_motion,
        )
        sheet.chosen.connect(self._pictures.use)
        sheet.removed.connect(self._forget)
        sheet.restored.connect(self._remember_again)
        return sheet

    def _history(self) -> Sheet:
        from app.history_sheet import HistorySheet
        from app.services import history_services

        sheet = HistorySheet(history_services(), self._window, self._window.settings.window.reduce_motion)
        sheet.opened.connect(self._window.open_conversation)
        sheet.deleting.connect(self._window.leave_conversation)
        sheet.new_conversation.connect(self._window.new_conversation)
        return sheet

    def _help(self) -> Sheet:
        from app.help_sheet import HelpSheet

        return HelpSheet(self._window, self._window.settings.window.reduce_motion)

    def _forget(self, path: str) -> None:
        recent = tuple(kept for kept in self._window.settings.avatar.recent if kept != path)
        self._window.apply(changed(self._window.settings, "avatar", recent=recent))

    def _remember_again(self, path: str, place: int) -> None:
        recent = [kept for kept in self._window.settings.avatar.recent if kept != path]
        recent.insert(place, path)
        self._window.apply(changed(self._window.settings, "avatar", recent=tuple(recent)))

    def _closed(self) -> None:
        self._open = None

    def _fetched(self, ending: object) -> None:
        """A download ended; who looks at its card in the settings sees that there."""
        from app.settings_dialog import SettingsDialog

        if isinstance(self._open, SettingsDialog) and self._open.page == "picture":
            return
        if isinstance(ending, LiveTalkError):
            self._window.stage.show_problem(message_for(Failed.of(ending)))
        elif isinstance(ending, tuple):
            title = self.tr("LiveTalk 1.3B has been downloaded.")
            done = Message(None, title, self.tr("Choose it in Settings › Picture."), (), grave=False)
            self._window.stage.show_problem(done, notice=True)


def _bring(weights: str, report: Callable[[int, int], None], stop: Stop) -> list[LiveTalkError]:
    """Download thread: the person has accepted the terms."""
    from app.setup import livetalk

    livetalk.accept()
    return livetalk.fetch(weights, report, stop)
