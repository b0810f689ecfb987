"""Earlier conversations, with real files of conversations."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from app.history_sheet import HistoryServices, HistorySheet
from core.dialogue.history import Entry, History, delete, list_conversations, restore
from core.errors import LiveTalkError, Problem
from tests.app.sheet_rig import focusable, settle, use_theme, window_with_opener


@pytest.fixture
def folder(tmp_path):
    """Three conversations, of which the middle one cannot be read."""
    made = tmp_path / "conversations"
    for day, words in ((18, "What is the time?"), (20, "Tell me about libraries.")):
        started = f"2026-11-{day}T14:02:00+00:00"
        with History("amara", started, made) as history:
            history.put(Entry(1, "user", words, started))
            history.put(Entry(1, "assistant", "Gladly.", started))
    (made / "2026-11-19T08-00-00.jsonl").write_text("not a conversation")
    return made


@pytest.fixture
def shown(qtbot, qapp, folder):
    use_theme(qapp)
    window, _ = window_with_opener()
    qtbot.addWidget(window)

    def show(services: HistoryServices | None = None) -> HistorySheet:
        usual = HistoryServices(lambda: list_conversations(folder), delete, restore)
        sheet = HistorySheet(services or usual, window, reduce_motion=True)
        sheet.told = []
        sheet.opened.connect(lambda path: sheet.told.append(("opened", path.name)))
        sheet.new_conversation.connect(lambda private: sheet.told.append(("new", private)))
        sheet.deleting.connect(lambda path: sheet.told.append(("deleting", path.name, path.exists())))
        sheet.open()
        sheet.activateWindow()
        settle()
        return sheet

    yield show
    settle()


def _titles(sheet: HistorySheet) -> list[str]:
    return [sheet.list.item(row).text() for row in range(sheet.list.count())]


def test_the_newest_comes_first_with_its_date_and_length(shown):
    sheet = shown()
    assert _titles(sheet) == ["Tell me about libraries.", "2026-11-19T08-00-00", "What is the time?"]
    spoken = sheet.list.item(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken.startswith("Tell me about libraries., ")
    assert "2026" in spoken or "26" in spoken
    assert spoken.endswith("2 messages")


def test_enter_opens_the_current_one_and_closes_the_sheet(qtbot, shown):
    sheet = shown()
    qtbot.keyClick(sheet.list, Qt.Key.Key_Down)
    qtbot.keyClick(sheet.list, Qt.Key.Key_Down)
    with qtbot.waitSignal(sheet.finished):
        qtbot.keyClick(sheet.list, Qt.Key.Key_Return)
    assert sheet.told == [("opened", "2026-11-18T14-02-00.jsonl")]


def test_one_that_cannot_be_read_says_so_and_stays_closed(qtbot, shown):
    sheet = shown()
    sheet.list.setCurrentRow(1)
    sheet.open_one.click()
    assert sheet.told == []
    assert sheet.isVisible()
    assert "can’t be read" in sheet.outcome.words


def test_delete_moves_the_file_away_and_undo_brings_it_back(qtbot, shown, folder):
    sheet = shown()
    qtbot.keyClick(sheet.list, Qt.Key.Key_Delete)
    settle()
    file = folder / "2026-11-20T14-02-00.jsonl"
    assert not file.exists()
    assert sheet.list.count() == 2
    assert sheet.told == [("deleting", file.name, True)]
    sheet.undo.click()
    settle()
    assert file.exists()
    assert _titles(sheet)[0] == "Tell me about libraries."
    assert not sheet.removal.isVisible()


def test_one_that_could_not_be_deleted_comes_back_with_the_reason(qtbot, shown, folder):
    def refuse(path):
        raise LiveTalkError(Problem.FOLDER_UNWRITABLE, "It can't be deleted.", "Check the folder.")

    sheet = shown(HistoryServices(lambda: list_conversations(folder), refuse, restore))
    sheet.delete_one.click()
    settle()
    assert _titles(sheet)[0] == "Tell me about libraries."
    assert sheet.outcome.words == "It can't be deleted. Check the folder."


@pytest.mark.parametrize("private", [False, True])
def test_a_conversation_is_begun(qtbot, shown, private):
    sheet = shown()
    with qtbot.waitSignal(sheet.finished):
        (sheet.begin_private if private else sheet.begin).click()
    assert sheet.told == [("new", private)]


def test_without_any_it_says_so_and_offers_nothing_to_open(shown):
    sheet = shown(HistoryServices(lambda: [], delete, restore))
    assert sheet.empty.isVisible()
    assert not sheet.open_one.isEnabled()
    assert not sheet.delete_one.isEnabled()


def test_everything_that_takes_the_focus_has_a_name(shown):
    sheet = shown()
    nameless = [w for w in focusable(sheet) if not (w.accessibleName() or getattr(w, "text", str)())]
    assert nameless == []
