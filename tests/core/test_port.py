"""PortAudio's one owner, with a library that notes what is called and how many are in it at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from core.audio import port as owner
from core.audio.port import Port


class Library:
    """In place of sounddevice: every call notes itself and fails when another thread is inside."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.overlaps = 0
        self._inside = threading.Lock()
        self._turn = threading.Event()

    def note(self, call: str) -> None:
        if not self._inside.acquire(blocking=False):
            self.overlaps += 1
            return
        self.calls.append(call)
        self._turn.wait(0.001)  # room for another thread to come in
        self._inside.release()

    def _terminate(self) -> None:
        self.note("terminate")

    def _initialize(self) -> None:
        self.note("initialize")

    def query_devices(self, kind: str = "") -> Any:
        self.note("query")
        desk = {"name": "Desk", "hostapi": 0, "max_input_channels": 1, "default_samplerate": 48_000.0}
        return desk if kind else [desk]


class Stream:
    def __init__(self, library: Library, refuse: bool = False) -> None:
        self._library = library
        self._refuse = refuse
        self.closed = False

    def start(self) -> None:
        self._library.note("start")
        if self._refuse:
            raise Library.PortAudioError("busy")

    def close(self) -> None:
        self._library.note("close")
        self.closed = True


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def port(library: Library, monkeypatch: pytest.MonkeyPatch) -> Port:
    monkeypatch.setattr(owner, "USERS", owner.Users())
    made = Port()
    made.sounddevice = library
    return made


def open_one(port: Port, library: Library, refuse: bool = False) -> Stream | None:
    return port.open("input", "Desk", lambda found, rate: port.started(Stream(library, refuse)))


def test_devices_are_counted_again_only_while_no_stream_is_open(port: Port, library: Library) -> None:
    stream = open_one(port, library)
    assert stream is not None
    assert not port.refresh()
    assert "terminate" not in library.calls
    port.close(stream)
    port.close(stream)
    assert library.calls.count("close") == 1
    assert port.refresh()
    assert library.calls[-2:] == ["terminate", "initialize"]


def test_a_stream_that_does_not_start_is_closed_and_keeps_nobody_waiting(port: Port, library: Library) -> None:
    assert open_one(port, library, refuse=True) is None
    assert library.calls.count("start") == library.calls.count("close")
    assert port.refresh()


def test_many_threads_are_never_in_the_library_at_once(port: Port, library: Library) -> None:
    def use() -> None:
        for _ in range(5):
            stream = open_one(port, library)
            assert stream is not None
            assert port.names("input") == ("Desk",)
            port.close(stream)
            port.refresh()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert library.overlaps == 0
    assert library.calls.count("close") == 20
