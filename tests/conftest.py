"""What every test gets: fresh folders, a log without warnings, and no thread left behind."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING

import pytest

from core.settings import ENVIRONMENT, models_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUR_LOGGERS = ("app", "core")
THREAD_LIMIT_S = 3.0
"""How long a thread that was told to end may take."""

# Before anything imports Qt or numpy: no screen unless the run asks for one, and one thread for every library.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests have folders of their own, but the models are too large to be fetched again for each.
os.environ.setdefault("LIVETALK_MODELS", str(models_folder()))
# Nobody's own keyring is read or asked to unlock.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
for name in (*ENVIRONMENT, "LIVETALK_API_KEY", "LIVETALK_SPEECH_KEY"):
    os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a real window wait for a run with a real screen (`make tests-on-screen`)."""
    if os.environ["QT_QPA_PLATFORM"] in {"xcb", "wayland"}:
        return
    for item in items:
        if item.get_closest_marker("window"):
            item.add_marker(pytest.mark.skip(reason="needs a screen: make tests-on-screen"))


@pytest.fixture(autouse=True)
def fresh_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and data of nobody: each test starts like a first run."""
    monkeypatch.setenv("LIVETALK_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("LIVETALK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LIVETALK_CACHE", str(tmp_path / "cache"))


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def expected_log(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Append a part of the message of every warning that the test provokes; any other fails it.

    A test that asks for `caplog` reads the log itself.
    """
    expected: list[str] = []
    heard = _Warnings()
    for name in OUR_LOGGERS:
        logging.getLogger(name).addHandler(heard)
    yield expected
    for name in OUR_LOGGERS:
        logging.getLogger(name).removeHandler(heard)
    messages = [f"{record.name}: {record.getMessage()}" for record in heard.records]
    surprises = [message for message in messages if not any(part in message for part in expected)]
    if surprises and "caplog" not in request.fixturenames:
        pytest.fail("the log has warnings that the test did not expect:\n" + "\n".join(surprises))


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """A living thread after the test fails it and says where it is. Daemons of libraries are theirs to end."""
    before = set(threading.enumerate())
    yield
    ours = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in ours:
        thread.join(THREAD_LIMIT_S)
    left = [thread for thread in ours if thread.is_alive()]
    if left:
        pytest.fail("threads still running:\n" + "\n".join(_where(thread) for thread in left))


def _where(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return f"{thread.name}\n" + ("".join(traceback.format_stack(frame)[-6:]) if frame else "")
