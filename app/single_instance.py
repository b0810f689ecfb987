"""SingleInstance: a second start shows the window of the first instead of opening another."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

if TYPE_CHECKING:
    from pathlib import Path

_ANSWER_MS = 3000
"""A window that draws answers in milliseconds; one that still starts may be busy for a moment."""
_ANSWER = b"shown\n"


class SingleInstance(QObject):
    """One for each settings folder. `first` is False where another process has it; `asked` when that process is told
    to show itself. A folder that cannot be written cannot be locked: whoever starts is the first then, unless somebody
    answers.
    """

    asked = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        self._name = "livetalk-" + hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._lock = QLockFile(str(folder / "running.lock"))
        self._lock.setStaleLockTime(0)
        locked = self._lock.tryLock(0)
        taken = self._lock.error() is QLockFile.LockError.LockFailedError
        self.first = locked or (not taken and not self.show_the_other())
        self._server = QLocalServer(self)
        if self.first:
            QLocalServer.removeServer(self._name)
            self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
            self._server.newConnection.connect(self._somebody)
            self._server.listen(self._name)

    def show_the_other(self) -> bool:
        """Ask the process that was here first to come forward; whether it did. A process that hangs does not answer."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_ANSWER_MS):
            return False
        answered = socket.waitForReadyRead(_ANSWER_MS)
        socket.disconnectFromServer()
        return answered

    def close(self) -> None:
        self._server.close()
        self._lock.unlock()

    def _somebody(self) -> None:
        while self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            socket.disconnected.connect(socket.deleteLater)
            self.asked.emit()
            socket.write(_ANSWER)
            socket.flush()
