"""The pieces a form is made of: labelled fields, hints, and a line that tells how a test went."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.card import label
from app.icons import icon
from app.theme import px, restyle

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QResizeEvent, QWheelEvent

    from core.errors import LiveTalkError

SETTLE_MS = 800
"""Typing that rests this long has settled and is applied."""
_TICK_ROOM = 36
"""Pixels of a check box's width that are not words."""


def field(caption: str, widget: QWidget, *beside: QWidget, below: QWidget | None = None) -> QVBoxLayout:
    """A caption over `widget`, which it names and is the buddy of; `beside` stand to its right, `below` under it."""
    head = label(caption, "label")
    head.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, on=False)
    head.setBuddy(widget)
    widget.setAccessibleName(caption)
    inner = widget.lineEdit() if isinstance(widget, QComboBox) else None
    if inner is not None:
        inner.setAccessibleName(caption)
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addWidget(widget, 1)
    for other in beside:
        row.addWidget(other)
    made = QVBoxLayout()
    made.setSpacing(6)
    made.addWidget(head)
    made.addLayout(row)
    if below is not None:
        made.addWidget(below)
    return made


def hint(text: str) -> QLabel:
    """A small line of explanation."""
    return label(text, "small", wrap=True)


def button(text: str, kind: str = "", pressed: Callable[[], object] | None = None) -> QPushButton:
    """A push button that never becomes a dialog's default, so that Enter in a field presses nothing."""
    made = QPushButton(text)
    made.setAutoDefault(False)
    if kind:
        made.setProperty("kind", kind)
    if pressed is not None:
        made.clicked.connect(lambda: pressed())
    return made


def choices(*entries: tuple[str, str]) -> SteadyComboBox:
    """A list of (words, value) to choose from. It does not change under the wheel of a scrolling page."""
    made = SteadyComboBox()
    for words, value in entries:
        made.addItem(words, value)
    return made


class TickBox(QCheckBox):
    """A check box whose words break into lines where the page is narrow."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self._words = words
        self.setAccessibleName(words)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        broken = "\n".join(self._lines(self.width() - px(_TICK_ROOM)))
        if broken != self.text():
            self.setText(broken)

    def _lines(self, width: int) -> list[str]:
        lines = [""]
        for word in self._words.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self.fontMetrics().horizontalAdvance(longer) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines


class SteadyComboBox(QComboBox):
    """Leaves the mouse wheel to the page, and may be narrower than its longest entry."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def choose(self, value: str) -> None:
        """Select the entry with this value, without anybody hearing of it."""
        self.blockSignals(True)
        self.setCurrentIndex(max(0, self.findData(value)))
        self.blockSignals(False)


class State(enum.Enum):
    """How a test stands."""

    NOTHING = "nothing"
    RUNNING = "running"
    OK = "ok"
    FAILED = "failed"
    REMARK = "remark"


_LOOKS = {
    State.RUNNING: ("refresh", "text3", "muted"),
    State.OK: ("tick", "listening", "ok"),
    State.FAILED: ("cross", "danger", "danger"),
    State.REMARK: ("info", "thinking", "warning"),
}


class Outcome(QWidget):
    """One line below what was tested: running, ok with its figure, or failed with advice. Screen readers hear it."""

    def __init__(self) -> None:
        super().__init__()
        self._icon = QLabel()
        self._words = label("", "small", wrap=True)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._words, 1)
        self.state = State.NOTHING
        self.hide()

    @property
    def words(self) -> str:
        return self._words.text()

    def tell(self, state: State, words: str = "") -> None:
        self.state = state
        self._words.setText(words)
        self.setVisible(state is not State.NOTHING)
        if state is State.NOTHING:
            return
        icon_name, colour, tone = _LOOKS[state]
        self._icon.setPixmap(icon(icon_name, colour).pixmap(QSize(px(16), px(16)), self.devicePixelRatioF()))
        self._words.setProperty("tone", tone)
        restyle(self._words)
        if state is not State.RUNNING:
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def failed(self, error: LiveTalkError) -> None:
        self.tell(State.FAILED, f"{error.title} {error.advice}".strip())


class Settling(QTimer):
    """Calls `settled` once typing has rested, or at once by `flush`."""

    def __init__(self, owner: QWidget, settled: Callable[[], None], rest_ms: int = SETTLE_MS) -> None:
        super().__init__(owner)
        self.setSingleShot(True)
        self.setInterval(rest_ms)
        self.timeout.connect(settled)
        self._settled = settled

    def touch(self) -> None:
        self.start()

    def flush(self) -> None:
        if self.isActive():
            self.stop()
            self._settled()
