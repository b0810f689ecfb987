"""Files from the hub: taken from a real server on this computer, with everything that can go wrong on the way."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import threading
from typing import TYPE_CHECKING

import pytest

from app.setup import hub
from app.setup.hub import HubFile, arrived, fetch_file, partial
from app.setup.pace import Pace, gigabytes, spoken_time
from app.setup.stop import Stop, Stopped
from core.errors import LiveTalkError, Problem
from tests.app.hub_server import Hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = HubFile("some/repo", "deep/model.bin", len(CONTENT), SHA256)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(hub, "PAUSES_S", (0.0, 0.0))
    for name in ("HF_TOKEN", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Hub() as made:
        made.files["some/repo", "deep/model.bin"] = CONTENT
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        yield made


def fetch(target: Path, file: HubFile = FILE) -> list[int]:
    """How much was here, as it was told."""
    told: list[int] = []
    fetch_file(file, target, told.append, Stop())
    return told


def trouble(target: Path, file: HubFile = FILE) -> LiveTalkError:
    with pytest.raises(LiveTalkError) as raised:
        fetch(target, file)
    return raised.value


def test_a_file_comes_whole_and_its_bytes_are_counted(server: Hub, tmp_path: Path) -> None:
    told = fetch(tmp_path / "models" / "model.bin")
    assert (tmp_path / "models" / "model.bin").read_bytes() == CONTENT
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["model.bin"]


def test_a_small_file_has_gits_hash_and_is_checked_by_the_pinned_one(server: Hub, tmp_path: Path) -> None:
    server.trouble.small = True
    fetch(tmp_path / "config.json")
    assert (tmp_path / "config.json").read_bytes() == CONTENT
    (tmp_path / "config.json").unlink()
    server.files["some/repo", "deep/model.bin"] = bytes(len(CONTENT))
    assert trouble(tmp_path / "config.json").problem is Problem.MODEL_DAMAGED


def test_a_line_that_breaks_is_taken_up_where_it_broke(server: Hub, tmp_path: Path) -> None:
    server.trouble.cut_after = [100_000, 50_000]
    fetch(tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    starts = [start for _, start in server.asked]
    assert starts[0] == 0
    assert 0 < starts[1] <= 100_000
    assert starts[1] < starts[2] <= 150_000


def test_a_hub_that_stays_away_is_a_plain_message_and_the_next_try_goes_on(server: Hub, tmp_path: Path) -> None:
    server.trouble.cut_after = [100_000, 0, 0, 0, 0]
    told = trouble(tmp_path / "model.bin")
    assert told.problem is Problem.DOWNLOAD_FAILED
    assert told.title == "127.0.0.1 could not be reached."
    kept = arrived(tmp_path / "model.bin")
    assert 0 < kept <= 100_000
    server.trouble.cut_after = []
    fetch(tmp_path / "model.bin")
    assert server.asked[-1] == ("deep/model.bin", kept)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_a_busy_hub_is_asked_again(server: Hub, tmp_path: Path) -> None:
    server.trouble.answers = [503, 429]
    fetch(tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again_and_nothing_is_written_twice(server: Hub, tmp_path: Path) -> None:
    server.trouble.cut_after = [100_000]
    server.trouble.no_ranges = True
    fetch(tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_what_was_kept_and_spoilt_is_fetched_anew(server: Hub, tmp_path: Path) -> None:
    partial(tmp_path / "model.bin", SHA256).write_bytes(bytes(1000))
    fetch(tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert [start for _, start in server.asked] == [1000, 0]


def test_bytes_with_another_hash_are_not_kept(server: Hub, tmp_path: Path) -> None:
    server.trouble.wrong_bytes = True
    told = trouble(tmp_path / "model.bin")
    assert told.problem is Problem.MODEL_DAMAGED
    assert SHA256 in told.detail
    assert not (tmp_path / "model.bin").exists()
    assert arrived(tmp_path / "model.bin") == 0


def test_a_hub_that_offers_another_file_than_the_pinned_one_is_refused(server: Hub, tmp_path: Path) -> None:
    server.trouble.other_hash = "f" * 64
    assert trouble(tmp_path / "model.bin").problem is Problem.MODEL_DAMAGED
    assert server.asked == []


def test_a_file_without_a_pinned_hash_is_checked_by_the_hubs(server: Hub, tmp_path: Path) -> None:
    unpinned = HubFile("some/repo", "deep/model.bin", len(CONTENT))
    assert fetch_file(unpinned, tmp_path / "model.bin", lambda _: None, Stop()) == SHA256
    (tmp_path / "model.bin").unlink()
    server.trouble.wrong_bytes = True
    assert trouble(tmp_path / "model.bin", unpinned).problem is Problem.MODEL_DAMAGED
    server.trouble.silent_about_hashes = True
    assert "mirror" in trouble(tmp_path / "model.bin", unpinned).advice


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "does not give"), (403, "does not give"), (404, "does not have"), (500, "is busy (500)")],
)
def test_a_refusal_says_what_to_do(server: Hub, tmp_path: Path, status: int, words: str) -> None:
    server.trouble.status = status
    if status == 404:
        server.files.clear()
    told = trouble(tmp_path / "model.bin")
    assert told.problem is Problem.DOWNLOAD_FAILED
    assert words in told.title
    assert told.advice


def test_a_hub_that_is_not_there_is_a_plain_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Hub() as gone:
        monkeypatch.setenv("HF_ENDPOINT", gone.url)
    told = trouble(tmp_path / "model.bin")
    assert (told.problem, told.title) == (Problem.DOWNLOAD_FAILED, "127.0.0.1 could not be reached.")
    assert "HF_ENDPOINT" in told.advice


def test_offline_nothing_is_asked(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    told = trouble(tmp_path / "model.bin")
    assert told.title == "Downloads are switched off by HF_HUB_OFFLINE."
    assert server.asked == []


def test_a_download_is_given_up_at_once_even_while_nothing_comes(server: Hub, tmp_path: Path) -> None:
    server.trouble.stall_after = 100_000
    stop, came, ended = Stop(), threading.Event(), threading.Event()

    def work() -> None:
        with pytest.raises(Stopped):
            fetch_file(FILE, tmp_path / "model.bin", lambda done: came.set() if done else None, stop)
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert server.stalled.wait(10)
    assert came.wait(10)
    stop.set()
    assert ended.wait(3), "long before the network's own time limit"
    thread.join()
    kept = arrived(tmp_path / "model.bin")
    assert 0 < kept <= 100_000
    server.trouble.stall_after = None
    fetch(tmp_path / "model.bin")
    assert server.asked[-1][1] == kept


def test_who_stopped_before_it_began_gets_nothing(server: Hub, tmp_path: Path) -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        fetch_file(FILE, tmp_path / "model.bin", lambda _: None, stop)
    assert server.asked == []


def test_a_full_disk_keeps_what_has_arrived(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = io.open

    class Full(io.FileIO):
        def write(self, data: object) -> int:
            if self.tell() + len(data) > 100_000:  # type: ignore[arg-type]
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)  # type: ignore[arg-type]

    def small_disk(path: object, mode: str = "r", *rest: object) -> object:
        if str(path).endswith(".part"):
            return Full(path, "w+" if mode.startswith("w") else "r+")  # type: ignore[arg-type]
        return opened(path, mode, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(io, "open", small_disk)
    told = trouble(tmp_path / "model.bin")
    assert told.problem is Problem.DISK_FULL
    monkeypatch.undo()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    assert 0 < arrived(tmp_path / "model.bin") <= 100_000
    fetch(tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_a_plain_message(server: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert trouble(tmp_path / "file" / "model.bin").problem is Problem.FOLDER_UNWRITABLE


def test_the_pace_says_how_long_the_rest_takes_and_not_too_often() -> None:
    time = [0.0]
    pace = Pace(1000, lambda: time[0])
    first = pace.step(0)
    assert first is not None
    assert first.left_s is None
    time[0] = 0.1
    assert pace.step(10) is None
    time[0] = 4.0
    later = pace.step(200)
    assert later is not None
    assert (later.rate, later.left_s) == (50.0, 16.0)
    time[0] = 4.01
    assert pace.step(1000) is not None, "the end is always told"


def test_figures_are_said_as_people_say_them() -> None:
    assert gigabytes(17_953_000_000) == "18.0 GB"
    assert [spoken_time(seconds) for seconds in (0.2, 89, 95, 3599, 3900)] == [
        "1 s",
        "89 s",
        "2 min",
        "1 h 0 min",
        "1 h 5 min",
    ]
