"""Casting: who is on the stage; portraits are looked at one after the other, and the newest wish wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.channel import Channel
from core.errors import LiveTalkError
from core.events import Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import Emit


class Casting:
    """Runs on the thread "portrait". `ask` may be called from any thread and returns at once.

    Args:
        prepare: looks at the portrait with this key and returns what puts it on the stage.
    """

    def __init__(self, prepare: Callable[[str], Callable[[], None]], emit: Emit) -> None:
        self._prepare = prepare
        self._emit = emit
        self._inbox: Channel[str] = Channel(8)

    def ask(self, key: str) -> None:
        """Wish for the portrait with this key; wishes that nobody has looked at yet are forgotten."""
        self._inbox.drop(lambda _: True)
        self._inbox.offer(key)

    def run(self) -> None:
        """Until stopped.

        Raises:
            Closed: `stop` was called.
        """
        while True:
            self.step()

    def step(self) -> None:
        """Look at one portrait; one that cannot serve is told of, and the old one stays."""
        key = self._inbox.take()
        try:
            enter = self._prepare(key)
        except LiveTalkError as error:
            self._emit(Failed.of(error))
            return
        if not len(self._inbox):
            enter()

    def stop(self) -> None:
        self._inbox.close()
