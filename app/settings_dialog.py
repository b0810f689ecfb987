"""The settings: pages over one frozen tree; every change is in force at once and can be taken back together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import shiboken6
from PySide6.QtCore import QSize
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.background import run_in_background
from app.card import label
from app.form import button
from app.icons import icon
from app.noop import QT_TRANSLATE_NOOP
from app.scroll import QuietScrollArea
from app.settings_pages.about import AboutPage
from app.settings_pages.conversation import ConversationPage
from app.settings_pages.picture import PicturePage
from app.settings_pages.privacy import PrivacyPage
from app.settings_pages.recording import RecordingPage
from app.settings_pages.sound import SoundPage
from app.settings_pages.window import WindowPage
from app.sheet import Sheet
from app.theme import px
from core.settings import changed

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.settings_pages.page import Page
    from app.settings_services import SettingsServices
    from core.errors import LiveTalkError
    from core.settings import Settings

_PAGES: dict[str, tuple[str, str, type[Page]]] = {
    "conversation": ("plug", QT_TRANSLATE_NOOP("SettingsDialog", "Conversation"), ConversationPage),
    "sound": ("microphone", QT_TRANSLATE_NOOP("SettingsDialog", "Sound"), SoundPage),
    "picture": ("chip", QT_TRANSLATE_NOOP("SettingsDialog", "Picture"), PicturePage),
    "recording": ("recording", QT_TRANSLATE_NOOP("SettingsDialog", "Recording"), RecordingPage),
    "privacy": ("lock", QT_TRANSLATE_NOOP("SettingsDialog", "Privacy"), PrivacyPage),
    "window": ("window", QT_TRANSLATE_NOOP("SettingsDialog", "Window"), WindowPage),
    "about": ("info", QT_TRANSLATE_NOOP("SettingsDialog", "About"), AboutPage),
}
_NAVIGATION_WIDTH = 206
_NAVIGATION_MARGINS = 40


class SettingsDialog(Sheet):
    """Shows `settings`, and hands every change to `apply` as a new tree. Show it with `open()`. GUI thread.

    Args:
        apply: puts settings in force; called once for each change.
        services: what the pages ask of the rest of the app.
        page: the page to begin with, by its English name in lower case.
    """

    def __init__(
        self,
        settings: Settings,
        parent: QWidget,
        apply: Callable[[Settings], None],
        services: SettingsServices,
        page: str = "conversation",
    ) -> None:
        super().__init__(parent, "", QSize(880, 660), settings.window.reduce_motion)
        self.setWindowTitle(self.tr("Settings"))
        self._settings = settings
        self._before = settings
        self._keys_before: dict[str, str] = {}
        self._figures_before = services.figures_shown()
        self._apply = apply
        self._services = services
        self._stack = QStackedWidget()
        self._navigation = QListWidget()
        self._places = {name: QuietScrollArea() for name in _PAGES}
        self.pages = _Pages(self._make_page)
        self._shown = page
        row = QHBoxLayout(self.frame)
        row.setContentsMargins(1, 1, 1, 1)
        row.setSpacing(0)
        row.addWidget(self._side())
        row.addLayout(self._main(), 1)
        self._navigation.currentRowChanged.connect(self._turn_to)
        for keys, rows in (("Ctrl+PgDown", 1), ("Ctrl+PgUp", -1)):
            QShortcut(QKeySequence(keys), self, partial(self._turn_by, rows))
        self.show_page(page)

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def services(self) -> SettingsServices:
        return self._services

    @property
    def page(self) -> str:
        return self._shown

    @property
    def page_names(self) -> list[str]:
        """In the order of the navigation; `pages` has those that were looked at."""
        return list(_PAGES)

    def change(self, branch: str, **fields: Any) -> None:
        self._put(changed(self._settings, branch, **fields))

    def load_key(self, url: str, loaded: Callable[[], None]) -> None:
        keys = self._services.keys
        run_in_background(self, lambda: keys.load(url), lambda _: loaded(), _raise_again)

    def keep_key(self, url: str, key: str, kept: Callable[[], None]) -> None:
        keys = self._services.keys
        if key == keys.key_of(url):
            return
        self._keys_before.setdefault(url, keys.key_of(url))

        def tell() -> None:
            self._services.key_changed()
            if shiboken6.isValid(self):
                self._undo.setEnabled(True)
                kept()

        run_in_background(self._window, lambda: keys.keep(url, key), lambda _: tell(), _raise_again)

    def show_page(self, name: str) -> None:
        self._navigation.setCurrentRow(list(_PAGES).index(name))
        self._navigation.setFocus()

    def undo(self) -> None:
        """Return to what was in force when the dialog opened."""
        self.pages[self._shown].left()
        self._put(self._before)
        self._services.show_figures(self._figures_before)
        for url, key in self._keys_before.items():
            self.keep_key(url, key, self._show_settings)
        self._show_settings()

    def done(self, result: int) -> None:
        self.pages[self._shown].left()
        super().done(result)

    def _turn_by(self, rows: int) -> None:
        row = self._navigation.currentRow() + rows
        self._navigation.setCurrentRow(min(max(row, 0), len(_PAGES) - 1))

    def _put(self, settings: Settings) -> None:
        if settings != self._settings:
            self._settings = settings
            self._undo.setEnabled(True)
            self._apply(settings)

    def _show_settings(self) -> None:
        for page in self.pages.values():
            page.show_settings(self._settings)

    def _turn_to(self, row: int) -> None:
        name = list(_PAGES)[row]
        if name != self._shown:
            self.pages[self._shown].left()
        self._shown = name
        page = self.pages[name]
        self._stack.setCurrentIndex(row)
        page.entered()

    def _make_page(self, name: str) -> Page:
        made = _PAGES[name][2](self)
        made.setContentsMargins(*((14, 0, 0, 0) if self.isRightToLeft() else (0, 0, 14, 0)))
        self._places[name].setWidget(made)
        return made

    def _side(self) -> QFrame:
        side = QFrame()
        side.setProperty("role", "navigation")
        self._navigation.setProperty("role", "navigation")
        self._navigation.setAccessibleName(self.tr("Pages"))
        self._navigation.setIconSize(QSize(px(18), px(18)))
        for icon_name, title, _ in _PAGES.values():
            self._navigation.addItem(QListWidgetItem(icon(icon_name), self.tr(title)))
        side.setFixedWidth(max(_NAVIGATION_WIDTH, self._navigation.sizeHintForColumn(0) + _NAVIGATION_MARGINS))
        inside = QVBoxLayout(side)
        inside.setContentsMargins(20, 22, 14, 16)
        inside.setSpacing(12)
        inside.addWidget(label(self.tr("Settings"), "title"))
        inside.addWidget(self._navigation, 1)
        return side

    def _main(self) -> QVBoxLayout:
        for place in self._places.values():
            self._stack.addWidget(place)
        main = QVBoxLayout()
        main.setContentsMargins(30, 22, 16, 20)
        main.setSpacing(14)
        main.addWidget(self._stack, 1)
        main.addLayout(self._footer())
        return main

    def _footer(self) -> QHBoxLayout:
        self._undo = button(self.tr("Undo changes"), "quiet", self.undo)
        self._undo.setEnabled(False)
        self._done = button(self.tr("Done"), "primary", self.accept)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 14, 0)
        row.setSpacing(8)
        row.addWidget(label(self.tr("Changes apply at once."), "small", wrap=True), 1)
        row.addWidget(self._undo)
        row.addWidget(self._done)
        return row


class _Pages(dict[str, "Page"]):
    """By name; each is made when it is first asked for, so that the dialog opens at once."""

    def __init__(self, make: Callable[[str], Page]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> Page:
        self[name] = made = self._make(name)
        return made


def _raise_again(error: LiveTalkError) -> None:
    raise error
