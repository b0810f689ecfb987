from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.controls import Microphone, Recording
from app.drop_zone import dragged_picture
from app.messages import Action, message_for
from core.errors import LiveTalkError, Problem
from core.events import (
    AvatarChanged,
    ConversationOpened,
    Crashed,
    Failed,
    Interrupted,
    RecordingStarted,
    Recovered,
    Replying,
    Status,
    TurnMeasured,
    UserSpoke,
)
from core.settings import Settings, changed
from tests.app.conftest import Scene
from tests.app.fake_engine import FakeCaption, FakeEngine, FakeEntry, FakeLevels, FakeStatistics

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

SILENT = Failed(
    Problem.ENDPOINT_SILENT,
    "The endpoint did not answer for 10 seconds.",
    "Your last question is kept. Check the network, then try again.",
    "APITimeoutError",
    turn=2,
)


def failed(problem: Problem, turn: int | None = None) -> Failed:
    return Failed(problem, "This happened.", "Do this.", turn=turn)


def press_offer(scene: Scene, words: str) -> None:
    button = next(button for button in scene.stage.problem.buttons if button.text() == words)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_turn_is_shown_with_who_spoke_and_when(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(1, "", spoken=True))
    scene.reporter.receive(UserSpoke(1, "How are you?", spoken=True))
    scene.reporter.receive(Replying(1, "Well,"))
    scene.reporter.receive(Replying(1, "Well, and you?", done=True))
    yours, reply = scene.window.panel.transcript.turns
    assert yours.accessibleName() == "You, 12:00: How are you?"
    assert reply.accessibleName() == "Amara, 12:00: Well, and you?"


def test_what_was_not_heard_is_struck_through(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(1, "Help me.", spoken=True))
    scene.reporter.receive(Replying(1, "Gladly. Shall I be the interviewer?"))
    scene.reporter.receive(Interrupted(1, "Gladly.", "Shall I be the interviewer?", 0.7))
    reply = scene.window.panel.transcript.turns[1]
    assert reply.said == "Gladly."
    assert "<s> Shall I be the interviewer?</s>" in reply.words_as_html
    assert "<s>" not in reply.words_as_html.split("Gladly.")[0]
    assert reply.note == "You interrupted here"


def test_an_answer_that_stopped_says_so_and_its_rest_can_be_asked_for_until_something_else_is(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(1, "Tell me a tale.", spoken=True))
    scene.reporter.receive(Replying(1, "Once upon a time."))
    scene.reporter.receive(Replying(1, "Once upon", True, False, " a time.", may_go_on=True))
    reply = scene.window.panel.transcript.turns[1]
    assert (reply.said, reply.unheard, reply.note) == ("Once upon", " a time.", "The answer stops here")
    QApplication.processEvents()
    assert reply.go_on.isVisible()
    QTest.mouseClick(reply.go_on, Qt.MouseButton.LeftButton)
    assert scene.asked == ["go_on"]
    scene.reporter.receive(UserSpoke(2, "Please go on.", spoken=False))
    assert not reply.go_on.isVisible()
    assert reply.note == "The answer stops here"


def test_an_answer_asked_for_again_takes_the_place_of_the_one_that_stopped(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(1, "Tell me a tale.", spoken=True))
    scene.reporter.receive(Replying(1, "Once upon", True, False, " a time.", may_go_on=True))
    scene.reporter.receive(failed(Problem.ANSWER_CUT, turn=1))
    assert [button.text() for button in scene.stage.problem.buttons] == ["Ask again", "Continue"]
    press_offer(scene, "Continue")
    assert scene.asked == ["go_on"]
    scene.reporter.receive(Replying(1, "A king had three daughters.", done=True))
    reply = scene.window.panel.transcript.turns[1]
    assert (reply.said, reply.unheard, reply.note) == ("A king had three daughters.", "", "")
    assert not reply.go_on.isVisible()


