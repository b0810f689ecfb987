"""The first run's cards in the transcript: the offer to connect an endpoint, and the microphone check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.icons import paint_icon
from app.status_pill import Meter
from app.theme import restyle, tokens

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

_HEARD_LEVEL = 0.12
_CHECK_BARS = 36


class OfferCard(QFrame):
    """Connect a Qwen3-Omni endpoint: `connect_wanted`, or `dismissed` for good."""

    connect_wanted = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setProperty("tone", "accent")
        title = _label(self.tr("Connect a Qwen3-Omni endpoint"), "heading")
        words = self.tr(
            "I run without a network and speak English only. "
            "With an endpoint I can talk about anything, in many languages."
        )
        self.connect_button = QPushButton(self.tr("Connect…"))
        self.connect_button.setProperty("kind", "primary")
        self.dismiss_button = QPushButton(self.tr("Not now"))
        self.dismiss_button.setProperty("kind", "quiet")
        self.connect_button.clicked.connect(self.connect_wanted)
        self.dismiss_button.clicked.connect(self.dismissed)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(_Plug(self), 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(title, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.connect_button)
        buttons.addWidget(self.dismiss_button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 12, 14)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(_label(words, "supporting"))
        column.addLayout(buttons)
        column.addWidget(_label(self.tr("Also later, in Settings › Conversation."), "small"))


class MicrophoneCard(QFrame):
    """The microphone's name and a live level: "It hears you" once it did."""

    def __init__(self, microphone: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._heard = False
        self._meter = Meter(self, _CHECK_BARS)
        self._meter.setMinimumWidth(40)
        self._meter.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        name = microphone or self.tr("the system's own")
        self._verdict = _label(self.tr("Say something"), "small")
        row = QHBoxLayout()
        row.addWidget(self._meter, 1)
        row.addStretch()
        row.addWidget(self._verdict)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 8)
        column.setSpacing(2)
        column.addWidget(_label(self.tr("Microphone: {name}").format(name=name), "label"))
        column.addLayout(row)

    @property
    def verdict(self) -> str:
        return self._verdict.text()

    def push(self, level: float, elapsed_s: float) -> None:
        self._meter.set_colour(tokens().listening)
        self._meter.push(level, elapsed_s)
        if level > _HEARD_LEVEL and not self._heard:
            self._heard = True
            self._verdict.setText(self.tr("It hears you"))
            self._verdict.setProperty("tone", "ok")
            restyle(self._verdict)


class _Plug(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedSize(QSize(24, 22))

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_icon(QPainter(self), "plug", QRectF(1, 0, 22, 22), tokens().accent)


def _label(words: str, role: str) -> QLabel:
    made = QLabel(words, wordWrap=role != "small", textFormat=Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    return made
