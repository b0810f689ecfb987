"""Settings › Picture: how the avatar is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from app.background import run_in_background
from app.card import Card, label
from app.form import Outcome, Settling, State, TickBox, button, field, hint
from app.icons import icon
from app.settings_pages.fetch_panel import FetchPanel
from app.settings_pages.page import Form, Page
from app.settings_pages.preset_panel import PresetPanel
from app.theme import px

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.model_fetch import ModelFetch
    from app.settings_services import PerformerCard, Requirement
    from core.settings import Settings

MOTION_SETTLE_MS = 250
"""The slider rests this long before the portrait takes its value over."""
MOST_STYLES = 2
"""Words of a manner that any performer follows."""


class PicturePage(Page):
    """The performers as cards, those that this computer cannot run included, and how lively the avatar is."""

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.head(self.tr("Picture"), self.tr("How the avatar is drawn. You can change it while you talk."))
        self.cards: dict[str, PerformerChoice] = {}
        self._performers: dict[str, PerformerCard] = {}
        self._cards = QVBoxLayout()
        self._cards.setSpacing(14)
        self.add(self._cards)
        self.outcome = Outcome()
        self.add(self.outcome)
        self.motion = QSlider(Qt.Orientation.Horizontal)
        self.motion.setRange(0, 100)
        self.motion.setPageStep(10)
        self._settling = Settling(self, self._apply_motion, MOTION_SETTLE_MS)
        self.motion.valueChanged.connect(self._settling.touch)
        self.still = hint("")
        self.add(field(self.tr("How much the head moves"), self.motion, below=self.still))
        self._style_fields()
        self.figures = TickBox(self.tr("Show figures over the picture (F3)"))
        self.figures.clicked.connect(lambda on: self.form.services.show_figures(on))
        self.add(self.figures)
        self.finish()
        form.services.fetching.ended.connect(self._fetched)
        self.show_settings(form.settings)

    def _style_fields(self) -> None:
        self.styles: dict[str, TickBox] = {}
        row = QHBoxLayout()
        row.setSpacing(16)
        for word, words in (
            ("calm", self.tr("Calm")),
            ("lively", self.tr("Lively")),
            ("smiling", self.tr("Smiling")),
            ("serious", self.tr("Serious")),
            ("attentive", self.tr("Attentive")),
        ):
            self.styles[word] = box = TickBox(words)
            box.clicked.connect(lambda on, word=word: self._choose_style(word, on))
            row.addWidget(box)
        self._manner = label("", "label")
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addWidget(self._manner)
        column.addLayout(row)
        self.add(column)

    def _choose_style(self, word: str, on: bool) -> None:
        """The newest are kept, as many as the performer follows."""
        chosen = [kept for kept in self._style_words(self.form.settings) if kept != word]
        chosen = [*chosen, word] if on else chosen
        self.form.change("avatar", style=", ".join(chosen[-self._manners(self.form.settings) :]))
        self.show_settings(self.form.settings)

    def _style_words(self, settings: Settings) -> list[str]:
        """Those that the performer in use follows: the first ones."""
        words = [word for word in settings.avatar.style.replace(",", " ").split() if word in self.styles]
        return words[: self._manners(settings)]

    def _manners(self, settings: Settings) -> int:
        in_use = self._performers.get(settings.avatar.performer)
        return in_use.manners if in_use else MOST_STYLES

    def _apply_motion(self) -> None:
        self.form.change("avatar", motion_amount=self.motion.value() / 100)

    def left(self) -> None:
        self._settling.flush()

    def show_settings(self, settings: Settings) -> None:
        self._settling.stop()
        chosen = self._style_words(settings)
        for word, box in self.styles.items():
            box.setChecked(word in chosen)
        self.motion.blockSignals(True)
        self.motion.setValue(round(settings.avatar.motion_amount * 100))
        self.motion.blockSignals(False)
        self.figures.setChecked(self.form.services.figures_shown())
        for key, card in self.cards.items():
            card.show_in_use(key == settings.avatar.performer)
            if card.presets is not None:
                card.presets.show_chosen(settings.avatar.preset)
        self._show_what_is_followed(settings)

    def _show_what_is_followed(self, settings: Settings) -> None:
        """A control that the performer in use does not follow says so and cannot be moved."""
        in_use = self._performers.get(settings.avatar.performer)
        reason = in_use.motion if in_use else ""
        self.motion.setEnabled(not reason)
        self.motion.setToolTip(reason)
        self.motion.setAccessibleDescription(reason)
        self.still.setText(reason)
        self.still.setVisible(bool(reason))
        one = self._manners(settings) == 1
        self._manner.setText(self.tr("Manner (one)") if one else self.tr("Manner (two at most)"))

    def entered(self) -> None:
        self._check()

    def _check(self) -> None:
        weights = self.form.settings.avatar.weights
        run_in_background(self, lambda: self.form.services.performers(weights), self._offer, self.outcome.failed)

    def _offer(self, performers: Sequence[PerformerCard]) -> None:
        held = next((key for key, card in self.cards.items() if card.isAncestorOf(self.focusWidget() or self)), None)
        for card in self.cards.values():
            self._cards.removeWidget(card)
            card.deleteLater()
        self._performers = {performer.key: performer for performer in performers}
        self.cards = {performer.key: self._card(performer) for performer in performers}
        for card in self.cards.values():
            self._cards.addWidget(card)
        self.show_settings(self.form.settings)
        if held in self.cards:
            self.cards[held].setFocus(Qt.FocusReason.OtherFocusReason)

    def _card(self, performer: PerformerCard) -> PerformerChoice:
        made = PerformerChoice(performer, self.form.services.fetching)
        made.clicked.connect(lambda: self._choose(performer))
        made.check_again.clicked.connect(self._check)
        if made.fetch is not None:
            made.fetch.wanted.connect(self._fetch)
            made.fetch.folder_chosen.connect(lambda folder: self._try_folder(folder, performer))
        if made.presets is not None:
            made.presets.chosen.connect(lambda preset: self.form.change("avatar", preset=preset))
        return made

    def _fetch(self) -> None:
        self.form.services.fetching.start(self.form.settings.avatar.weights)

    def _fetched(self, ending: object) -> None:
        """A download ended: with everything here, its performer can be chosen."""
        if isinstance(ending, tuple):
            self.outcome.tell(State.NOTHING)
            for trouble in ending:
                self.outcome.failed(trouble)
            self._check()

    def _try_folder(self, folder: str, before: PerformerCard) -> None:
        """Look for the performer's files in `folder`, and keep it if it has any."""

        def look(found: Sequence[PerformerCard]) -> None:
            after = next(performer for performer in found if performer.key == before.key)
            if _left(after) < _left(before):
                self.outcome.tell(State.NOTHING)
                self.form.change("avatar", weights=folder)
                self._offer(found)
            else:
                self.outcome.tell(State.REMARK, self.tr("“{}” has no file of {}.").format(folder, before.name))

        run_in_background(self, lambda: self.form.services.performers(folder), look, self.outcome.failed)

    def _choose(self, performer: PerformerCard) -> None:
        if performer.selectable:
            self.form.change("avatar", performer=performer.key)
            self.show_settings(self.form.settings)


