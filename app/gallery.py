"""The gallery: choose who is on the picture, from the shipped portraits or one's own pictures."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from app.background import run_in_background
from app.card import Card, label
from app.gallery_cards import COLUMNS, GAP, OpenCard, PortraitCard, Refusal, Remark
from app.messages import picture_question
from app.open_picture import open_picture
from app.pictures import ask_about
from app.scroll import QuietScrollArea
from app.sheet import Sheet, title_row
from core.performer.protocol import UNSAID, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.pictures import Check
    from core.errors import LiveTalkError


class GallerySheet(Sheet):
    """Shows portraits and takes new ones. Show it with `open()`. GUI thread.

    One's own picture is checked before it is chosen; one that cannot serve is refused inline with the reason, and
    the picture in use stays. Choosing closes the sheet.

    Signals:
        chosen(str): the key of a shipped portrait, or the absolute path of a picture that was found fit.
        removed(str): the person took this path off the list.
        restored(str, int): they took that back; the path belongs at this place of the list again.

    Args:
        portraits: shipped ones as (key, name, path).
        recent: pictures used before, newest first.
        current: key or path of the one in use.
        check: looks at a picture of the person's own.
    """

    chosen = Signal(str)
    removed = Signal(str)
    restored = Signal(str, int)

    def __init__(
        self,
        portraits: Sequence[tuple[str, str, Path]],
        recent: Sequence[Path],
        current: str,
        parent: QWidget,
        check: Check,
        reduce_motion: bool = False,
    ) -> None:
        super().__init__(parent, "", QSize(842, 716), reduce_motion)
        self.setWindowTitle(self.tr("Choose an avatar"))
        self.setAcceptDrops(True)
        self._check = check
        self._reduce_motion = reduce_motion
        self._current = current
        self._tries = 0
        self._recent = [Path(path) for path in recent]
        self._gone: tuple[Path, int] | None = None
        self._shipped_cards = [self._shipped_card(*portrait) for portrait in portraits]
        self.open_card = OpenCard()
        self.open_card.clicked.connect(self.choose_file)
        self._own_cards = [self._own_card(path) for path in self._recent]
        self.refusal = Refusal()
        self.refusal.another.clicked.connect(self.choose_file)
        self.refusal.ask.clicked.connect(self.ask)
        self._refused: tuple[Path, LiveTalkError] | None = None
        self.remark = Remark()
        self.remark.undo.clicked.connect(self._restore)
        self._grid = QGridLayout()
        self._lay_out()
        self._fill_grid()
        self._focus_current()

    @property
    def cards(self) -> list[Card]:
        """In the order they are shown."""
        return [*self._shipped_cards, self.open_card, *self._own_cards]

    def choose_file(self) -> None:
        """ "Open image…": ask for a file, then try it."""
        folder = self._recent[0].parent if self._recent else None
        open_picture(self, lambda chosen: self.try_picture(Path(chosen)), folder)

    def try_picture(self, path: Path, said: Said = UNSAID) -> None:
        """Check a picture of the person's own, with what they say of it; choose it when it is fit. A later try
        overtakes this one."""
        card = next((card for card in self._own_cards if card.path == path), None)
        if card is None:
            card = self._own_card(path)
            self._own_cards.insert(0, card)
            self._fill_grid()
        self._look(card, said)

    def _look(self, card: PortraitCard, said: Said) -> None:
        """Check the picture of a card; one that is looked at anew is asked about, not chosen."""
        if card.checking:
            return
        self._tries += 1
        self.refusal.hide()
        self.remark.hide()
        card.show_checking(True)
        check, path = self._check, card.path
        run_in_background(
            self,
            lambda: check(path, said),
            partial(self._nothing_to_ask if said.anew else self._fit, self._tries, card),
            partial(self._question if said.anew else self._refuse, self._tries, card),
        )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and isinstance(watched, Card):
            return self._move_focus(watched, Qt.Key(event.key()))
        return super().eventFilter(watched, event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event) is not None:
            event.acceptProposedAction()
            self.open_card.show_drop(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.open_card.show_drop(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.open_card.show_drop(False)
        path = _dropped(event)
        if path is not None:
            event.acceptProposedAction()
            self.try_picture(path)

    def _lay_out(self) -> None:
        inside = QVBoxLayout(self.frame)
        inside.setContentsMargins(28, 20, 20, 20)
        inside.setSpacing(8)
        inside.addLayout(title_row(self, self.tr("Choose an avatar")))
        about = self.tr("The conversation goes on with the new face. Nothing leaves this computer.")
        inside.addWidget(label(about, "supporting", wrap=True))
        self._page = QWidget()
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 8, 6, 0)
        column.setSpacing(GAP)
        self._grid.setSpacing(GAP)
        column.addLayout(self._grid)
        column.addWidget(self.remark)
        column.addWidget(self.refusal)
        column.addStretch(1)
        scroll = QuietScrollArea()
        scroll.setWidget(self._page)
        self._scroll = scroll
        self._yours = label(self.tr("Your pictures"), "label")
        inside.addWidget(scroll, 1)

    def _fill_grid(self) -> None:
        """Shipped portraits, then a line of text, then one's own: four in a row, and Tab in the same order."""
        while self._grid.count():
            self._grid.takeAt(0)
        rows = 0
        for group in (self._shipped_cards, [self.open_card, *self._own_cards]):
            if group[:1] == [self.open_card]:
                self._grid.addWidget(self._yours, rows, 0, 1, COLUMNS)
                rows += 1
            for place, card in enumerate(group):
                self._grid.addWidget(card, rows + place // COLUMNS, place % COLUMNS)
            rows += -(-len(group) // COLUMNS)
        for column in range(COLUMNS):
            self._grid.setColumnStretch(column, 1)
        cards = self.cards
        for card in cards:
            card.removeEventFilter(self)
            card.installEventFilter(self)
        for before, after in pairwise(cards):
            QWidget.setTabOrder(before, after)

    def _shipped_card(self, key: str, name: str, path: Path) -> PortraitCard:
        card = PortraitCard(name, path, self.tr("Comes with LiveTalk"), self._reduce_motion)
        card.show_in_use(key == self._current)
        card.clicked.connect(partial(self._choose, key))
        return card

    def _own_card(self, path: Path) -> PortraitCard:
        card = PortraitCard(
            path.name, path, self.tr("From {}").format(path.parent.name or str(path.parent)), self._reduce_motion
        )
        card.show_in_use(str(path) == self._current)
        card.clicked.connect(partial(self.try_picture, path))
        if path in self._recent:
            card.offer_removal(partial(self._remove, card))
            card.offer_another_face(partial(self._look, card, Said(anew=True)))
        return card

    def _choose(self, key: str) -> None:
        self._tries += 1
        self.chosen.emit(key)
        self.accept()

    def _fit(self, number: int, card: PortraitCard, _: None) -> None:
        card.show_checking(False)
        if number == self._tries:
            self._choose(str(card.path))

    def _refuse(self, number: int, card: PortraitCard, error: LiveTalkError) -> None:
        card.show_refused(error.title)
        if card.path not in self._recent:
            self._own_cards.remove(card)
            self._grid.removeWidget(card)
            card.deleteLater()
            self._fill_grid()
        if number == self._tries:
            self._refused = (card.path, error)
            self.refusal.show_error(card.path, error)
            self._page.adjustSize()
            self._scroll.ensureWidgetVisible(self.refusal)

    def ask(self) -> None:
        """Ask what only a person can say of the refused picture."""
        if self._refused is not None:
            path, error = self._refused
            ask_about(
                path,
                error,
                self,
                self._check,
                fit=lambda: self._choose(str(path)),
                chosen=lambda face: self.try_picture(path, Said(face)),
                reduce_motion=self._reduce_motion,
            )

    def _question(self, number: int, card: PortraitCard, error: LiveTalkError) -> None:
        """The person wants another face, and there is something to ask."""
        if picture_question(error) is None:
            self._refuse(number, card, error)
            return
        card.show_checking(False)
        if number == self._tries:
            self._refused = (card.path, error)
            self.ask()

    def _nothing_to_ask(self, number: int, card: PortraitCard, _: None) -> None:
        card.show_checking(False)
        if number == self._tries:
            self.remark.show_words(self.tr("{} shows one face only.").format(card.path.name))

    def _remove(self, card: PortraitCard) -> None:
        place = self._recent.index(card.path)
        self._gone = (card.path, place)
        self._recent.remove(card.path)
        had_focus = card.hasFocus()
        index = self.cards.index(card)
        self._own_cards.remove(card)
        self._grid.removeWidget(card)
        card.deleteLater()
        self._fill_grid()
        if had_focus:
            self.cards[min(index, len(self.cards) - 1)].setFocus(Qt.FocusReason.OtherFocusReason)
        self.remark.show_removed(card.path.name)
        self.removed.emit(str(card.path))

    def _restore(self) -> None:
        if self._gone is None:
            return
        path, place = self._gone
        self._gone = None
        self._recent.insert(place, path)
        card = self._own_card(path)
        self._own_cards.insert(place, card)
        self._fill_grid()
        card.show()
        card.setFocus(Qt.FocusReason.OtherFocusReason)
        self.remark.hide()
        self.restored.emit(str(path), place)

    def _focus_current(self) -> None:
        current = next((card for card in self.cards if card.isChecked()), self.cards[0])
        current.setFocus(Qt.FocusReason.OtherFocusReason)

    def _move_focus(self, card: Card, key: Qt.Key) -> bool:
        """Arrows walk along the rows as they are seen, Home and End go to the first and last. True when it moved."""
        rows = _rows(self.cards, len(self._shipped_cards))
        target = _neighbour(rows, self.cards.index(card), key, self.isRightToLeft())
        if target is None:
            return False
        self.cards[target].setFocus(Qt.FocusReason.OtherFocusReason)
        self._scroll.ensureWidgetVisible(self.cards[target])
        return True


def _rows(cards: Sequence[QWidget], shipped: int) -> list[list[int]]:
    """Indexes of the cards, row by row; one's own begin a row of their own."""
    groups = (range(shipped), range(shipped, len(cards)))
    return [list(group[start : start + COLUMNS]) for group in groups for start in range(0, len(group), COLUMNS)]


def _neighbour(rows: list[list[int]], index: int, key: Qt.Key, mirrored: bool) -> int | None:
    row = next(number for number, members in enumerate(rows) if index in members)
    column = rows[row].index(index)
    last = rows[-1][-1]
    forward, back = (Qt.Key.Key_Left, Qt.Key.Key_Right) if mirrored else (Qt.Key.Key_Right, Qt.Key.Key_Left)
    sideways = {forward: min(index + 1, last), back: max(index - 1, 0), Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
    if key in sideways:
        return sideways[key]
    step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(key)
    if step is None:
        return None
    if not 0 <= row + step < len(rows):
        return index
    return rows[row + step][min(column, len(rows[row + step]) - 1)]


def _dropped(event: QDropEvent) -> Path | None:
    """The first local file that is dragged."""
    return next((Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()), None)
