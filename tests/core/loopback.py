"""LoopbackServer: an asyncio server on loopback, on a thread of its own while the context is entered."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class LoopbackServer:
    """Whoever derives from it writes `_serve`: listen, set `_port` and `_listening`, and go on until `_over`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._over = self._loop.create_future()
        self._listening = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name)
        self._port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Nobody listens here any more."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set_result, None)
            self._thread.join()

    def now(self) -> float:
        """The clock of every `gone_at`."""
        return self._loop.time()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
        """Block until something the server saw makes `condition` true."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    async def _serve(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def _note(self, change: Callable[[], None] = lambda: None) -> None:
        with self._changed:
            change()
            self._changed.notify_all()