def test_words_that_are_taken_back_leave_the_transcript(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(1, "Hello", spoken=True))
    scene.reporter.receive(Replying(1, "Never mind"))
    scene.reporter.receive(Replying(1, ""))
    assert [turn.said for turn in scene.window.panel.transcript.turns] == ["Hello"]
    scene.reporter.receive(Replying(1, "Hello.", done=True))
    assert [turn.said for turn in scene.window.panel.transcript.turns] == ["Hello", "Hello."]


def test_an_earlier_conversation_whose_last_answer_stopped_offers_the_rest(scene: Scene) -> None:
    scene.engine.entries = [
        FakeEntry("user", "Tell me a tale.", 1),
        FakeEntry("assistant", "Once upon", 1, unheard=" a time.", cut=True, broken=True),
    ]
    scene.reporter.receive(ConversationOpened(private=False))
    QApplication.processEvents()
    reply = scene.window.panel.transcript.turns[1]
    assert (reply.note, reply.go_on.isVisible()) == ("The answer stops here", True)


def test_an_answer_that_was_declined_is_not_offered_again(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(2, "Something", spoken=False))
    scene.reporter.receive(failed(Problem.ANSWER_DECLINED, turn=2))
    assert "Ask again" not in [button.text() for button in scene.stage.problem.buttons]
    assert scene.window.panel.transcript.turns[0].note == ""


def test_what_people_say_is_never_taken_for_markup(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(1, "<b>1 < 2</b> & so", spoken=False))
    assert "&lt;b&gt;1 &lt; 2&lt;/b&gt; &amp; so" in scene.window.panel.transcript.turns[0].words_as_html


def test_a_question_without_an_answer_says_so_until_it_has_one(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(2, "Are you there?", spoken=True))
    scene.reporter.receive(SILENT)
    question = scene.window.panel.transcript.turns[0]
    assert question.note == "Not answered yet"
    scene.reporter.receive(Replying(2, "I am."))
    assert question.note == ""


def test_a_problem_offers_what_can_be_done_and_does_it(scene: Scene) -> None:
    scene.reporter.receive(SILENT)
    words = [button.text() for button in scene.stage.problem.buttons]
    assert words == ["Retry", "Answer from this computer", "Settings…", "Details"]
    press_offer(scene, "Retry")
    assert scene.asked == ["retry"]
    assert not scene.stage.problem.isVisible()
    scene.reporter.receive(SILENT)
    press_offer(scene, "Answer from this computer")
    assert scene.asked == ["retry", "answer_here"]


def test_settings_open_where_the_problem_is(scene: Scene) -> None:
    names: list[str] = []
    scene.window.sheet_wanted.connect(names.append)
    for problem, offer in (
        (Problem.KEY_REFUSED, "Open settings"),
        (Problem.DEVICE_LOST, "Change…"),
        (Problem.FOLDER_UNWRITABLE, "Choose another folder…"),
    ):
        scene.reporter.receive(failed(problem))
        press_offer(scene, offer)
    assert names == ["settings/conversation", "settings/sound", "settings/recording"]


@pytest.mark.parametrize("problem", list(Problem))
def test_every_problem_leaves_a_next_step_or_leaves_by_itself(scene: Scene, problem: Problem) -> None:
    message = message_for(failed(problem))
    assert message.title == "This happened."
    assert len(message.offers) <= 3
    assert message.offers or problem in (Problem.PICTURE_RESTARTED, Problem.NO_OPENGL)


@pytest.mark.parametrize("problem", [Problem.HISTORY_UNWRITABLE, Problem.SETTINGS_UNWRITABLE, Problem.DISK_FULL])
def test_only_trouble_with_the_recording_ends_it(scene: Scene, problem: Problem) -> None:
    scene.reporter.receive(RecordingStarted(Path("talk.mp4")))
    scene.reporter.receive(failed(problem))
    assert (scene.window._recording is Recording.RECORDING) is (problem is not Problem.DISK_FULL)
    scene.reporter.receive(RecordingStarted(Path("another.mp4")))
    assert scene.stage.problem.isVisible() is (problem is not Problem.DISK_FULL)


