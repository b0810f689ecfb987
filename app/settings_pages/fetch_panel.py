"""FetchPanel: on the card of a performer whose files are not here, the download from the offer to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from app.card import label
from app.form import Outcome, State, button
from app.setup.pace import gigabytes, spoken_time
from app.setup.stop import Stopped
from core.errors import LiveTalkError

if TYPE_CHECKING:
    from app.model_fetch import ModelFetch
    from app.settings_services import Download
    from app.setup.pace import Progress

_STEPS = 1000


class FetchPanel(QWidget):
    """Offer, terms, progress, and how it ended; one at a time.

    `wanted` says that the terms are accepted and the download is to begin; `folder_chosen` carries a folder that has
    the files.
    """

    wanted = Signal()
    folder_chosen = Signal(str)

    def __init__(self, download: Download, fetching: ModelFetch) -> None:
        super().__init__()
        self._download = download
        self._fetching = fetching
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 2)
        column.setSpacing(8)
        self.offer = self._offer()
        self.terms = self._terms()
        self.running = self._running()
        self.outcome = Outcome()
        for part in (self.offer, self.terms, self.running, self.outcome):
            column.addWidget(part)
        fetching.progressed.connect(self._show_progress)
        fetching.ended.connect(self._end)
        self._show(self.offer)
        if fetching.latest is not None:
            self._show_progress(fetching.latest)

    def _offer(self) -> QWidget:
        words = self.tr("Download {}…") if not self._download.begun else self.tr("Go on with the download, {} left")
        self.begin = button(words.format(gigabytes(self._download.left)), pressed=self._ask)
        self.use_folder = button(self.tr("Use a folder…"), "quiet", self._choose_folder)
        return _row(self.begin, self.use_folder)

    def _terms(self) -> QWidget:
        self.accept = button(self.tr("Accept and download"), "primary", self._start)
        self.refuse = button(self.tr("Not now"), "quiet", self._refuse)
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(label(self._download.terms, "supporting", wrap=True))
        column.addWidget(_row(self.accept, self.refuse))
        return made

    def _running(self) -> QWidget:
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Download"))
        self.words = label("", "small")
        self.stop = button(self.tr("Stop"), "quiet", self._stop)
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.bar)
        row = QHBoxLayout()
        row.addWidget(self.words, 1)
        row.addWidget(self.stop)
        column.addLayout(row)
        return made

    def _show(self, part: QWidget) -> None:
        """Only one of them; the keyboard goes along to its first button."""
        held = self.isAncestorOf(self.focusWidget() or self)
        for other in (self.offer, self.terms, self.running):
            other.setVisible(other is part)
        first = {self.offer: self.begin, self.terms: self.accept, self.running: self.stop}[part]
        if held:
            first.setFocus(Qt.FocusReason.OtherFocusReason)
            QTimer.singleShot(0, self, lambda: self._reveal(first))  # once it has its place

    def _reveal(self, part: QWidget) -> None:
        """Scroll the page to it."""
        place = self.parentWidget()
        while place is not None and not isinstance(place, QScrollArea):
            place = place.parentWidget()
        if isinstance(place, QScrollArea):
            place.ensureWidgetVisible(part)

    def _ask(self) -> None:
        self.outcome.tell(State.NOTHING)
        if self._download.terms:
            self._show(self.terms)
        else:
            self._start()

    def _refuse(self) -> None:
        self._show(self.offer)

    def _start(self) -> None:
        self._show_words(self.tr("Starting…"))
        self._show(self.running)
        self.wanted.emit()

    def _stop(self) -> None:
        self._show_words(self.tr("Stopping…"))
        self._fetching.stop()

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder with the files of LiveTalk 1.3B"))
        if folder:
            self.folder_chosen.emit(folder)

    def _show_progress(self, step: Progress) -> None:
        if self.running.isHidden():
            self._show(self.running)
        self.bar.setValue(round(_STEPS * step.done / step.total) if step.total else 0)
        words = self.tr("{done} of {total}").format(done=gigabytes(step.done), total=gigabytes(step.total))
        if step.left_s is not None:
            words = self.tr("{done_of_total}, {rate} MB/s, {time} left").format(
                done_of_total=words, rate=f"{step.rate / 1e6:.1f}", time=spoken_time(step.left_s)
            )
        self._show_words(words if step.total else self.tr("Starting…"))

    def _show_words(self, words: str) -> None:
        self.words.setText(words)
        self.bar.setAccessibleDescription(words)

    def _end(self, ending: object) -> None:
        self._show(self.offer)
        if isinstance(ending, Stopped):
            self.outcome.tell(State.REMARK, self.tr("Stopped. What has arrived is kept."))
        elif isinstance(ending, LiveTalkError):
            self.outcome.failed(ending)


def _row(*buttons: QWidget) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for one in buttons:
        row.addWidget(one)
    row.addStretch(1)
    return made
