from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.actions import ACTIONS
from app.controls import Microphone
from app.messages import message_for
from app.stage import Mode
from core.errors import Problem
from core.events import Failed, RecordingSaved, RecordingStarted, Status

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot

    from tests.app.conftest import Scene

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
PROBLEM = Failed(Problem.ENDPOINT_SILENT, "The endpoint did not answer.", "Your last question is kept.", turn=1)


def press(scene: Scene, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(scene.window.windowHandle(), key, modifiers)


def wanted_sheets(scene: Scene) -> list[str]:
    names: list[str] = []
    scene.window.sheet_wanted.connect(names.append)
    return names


def test_m_turns_the_microphone_off_and_on(scene: Scene) -> None:
    press(scene, Qt.Key.Key_M)
    assert scene.window.settings.audio.microphone_on is False
    assert scene.stage.bar.microphone.state is Microphone.OFF
    press(scene, Qt.Key.Key_M)
    assert scene.window.settings.audio.microphone_on is True
    assert scene.asked == ["apply", "apply"]


def test_m_is_a_letter_while_typing(scene: Scene) -> None:
    press(scene, Qt.Key.Key_L, CONTROL)
    QTest.keyClicks(scene.window.panel.text_box.edit, "m m")
    assert scene.window.panel.text_box.edit.toPlainText() == "m m"
    assert scene.asked == []


def test_space_speaks_for_as_long_as_it_is_held(scene: Scene) -> None:
    window = scene.window.windowHandle()
    QTest.keyPress(window, Qt.Key.Key_Space)
    again = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, " ", autorep=True)
    QApplication.sendEvent(window, again)
    assert scene.stage.bar.microphone.state is Microphone.HELD
    QTest.keyRelease(window, Qt.Key.Key_Space)
    assert scene.engine.asked == [("hold", True), ("hold", False)]
    assert scene.stage.bar.microphone.state is Microphone.ON


def test_space_is_a_blank_while_typing(scene: Scene) -> None:
    press(scene, Qt.Key.Key_L, CONTROL)
    for key in (Qt.Key.Key_A, Qt.Key.Key_Space, Qt.Key.Key_B):
        press(scene, key)
    assert scene.asked == []
    assert scene.window.panel.text_box.edit.toPlainText() == "a b"


def test_escape_interrupts_while_the_avatar_speaks_and_thinks(scene: Scene) -> None:
    for status in (Status.SPEAKING, Status.THINKING):
        scene.status(status)
        press(scene, Qt.Key.Key_Escape)
    assert scene.asked == ["interrupt", "interrupt"]


def test_escape_closes_the_problem_before_it_leaves_full_screen(scene: Scene) -> None:
    press(scene, Qt.Key.Key_F11)
    scene.reporter.receive(PROBLEM)
    press(scene, Qt.Key.Key_Escape)
    assert not scene.stage.problem.isVisible()
    assert scene.stage.mode is Mode.FULL_SCREEN
    press(scene, Qt.Key.Key_Escape)
    assert scene.stage.mode is Mode.WINDOW
    assert scene.asked == []


def test_control_m_mutes_the_avatar(scene: Scene) -> None:
    press(scene, Qt.Key.Key_M, CONTROL)
    assert scene.window.settings.audio.muted
    assert scene.stage.bar.mute.accessibleName() == "Unmute avatar"


def test_control_r_records_and_stops(scene: Scene, tmp_path: Path) -> None:
    press(scene, Qt.Key.Key_R, CONTROL)
    assert not scene.stage.mark.isVisible()
    scene.reporter.receive(RecordingStarted(tmp_path / "a.mp4"))
    assert scene.stage.mark.isVisible()
    press(scene, Qt.Key.Key_R, CONTROL)
    assert not scene.stage.bar.record.isEnabled()
    scene.reporter.receive(RecordingSaved(tmp_path / "a.mp4", tmp_path / "a.vtt", 72.0))
    assert scene.stage.bar.record.isEnabled()
    assert scene.asked == ["start_recording", "stop_recording"]
    assert scene.stage.problem.message is not None
    assert scene.stage.problem.message.title == "Recording saved: 1 min 12 s."


def test_the_volume_goes_up_and_down_and_stays_within_its_range(scene: Scene) -> None:
    press(scene, Qt.Key.Key_Up, CONTROL)
    assert scene.window.settings.audio.volume == 1.0
    press(scene, Qt.Key.Key_Down, CONTROL)
    assert scene.window.settings.audio.volume == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("key", "modifiers", "sheet"),
    [
        (Qt.Key.Key_O, CONTROL, "gallery"),
        (Qt.Key.Key_H, CONTROL, "history"),
        (Qt.Key.Key_Comma, CONTROL, "settings"),
        (Qt.Key.Key_F1, Qt.KeyboardModifier.NoModifier, "help"),
    ],
)
def test_every_sheet_has_its_key(scene: Scene, key: Qt.Key, modifiers: Qt.KeyboardModifier, sheet: str) -> None:
    names = wanted_sheets(scene)
    press(scene, key, modifiers)
    assert names == [sheet]


@pytest.mark.parametrize(("modifiers", "private"), [(CONTROL, False), (CONTROL | SHIFT, True)])
def test_control_n_begins_a_new_conversation(scene: Scene, modifiers: Qt.KeyboardModifier, private: bool) -> None:
    press(scene, Qt.Key.Key_N, modifiers)
    assert scene.engine.asked == [("new_conversation", private)]