def test_a_question_that_met_a_bug_may_be_asked_again(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(3, "Why?", spoken=False))
    scene.reporter.receive(failed(Problem.UNEXPECTED, turn=3))
    (question,) = scene.window.panel.transcript.turns
    assert question.note
    press_offer(scene, "Retry")
    assert scene.asked == ["retry"]


def test_there_is_one_problem_at_a_time_and_the_same_again_updates_it(scene: Scene) -> None:
    scene.reporter.receive(Failed(Problem.ENDPOINT_BUSY, "Trying again in 8 s.", ""))
    scene.reporter.receive(Failed(Problem.ENDPOINT_BUSY, "Trying again in 7 s.", ""))
    assert scene.stage.problem.message is not None
    assert scene.stage.problem.message.title == "Trying again in 7 s."
    scene.reporter.receive(SILENT)
    assert scene.stage.problem.message.title == SILENT.title


def test_a_busy_endpoint_counts_down_to_the_next_attempt(scene: Scene, qtbot: QtBot) -> None:
    scene.reporter._countdown.setInterval(10)
    said: list[str] = []
    scene.reporter.receive(Failed(Problem.ENDPOINT_BUSY, "Busy.", "Trying again in 3 s.", retry_after_s=3.0))
    scene.stage.problem.resized.connect(lambda: said.append(scene.stage.problem.message.advice))
    qtbot.waitUntil(lambda: not scene.reporter._countdown.isActive())
    assert list(dict.fromkeys(said)) == [f"Trying again in {seconds} s." for seconds in (2, 1)]
    assert scene.stage.problem.isVisible()


def test_a_lasting_problem_comes_back_from_under_what_covered_it(scene: Scene) -> None:
    def titles() -> str:
        message = scene.stage.problem.message
        return message.title if message else ""

    scene.reporter.receive(Failed(Problem.SETTINGS_BROKEN, "Settings.", ""))
    scene.reporter.receive(Failed(Problem.PICTURE_REFUSED, "Picture.", ""))
    scene.reporter.receive(Failed(Problem.NO_MICROPHONE, "Microphone.", ""))
    scene.reporter.receive(Failed(Problem.NO_OPENGL, "OpenGL.", ""))
    assert titles() == "OpenGL."
    scene.stage.problem.close_message()
    assert titles() == "Microphone."
    scene.reporter.receive(Recovered(Problem.NO_MICROPHONE))
    assert titles() == "Settings."
    QTest.keyClick(scene.window.windowHandle(), Qt.Key.Key_Escape)
    assert titles() == ""


def test_a_problem_goes_when_its_cause_is_gone(scene: Scene) -> None:
    scene.reporter.receive(failed(Problem.NO_MICROPHONE))
    assert scene.stage.bar.microphone.state is Microphone.NONE
    scene.reporter.receive(Recovered(Problem.NO_LOUDSPEAKER))
    assert scene.stage.problem.isVisible()
    scene.reporter.receive(Recovered(Problem.NO_MICROPHONE))
    assert not scene.stage.problem.isVisible()
    assert scene.stage.bar.microphone.state is Microphone.ON


def test_the_details_fold_out(scene: Scene) -> None:
    scene.reporter.receive(SILENT)
    card = scene.stage.problem
    before = card.height()
    press_offer(scene, "Details")
    assert card.height() > before
    assert card.y() + card.height() <= scene.stage.height() - 20


def test_the_pill_opens_a_problem_that_was_put_away(scene: Scene) -> None:
    scene.reporter.receive(SILENT)
    QTest.keyClick(scene.window.windowHandle(), Qt.Key.Key_Escape)
    assert not scene.stage.problem.isVisible()
    QTest.mouseClick(scene.stage.pill, Qt.MouseButton.LeftButton)
    assert scene.stage.problem.isVisible()


