"""Casting: who is on the stage; portraits are looked at one after the other, and the newest wish wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.channel import Channel
from core.errors import LiveTalkError
from core.events import AvatarChanged, Failed
from core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import Emit
    from core.media import Pixels
    from core.performer.protocol import Identity, Performer
    from core.performer.renderer import Renderer


class Casting:
    """Runs on the thread "portrait". `ask` may be called from any thread and returns at once; `first` runs on the
    renderer's.

    Args:
        portrait: the key of the one to begin with.
        picture: a portrait's pixels, from its key.
        name_of: what a portrait goes by, from its key.
        renderer: acts as whoever is on the stage.
        introduce: told the key of a portrait that has come in place of another.
    """

    def __init__(
        self,
        portrait: str,
        picture: Callable[[str], Pixels],
        name_of: Callable[[str], str],
        renderer: Renderer,
        introduce: Callable[[str], None],
        emit: Emit,
    ) -> None:
        self._picture = picture
        self._name_of = name_of
        self._renderer = renderer
        self._introduce = introduce
        self._emit = emit
        self._inbox: Channel[str] = Channel(8)
        self.portrait = portrait
        """The key of the portrait on the stage."""
        self.name = name_of(portrait)

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
            identity = self._renderer.performer.result().prepare(self._picture(key))
            name = self._name_of(key)
        except LiveTalkError as error:
            self._emit(Failed.of(error))
            return
        if not len(self._inbox):
            self._enter(identity, key, name)

    def stop(self) -> None:
        self._inbox.close()

    def first(self, performer: Performer) -> Identity:
        """As whom a performer that has just been loaded acts; a portrait that cannot serve (any more) is told of, and
        the default one appears.

        Raises:
            LiveTalkError: the default one cannot serve either.
        """
        try:
            return performer.prepare(self._picture(self.portrait))
        except LiveTalkError as error:
            default = Settings().avatar.portrait
            if self.portrait == default:
                raise
            self._emit(Failed.of(error))
            self.portrait, self.name = default, self._name_of(default)
            return performer.prepare(self._picture(default))

    def _enter(self, identity: Identity, key: str, name: str) -> None:
        self._renderer.change(identity)
        self.portrait, self.name = key, name
        self._introduce(key)
        self._emit(AvatarChanged(key, name))
