"""SettingsKeeper: writes what the person chose to the file, soon and off the GUI thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from core.errors import LiveTalkError
from core.settings import Settings, save

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

_SOON_MS = 300
"""A slider that is dragged is written once."""


class SettingsKeeper(QObject):
    """Knows what is in the file and what is in force for this run only (environment, command line).

    Args:
        kept: what the file holds.
        in_force: what this run began with; where it differs from `kept` it is never written.
        path: the file; None where there is one that must stay as it is, and nothing is written.

    `failed` carries the `LiveTalkError` of a write; that of the last one is raised by `close`.
    """

    failed = Signal(object)
    _done = Signal(object)

    def __init__(self, path: Path | None, kept: Settings, in_force: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._kept = kept
        self._in_force = in_force
        self._worker = ThreadPoolExecutor(1, "settings")
        self._last: Future[None] | None = None
        self._soon = QTimer(self, singleShot=True, interval=_SOON_MS)
        self._soon.timeout.connect(self._write)
        self._done.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    @property
    def kept(self) -> Settings:
        return self._kept

    def keep(self, settings: Settings) -> None:
        """The person changed something: what differs from what was in force goes to the file."""
        self._kept = carried_over(self._kept, self._in_force, settings)
        self._in_force = settings
        self._soon.start()

    def close(self) -> None:
        """Write what is not written yet and wait for it.

        Raises:
            LiveTalkError: it could not be written, and nobody was told yet.
        """
        if self._soon.isActive():
            self._soon.stop()
            self._write()
        self._worker.shutdown(wait=True)
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def _write(self) -> None:
        if self._path is None:
            return
        self._last = self._worker.submit(save, self._kept, self._path)
        self._last.add_done_callback(self._done.emit)

    def _deliver(self, done: Future[None]) -> None:
        if done is not self._last:  # a newer write follows and tells how it went
            return
        self._last = None
        error = done.exception()
        if isinstance(error, LiveTalkError):
            self.failed.emit(error)
        elif error is not None:
            raise error


def carried_over(kept: Settings, before: Settings, after: Settings) -> Settings:
    """`kept` with every field changed that differs between `before` and `after`."""
    branches: dict[str, object] = {}
    for name in after.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if not isinstance(new, msgspec.Struct):
            branches[name] = new
            continue
        fields = {key: getattr(new, key) for key in new.__struct_fields__ if getattr(new, key) != getattr(old, key)}
        branches[name] = msgspec.structs.replace(getattr(kept, name), **fields)
    return msgspec.structs.replace(kept, **branches)
