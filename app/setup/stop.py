"""Stop: one wish to end something that runs on another thread, heard at once even where that thread waits on a line."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class Stopped(Exception):
    """Somebody asked to stop."""


class Stop:
    """Any thread may call `set`, once; the others ask `check`, `wait`, and say with `hanging_up` how to wake them."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._hang_up: Callable[[], None] | None = None

    @property
    def wished(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        self._event.set()
        with self._lock:
            if self._hang_up is not None:
                self._hang_up()

    def check(self) -> None:
        """Go on, unless somebody asked to stop.

        Raises:
            Stopped: somebody did.
        """
        if self._event.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Let so long pass.

        Raises:
            Stopped: somebody asked to meanwhile.
        """
        if self._event.wait(seconds):
            raise Stopped

    @contextmanager
    def hanging_up(self, hang_up: Callable[[], None]) -> Generator[None]:
        """Inside, `set` also calls `hang_up`, on its own thread, to wake this one out of a wait for the network."""
        with self._lock:
            self._hang_up = hang_up
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._hang_up = None
