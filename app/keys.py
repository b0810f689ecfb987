"""The key of the endpoint: in the system's keyring or in memory, never in a file of ours.

`LIVETALK_API_KEY` wins over what the keyring holds. A keyring backend that its makers do not recommend (a plain file)
counts as no keyring: the key is then kept until the app quits.
"""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Protocol

import keyring
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyring.backend import KeyringBackend

ENVIRONMENT_KEY = "LIVETALK_API_KEY"
_SERVICE = "LiveTalk"
_ENTRY = "endpoint"
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
    """The key, wherever it is kept. A keyring may ask the person to unlock it, so `load` and `keep` are called from a
    worker thread, one at a time; `key` and `place` answer at once from any thread.

    Args:
        environment: the process environment.
        backend: see `system_keyring`; None when there is no keyring to trust.
    """

    def __init__(self, environment: Mapping[str, str], backend: Keyring | None) -> None:
        self._fixed = environment.get(ENVIRONMENT_KEY, "").strip()
        self._backend = backend
        self._kept = ("", Place.NOWHERE)

    @property
    def key(self) -> str:
        """The key to send, empty when there is none."""
        return self._fixed or self._kept[0]

    @property
    def place(self) -> Place:
        return Place.ENVIRONMENT if self._fixed else self._kept[1]

    def load(self) -> str:
        """Read the keyring once, at the start; returns `key`."""
        if self._backend is not None:
            try:
                kept = self._backend.get_password(_SERVICE, _ENTRY)
            except (KeyringError, RuntimeError) as error:  # RuntimeError: a backend that is not viable after all
                _log.warning("the keyring could not be read: %s", type(error).__name__)
            else:
                self._kept = (kept, Place.KEYRING) if kept else ("", Place.NOWHERE)
        return self.key

    def keep(self, key: str) -> Place:
        """Keep `key` from now on (empty forgets it) and say where it lies; `Place.THIS_RUN` when no keyring took it.

        A key in the environment goes on being the one that is used.
        """
        key = key.strip()
        in_keyring = self._write(key)
        if not key:
            self._kept = ("", Place.NOWHERE)
        else:
            self._kept = (key, Place.KEYRING if in_keyring else Place.THIS_RUN)
        return self._kept[1]

    def _write(self, key: str) -> bool:
        if self._backend is None:
            return False
        try:
            if key:
                self._backend.set_password(_SERVICE, _ENTRY, key)
            elif self._backend.get_password(_SERVICE, _ENTRY) is not None:
                self._backend.delete_password(_SERVICE, _ENTRY)
        except (KeyringError, RuntimeError) as error:
            _log.warning("the keyring did not take the key: %s", type(error).__name__)
            return False
        return True


def system_keyring() -> KeyringBackend | None:
    """The person's keyring, None when there is none or it would keep the key in plain text."""
    chosen = keyring.get_keyring()
    candidates = list(chosen.backends) if isinstance(chosen, ChainerBackend) else [chosen]
    trusted = [backend for backend in candidates if backend.priority >= _TRUSTED_PRIORITY]
    return max(trusted, key=lambda backend: backend.priority, default=None)
