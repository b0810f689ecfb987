"""The product's own line icons, drawn from SVG at the screen's scale in a colour of the theme."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.theme import ASSETS, glass, tokens

if TYPE_CHECKING:
    from PySide6.QtGui import QColor


def icon(name: str, colour: str = "text2", on_glass: bool = False) -> QIcon:
    """The icon `assets/icons/<name>.svg`.

    Args:
        colour: a field of `Tokens` (of `Glass` when `on_glass`), looked up whenever the icon is painted, so that it
            follows the theme; disabled icons take the weakest text colour.
    """
    return QIcon(_LineIcon(name, colour, on_glass))


def paint_icon(painter: QPainter, name: str, into: QRectF, colour: str | QColor) -> None:
    """Draw an icon in a colour ("#RRGGBB") with a painter of one's own."""
    text = colour if isinstance(colour, str) else colour.name()
    _renderer(name, text).render(painter, into)


class _LineIcon(QIconEngine):
    def __init__(self, name: str, colour: str, on_glass: bool) -> None:
        super().__init__()
        self._name = name
        self._colour = colour
        self._on_glass = on_glass

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        source = glass() if self._on_glass else tokens()
        colour = getattr(source, self._colour)
        if mode == QIcon.Mode.Disabled:
            painter.setOpacity(0.62 if self._on_glass else 1.0)
            colour = source.text2 if self._on_glass else tokens().text3
        side = min(rect.width(), rect.height())
        into = QRectF(0, 0, side, side)
        into.moveCenter(QRectF(rect).center())
        paint_icon(painter, self._name, into, colour)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return made

    def clone(self) -> QIconEngine:
        return _LineIcon(self._name, self._colour, self._on_glass)


@lru_cache(maxsize=256)
def _renderer(name: str, colour: str) -> QSvgRenderer:
    svg = (ASSETS / "icons" / f"{name}.svg").read_text("utf-8").replace("currentColor", colour)
    return QSvgRenderer(QByteArray(svg.encode()))