def test_keys_of_the_window_work_while_typing(scene: Scene) -> None:
    names = wanted_sheets(scene)
    press(scene, Qt.Key.Key_L, CONTROL)
    press(scene, Qt.Key.Key_H, CONTROL)
    press(scene, Qt.Key.Key_K, CONTROL)
    assert names == ["history"]
    assert scene.stage.mode is Mode.COMPACT


def test_enter_sends_and_shift_enter_breaks_the_line(scene: Scene) -> None:
    press(scene, Qt.Key.Key_L, CONTROL)
    box = scene.window.panel.text_box
    assert box.edit.hasFocus()
    assert not box.button.isEnabled()
    QTest.keyClicks(box.edit, "one")
    QTest.keyClick(box.edit, Qt.Key.Key_Return, SHIFT)
    QTest.keyClicks(box.edit, "two")
    assert box.button.isEnabled()
    QTest.keyClick(box.edit, Qt.Key.Key_Return)
    assert scene.engine.asked == [("say", "one\ntwo")]
    assert box.edit.toPlainText() == ""


def test_the_text_box_grows_to_four_lines(scene: Scene) -> None:
    edit = scene.window.panel.text_box.edit
    heights: list[int] = []
    for lines in (1, 2, 4, 9):
        edit.setPlainText("\n".join("a" * lines))
        heights.append(edit.height())
    assert heights[0] == 40
    assert heights[0] < heights[1] < heights[2] == heights[3]


def test_f2_hides_the_conversation_and_the_picture_takes_its_place(scene: Scene) -> None:
    assert scene.stage.width() == 1280 - 352
    press(scene, Qt.Key.Key_F2)
    assert not scene.window.panel.isVisible()
    assert scene.stage.width() == 1280
    press(scene, Qt.Key.Key_F2)
    assert scene.stage.width() == 1280 - 352


def test_hiding_the_conversation_does_not_lose_the_focus(scene: Scene) -> None:
    press(scene, Qt.Key.Key_L, CONTROL)
    press(scene, Qt.Key.Key_F2)
    assert scene.stage.bar.conversation.hasFocus()


def test_f3_shows_and_hides_the_figures(scene: Scene) -> None:
    press(scene, Qt.Key.Key_F3)
    assert scene.window.overlay_shown
    press(scene, Qt.Key.Key_F3)
    assert not scene.window.overlay_shown


def test_control_k_makes_the_window_compact_and_back(scene: Scene) -> None:
    press(scene, Qt.Key.Key_K, CONTROL)
    assert scene.stage.mode is Mode.COMPACT
    assert scene.window.isVisible()
    assert (scene.window.width(), scene.window.height()) == (340, 340)
    assert scene.window.windowFlags() & Qt.WindowType.WindowStaysOnTopHint
    scene.window.actions_by_name["compact"].trigger()  # a screen that does not exist activates no window
    assert scene.stage.mode is Mode.WINDOW
    assert scene.window.isVisible()
    assert scene.window.width() == 1280
    assert not scene.window.windowFlags() & Qt.WindowType.WindowStaysOnTopHint


def test_every_key_is_an_action_of_the_pictures_menu(scene: Scene) -> None:
    listed = [name for group in ACTIONS for name, _, _ in group]
    assert sorted(scene.window.actions_by_name) == sorted(listed)
    assert all(not action.shortcut().isEmpty() for action in scene.window.actions_by_name.values())
    keys = [action.shortcut().toString() for action in scene.window.actions_by_name.values()]
    assert len(set(keys)) == len(keys)


def test_tab_visits_the_controls_in_their_order(scene: Scene, qtbot: QtBot) -> None:
    bar, box = scene.stage.bar, scene.window.panel.text_box
    box.edit.setPlainText("so that Send is lit")
    scene.status(Status.SPEAKING)
    box.edit.setFocus()
    order = [box.button, scene.window.panel.transcript, bar.microphone, bar.interrupt, bar.mute, bar.record]
    for widget in [*order, bar.avatar, bar.conversation, bar.settings]:
        press(scene, Qt.Key.Key_Tab)
        assert widget.hasFocus(), widget.accessibleName()


def test_a_control_that_receded_comes_back_when_focus_reaches_it(scene: Scene) -> None:
    bar = scene.stage.bar
    bar.recede()
    assert bar.painted_opacity == 0
    scene.window.panel.transcript.setFocus()
    press(scene, Qt.Key.Key_Tab)
    assert bar.microphone.hasFocus()
    assert bar.painted_opacity == 1
    assert bar.microphone.reached


def test_enter_presses_a_control_that_has_the_focus(scene: Scene) -> None:
    scene.stage.bar.mute.setFocus(Qt.FocusReason.TabFocusReason)
    press(scene, Qt.Key.Key_Return)
    assert scene.window.settings.audio.muted


def test_interrupt_can_only_be_pressed_while_there_is_something_to_interrupt(scene: Scene) -> None:
    can = dict.fromkeys(Status, False) | {Status.THINKING: True, Status.SPEAKING: True}
    for status, expected in can.items():
        scene.status(status)
        assert scene.stage.bar.interrupt.isEnabled() is expected, status


def test_every_button_without_words_has_a_name_and_a_tooltip(scene: Scene) -> None:
    for button in (*scene.stage.bar.findChildren(type(scene.stage.bar.mute)),):
        assert button.accessibleName()
        assert button.toolTip().startswith(button.accessibleName())
        assert min(button.width(), button.height()) >= 44
    assert message_for(PROBLEM).offers
