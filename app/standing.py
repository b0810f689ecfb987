"""Standing: how the window stands on its screen, as a window, over all of it, or small in a corner; remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRect, QSize, Qt

from app.compact import USUAL, CompactFrame
from app.stage import Mode

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMainWindow

    from app.body import Body
    from app.window_state import WindowState

SMALLEST = (720, 480)
_SMALLEST_COMPACT = (200, 200)
_USUAL_SIZE = (1280, 800)
_TITLE_BAR = 40
"""px that a window manager may need above the window."""


class Standing(QObject):
    """Changes the window's flags and geometry, and keeps them in `state`. GUI thread."""

    def __init__(self, window: QMainWindow, body: Body, state: WindowState, on_top: bool) -> None:
        super().__init__(window)
        self._window = window
        self._body = body
        self._state = state
        self._on_top = on_top
        self._before_compact = QRect()
        self._frame = CompactFrame(window, body.stage)
        window.setMinimumSize(*SMALLEST)
        room = window.screen().availableGeometry().size() - QSize(0, _TITLE_BAR)
        window.resize(QSize(*_USUAL_SIZE).boundedTo(room))
        geometry = state.geometry(self.screen)
        if geometry is not None:
            window.restoreGeometry(geometry)
        window.setWindowFlag(Qt.WindowType.WindowStaysOnTopHint, on_top)

    @property
    def screen(self) -> str:
        """Name of the screen the window is on."""
        return screen_name(self._window)

    @property
    def mode(self) -> Mode:
        return self._body.stage.mode

    def stay_on_top(self, on_top: bool) -> None:
        """Whether the usual window stays over others; the compact one always does."""
        if on_top != self._on_top:
            self._on_top = on_top
            if self.mode is Mode.WINDOW:
                self._set_flags()

    def toggle_full_screen(self) -> None:
        if self.mode is Mode.COMPACT:
            self.toggle_compact()
        going = self.mode is not Mode.FULL_SCREEN
        self._body.set_mode(Mode.FULL_SCREEN if going else Mode.WINDOW, self._window.normalGeometry().width())
        self._window.showFullScreen() if going else self._window.showNormal()
        self._body.arrange()

    def toggle_compact(self) -> None:
        if self.mode is Mode.FULL_SCREEN:
            self.toggle_full_screen()
        going = self.mode is not Mode.COMPACT
        screen = self.screen
        if going:
            self._before_compact = self._window.geometry()
        else:
            self._state.keep_compact(screen, self._window.geometry())
        self._body.set_mode(Mode.COMPACT if going else Mode.WINDOW, self._before_compact.width())
        self._window.setMinimumSize(*(_SMALLEST_COMPACT if going else SMALLEST))
        self._set_flags(compact=going)
        self._window.setGeometry(self._compact_place(screen) if going else self._before_compact)
        self._frame.enable(going)
        self._body.arrange()

    def keep(self) -> None:
        """The window is about to close."""
        if self.mode is Mode.WINDOW:
            self._state.keep_geometry(self.screen, self._window.saveGeometry())
        elif self.mode is Mode.COMPACT:
            self._state.keep_compact(self.screen, self._window.geometry())

    def _compact_place(self, screen: str) -> QRect:
        kept = self._state.compact(screen)
        if kept is not None:
            return kept
        room = self._window.screen().availableGeometry()
        return QRect(room.right() - USUAL - 40, room.top() + 60, USUAL, USUAL)

    def _set_flags(self, compact: bool = False) -> None:
        """Changing a window's flags hides it."""
        window = self._window
        shown = window.isVisible()
        kind = Qt.WindowType
        flags = window.windowFlags() & ~(kind.WindowStaysOnTopHint | kind.FramelessWindowHint)
        flags |= kind.WindowStaysOnTopHint if compact or self._on_top else kind.Widget
        flags |= kind.FramelessWindowHint if compact else kind.Widget
        window.setWindowFlags(flags)
        if shown:
            window.show()
            window.activateWindow()


def screen_name(window: QMainWindow) -> str:
    """The screen that a window is on; empty where there is none."""
    screen = window.screen()
    return screen.name() if screen else ""