class PerformerChoice(Card):
    """One performer: its name, what it gives, each requirement with a tick or a cross, and the way to its files."""

    def __init__(self, performer: PerformerCard, fetching: ModelFetch) -> None:
        super().__init__(performer.name)
        self._performer = performer
        self._state = label("", "small", wrap=True)
        self._state.setAlignment(Qt.AlignmentFlag.AlignRight)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(19, 14, 19, 14)
        inside.setSpacing(4)
        top = QHBoxLayout()
        top.addWidget(label(performer.name, "heading", wrap=True), 1)
        top.addWidget(self._state, 1)
        inside.addLayout(top)
        inside.addWidget(label(performer.gives, "supporting", wrap=True))
        for requirement in performer.requirements:
            inside.addLayout(_requirement_row(requirement, self))
        if performer.licence:
            inside.addWidget(label(performer.licence, "small", wrap=True))
        self.fetch = FetchPanel(performer.download, fetching) if performer.download else None
        if self.fetch is not None:
            inside.addWidget(self.fetch)
        self.presets = PresetPanel(performer.presets) if performer.selectable and performer.presets else None
        if self.presets is not None:
            inside.addWidget(self.presets)
        self.needs = label(performer.needs, "supporting", wrap=True)
        self.needs.hide()
        inside.addWidget(self.needs)
        self.check_again = button(self.tr("Check again"), "quiet")
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 4, 0, 2)
        self.what = button(self.tr("What do I need?"), pressed=self._unfold)
        row.addWidget(self.what)
        row.addWidget(self.check_again)
        row.addStretch(1)
        self.what.setVisible(bool(performer.needs))
        self._buttons.setVisible(not performer.selectable and self.fetch is None)
        inside.addWidget(self._buttons)
        self.setAccessibleDescription(_spoken(performer, self.tr("met"), self.tr("not met")))

    def show_in_use(self, in_use: bool) -> None:
        self.set_selected(in_use)
        words, role, tone = "", "small", "ok"
        if self.fetch is not None:
            words, role, tone = self.tr("Not downloaded yet"), "label", ""
        elif not self._performer.selectable:
            words, role, tone = self.tr("Not possible on this computer"), "label", ""
        elif in_use:
            words = self.tr("In use")
        self._state.setText(words)
        self._state.setProperty("role", role)
        self._state.setProperty("tone", tone)

    def _unfold(self) -> None:
        self.needs.setVisible(self.needs.isHidden())


def _requirement_row(requirement: Requirement, card: Card) -> QHBoxLayout:
    mark = QLabel()
    mark.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    name, colour = ("tick", "listening") if requirement.met else ("cross", "danger")
    mark.setPixmap(icon(name, colour).pixmap(QSize(px(16), px(16)), card.devicePixelRatioF()))
    row = QHBoxLayout()
    row.setSpacing(8)
    row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(label(requirement.words, "supporting", wrap=True), 1)
    return row


def _left(performer: PerformerCard) -> int:
    """Bytes of its files that are missing."""
    return performer.download.left if performer.download else 0


def _spoken(performer: PerformerCard, met: str, missing: str) -> str:
    parts = [f"{requirement.words}: {met if requirement.met else missing}" for requirement in performer.requirements]
    return ". ".join([performer.gives.rstrip("."), *parts])
