"""Body: how the picture and the conversation share the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Property, Qt
from PySide6.QtWidgets import QWidget

from app.floating import animate
from app.stage import Mode, Stage
from app.theme import px
from app.transcript import Panel
from app.video_view import make_view

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent

    from app.video_view import VideoView

NARROW = 760
"""Below this width the panel floats over the picture."""
_SLIDE_MS = 180


def panel_width(window: int) -> int:
    """Width of the conversation's panel in a window of this width; larger text gets up to half of it."""
    usual = 400 if window >= 1600 else 352 if window >= 1100 else 300
    return max(usual, min(px(usual), window // 2))


class Body(QWidget):
    """Stage and panel side by side, or the panel floating over the stage where the window is narrow or full screen.

    Args:
        view: draws the picture; chosen for this computer when None.
        raster: draw without OpenGL, whatever there is.
        docked_open: whether the panel stands beside the picture at first.
    """

    def __init__(self, view: VideoView | None, raster: bool, docked_open: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.stage = Stage(view or make_view(self, raster), self)
        self.panel = Panel(self)
        self.docked_open = docked_open
        """Whether the panel is open where it stands beside the picture."""
        self._floating_open = False
        self._panel_part = 1.0 if docked_open else 0.0

    @property
    def floats(self) -> bool:
        return self.stage.mode is Mode.FULL_SCREEN or self.width() < NARROW

    @property
    def panel_open(self) -> bool:
        return self._floating_open if self.floats else self.docked_open

    def draw(self, raster: bool) -> None:
        """Draw the picture without OpenGL, or by what suits this computer."""
        self.stage.replace_view(make_view(self.stage, raster))

    def toggle_panel(self) -> None:
        """Slide the conversation in or out; the picture follows in the same movement."""
        if self.floats:
            self._floating_open = not self._floating_open
        else:
            self.docked_open = not self.docked_open
        if not self.panel_open and self.panel.isAncestorOf(self.window().focusWidget() or self):
            self.stage.bar.conversation.setFocus()
        self.panel.setVisible(True)
        animate(self, b"panel_part", 1.0 if self.panel_open else 0.0, _SLIDE_MS)
        self._show_panel_button()

    def set_mode(self, mode: Mode, width: int) -> None:
        """The window is about to stand so, `width` px wide."""
        docked = mode is Mode.WINDOW and self.docked_open and width >= NARROW
        self._floating_open = False
        self._panel_part = 1.0 if docked else 0.0
        self.stage.set_mode(mode)

    def arrange(self) -> None:
        """Stage and panel take their places."""
        wide = panel_width(self.width())
        shown = round(wide * self._panel_part) if self.stage.mode is not Mode.COMPACT else 0
        rtl = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        beside = 0 if self.floats else shown
        self.stage.panel_beside = beside > 0
        if not shown and self.panel.isAncestorOf(self.window().focusWidget() or self):
            self.stage.bar.microphone.setFocus(Qt.FocusReason.OtherFocusReason)
        self.panel.setVisible(shown > 0)
        self.panel.setGeometry(shown - wide if rtl else self.width() - shown, 0, wide, self.height())
        self.panel.raise_()
        self.stage.setGeometry(beside if rtl else 0, 0, self.width() - beside, self.height())
        self.stage.place()
        self._show_panel_button()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.stage.mode is Mode.WINDOW:
            self._panel_part = 1.0 if self.panel_open else 0.0
        self.arrange()

    def _show_panel_button(self) -> None:
        button = self.stage.bar.conversation
        button.current = self.panel_open
        button.setAccessibleDescription(self.tr("Shown") if self.panel_open else "")
        button.update()

    def _get_panel_part(self) -> float:
        return self._panel_part

    def _set_panel_part(self, part: float) -> None:
        self._panel_part = part
        self.arrange()

    panel_part = Property(float, _get_panel_part, _set_panel_part)
    """How much of the panel is in the window, 0..1."""
