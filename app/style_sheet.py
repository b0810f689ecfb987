"""The application's one style sheet, as text. Roles and kinds are listed in `app.theme`."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.theme import Glass, Tokens


def style_sheet(tokens: Tokens, glass: Glass, scale: float, images: dict[str, str]) -> str:
    """The style sheet for these colours. Sizes of text and of what holds text are multiplied by `scale`."""
    values: dict[str, object] = {
        name: getattr(tokens, name) for name in tokens.__dataclass_fields__ if name not in {"dark", "contrast"}
    }
    values |= {f"px{size}": f"{round(size * scale)}px" for size in (12, 14, 15, 18, 20, 24, 36, 38, 40)}
    values |= {
        "ok": tokens.ok,
        "border": f"{tokens.border_px}px",
        "glass_text": glass.text,
        "glass_text2": glass.text2,
        "glass_line": _rgba(glass.line, max(glass.line_alpha, 0.42)),
        "glass_hover": _rgba(glass.line, glass.hover_alpha),
        "glass_disc": glass.disc,
        "glass_on_disc": glass.on_disc,
        "edit_padding": f"{round(12 * scale) - 5}px",
        "tight": f"{max(34, round(14 * scale + 16))}px",
        "chevron": images["chevron"],
        "tick": images["tick"],
    }
    return Template(_LABELS + _BUTTONS + _SURFACES + _FIELDS + _LISTS).substitute(values)


def _rgba(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha:.2f})"


_LABELS = """
QLabel { background: transparent; color: $text; font-size: $px14; }
QLabel[role="display"] { font-size: $px24; font-weight: 600; }
QLabel[role="title"] { font-size: $px18; font-weight: 600; }
QLabel[role="heading"] { font-size: $px15; font-weight: 600; }
QLabel[role="supporting"] { color: $text2; }
QLabel[role="small"] { font-size: $px12; color: $text3; }
QLabel[role="label"] { font-size: $px12; font-weight: 600; color: $text2; }
QLabel[role="transcript"] { font-size: $px15; }
QLabel[role="yours"] { font-size: $px15; color: $text2; }
QLabel[tone="ok"] { color: $ok; }
QLabel[tone="danger"] { color: $danger; }
QLabel[tone="warning"] { color: $thinking; }
QLabel[tone="accent"] { color: $accent; }
QLabel[tone="muted"] { color: $text3; }
QLabel[role="glass_heading"] { font-size: $px15; font-weight: 600; color: $glass_text; }
QLabel[role="glass_supporting"] { color: $glass_text2; }
QLabel:disabled { color: $text3; }
"""

_BUTTONS = """
QPushButton {
    background: $raised; color: $text; border: $border solid $edge; border-radius: 10px;
    min-height: $px38; padding: 0 16px; font-size: $px14; font-weight: 500;
}
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $line; }
QPushButton:focus { border: 2px solid $focus; padding: 0 15px; }
QPushButton:disabled { color: $text3; border-color: $line; background: transparent; }
QPushButton[kind="primary"] { background: $accent; color: $on_accent; border: 1px solid $accent; font-weight: 600; }
QPushButton[kind="primary"]:focus { border: 2px solid $focus; }
QPushButton[kind="primary"]:disabled { background: $hover; color: $text3; border-color: $hover; }
QPushButton[kind="quiet"] { background: transparent; border: 1px solid transparent; color: $text2; }
QPushButton[kind="quiet"]:hover { background: $hover; color: $text; }
QPushButton[kind="quiet"]:focus { border: 2px solid $focus; }
QPushButton[kind="danger"] { color: $danger; border-color: $danger; }
QPushButton[kind="glass"] { background: transparent; color: $glass_text; border: 1px solid $glass_line; }
QPushButton[kind="glass_primary"] {
    background: $glass_disc; color: $glass_on_disc; border: 1px solid $glass_disc; font-weight: 600;
}
QPushButton[kind="glass_quiet"] { background: transparent; color: $glass_text2; border: 1px solid transparent; }
QPushButton[tight="true"] { min-height: $tight; max-height: $tight; }
QPushButton[kind="glass"]:hover, QPushButton[kind="glass_quiet"]:hover { background: $glass_hover; }
QPushButton[kind="glass_primary"]:hover { background: $glass_text2; }
QPushButton[kind="glass"]:focus, QPushButton[kind="glass_quiet"]:focus { border: 2px solid $glass_disc; }
QPushButton[kind="glass_primary"]:focus { border: 2px solid $speaking; }
QToolButton { background: transparent; border: none; color: $text2; font-size: $px14; }
QToolButton[kind="tool"] {
    border: 2px solid transparent; border-radius: 10px; min-width: 32px; min-height: 32px; max-width: 32px;
    max-height: 32px;
}
QToolButton[kind="tool"]:hover { background: $hover; }
QToolButton[kind="tool"]:focus { border: 2px solid $focus; }
QToolButton[kind="send"] {
    background: $hover; border: 2px solid $hover; border-radius: 10px; min-width: 34px; min-height: 34px;
    max-width: 34px; max-height: 34px;
}
QToolButton[kind="send"]:enabled { background: $accent; border-color: $accent; }
QToolButton[kind="send"]:focus { border: 2px solid $focus; }
"""

_SURFACES = """
QMainWindow, QDialog { background: $canvas; }
QWidget[role="panel"] { background: $surface; }
QWidget[role="sheet"] { background: $surface; border: $border solid $line; border-radius: 16px; }
QWidget[role="navigation"] {
    background: $raised; border-top-left-radius: 15px; border-bottom-left-radius: 15px;
}
QWidget[role="hairline"] { background: $line; min-height: 1px; max-height: 1px; }
QFrame[role="card"] { background: $raised; border: $border solid $line; border-radius: 12px; }
QFrame[role="card"]:hover { background: $hover; }
QFrame[role="card"]:focus { border: 2px solid $focus; }
QFrame[role="card"][dashed="true"] { background: transparent; border: $border dashed $edge; }
QFrame[role="card"][tone="accent"] { background: $accent_soft; border: $border solid $accent; }
QFrame[role="card"][tone="danger"] { background: $danger_soft; border: $border solid $danger; }
QFrame[role="card"][tone="warning"] { background: $thinking_soft; border: $border solid $thinking; }
QFrame[role="card"][selected="true"] { background: $accent_soft; border: 2px solid $accent; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QGraphicsView { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; }
QScrollBar::handle { background: $edge; border-radius: 3px; min-height: 28px; min-width: 28px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QToolTip {
    background: $raised; color: $text; border: 1px solid $edge; padding: 5px 8px; font-size: $px12;
}
QMenu { background: $surface; color: $text; border: $border solid $line; border-radius: 10px; padding: 6px; }
QMenu::item { padding: 7px 28px 7px 14px; border-radius: 6px; font-size: $px14; }
QMenu::item:selected { background: $hover; }
QMenu::item:disabled { color: $text3; }
QMenu::separator { background: $line; height: 1px; margin: 5px 8px; }
"""

_FIELDS = """
QLineEdit, QPlainTextEdit, QTextEdit, QComboBox, QSpinBox {
    background: $raised; color: $text; border: $border solid $edge; border-radius: 10px; font-size: $px14;
    selection-background-color: $accent; selection-color: $on_accent; placeholder-text-color: $text3;
}
QLineEdit, QComboBox, QSpinBox { min-height: $px38; padding: 0 12px; }
QPlainTextEdit, QTextEdit { padding: $edit_padding 11px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QComboBox:focus, QSpinBox:focus { border: 2px solid $focus; }
QLineEdit:focus, QComboBox:focus, QSpinBox:focus { padding: 0 11px; }
QLineEdit:disabled, QPlainTextEdit:disabled, QComboBox:disabled { color: $text3; border-color: $line; }
QPlainTextEdit[bare="true"], QTextEdit[bare="true"] { background: transparent; border: none; padding: 0; }
QPlainTextEdit[glass="true"] { background: transparent; color: $glass_text2; border: 1px solid $glass_line; }
QComboBox::drop-down { border: none; width: 34px; }
QComboBox::down-arrow { image: url("$chevron"); width: 18px; height: 18px; }
QComboBox QAbstractItemView {
    background: $surface; color: $text; border: $border solid $edge; padding: 4px; outline: none;
    selection-background-color: $hover; selection-color: $text;
}
QCheckBox, QRadioButton { color: $text; font-size: $px14; spacing: 10px; min-height: $px36; background: transparent; }
QCheckBox::indicator, QRadioButton::indicator {
    width: 18px; height: 18px; border: $border solid $edge; background: $raised;
}
QCheckBox::indicator { border-radius: 5px; }
QRadioButton::indicator { border-radius: 10px; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover { background: $hover; }
QCheckBox::indicator:checked { background: $accent; border-color: $accent; image: url("$tick"); }
QRadioButton::indicator:checked { background: $accent_soft; border: 6px solid $accent; width: 8px; height: 8px; }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border: 2px solid $focus; }
QCheckBox:disabled, QRadioButton:disabled { color: $text3; }
QSlider { min-height: $px36; background: transparent; }
QSlider::groove:horizontal { height: 4px; border-radius: 2px; background: $line; }
QSlider::sub-page:horizontal { height: 4px; border-radius: 2px; background: $accent; }
QSlider::handle:horizontal {
    width: 16px; height: 16px; margin: -8px 0; border-radius: 10px; background: $accent; border: 2px solid $surface;
}
QSlider::handle:horizontal:focus { border: 2px solid $focus; }
QSlider::sub-page:horizontal:disabled { background: $line; }
QSlider::handle:horizontal:disabled { background: $edge; }
QProgressBar {
    background: $line; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; color: transparent;
}
QProgressBar::chunk { background: $accent; border-radius: 3px; }
"""

_LISTS = """
QListView { background: transparent; color: $text; border: none; outline: none; font-size: $px14; }
QListView::item { border: 2px solid transparent; border-radius: 10px; padding: 8px 10px; }
QListView::item:hover { background: $hover; }
QListView::item:selected { background: $hover; color: $text; }
QListView::item:selected:focus { border: 2px solid $focus; }
QListView[role="navigation"]::item { color: $text2; min-height: 20px; }
QListView[role="navigation"]::item:selected { color: $text; }
"""