def test_a_crash_offers_to_start_again_and_shows_no_stack(scene: Scene) -> None:
    actions: list[Action] = []
    scene.window.action_wanted.connect(actions.append)
    scene.reporter.receive(Crashed("renderer", "Traceback …"))
    message = scene.stage.problem.message
    assert message is not None
    assert "Traceback" not in message.title + message.advice
    press_offer(scene, "Start again")
    assert actions == [Action.RESTART]
    assert scene.stage.pill.status is Status.STOPPED


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_its_word_and_shape(scene: Scene, status: Status) -> None:
    scene.status(status)
    assert scene.stage.pill.status is status
    assert scene.stage.pill.accessibleName() == scene.stage.pill.text
    assert scene.stage.view.accessibleName().startswith("Amara, ")


def test_the_built_in_companion_is_named_once_in_place_of_ready(scene: Scene, qtbot: QtBot) -> None:
    assert scene.stage.pill.text == "On this computer"
    scene.status(Status.LISTENING)
    scene.status(Status.READY)
    assert scene.stage.pill.text == "Ready"


def test_reconnecting_says_which_attempt(scene: Scene) -> None:
    scene.status(Status.RECONNECTING, "attempt 2")
    assert scene.stage.pill.text == "Reconnecting · attempt 2"


def test_the_meter_follows_the_voice_that_sounds(scene: Scene) -> None:
    scene.engine.now_levels = FakeLevels(microphone=0.0, voice=0.1)
    scene.status(Status.SPEAKING)
    scene.stage.pulse(0.033)
    assert scene.stage.pill.meter.level == pytest.approx(0.75)
    scene.engine.now_levels = FakeLevels()
    for _ in range(9):
        scene.stage.pulse(0.033)
    assert scene.stage.pill.meter.level == 0


def test_captions_show_what_sounds_and_can_be_switched_off(scene: Scene) -> None:
    scene.engine.now_caption = FakeCaption("First one: what made you want to work in a library?")
    scene.stage.pulse(0.033)
    assert scene.stage.caption.lines == ["First one: what made you want to work in a library?"]
    assert scene.stage.caption.isVisible()
    scene.window.apply(changed(scene.window.settings, "window", subtitles=False))
    scene.stage.pulse(0.033)
    assert not scene.stage.caption.isVisible()


def test_the_persons_own_words_are_a_caption_in_a_lighter_weight(scene: Scene) -> None:
    caption = scene.stage.caption
    seen = []
    for said in (FakeCaption("I grew up", by_user=True), FakeCaption("I grew up"), FakeCaption("I see.")):
        scene.engine.now_caption = said
        scene.stage.pulse(0.033)
        picture = caption.grab().toImage()
        brightest = max(picture.pixelColor(x, y).green() for x in range(picture.width()) for y in range(0, 40, 2))
        seen.append((caption.lines, caption._font().weight(), brightest))
    yours, same_words, avatars = seen
    assert (yours[0], yours[1]) == (["I grew up"], 400)
    assert (same_words[0], same_words[1]) == (["I grew up"], 500)
    assert (avatars[0], avatars[1]) == (["I see."], 500)
    assert yours[2] < avatars[2] == 255


def test_another_avatar_is_named_everywhere(scene: Scene) -> None:
    seen: list[tuple[str, str]] = []
    scene.reporter.avatar_changed.connect(lambda key, name: seen.append((key, name)))
    scene.reporter.receive(AvatarChanged("mei", "Mei"))
    assert seen == [("mei", "Mei")]
    assert scene.window.panel.text_box.edit.placeholderText() == "Type to Mei…"
    assert scene.stage.view.accessibleName().startswith("Mei, ")


