"""Overlay: frames a second, late and dropped frames, and where the time of the last turns went (F3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph
from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.floating import Float, paint_glass
from app.theme import STAGES, font, glass, px, with_alpha

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from PySide6.QtGui import QHideEvent, QPaintEvent, QShowEvent

    from app.engine import Statistics
    from core.events import TurnMeasured

_EVERY_MS = 500
_TURNS = 24
SPOKEN_GOAL_S = 1.3


class Overlay(Float):
    """Figures over the picture, twice a second. Their widths are kept for the largest number, so nothing jumps.

    `resized` when it wants to be fitted into its place again.

    Args:
        statistics: the engine's figures, None while there is no conversation.
        measured: the last turns, oldest first; shared with who adds to it, on the GUI thread.
    """

    resized = Signal()

    def __init__(
        self, statistics: Callable[[], Statistics | None], measured: deque[TurnMeasured], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self._statistics = statistics
        self._measured = measured
        self._drawn: TurnMeasured | None = None
        self.fps = _Figure(self.tr("frames a second"))
        self.late = _Figure(self.tr("late of {shown}").format(shown="0"))
        self.dropped = _Figure(self.tr("dropped"))
        self.drawn_by = _label(12, glass().text2)
        self.drawn_by.hide()
        self.response = _label(14, glass().text)
        self.stages = StageBar(self)
        self._legend = QGridLayout()
        self._column = QVBoxLayout(self)
        self._plot = _TurnPlot(self)
        self._turn_part = QWidget(self)
        self._plot_part = QWidget(self)
        self._goal = _label(12, glass().text2)
        self._lay_out()
        self._timer = QTimer(self, interval=_EVERY_MS)
        self._timer.timeout.connect(self.refresh)
        self.setAccessibleName(self.tr("Figures"))
        self.refresh()

    def refresh(self) -> None:
        """Read the figures and draw what changed."""
        now = self._statistics()
        if now is not None:
            self.fps.show_figure(f"{now.fps:.1f}")
            self.late.show_figure(f"{now.late}")
            self.late.caption.setText(self.tr("late of {shown}").format(shown=f"{now.shown:,}"))
            self.dropped.show_figure(f"{now.dropped}")
            self._show_drawn_by(now.drawn_by)
        last = self._measured[-1] if self._measured else None
        if last is not self._drawn and last is not None:
            self._drawn = last
            self._show_turn(last)
            self._plot.show_turns(list(self._measured))
            self.resized.emit()
        figures = [f"{part.figure.text()} {part.caption.text()}" for part in (self.fps, self.late, self.dropped)]
        self.setAccessibleDescription(", ".join(filter(None, (*figures, self.drawn_by.text()))))

    def showEvent(self, event: QShowEvent) -> None:
        self.refresh()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_glass(QPainter(self), QRectF(self.rect()), 14)

    def fit(self, width: int, room: int) -> None:
        """Be `width` wide and no higher than `room`: what does not fit is left out, the plot first, then the turn."""
        self.setFixedWidth(width)
        for child in self.findChildren(QWidget):
            child.ensurePolished()
        for plot_shown, turn_shown in ((True, True), (False, True), (False, False)):
            self._plot_part.setVisible(plot_shown)
            self._turn_part.setVisible(turn_shown)
            self._legend.invalidate()
            self._turn_part.updateGeometry()
            self._column.invalidate()
            if self._column.sizeHint().height() <= room:
                break
        self.resize(width, self._column.sizeHint().height())

    def _show_drawn_by(self, variant: str) -> None:
        words = self.tr("Drawn by the preset {}").format(variant) if variant else ""
        if words != self.drawn_by.text():
            self.drawn_by.setText(words)
            self.drawn_by.setVisible(bool(words))
            self.resized.emit()

    def _show_turn(self, turn: TurnMeasured) -> None:
        words = self.tr("{seconds} s to moving lips").format(seconds=f"{turn.response_s:.2f}")
        self.response.setText(words)
        self.stages.show_stages(turn.stages)
        self._goal.setText(self.tr("– – goal {seconds} s").format(seconds=SPOKEN_GOAL_S))
        while (item := self._legend.takeAt(0)) is not None:
            if (entry := item.widget()) is not None:
                entry.deleteLater()
        names = list(turn.stages)
        rows = (len(names) + 1) // 2
        for index, name in enumerate(names):
            entry = _LegendEntry(index, name, turn.stages[name])
            self._legend.addWidget(entry, index % rows, index // rows)
            entry.show()  # a layout shows what is new when the event loop comes to it, and asks no size before

    def _lay_out(self) -> None:
        figures = QHBoxLayout()
        figures.setSpacing(24)
        for figure in (self.fps, self.late, self.dropped):
            figures.addWidget(figure)
        figures.addStretch(1)
        key = _label(12, glass().text2)
        key.setText("F3")
        figures.addWidget(key)
        self._legend.setHorizontalSpacing(22)
        self._legend.setVerticalSpacing(4)
        turn = QVBoxLayout(self._turn_part)
        turn.setContentsMargins(0, 12, 0, 0)
        turn.setSpacing(6)
        turn.addLayout(_between(_titled(self.tr("Last turn")), self.response))
        turn.addWidget(self.stages)
        turn.addLayout(self._legend)
        plot = QVBoxLayout(self._plot_part)
        plot.setContentsMargins(0, 12, 0, 0)
        plot.setSpacing(4)
        plot.addLayout(_between(_titled(self.tr("Last {number} turns").format(number=_TURNS)), self._goal))
        plot.addWidget(self._plot)
        self._column.setContentsMargins(18, 14, 18, 14)
        self._column.setSpacing(0)
        self._column.addLayout(figures)
        self._column.addWidget(self.drawn_by)
        self._column.addWidget(self._turn_part)
        self._column.addWidget(self._plot_part)
        self._column.addStretch(1)


class StageBar(QWidget):
    """One bar, divided by how long each stage took."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._stages: dict[str, float] = {}
        self.setFixedHeight(22)

    def show_stages(self, stages: dict[str, float]) -> None:
        self._stages = stages
        words = (
            self.tr("{name} {milliseconds} ms").format(name=n, milliseconds=round(s * 1000)) for n, s in stages.items()
        )
        self.setAccessibleName(", ".join(words))
        self.update()

    def parts(self) -> list[QRectF]:
        """Where each stage lies in the bar, in the order of time."""
        whole = sum(self._stages.values()) or 1.0
        made: list[QRectF] = []
        left = 0.0
        for seconds in self._stages.values():
            wide = self.width() * seconds / whole
            made.append(QRectF(left, 0, max(0.0, wide - 1), self.height()))
            left += wide
        return made

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(self.rect()), 5, 5)
        painter.setClipPath(shape)
        painter.fillRect(self.rect(), glass().hover_colour())
        for index, part in enumerate(self.parts()):
            painter.fillRect(part, QColor(STAGES[index % len(STAGES)]))


