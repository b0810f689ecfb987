"""The keys of endpoints: one a host, never on the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from app.keys import ENVIRONMENT_KEY, ENVIRONMENT_SPEECH_KEY, KeyStore, Place, system_keyring

SECRET = "sk-never-on-the-disk-4711"
URL = "https://example.org/v1"


class MemoryKeyring(KeyringBackend):
    """A keyring service as the desktop has one, without the desktop."""

    priority = 5  # type: ignore[assignment]  # a class property there, a plain number serves

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class LockedKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked


class PlainFileKeyring(MemoryKeyring):
    """Writes what it is given to a file, and says by its priority that this is not recommended."""

    priority = 0.5  # type: ignore[assignment]  # as above

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def set_password(self, service: str, username: str, password: str) -> None:
        self.path.write_text(password)


@pytest.fixture
def chosen_keyring():
    """Puts the process's keyring back after a test chose another."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_kept_key_is_there_again_after_a_restart():
    desktop = MemoryKeyring()
    assert KeyStore({}, desktop).keep(URL, f" {SECRET}\n") is Place.KEYRING
    after = KeyStore({}, desktop)
    assert after.load(URL) == SECRET
    assert after.place_of(URL) is Place.KEYRING


def test_a_key_goes_to_its_own_host_and_to_no_other():
    desktop = MemoryKeyring()
    store = KeyStore({}, desktop)
    store.keep(URL, SECRET)
    store.keep("http://localhost:8091/v1", "another")
    after = KeyStore({}, desktop)
    for url in (URL, "localhost:9", "https://elsewhere.example/v1"):
        after.load(url)
    assert after.key_of("https://EXAMPLE.org/other/path") == SECRET
    assert (after.key_of("localhost:9"), after.key_of("https://elsewhere.example/v1")) == ("another", "")
    assert after.key_of("https://example.org.elsewhere.example") == ""


def test_the_one_key_of_before_becomes_that_of_the_first_address():
    desktop = MemoryKeyring()
    desktop.set_password("LiveTalk", "endpoint", SECRET)
    store = KeyStore({}, desktop)
    assert store.load(URL) == SECRET
    assert store.load("https://elsewhere.example/v1") == ""
    assert desktop.entries == {("LiveTalk", "example.org"): SECRET}


def test_the_environment_wins_and_is_not_written_to_the_keyring():
    desktop = MemoryKeyring()
    store = KeyStore({ENVIRONMENT_KEY: "from-environment"}, desktop)
    store.load(URL)
    assert (store.key_of(URL), store.place_of(URL)) == ("from-environment", Place.ENVIRONMENT)
    store.keep(URL, SECRET)
    assert (store.key_of(URL), store.place_of(URL)) == ("from-environment", Place.ENVIRONMENT)
    assert list(desktop.entries.values()) == [SECRET]


def test_the_endpoints_key_in_the_environment_is_not_sent_to_a_speech_service_elsewhere():
    store = KeyStore({ENVIRONMENT_KEY: "for-the-endpoint"}, None)
    assert store.key_of(URL, service=True) == ""
    store = KeyStore({ENVIRONMENT_SPEECH_KEY: "for-the-service"}, None)
    assert (store.key_of(URL), store.key_of(URL, service=True)) == ("", "for-the-service")


def test_an_empty_key_removes_the_kept_one():
    desktop = MemoryKeyring()
    store = KeyStore({}, desktop)
    store.keep(URL, SECRET)
    assert store.keep(URL, "") is Place.NOWHERE
    assert (store.key_of(URL), desktop.entries) == ("", {})


def test_a_locked_keyring_leaves_the_key_for_this_run(caplog):
    store = KeyStore({}, LockedKeyring())
    assert store.load(URL) == ""
    assert store.keep(URL, SECRET) is Place.THIS_RUN
    assert store.key_of(URL) == SECRET
    assert "KeyringLocked" in caplog.text
    assert SECRET not in caplog.text


def test_a_keyring_that_writes_plain_files_is_not_used(tmp_path, chosen_keyring):
    path = tmp_path / "plain.txt"
    chosen_keyring(PlainFileKeyring(path))
    store = KeyStore({}, system_keyring())
    assert store.keep(URL, SECRET) is Place.THIS_RUN
    assert not path.exists()


def test_a_keyring_service_is_used(chosen_keyring):
    desktop = MemoryKeyring()
    chosen_keyring(desktop)
    assert system_keyring() is desktop


def test_no_keyring_service_is_no_keyring(chosen_keyring):
    chosen_keyring(NoKeyring())
    assert system_keyring() is None


def test_without_a_keyring_service_no_file_ever_holds_the_key(tmp_path):
    """A process with an empty home and no session bus keeps the key, and nothing under that home contains it."""
    program = (
        "import os; from app.keys import KeyStore, system_keyring\n"
        "store = KeyStore(os.environ, system_keyring())\n"
        f"print(store.keep({URL!r}, {SECRET!r}).value, store.key_of({URL!r}) == {SECRET!r})"
    )
    folders = {
        name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "LIVETALK_CONFIG", "TMPDIR")
    }
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=folders | {"PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stdout.split() == ["this_run", "True"]
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and SECRET in file.read_text(errors="ignore")]
