"""Small files that are written whole or not at all; `CacheFile`, one of JSON that may be lost."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

log = logging.getLogger(__name__)
Entry = TypeVar("Entry")


class CacheFile(Generic[Entry]):
    """What was found out, by name, in one JSON file. What cannot be read was not found out, and what cannot be written
    is found out again. Belongs to one thread at a time.

    Args:
        entry: the type of what is kept, as msgspec understands it.
    """

    def __init__(self, path: Path, entry: type[Entry]) -> None:
        self._path = path
        self._form = msgspec.json.Decoder(dict[str, entry])

    def read(self) -> dict[str, Entry]:
        """Everything in the file, oldest first; nothing where there is none, or a damaged one."""
        try:
            return self._form.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.info("%s cannot be read: %s", self._path.name, type(error).__name__)
            return {}

    def write(self, entries: dict[str, Entry]) -> None:
        """Put `entries` in the place of everything."""
        try:
            write_whole(self._path, msgspec.json.encode(entries))
        except OSError as error:
            log.info("%s cannot be written: %s", self._path.name, type(error).__name__)


def write_whole(path: Path, content: bytes, *, lasting: bool = False) -> None:
    """Write a file, and its folders where they are missing: afterwards it is the old one or the new one, never half of
    either, and nothing lies beside it.

    Args:
        lasting: it holds what nobody could find out again, so wait until it is on the disk.

    Raises:
        OSError: the old one is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    written = Path(name)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if lasting:
                os.fsync(descriptor)
        written.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            written.unlink()
        raise
