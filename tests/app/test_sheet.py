"""The frame of every sheet."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout

from app.help_sheet import HelpSheet
from app.sheet import Scrim, Sheet
from tests.app.sheet_rig import settle, use_theme, window_with_opener


@pytest.fixture
def window(qtbot, qapp):
    use_theme(qapp)
    made, _ = window_with_opener()
    qtbot.addWidget(made)
    yield made
    settle()


def _sheet(window, width=600, height=400):
    sheet = Sheet(window, "A sheet", QSize(width, height), reduce_motion=True)
    inside = QVBoxLayout(sheet.frame)
    for widget in (QLineEdit(), QPushButton("One"), QPushButton("Two")):
        inside.addWidget(widget)
    return sheet


def test_escape_closes_and_the_focus_returns_to_what_opened(qtbot, window):
    opener = window.findChild(QPushButton)
    sheet = _sheet(window)
    sheet.open()
    with qtbot.waitSignal(sheet.finished):
        qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    qtbot.waitUntil(opener.hasFocus)


def test_tab_stays_inside(qtbot, window):
    sheet = _sheet(window)
    sheet.open()
    sheet.activateWindow()
    qtbot.waitUntil(sheet.isActiveWindow)
    reached = set()
    for _ in range(8):
        qtbot.keyClick(QApplication.focusWidget() or sheet, Qt.Key.Key_Tab)
        reached.add(QApplication.focusWidget())
    assert len(reached) == 3
    assert all(sheet.isAncestorOf(widget) for widget in reached)
    sheet.reject()


def test_the_window_is_dark_only_while_a_sheet_is_open(qtbot, window):
    sheet = _sheet(window)
    sheet.open()
    scrim = window.findChild(Scrim)
    assert scrim.isVisible()
    assert scrim.geometry() == window.rect()
    sheet.reject()
    qtbot.waitUntil(lambda: window.findChild(Scrim) is None)


def test_a_sheet_leaves_twelve_pixels_in_a_small_window_and_follows_its_size(qtbot, window):
    sheet = _sheet(window, 880, 660)
    sheet.open()
    assert sheet.size() == QSize(880, 660)
    window.resize(720, 480)
    QApplication.processEvents()
    assert sheet.size() == QSize(696, 456)
    sheet.reject()


def test_at_200_percent_text_a_sheet_is_as_large_as_the_window_allows(qtbot, window, qapp):
    use_theme(qapp, scale=2.0)
    sheet = _sheet(window, 880, 660)
    sheet.open()
    assert sheet.size() == QSize(1256, 776)
    sheet.reject()


def test_the_list_of_keys_has_every_key_of_the_style_guide(window):
    sheet = HelpSheet(window, reduce_motion=True)
    listed = " ".join(keys for keys, _ in sheet.rows())
    wanted = "Space M Esc Ctrl+M Ctrl+R Ctrl+O Ctrl+Shift+O Ctrl+L Return Shift+Return F2 F3 F11 Ctrl+K Ctrl+H Ctrl+N"
    missing = [
        key
        for key in (*wanted.split(), "Ctrl+Shift+N", "Ctrl+,", "Ctrl+Up", "Ctrl+Down", "F1", "Tab")
        if key not in listed
    ]
    assert missing == []
    assert all(keys and does for keys, does in sheet.rows())
