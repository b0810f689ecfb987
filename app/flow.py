"""FlowLayout: buttons in a row, which becomes several rows where it is too narrow for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QWidget, QWidgetItem

if TYPE_CHECKING:
    from PySide6.QtWidgets import QLayoutItem


class FlowLayout(QLayout):
    """Widgets keep the size they ask for, unless one alone is wider than the row. The last one stands at the far end of
    its row when `last_apart`. Rows are mirrored where text runs from right to left."""

    def __init__(self, spacing: int, last_apart: bool = False) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.last_apart = last_apart
        self.setSpacing(spacing)
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def add(self, widget: QWidget) -> None:
        self.addChildWidget(widget)
        self.addItem(QWidgetItem(widget))
        self.invalidate()

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # pyright: ignore[reportIncompatibleMethodOverride] - None ends it
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # pyright: ignore[reportIncompatibleMethodOverride] - as above
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        rows = self._rows(width)
        return sum(height for height, _ in rows) + self.spacing() * max(0, len(rows) - 1)

    def sizeHint(self) -> QSize:
        sizes = [item.sizeHint() for item in self._items]
        wide = sum(size.width() for size in sizes) + self.spacing() * max(0, len(sizes) - 1)
        return QSize(wide, max((size.height() for size in sizes), default=0))

    def minimumSize(self) -> QSize:
        return QSize(0, max((item.minimumSize().height() for item in self._items), default=0))

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        parent = self.parentWidget()
        mirrored = parent is not None and parent.layoutDirection() == Qt.LayoutDirection.RightToLeft
        y = rect.y()
        for height, row in self._rows(rect.width()):
            x = 0
            for item in row:
                size = QSize(min(item.sizeHint().width(), rect.width()), height)
                if self.last_apart and item is self._items[-1] and len(self._items) > 1:
                    x = rect.width() - size.width()
                left = rect.width() - x - size.width() if mirrored else x
                item.setGeometry(QRect(QPoint(rect.x() + left, y), size))
                x += size.width() + self.spacing()
            y += height + self.spacing()

    def _rows(self, width: int) -> list[tuple[int, list[QLayoutItem]]]:
        """What stands in each row, and how high that is."""
        rows: list[tuple[int, list[QLayoutItem]]] = []
        used = 0
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint()
            if rows and used + self.spacing() + size.width() <= width:
                height, row = rows[-1]
                rows[-1] = (max(height, size.height()), [*row, item])
                used += self.spacing() + size.width()
            else:
                rows.append((size.height(), [item]))
                used = size.width()
        return rows
