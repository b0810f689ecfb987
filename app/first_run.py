"""FirstRun: the offer to connect an endpoint and the microphone check, until the person has seen to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.status_pill import meter_level
from app.welcome import MicrophoneCard, OfferCard
from core.settings import changed

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.main_window import MainWindow
    from core.settings import Settings


class FirstRun(QObject):
    """Puts the cards into the transcript and takes them away: "Not now" for good, an endpoint or a first
    conversation by themselves."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.offer: OfferCard | None = None
        self.microphone: MicrophoneCard | None = None
        chosen = window.settings
        if not chosen.dialogue.url and not chosen.window.offer_dismissed:
            self.offer = OfferCard()
            self.offer.connect_wanted.connect(lambda: window.sheet_wanted.emit("settings/conversation"))
            self.offer.dismissed.connect(self._dismiss)
            window.panel.transcript.add_card(self.offer)
        if not chosen.window.greeted:
            self.microphone = MicrophoneCard(chosen.audio.microphone)
            window.panel.transcript.add_card(self.microphone)
            window.stage.pulsed.connect(self._hear)
            window.stage.first_frame.connect(self._greeted)
        else:
            window.stage.bar.somebody_spoke()
        window.settings_changed.connect(self._look)

    def _hear(self, level: float, elapsed_s: float) -> None:
        if self.microphone is not None:
            self.microphone.push(meter_level(level), elapsed_s)

    def _greeted(self) -> None:
        if not self._window.settings.window.greeted:
            self._window.apply(changed(self._window.settings, "window", greeted=True))

    def _dismiss(self) -> None:
        self._window.apply(changed(self._window.settings, "window", offer_dismissed=True))

    def _look(self, settings: Settings) -> None:
        if self.offer is not None and (settings.dialogue.url or settings.window.offer_dismissed):
            self._take_away(self.offer)
            self.offer = None
            if self.microphone is not None:
                self._take_away(self.microphone)
                self.microphone = None

    def _take_away(self, card: QWidget) -> None:
        if card.isAncestorOf(self._window.focusWidget() or self._window):
            self._window.panel.text_box.edit.setFocus()
        card.hide()
        card.deleteLater()
