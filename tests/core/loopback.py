"""LoopbackServer: an asyncio server on loopback, on a thread of its own while the context is entered; and a stopwatch
for what it should notice at once."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

    Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class LoopbackServer:
    """Whoever derives from it writes `_serve`: listen, tell `_found` where, and go on until `_over`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._over = self._loop.create_future()
        self._listening = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name)
        self._port = 0
        self._socket: Any = None  # asyncio's own, which does less than a socket

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

    @property
    def port(self) -> int:
        return self._port

    def accept_nobody(self, room: int) -> None:
        """Go on listening, and accept nobody any more; so many find room to wait."""

        def deafen() -> None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket._sock.listen(room)
            done.set()

        done = threading.Event()
        self._loop.call_soon_threadsafe(deafen)
        done.wait()

    def lateness(self) -> float:
        """Seconds until this server's thread does something that it is told to: what the computer itself takes."""
        ran = threading.Event()
        at: list[float] = []
        since = self.now()
        self._loop.call_soon_threadsafe(lambda: (at.append(self.now()), ran.set()))
        ran.wait()
        return at[0] - since

    def now(self) -> float:
        """The clock of every `gone_at`."""
        return self._loop.time()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
        """Block until something the server saw makes `condition` true."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    async def _serve(self) -> None:
        raise NotImplementedError

    async def _listen(
        self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
    ) -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, **options)
        self._found(server.sockets[0])
        await self._over
        server.close()

    def _found(self, listening: Any) -> None:
        """Where it listens: from here on whoever entered the context goes on."""
        self._socket, self._port = listening, listening.getsockname()[1]
        self._listening.set()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def _note(self, change: Callable[[], None] = lambda: None) -> None:
        with self._changed:
            change()
            self._changed.notify_all()


AT_ONCE_S = 0.05


class Stopwatch:
    """How soon a server noticed what it should have noticed at once; `taken` are the seconds. What the computer itself
    takes to wake up a thread at these moments is measured beside it and not held against anybody."""

    def __init__(self, server: LoopbackServer) -> None:
        self._server = server
        self._late: list[float] = []
        self.taken: list[float] = []

    def start(self) -> float:
        """The server's time, from which on it counts."""
        self._late.append(self._server.lateness())
        return self._server.now()

    def assert_at_once(self) -> None:
        """Nineteen times out of twenty; of fewer, all but one. Three threads have to wake up for it: the one that
        is told, the one that gives the connection up, and the server's."""
        outliers = max(1, len(self.taken) // 20)
        taken, late = sorted(self.taken)[-1 - outliers], sorted(self._late)[-1 - outliers]
        assert taken < AT_ONCE_S + 3 * late, f"{1e3 * taken:.1f} ms, where a thread wakes up in {1e3 * late:.1f} ms"