class _Figure(QWidget):
    """A large number over what it counts."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.figure = _label(26, glass().text, 600)
        self.caption = _label(12, glass().text2)
        self.caption.setText(words)
        self.figure.setText("0")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.figure)
        column.addWidget(self.caption)

    def show_figure(self, figure: str) -> None:
        self.figure.setText(figure)
        widest = QFontMetricsF(self.figure.font()).horizontalAdvance("0" * max(len(figure), 2))
        self.figure.setMinimumWidth(max(self.figure.minimumWidth(), round(widest)))


class _LegendEntry(QWidget):
    def __init__(self, index: int, name: str, seconds: float) -> None:
        super().__init__()
        self._colour = QColor(STAGES[index % len(STAGES)])
        label = _label(12, glass().text)
        label.setText(name)
        figure = _label(12, glass().text)
        figure.setText(self.tr("{milliseconds} ms").format(milliseconds=round(seconds * 1000)))
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 0, 0, 0)
        row.addWidget(label)
        row.addStretch(1)
        row.addWidget(figure)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour)
        painter.drawRoundedRect(QRectF(0, self.height() / 2 - 5, 10, 10), 2.5, 2.5)


class _TurnPlot(pyqtgraph.PlotWidget):
    """Response of the last turns, with the goal dashed."""

    def __init__(self, parent: QWidget) -> None:
        self._box = pyqtgraph.ViewBox()
        self._plot = pyqtgraph.PlotItem(viewBox=self._box)
        super().__init__(parent, background=None, plotItem=self._plot)  # pyright: ignore[reportArgumentType] - None is "no background"
        self.setFixedHeight(110)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseEnabled(False, False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.viewport().setAutoFillBackground(False)
        item = self._plot
        small = font(12, tabular=True)
        for name in ("left", "bottom"):
            axis = item.getAxis(name)
            axis.setPen(with_alpha(glass().line, 0.25))
            axis.setTextPen(QColor(glass().text2))
            axis.setStyle(tickFont=small, tickLength=0)
        item.getAxis("bottom").setTicks([[(1, "1"), (_TURNS // 2, str(_TURNS // 2)), (_TURNS, str(_TURNS))]])
        self._box.setXRange(0.3, _TURNS + 0.7, padding=0)
        goal = QPen(QColor(STAGES[2]), 1, Qt.PenStyle.DashLine)
        goal.setCosmetic(True)
        item.addItem(pyqtgraph.InfiniteLine(SPOKEN_GOAL_S, angle=0, pen=goal))
        blue = QColor(glass().speaking)
        self._curve = item.plot([], [], pen=pyqtgraph.mkPen(blue, width=1.6), symbol="o", symbolSize=5)
        self._curve.setSymbolBrush(blue)
        self._curve.setSymbolPen(None)
        self._scale_to(2.0)

    def show_turns(self, turns: list[TurnMeasured]) -> None:
        seconds = [turn.response_s for turn in turns]
        self._curve.setData(list(range(1, len(seconds) + 1)), seconds)
        self._scale_to(max(2.0, float(int(max(seconds, default=0.0)) + 1)))
        self.setAccessibleName(
            self.tr("Response of the last turns, newest {seconds} s").format(seconds=f"{seconds[-1]:.2f}")
        )

    def _scale_to(self, most: float) -> None:
        item = self._plot
        self._box.setYRange(0, most * 1.08, padding=0)
        step = max(1, round(most / 2))
        ticks = [
            (value, self.tr("{seconds} s").format(seconds=value) if value else "0")
            for value in range(0, int(most) + 1, step)
        ]
        item.getAxis("left").setTicks([ticks])
        for old in [line for line in item.items if line.__class__ is _Grid]:
            item.removeItem(old)
        for value, _ in ticks:
            item.addItem(_Grid(value, angle=0, pen=pyqtgraph.mkPen(with_alpha(glass().line, 0.16), width=1)))


class _Grid(pyqtgraph.InfiniteLine):
    """A level line of the plot."""


def _titled(words: str) -> QLabel:
    made = _label(14, glass().text, 500)
    made.setText(words)
    return made


def _between(left: QWidget, right: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(left)
    row.addStretch(1)
    row.addWidget(right)
    return row


def _label(size: int, colour: str, weight: int = 400) -> QLabel:
    """Text on glass whose figures are all as wide as each other."""
    made = QLabel()
    made.setStyleSheet(f"color: {colour}; font-size: {px(size)}px; font-weight: {weight};")
    made.setFont(font(size, weight, tabular=True))
    return made