def test_a_conversation_that_is_opened_again_shows_what_was_said_and_cut(scene: Scene) -> None:
    scene.reporter.receive(UserSpoke(9, "gone", spoken=False))
    scene.engine.entries = [
        FakeEntry("user", "Hello", 1),
        FakeEntry("assistant", "Good", 1, unheard="morning to you", cut=True),
        FakeEntry("user", "Still there?", 2, answered=False),
    ]
    scene.reporter.receive(ConversationOpened(private=True))
    views = scene.window.panel.transcript.turns
    assert [view.said for view in views] == ["Hello", "Good", "Still there?"]
    assert [view.note for view in views] == ["", "You interrupted here", "Not answered yet"]
    assert views[1].unheard == "morning to you"


def test_a_conversation_that_cannot_be_opened_is_a_problem(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise LiveTalkError(Problem.HISTORY_UNREADABLE, "It can't be read.", "It may be damaged.")

    monkeypatch.setattr(scene.engine, "open_conversation", refuse)
    scene.window.open_conversation(Path("a.jsonl"))
    assert scene.stage.problem.message is not None
    assert scene.stage.problem.message.title == "It can't be read."


def test_a_new_chip_shows_while_the_person_reads_what_was_said_before(scene: Scene, qtbot: QtBot) -> None:
    for turn in range(12):
        scene.reporter.receive(UserSpoke(turn, "What did you say about the library? " * 3, spoken=True))
    transcript = scene.window.panel.transcript
    bar = transcript.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    bar.setValue(0)
    scene.reporter.receive(UserSpoke(99, "And now?", spoken=True))
    chip = scene.window.panel.new_chip
    qtbot.waitUntil(chip.isVisible)
    assert bar.value() == 0
    chip.click()
    assert bar.value() == bar.maximum()
    assert not chip.isVisible()


def test_the_figures_are_those_of_the_engine(scene: Scene) -> None:
    stages = {
        "End of turn": 0.48,
        "Recognise": 0.09,
        "First words": 0.24,
        "First sound": 0.15,
        "Draw": 0.09,
        "Show": 0.04,
    }
    scene.reporter.receive(TurnMeasured(1, typed=False, stages=stages))
    scene.engine.now_statistics = FakeStatistics(fps=24.96, shown=7512, late=3, dropped=1)
    scene.window.toggle_overlay()
    overlay = scene.stage.overlay
    assert overlay is not None
    assert overlay.fps.figure.text() == "25.0"
    assert overlay.late.figure.text() == "3"
    assert overlay.late.caption.text() == "late of 7,512"
    assert overlay.dropped.figure.text() == "1"
    assert overlay.response.text() == "1.09 s to moving lips"
    widths = [part.width() for part in overlay.stages.parts()]
    assert widths[0] / widths[4] == pytest.approx(0.48 / 0.09, rel=0.1)
    assert overlay.stages.accessibleName().startswith("End of turn 480 ms, Recognise 90 ms")
    assert overlay.drawn_by.isHidden()


def test_the_figures_name_the_decoder_that_draws(scene: Scene) -> None:
    scene.engine.now_statistics = FakeStatistics(drawn_by="fast, Small decoder (TAEHV)")
    scene.window.toggle_overlay()
    overlay = scene.stage.overlay
    assert overlay is not None
    assert overlay.drawn_by.text() == "Drawn by the preset fast, Small decoder (TAEHV)"
    assert not overlay.drawn_by.isHidden()
    assert overlay.drawn_by.text() in overlay.accessibleDescription()


def test_a_picture_that_is_dropped_on_the_window_is_tried(scene: Scene) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/pictures/me.jpg")])
    at = QPoint(600, 400)
    none = Qt.KeyboardModifier.NoModifier
    entering = QDragEnterEvent(at, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none)
    QApplication.sendEvent(scene.window, entering)
    assert entering.isAccepted()
    dropping = QDropEvent(QPointF(at), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none)
    brought: list[str] = []
    scene.window.picture_brought.connect(brought.append)
    QApplication.sendEvent(scene.window, dropping)
    assert brought == ["/pictures/me.jpg"]


def test_only_one_picture_file_can_be_dropped() -> None:
    data = QMimeData()
    for urls in (["file:///a.txt"], ["file:///a.png", "file:///b.png"], ["https://example.org/a.png"]):
        data.setUrls([QUrl(url) for url in urls])
        assert dragged_picture(data) == ""


def test_the_window_stands_where_it_stood(scene: Scene, tmp_path: Path, qtbot: QtBot) -> None:
    scene.window.resize(1000, 700)
    scene.window.toggle_panel()
    scene.window.close()
    again = Scene(tmp_path, Settings())
    qtbot.addWidget(again.window)
    assert not again.window.panel_open
    again.window.attach(None)
    again.window.close()


def test_the_overlay_has_room_for_a_turn_that_ends_while_it_is_open(scene: Scene) -> None:
    scene.window.toggle_overlay()
    overlay = scene.stage.overlay
    assert overlay is not None
    before = overlay.height()
    stages = {"End of turn": 0.48, "Recognise": 0.09, "First word": 0.2, "Voice": 0.1, "Picture": 0.1, "Shown": 0.1}
    scene.window.measured.append(TurnMeasured(1, typed=False, stages=stages))
    overlay.refresh()
    QApplication.processEvents()
    assert overlay.height() > before
    legend = [entry for entry in overlay.findChildren(QWidget) if type(entry).__name__ == "_LegendEntry"]
    assert len(legend) == len(stages)
    assert all(entry.height() >= entry.minimumSizeHint().height() for entry in legend)


@pytest.mark.parametrize("on", [True, False])
def test_the_conversation_hears_nothing_for_a_while_then_what_the_settings_say(scene: Scene, on: bool) -> None:
    scene.window.apply(changed(scene.window.settings, "audio", microphone_on=on))
    scene.engine.asked.clear()
    scene.window.hush(True)
    another = FakeEngine()
    scene.window.attach(another)
    scene.window.hush(False)
    scene.window.hush(False)
    assert scene.engine.asked == [("set_microphone", False)]
    assert another.asked == [("set_microphone", False), ("set_microphone", on)]


def test_a_caption_goes_with_the_voice_that_was_cut(scene: Scene) -> None:
    scene.engine.now_caption = FakeCaption("Once upon a time there was a king.")
    scene.stage.pulse(0.033)
    assert scene.stage.caption.painted_opacity == 1.0
    scene.engine.now_caption = None
    scene.reporter.receive(UserSpoke(1, "Tell me.", spoken=True))
    scene.reporter.receive(Replying(1, "Once upon a time there was a king."))
    scene.reporter.receive(Interrupted(1, "Once upon", " a time there was a king.", 0.7))
    assert scene.stage.caption.painted_opacity == 0.0


def test_a_scroll_bar_takes_its_place_from_the_margin_and_breaks_no_line(scene: Scene, qtbot: QtBot) -> None:
    transcript = scene.window.panel.transcript
    scene.reporter.receive(UserSpoke(0, "What did you say?", spoken=True))
    QApplication.processEvents()
    wide = transcript.turns[0].width()
    for turn in range(1, 14):
        scene.reporter.receive(UserSpoke(turn, "What did you say about the library? " * 3, spoken=True))
    qtbot.waitUntil(lambda: transcript.verticalScrollBar().maximum() > 0)
    QApplication.processEvents()
    assert transcript.turns[0].width() == wide


def test_leaving_for_full_screen_while_typing_lets_the_bar_rest(scene: Scene) -> None:
    scene.window.go_to_text()
    scene.window.actions_by_name["full_screen"].trigger()
    QApplication.processEvents()
    assert scene.stage.bar.microphone.hasFocus()
    scene.stage.bar.recede_if_idle()
    assert scene.stage.bar.away
