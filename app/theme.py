"""The colours of the product and the one style sheet made of them.

How a widget asks for its look (dynamic properties, read by the style sheet; set them before the widget is shown, or
call `restyle` after changing one):

=============== ======================= ==============================================================================
widget          property                values
=============== ======================= ==============================================================================
QLabel          role                    display, title, heading, body (14, the default), supporting (14, text2),
                                        small (12, text3), label (12 semi-bold, text2: field labels),
                                        transcript (15), yours (15, text2), glass_heading and glass_supporting
                                        (only on the picture)
QLabel          tone                    ok, danger, warning, accent, muted (over any role)
QPushButton     kind                    (none: bordered), primary, quiet (no border), danger
QPushButton     tight                   true: as low as its words and a fingertip allow
QToolButton     kind                    tool (36, on surfaces), send (40 x 40, filled)
QPushButton     kind                    glass_primary, glass, glass_quiet (only on the picture)
QToolButton     kind                    glass (44 round, only on the picture; `current` true: lit)
QFrame/QWidget  role                    sheet, panel, navigation, card, hairline
card            selected, tone          selected true: 2 px accent; tone accent (offer), danger (refused)
card            dashed                  true: the "Open image…" card
QListView       role                    navigation (rows of a sheet), list (plain rows)
QLineEdit, QPlainTextEdit, QTextEdit, QComboBox, QCheckBox, QRadioButton, QSlider, QProgressBar, QMenu,
QToolTip, QScrollBar, QScrollArea       styled as they are; `bare` true on a text edit removes its
                                        frame, `glass` true puts it on glass
=============== ======================= ==============================================================================

Widgets that paint themselves ask `tokens()` and `glass()` inside `paintEvent`: both are right at any moment, and a
change of theme repaints everything. Icons from `app.icons` follow by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTemporaryDir, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette, Qt
from PySide6.QtWidgets import QApplication, QStyleFactory

from app.style_sheet import style_sheet

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

ASSETS = Path(__file__).resolve().parent.parent / "assets"
BASE_SIZE = 14
"""Pixels of body text at 100 %."""
_USUAL_POINTS = {"windows": 9.0, "cocoa": 13.0}
_USUAL_POINTS_ELSEWHERE = 11.0


@dataclass(frozen=True)
class Tokens:
    """Colours of panels, sheets and everything else that follows the theme."""

    canvas: str
    surface: str
    raised: str
    hover: str
    line: str
    edge: str
    text: str
    text2: str
    text3: str
    accent: str
    on_accent: str
    accent_soft: str
    focus: str
    listening: str
    thinking: str
    thinking_soft: str
    speaking: str
    offline: str
    danger: str
    danger_soft: str
    dark: bool
    contrast: bool = False

    @property
    def ok(self) -> str:
        return self.listening

    @property
    def border_px(self) -> int:
        return 2 if self.contrast else 1


@dataclass(frozen=True)
class Glass:
    """Colours of what lies on the picture, the same in both themes. `fill_alpha` and `caption_alpha` are 0..1."""

    fill: str = "#0C0E11"
    fill_alpha: float = 0.80
    caption_alpha: float = 0.72
    line: str = "#FFFFFF"
    line_alpha: float = 0.16
    text: str = "#F6F7F9"
    text2: str = "#C9CFD8"
    listening: str = "#62D9A6"
    thinking: str = "#F3C56B"
    speaking: str = "#8DB8FF"
    offline: str = "#C2C8D1"
    danger: str = "#FFA69E"
    caption: str = "#FFFFFF"
    caption_yours: str = "#E2E6EC"
    hover_alpha: float = 0.12
    """Of white, under a hovered or current button."""
    disc: str = "#F6F7F9"
    on_disc: str = "#0C0E11"

    def fill_colour(self) -> QColor:
        return with_alpha(self.fill, self.fill_alpha)

    def caption_fill(self) -> QColor:
        return with_alpha(self.fill, self.caption_alpha)

    def line_colour(self) -> QColor:
        return with_alpha(self.line, self.line_alpha)

    def hover_colour(self) -> QColor:
        return with_alpha(self.line, self.hover_alpha)


DARK = Tokens(
    canvas="#0C0E11",
    surface="#14171C",
    raised="#1C2027",
    hover="#252A33",
    line="#2B313B",
    edge="#737C8A",
    text="#F1F3F6",
    text2="#B7BEC9",
    text3="#939BA8",
    accent="#8DB8FF",
    on_accent="#0B1A30",
    accent_soft="#1B2A42",
    focus="#C4DAFF",
    listening="#62D9A6",
    thinking="#F3C56B",
    thinking_soft="#30281A",
    speaking="#8DB8FF",
    offline="#A7AFBB",
    danger="#FF9389",
    danger_soft="#331D1D",
    dark=True,
)
LIGHT = Tokens(
    canvas="#ECE9E3",
    surface="#FBFAF8",
    raised="#F2EFEA",
    hover="#E8E4DC",
    line="#DBD6CC",
    edge="#837D71",
    text="#181A1E",
    text2="#4A4F58",
    text3="#5E636B",
    accent="#1F5CC4",
    on_accent="#FFFFFF",
    accent_soft="#E1EAFA",
    focus="#0B3F99",
    listening="#086B41",
    thinking="#8A5A00",
    thinking_soft="#FBF1DC",
    speaking="#1F5CC4",
    offline="#5C626C",
    danger="#B3261E",
    danger_soft="#FBE9E7",
    dark=False,
)
GLASS = Glass()
STAGES = ("#9AA3B0", "#62D9A6", "#F3C56B", "#F59E7A", "#8DB8FF", "#C9A8FF")
"""The overlay's stages of a turn, in the order of time."""
SCRIM_ALPHA = 0.62
"""Of black, over the window under a sheet."""
SURROUND_DARKEST = 0.42
"""Brightness of the surround at the stage's outer edge, of the picture's own edge colour."""


