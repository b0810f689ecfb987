from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QPushButton

from app import theme as palette
from app.icons import icon
from app.theme import DARK, GLASS, LIGHT, STAGES, Glass, Theme, Tokens, glass, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

APP = Path(palette.__file__).parent
BOTH = [pytest.param(DARK, id="dark"), pytest.param(LIGHT, id="light")]
TEXTS = ("text", "text2", "text3", "accent", "listening", "thinking", "speaking", "offline", "danger")
PLAIN_FILLS = ("surface", "raised", "hover")


@pytest.fixture(autouse=True)
def dark_again(theme: Theme) -> Iterator[None]:
    yield
    theme.overrule("dark", contrast=False)


def luminance(colour: QColor) -> float:
    parts = [colour.redF(), colour.greenF(), colour.blueF()]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str | QColor, other: str | QColor) -> float:
    light, dark = sorted((luminance(QColor(one)), luminance(QColor(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def over_white(fill: str, alpha: float) -> QColor:
    """Glass over the brightest picture there can be."""
    colour = QColor(fill)
    return QColor.fromRgbF(*(part * alpha + 1 - alpha for part in (colour.redF(), colour.greenF(), colour.blueF())))


@pytest.mark.parametrize("look", BOTH)
@pytest.mark.parametrize("fill", PLAIN_FILLS)
@pytest.mark.parametrize("name", TEXTS)
def test_every_text_can_be_read_on_every_plain_fill(look: Tokens, name: str, fill: str) -> None:
    assert contrast(getattr(look, name), getattr(look, fill)) >= 4.5


@pytest.mark.parametrize("look", BOTH)
def test_text_can_be_read_on_the_soft_fills_and_on_the_accent(look: Tokens) -> None:
    for name in ("text", "text2", "text3"):
        for fill in (look.accent_soft, look.danger_soft, look.thinking_soft):
            assert contrast(getattr(look, name), fill) >= 4.5, (name, fill)
    assert contrast(look.danger, look.danger_soft) >= 4.5
    assert contrast(look.on_accent, look.accent) >= 4.5


@pytest.mark.parametrize("look", BOTH)
@pytest.mark.parametrize("fill", ["surface", "raised"])
def test_edges_and_the_focus_stand_out(look: Tokens, fill: str) -> None:
    assert contrast(look.edge, getattr(look, fill)) >= 3
    assert contrast(look.focus, getattr(look, fill)) >= 3


def test_glass_can_be_read_over_a_white_picture() -> None:
    fill = over_white(GLASS.fill, GLASS.fill_alpha)
    assert contrast(GLASS.text, fill) >= 9.95
    assert contrast(GLASS.text2, fill) >= 6.8
    for name in ("listening", "thinking", "speaking", "offline", "danger"):
        assert contrast(getattr(GLASS, name), fill) >= 5, name


def test_captions_can_be_read_over_a_white_picture() -> None:
    fill = over_white(GLASS.fill, GLASS.caption_alpha)
    assert contrast(GLASS.caption, fill) >= 7
    assert contrast(GLASS.caption_yours, fill) >= 4.5


def test_neighbouring_stages_of_a_turn_can_be_told_apart_on_glass() -> None:
    fill = over_white(GLASS.fill, GLASS.fill_alpha)
    assert len(set(STAGES)) == 6
    assert all(contrast(stage, fill) >= 3 for stage in STAGES)


def test_only_the_theme_names_colours() -> None:
    named = re.compile(r"#[0-9A-Fa-f]{6}\b|rgba?\(\s*\d")
    guilty = [
        path.name for path in APP.rglob("*.py") if path.name != "theme.py" and named.search(path.read_text("utf-8"))
    ]
    assert guilty == []


def test_the_theme_changes_while_the_window_is_open(qtbot: QtBot, theme: Theme) -> None:
    button = QPushButton("Retry")
    qtbot.addWidget(button)
    button.show()
    assert button.palette().buttonText().color() == QColor(DARK.text)
    with qtbot.waitSignal(theme.changed):
        theme.overrule("light")
    assert tokens() == LIGHT
    assert button.palette().buttonText().color() == QColor(LIGHT.text)


def test_icons_follow_the_theme_without_being_set_again(theme: Theme) -> None:
    close = icon("close", "text")

    def brightest() -> int:
        image = close.pixmap(24, 24).toImage()
        return max(image.pixelColor(x, 12).lightness() for x in range(24) if image.pixelColor(x, 12).alpha() > 200)

    assert brightest() > 200
    theme.overrule("light")
    assert brightest() < 80


def test_high_contrast_makes_glass_opaque_and_lines_visible(theme: Theme) -> None:
    theme.overrule("dark", contrast=True)
    assert glass().fill_alpha == glass().caption_alpha == 1.0
    assert tokens().line == tokens().edge
    assert tokens().border_px == 2


def test_both_themes_have_every_token() -> None:
    for one in fields(Tokens):
        assert getattr(DARK, one.name) is not None
        assert getattr(LIGHT, one.name) is not None
    assert {one.name for one in fields(Glass)} >= {"text", "text2", "caption", "danger"}


def test_every_icon_is_on_the_grid_with_the_same_stroke() -> None:
    files = sorted((palette.ASSETS / "icons").glob("*.svg"))
    assert len(files) > 30
    for file in files:
        svg = file.read_text("utf-8")
        assert 'viewBox="0 0 24 24"' in svg, file.name
        assert 'stroke-width="1.75"' in svg, file.name
        assert 'stroke-linecap="round"' in svg, file.name
