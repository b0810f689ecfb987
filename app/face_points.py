"""FacePoints: a picture in which no face was found, such as a drawing, and the five points that show where it is."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.background import run_in_background
from app.card import label
from app.face_guide import FaceGuide
from app.floating import announce
from app.form import Outcome, State, button
from app.point_picture import COUNT, PointPicture
from app.scroll import QuietScrollArea
from app.sheet import Sheet, column, title_row
from app.theme import px

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from app.point_picture import Points
    from core.errors import LiveTalkError

_SIDE_WIDTH = 190
_WIDEST_SIDE = 280


class FacePoints(Sheet):
    """Asks for both eyes, the nose and both corners of the mouth in turn. Show it with `open()`. GUI thread.

    Points are clicked or moved there with the arrow keys and put down with Enter; what was put down can be dragged and
    nudged. When all are there they are tried; where they cannot serve the reason is told, and they stay.

    Signals:
        fit: the picture can serve with these points; the sheet closes.

    Args:
        path: the picture.
        check: raises `PerformerError` where the picture cannot serve with these points. Pool thread.
    """

    fit = Signal()

    def __init__(
        self, path: Path, check: Callable[[Points], None], parent: QWidget, reduce_motion: bool = False
    ) -> None:
        super().__init__(parent, "", QSize(842, 716), reduce_motion)
        self.setWindowTitle(self.tr("Place the points"))
        self._check = check
        self._tries = 0
        self.picture = PointPicture(path)
        self.picture.changed.connect(self._show_step)
        self.guide = FaceGuide()
        self.step = label("", "small")
        self.asked = label("", "heading", wrap=True)
        self._hint = label("", "small", wrap=True)
        self.outcome = Outcome()
        kept = self.outcome.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # the picture keeps its size under the mouse
        self.outcome.setSizePolicy(kept)
        self.undo = button(self.tr("Undo"), "quiet", self.picture.undo)
        self.cancel = button(self.tr("Cancel"), pressed=self.reject)
        self.use = button(self.tr("Use this picture"), "primary", self.try_points)
        self._lay_out()
        self._order_focus()
        again = QAction(self)
        again.setShortcuts([*QKeySequence.keyBindings(QKeySequence.StandardKey.Undo), QKeySequence("Backspace")])
        again.triggered.connect(self.picture.undo)
        self.addAction(again)
        self._show_step()

    def try_points(self) -> None:
        """See whether the picture can serve with the points as they lie."""
        points, check = self.picture.points, self._check
        if points is None:
            return
        self._tries += 1
        number = self._tries
        self.use.setEnabled(False)
        self.outcome.tell(State.RUNNING, self.tr("Looking at the picture…"))
        run_in_background(
            self, lambda: check(points), lambda _: self._fits(number), lambda error: self._refused(number, error)
        )

    def _fits(self, number: int) -> None:
        if number == self._tries:
            self.fit.emit()
            self.accept()

    def _refused(self, number: int, error: LiveTalkError) -> None:
        if number == self._tries:
            self.use.setEnabled(True)
            self.outcome.failed(error)

    def _show_step(self) -> None:
        """Say what is asked for; points that were moved are no longer the ones that were tried."""
        self._tries += 1
        self.outcome.tell(State.NOTHING)
        asked = self.picture.asked
        self.guide.show_asked(asked, self.picture.count)
        self.undo.setEnabled(self.picture.can_undo)
        self.use.setEnabled(asked is None)
        before = self.asked.text()
        if asked is None:
            self.step.setText(self.tr("All {count} are there").format(count=COUNT))
            self.asked.setText(self.tr("Drag what is not in its place"))
            self._hint.setText(self.tr("Arrow keys move a point, with Shift faster. Enter uses the picture."))
        else:
            self.step.setText(self.tr("{number} of {count}").format(number=asked + 1, count=COUNT))
            self.asked.setText(self.picture.name_of(asked))
            self._hint.setText(
                self.tr("Click it in the picture, or move the ring with the arrow keys, with Shift faster, and Enter.")
            )
        if self.asked.text() != before:
            announce(self, f"{self.step.text()}. {self.asked.text()}")

    def _lay_out(self) -> None:
        inside = column(8, (28, 20, 20, 20))
        self.frame.setLayout(inside)
        inside.addLayout(title_row(self, self.tr("Place the points")))
        about = self.tr("Show where the face is in this picture, left and right as you see them.")
        inside.addWidget(label(about, "supporting", wrap=True))
        row = QHBoxLayout()
        row.setSpacing(20)
        row.addWidget(self.picture, 1)
        row.addWidget(self._side())
        inside.addLayout(row, 1)
        inside.addWidget(self.outcome)
        feet = QHBoxLayout()
        feet.setContentsMargins(0, 4, 8, 0)
        feet.setSpacing(8)
        feet.addWidget(self.undo)
        feet.addStretch(1)
        feet.addWidget(self.cancel)
        feet.addWidget(self.use)
        inside.addLayout(feet)

    def _side(self) -> QScrollArea:
        """What is asked for, beside the picture; it scrolls where large text leaves it too little room."""
        words = QWidget()
        lines = QVBoxLayout(words)
        lines.setContentsMargins(0, 0, 6, 0)
        lines.setSpacing(6)
        lines.addWidget(self.guide)
        lines.addSpacing(6)
        lines.addWidget(self.step)
        lines.addWidget(self.asked)
        lines.addWidget(self._hint)
        lines.addStretch(1)
        scroll = QuietScrollArea()
        scroll.setFixedWidth(min(px(_SIDE_WIDTH), _WIDEST_SIDE))
        scroll.setWidget(words)
        return scroll

    def _order_focus(self) -> None:
        for pressed in (self.undo, self.cancel, self.use):
            pressed.setAutoDefault(True)
        self.use.setDefault(True)
        order: list[QWidget] = [*self.picture.handles, self.undo, self.cancel, self.use]
        for before, after in pairwise(order):
            QWidget.setTabOrder(before, after)
        self.picture.setFocus(Qt.FocusReason.OtherFocusReason)  # the first handle takes it once there is a picture