def tokens() -> Tokens:
    """The colours of the theme in force (dark when there is no application)."""
    state = _state()
    chosen = LIGHT if "light" in state else DARK
    return replace(chosen, line=chosen.edge, contrast=True) if "contrast" in state else chosen


def glass() -> Glass:
    """The colours on the picture; opaque in high contrast."""
    if "contrast" in _state():
        return replace(GLASS, fill_alpha=1.0, caption_alpha=1.0, line_alpha=0.6)
    return GLASS


def text_scale() -> float:
    """The size of text against 100 %: layouts multiply fixed heights and widths that hold text by it."""
    app = QApplication.instance()
    return float(app.property("textScale") or 1.0) if app else 1.0


def px(size: float) -> int:
    """`size` pixels at 100 % in the size of text in force."""
    return round(size * text_scale())


def font(size: float, weight: int = 400, tabular: bool = False) -> QFont:
    """The product's typeface, `size` in pixels at 100 %; `tabular` for figures that must not change width."""
    made = QFont(QApplication.font())
    made.setPixelSize(px(size))
    made.setWeight(QFont.Weight(weight))
    if tabular:
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def with_alpha(colour: str, alpha: float) -> QColor:
    made = QColor(colour)
    made.setAlphaF(alpha)
    return made


def restyle(widget: QWidget) -> None:
    """Apply the style sheet again after a dynamic property changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


class Theme(QObject):
    """Keeps the application's style sheet, palette and typeface in step with the system. GUI thread.

    Args:
        scheme: "dark" or "light" overrules the system's choice.
        contrast: overrules the system's wish for high contrast.
        scale: overrules the system's size of text.
    """

    changed = Signal()

    def __init__(
        self, app: QApplication, scheme: str | None = None, contrast: bool | None = None, scale: float | None = None
    ) -> None:
        super().__init__(app)
        self._app = app
        self._scheme = scheme
        self._contrast = contrast
        self._scale = scale if scale is not None else _system_scale(app)
        self._images = QTemporaryDir()
        self._system_font = QFont(app.font())
        self._hints = app.styleHints()  # kept: PySide invalidates what it gave out with its last reference
        self._hints.colorSchemeChanged.connect(self.apply)
        self._hints.accessibility().contrastPreferenceChanged.connect(self.apply)
        app.setStyle(QStyleFactory.create("Fusion"))
        self.apply()

    def overrule(self, scheme: str | None = None, contrast: bool | None = None) -> None:
        """Set a theme by hand; None follows the system."""
        self._scheme, self._contrast = scheme, contrast
        self.apply()

    def apply(self) -> None:
        self._app.setProperty("theme", " ".join((self._wanted_scheme(), *self._wanted_contrast())))
        self._app.setProperty("textScale", self._scale)
        self._app.setFont(self._typeface())
        self._app.setPalette(_palette(tokens()))
        self._app.setStyleSheet(style_sheet(tokens(), glass(), self._scale, self._tinted_images()))
        self.changed.emit()

    def _wanted_scheme(self) -> str:
        if self._scheme:
            return self._scheme
        return "light" if self._hints.colorScheme() == Qt.ColorScheme.Light else "dark"

    def _wanted_contrast(self) -> tuple[str, ...]:
        asked = self._hints.accessibility().contrastPreference() == Qt.ContrastPreference.HighContrast
        return ("contrast",) if (asked if self._contrast is None else self._contrast) else ()

    def _typeface(self) -> QFont:
        made = QFont(self._system_font)
        if "Inter" in QFontDatabase.families():
            made.setFamily("Inter")
        made.setPixelSize(round(BASE_SIZE * self._scale))
        return made

    def _tinted_images(self) -> dict[str, str]:
        """Files of the few pictures a style sheet can only take from files, in the colours of the theme."""
        chosen = tokens()
        wanted = {"chevron": ("chevron-down", chosen.text2), "tick": ("tick", chosen.on_accent)}
        files: dict[str, str] = {}
        for name, (icon, colour) in wanted.items():
            svg = (ASSETS / "icons" / f"{icon}.svg").read_text("utf-8").replace("currentColor", colour)
            path = Path(self._images.filePath(f"{name}-{colour[1:]}.svg"))
            path.write_text(svg, "utf-8")
            files[name] = path.as_posix()
        return files


def _state() -> str:
    app = QApplication.instance()
    return str(app.property("theme") or "") if app else ""


def _system_scale(app: QApplication) -> float:
    """How much larger than usual the person has set the system's text; never below 100 %."""
    usual = _USUAL_POINTS.get(app.platformName(), _USUAL_POINTS_ELSEWHERE)
    screen = app.primaryScreen()
    dots = screen.logicalDotsPerInch() / (72.0 if app.platformName() == "cocoa" else 96.0) if screen else 1.0
    return min(2.0, max(1.0, app.font().pointSizeF() / usual * dots))


def _palette(chosen: Tokens) -> QPalette:
    made = QPalette()
    role = QPalette.ColorRole
    pairs = {
        role.Window: chosen.canvas,
        role.WindowText: chosen.text,
        role.Base: chosen.raised,
        role.AlternateBase: chosen.surface,
        role.Text: chosen.text,
        role.Button: chosen.raised,
        role.ButtonText: chosen.text,
        role.BrightText: chosen.danger,
        role.PlaceholderText: chosen.text3,
        role.Highlight: chosen.accent,
        role.HighlightedText: chosen.on_accent,
        role.ToolTipBase: chosen.raised,
        role.ToolTipText: chosen.text,
        role.Link: chosen.accent,
        role.LinkVisited: chosen.accent,
    }
    for name, colour in pairs.items():
        made.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, name, QColor(chosen.text3))
    return made
