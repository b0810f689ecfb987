"""The keys of endpoints, one for each host: in the system's keyring or in memory, never in a file of ours.

`LIVETALK_API_KEY` is the endpoint's and wins over what the keyring holds; `LIVETALK_SPEECH_KEY` is that of speech
services on another host. A keyring backend that its makers do not recommend (a plain file) counts as no keyring: a key
is then kept until the app quits.
"""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import keyring
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyring.backend import KeyringBackend

ENVIRONMENT_KEY = "LIVETALK_API_KEY"
ENVIRONMENT_SPEECH_KEY = "LIVETALK_SPEECH_KEY"
_SERVICE = "LiveTalk"
_NO_HOST = "endpoint"
"""The keyring's entry of a key that was kept while no address was set."""
_TRUSTED_PRIORITY = 1
"""keyring calls a backend recommended from this priority on; plain and home-made files lie below it."""

_log = logging.getLogger(__name__)


class Place(enum.Enum):
    """Where the key that is used comes from."""

    NOWHERE = "nowhere"
    ENVIRONMENT = "environment"
    KEYRING = "keyring"
    THIS_RUN = "this_run"


class Keyring(Protocol):
    """What is needed of a keyring backend."""

    def get_password(self, service: str, username: str, /) -> str | None: ...

    def set_password(self, service: str, username: str, password: str, /) -> None: ...

    def delete_password(self, service: str, username: str, /) -> None: ...


class KeyStore:
    """The key of every host, wherever it is kept. A keyring may ask the person to unlock it, so `load` and `keep` are
    called from a worker thread, one at a time; `key_of` and `place_of` answer at once from any thread, of hosts that
    were loaded or kept.

    Args:
        environment: the process environment.
        backend: see `system_keyring`; None when there is no keyring to trust.
    """

    def __init__(self, environment: Mapping[str, str], backend: Keyring | None) -> None:
        self._fixed = environment.get(ENVIRONMENT_KEY, "").strip()
        self._fixed_speech = environment.get(ENVIRONMENT_SPEECH_KEY, "").strip()
        self._backend = backend
        self._kept: dict[str, tuple[str, Place]] = {}

    def key_of(self, url: str, service: bool = False) -> str:
        """The key to send to `url`, empty when there is none; with `service`, to a speech service that is not the
        endpoint's own."""
        fixed = self._fixed_speech if service else self._fixed
        return fixed or self._kept.get(_entry(url), ("", Place.NOWHERE))[0]

    def place_of(self, url: str, service: bool = False) -> Place:
        """Where `key_of` has its answer from."""
        fixed = self._fixed_speech if service else self._fixed
        return Place.ENVIRONMENT if fixed else self._kept.get(_entry(url), ("", Place.NOWHERE))[1]

    def load(self, url: str) -> str:
        """Read the keyring for the host of `url`, once; returns its key. A key that was kept while no address was set
        becomes the key of the first address."""
        entry = _entry(url)
        if entry not in self._kept:
            found = self._read(entry)
            self._kept[entry] = (found, Place.KEYRING) if found else ("", Place.NOWHERE)
            if not found and entry != _NO_HOST and (unnamed := self.load("") and self._kept[_NO_HOST][0]):
                self.keep("", "")
                self.keep(url, unnamed)
        return self.key_of(url)

    def keep(self, url: str, key: str) -> Place:
        """Keep `key` for the host of `url` from now on (empty forgets it) and say where it lies; `Place.THIS_RUN` when
        no keyring took it. A key in the environment goes on being the one that is used."""
        key, entry = key.strip(), _entry(url)
        in_keyring = self._write(entry, key)
        if not key:
            self._kept[entry] = ("", Place.NOWHERE)
        else:
            self._kept[entry] = (key, Place.KEYRING if in_keyring else Place.THIS_RUN)
        return self._kept[entry][1]

    def _read(self, entry: str) -> str:
        if self._backend is None:
            return ""
        try:
            return self._backend.get_password(_SERVICE, entry) or ""
        except (KeyringError, RuntimeError) as error:  # RuntimeError: a backend that is not viable after all
            _log.warning("the keyring could not be read: %s", type(error).__name__)
            return ""

    def _write(self, entry: str, key: str) -> bool:
        if self._backend is None:
            return False
        try:
            if key:
                self._backend.set_password(_SERVICE, entry, key)
            elif self._backend.get_password(_SERVICE, entry) is not None:
                self._backend.delete_password(_SERVICE, entry)
        except (KeyringError, RuntimeError) as error:
            _log.warning("the keyring did not take the key: %s", type(error).__name__)
            return False
        return True


def _entry(url: str) -> str:
    """The keyring's name for the host of `url`."""
    try:
        return urlsplit(url.strip() if "://" in url else f"//{url.strip()}").hostname or _NO_HOST
    except ValueError:
        return _NO_HOST


def system_keyring() -> KeyringBackend | None:
    """The person's keyring, None when there is none or it would keep the key in plain text."""
    chosen = keyring.get_keyring()
    candidates = list(chosen.backends) if isinstance(chosen, ChainerBackend) else [chosen]
    trusted = [backend for backend in candidates if backend.priority >= _TRUSTED_PRIORITY]
    return max(trusted, key=lambda backend: backend.priority, default=None)
