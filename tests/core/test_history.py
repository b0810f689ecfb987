"""The conversation as it is remembered, on disk and off it, and how much of a reply counts as heard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.dialogue.heard import heard_text
from core.dialogue.history import (
    Entry,
    History,
    delete,
    empty_trash,
    list_conversations,
    restore,
)
from core.dialogue.protocol import Message
from core.errors import LiveTalkError, Problem

STARTED = "2026-11-21T12:54:03"
RATE = 24_000


def user(turn: int, text: str, **more: object) -> Entry:
    return Entry(turn=turn, role="user", text=text, started=STARTED, **more)  # type: ignore[arg-type] - test shorthand


def avatar(turn: int, text: str, **more: object) -> Entry:
    return Entry(turn=turn, role="assistant", text=text, started=STARTED, **more)  # type: ignore[arg-type] - as above


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "conversations"


def test_what_was_put_is_there_again_after_reopening(folder: Path) -> None:
    entries = (
        user(1, "What is rain?", spoken=True),
        avatar(1, "Water", full_text="Water falls.", heard_s=1.5, cut=True),
    )
    with History("amara", STARTED, folder) as history:
        for entry in entries:
            history.put(entry)
    with History.reopen(folder / "2026-11-21T12-54-03.jsonl") as again:
        assert again.entries == entries
        assert (again.avatar, again.title, again.last_turn) == ("amara", "What is rain?", 1)


def test_every_entry_is_on_disk_before_put_returns_even_if_the_process_is_killed(folder: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from core.dialogue.history import Entry, History\n"
        f"history = History('amara', '{STARTED}', Path(sys.argv[1]))\n"
        f"history.put(Entry(turn=1, role='user', text='Do you hear me?', started='{STARTED}'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script, str(folder)], cwd=root, check=False)
    assert ended.returncode == -signal.SIGKILL
    (saved,) = list_conversations(folder)
    assert (saved.title, saved.entries, saved.avatar) == ("Do you hear me?", 1, "amara")


def test_a_reopened_conversation_is_gone_on_with_in_the_same_file(folder: Path) -> None:
    with History("amara", STARTED, folder) as history:
        history.put(user(1, "One."))
        path = history.path
    assert path
    with History.reopen(path) as history:
        history.put(user(history.last_turn + 1, "Two."))
    assert [entry.text for entry in History.reopen(path).entries] == ["One.", "Two."]
    assert len(list_conversations(folder)) == 1


def test_a_last_line_torn_by_a_killed_process_costs_only_itself(folder: Path) -> None:
    with History("amara", STARTED, folder) as history:
        history.put(user(1, "One."))
        history.put(avatar(1, "Two."))
    path = folder / "2026-11-21T12-54-03.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    with History.reopen(path) as again:
        assert [entry.text for entry in again.entries] == ["One."]
        again.put(avatar(1, "Two again."))
    assert [entry.text for entry in History.reopen(path).entries] == ["One.", "Two again."]


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe" * 50, b"not json\n", b'{"kind":"other"}\n', b"[1,2]\n"])
def test_a_file_with_nothing_to_read_is_refused_left_alone_and_still_listed(folder: Path, content: bytes) -> None:
    folder.mkdir()
    path = folder / "broken.jsonl"
    path.write_bytes(content)
    with pytest.raises(LiveTalkError) as refused:
        History.reopen(path)
    assert refused.value.problem is Problem.HISTORY_UNREADABLE
    assert path.read_bytes() == content
    assert [(saved.readable, saved.path) for saved in list_conversations(folder)] == [(False, path)]


def test_a_file_of_a_newer_version_is_refused(folder: Path) -> None:
    folder.mkdir()
    path = folder / "newer.jsonl"
    path.write_text('{"kind":"conversation","schema":99,"avatar":"amara","started":"x"}\n')
    with pytest.raises(LiveTalkError) as refused:
        History.reopen(path)
    assert refused.value.problem is Problem.HISTORY_UNREADABLE


def test_a_file_that_is_gone_is_refused(folder: Path) -> None:
    with pytest.raises(LiveTalkError) as refused:
        History.reopen(folder / "gone.jsonl")
    assert refused.value.problem is Problem.HISTORY_UNREADABLE


def test_a_private_conversation_never_touches_the_disk(folder: Path) -> None:
    with History("amara", STARTED, None) as history:
        history.put(user(1, "A secret."))
        assert history.private
        assert history.path is None
        assert history.messages() == [Message("user", "A secret.")]
    assert not folder.exists()


def test_a_conversation_in_which_nothing_was_said_leaves_no_file(folder: Path) -> None:
    with History("amara", STARTED, folder):
        pass
    assert not folder.exists()
    assert list_conversations(folder) == []


def test_a_later_entry_of_the_same_turn_and_role_takes_the_place_of_the_first(folder: Path) -> None:
    with History("amara", STARTED, folder) as history:
        history.put(user(1, "", spoken=True))
        history.put(avatar(1, "I think it rains."))
        history.put(user(1, "How is it outside?", spoken=True))
        history.put(avatar(1, "I think", full_text="I think it rains.", cut=True))
        assert [entry.text for entry in history.entries] == ["How is it outside?", "I think"]
        assert history.title == "How is it outside?"
        assert history.path
        assert History.reopen(history.path).entries == history.entries


def test_the_file_can_be_read_by_its_owner_only(folder: Path) -> None:
    with History("amara", STARTED, folder) as history:
        history.put(user(1, "One."))
        assert history.path
        assert history.path.stat().st_mode & 0o077 == 0


def test_two_conversations_begun_in_the_same_second_have_files_of_their_own(folder: Path) -> None:
    for text in ("One.", "Two."):
        with History("amara", STARTED, folder) as history:
            history.put(user(1, text))
    assert {saved.title for saved in list_conversations(folder)} == {"One.", "Two."}


def test_conversations_are_listed_newest_first(folder: Path) -> None:
    for started in ("2026-01-02T00:00:00", "2026-03-01T00:00:00", "2025-12-31T23:59:59"):
        with History("amara", started, folder) as history:
            history.put(user(1, started))
    assert [saved.title[:7] for saved in list_conversations(folder)] == ["2026-03", "2026-01", "2025-12"]


def test_a_deleted_conversation_can_be_brought_back_until_the_trash_is_emptied(folder: Path) -> None:
    with History("amara", STARTED, folder) as history:
        history.put(user(1, "One."))
        path = history.path
    assert path
    trashed = delete(path)
    assert list_conversations(folder) == []
    assert restore(trashed) == path
    assert list_conversations(folder)[0].title == "One."
    trashed = delete(path)
    empty_trash(folder)
    assert not trashed.exists()


def test_a_folder_that_cannot_be_written_is_told_once_and_the_conversation_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    with History("amara", STARTED, blocked / "conversations") as history:
        with pytest.raises(LiveTalkError) as refused:
            history.put(user(1, "One."))
        assert refused.value.problem is Problem.HISTORY_UNWRITABLE
        history.put(avatar(1, "Two."))
        assert [entry.text for entry in history.entries] == ["One.", "Two."]


def test_a_full_disk_is_told_as_such_and_the_words_stay_in_memory() -> None:
    history = History("amara", STARTED, Path("/dev"))
    history._file = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(LiveTalkError) as refused:
        history.put(user(1, "One."))
    assert history.entries == (user(1, "One."),)
    assert refused.value.problem is Problem.HISTORY_UNWRITABLE
    assert refused.value.title == "This conversation can't be saved: the disk is full."
    assert refused.value.advice == "It goes on, and stays until LiveTalk closes."


def test_messages_are_the_whole_conversation_oldest_first() -> None:
    history = History("amara", STARTED, None)
    for turn in range(1, 101):
        history.put(user(turn, f"question number {turn}"))
        history.put(avatar(turn, f"answer number {turn}"))
    texts = [message.text for message in history.messages()]
    assert len(texts) == 200
    assert texts[:2] == ["question number 1", "answer number 1"]
    assert texts[-2:] == ["question number 100", "answer number 100"]


def test_a_reply_of_which_nothing_was_heard_is_not_told_to_the_model() -> None:
    history = History("amara", STARTED, None)
    history.put(user(1, "Hello."))
    history.put(avatar(1, "", full_text="Hi, how are you?", cut=True))
    assert history.messages() == [Message("user", "Hello.")]


def test_speech_whose_words_nobody_knows_is_told_to_the_model_as_a_turn_without_words() -> None:
    history = History("amara", STARTED, None)
    history.put(user(1, "", spoken=True))
    history.put(avatar(1, "Blue, I think."))
    history.put(user(2, "", spoken=False))
    assert history.messages() == [Message("user", ""), Message("assistant", "Blue, I think.")]


def test_a_turn_that_a_filter_stopped_is_remembered_and_not_told_to_the_model_until_it_passes(folder: Path) -> None:
    with History("amara", STARTED, folder) as history:
        history.put(user(1, "Hello."))
        history.put(user(2, "", spoken=True))
        history.put(avatar(2, "I'm sorry, I can't answer that."))
        history.withhold(2, withheld=True)
        history.put(user(2, "Something rude.", spoken=True))  # its words become known later
        assert history.messages() == [Message("user", "Hello.")]
        assert history.path
        with History.reopen(history.path) as again:
            assert again.messages() == [Message("user", "Hello.")]
            assert [entry.text for entry in again.entries][1] == "Something rude."
        history.withhold(2, withheld=False)
        assert len(history.messages()) == 3


def test_messages_know_the_turn_they_belong_to() -> None:
    history = History("amara", STARTED, None)
    history.put(user(3, "", spoken=True))
    history.put(avatar(3, "Hello."))
    assert [message.turn for message in history.messages()] == [3, 3]


def test_a_long_first_sentence_is_shortened_at_a_word_for_the_title() -> None:
    history = History("amara", STARTED, None)
    history.put(user(1, "word " * 40))
    assert len(history.title) <= 61
    assert history.title.endswith("word…")


def test_each_line_of_the_file_is_json_that_says_what_it_is(folder: Path) -> None:
    with History("amara", STARTED, folder) as history:
        history.put(user(1, "Zeile\neins — „zwei“ \u2028 drei"))
        assert history.path
        lines = history.path.read_bytes().split(b"\n")
    assert [json.loads(line)["kind"] for line in lines if line] == ["conversation", "entry", "title"]
    assert History.reopen(history.path).entries[0].text == "Zeile\neins — „zwei“ \u2028 drei"


# How much of a reply was heard.

SENTENCE = "One two three four five six seven eight nine ten."


def test_words_that_came_with_their_sound_are_heard_with_it() -> None:
    segments = [("First sentence.", RATE), (" Second sentence here.", 2 * RATE)]
    assert heard_text(segments, RATE) == ("First sentence.", " Second sentence here.")
    assert heard_text(segments, 2 * RATE) == ("First sentence. Second", " sentence here.")


def test_words_that_ran_ahead_are_spread_over_the_sound_that_followed() -> None:
    segments = [(SENTENCE[:20], 0), (SENTENCE[20:], 0), ("", RATE), ("", RATE)]
    heard, unheard = heard_text(segments, RATE)
    assert heard == "One two three four five"
    assert heard + unheard == SENTENCE


def test_nothing_heard_is_no_words_and_all_heard_is_all_words() -> None:
    segments = [(SENTENCE, 0), ("", RATE)]
    assert heard_text(segments, 0) == ("", SENTENCE)
    assert heard_text(segments, RATE) == (SENTENCE, "")
    assert heard_text(segments, 5 * RATE) == (SENTENCE, "")
    assert heard_text([], 100) == ("", "")
    assert heard_text([(SENTENCE, 0)], 0) == ("", SENTENCE)


def test_the_cut_never_falls_into_a_word_and_nothing_is_lost() -> None:
    segments = [(SENTENCE, 0), ("", 1000)]
    for samples in range(0, 1001, 7):
        heard, unheard = heard_text(segments, samples)
        assert heard + unheard == SENTENCE
        assert not heard or not unheard or unheard[0] == " "


def test_more_heard_is_never_fewer_words() -> None:
    segments = [("Well, ", 300), ("let us", 0), (" see.", 0), ("", 500), (" Good.", 200)]
    lengths = [len(heard_text(segments, samples)[0]) for samples in range(0, 1001)]
    assert lengths == sorted(lengths)
    assert lengths[-1] == len("Well, let us see. Good.")


def test_while_sound_is_still_to_come_no_more_counts_as_heard_than_can_be_spoken() -> None:
    text = " ".join(["word"] * 100)
    heard, _ = heard_text([(text, 0), ("", RATE)], RATE, complete=False)
    assert 5 <= len(heard) <= 15
    assert heard_text([(text, 0), ("", RATE)], RATE, complete=True)[0] == text


def test_words_of_a_sentence_whose_sound_has_not_come_are_not_heard() -> None:
    segments = [("First sentence.", RATE), (" Second", 0)]
    assert heard_text(segments, RATE, complete=False) == ("First sentence.", " Second")


def test_scripts_without_spaces_are_cut_between_signs_and_after_their_marks() -> None:
    text = "你好，今天天气很好。"
    segments = [(text, 0), ("", 1000)]
    heard, unheard = heard_text(segments, 300)
    assert (heard, unheard) == ("你好，", "今天天气很好。")
    assert heard_text(segments, 250)[0] == "你"
    assert heard_text(segments, 500)[0] == "你好，今天"
