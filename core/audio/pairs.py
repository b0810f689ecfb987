"""Pairs: what was learned of a microphone beside a loudspeaker, kept so that the next session begins with it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

import msgspec

from core.audio.delay import LONGEST_S
from core.audio.drift import FASTEST
from core.cache_file import CacheFile
from core.settings import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 50


class Pair(msgspec.Struct, frozen=True):
    """A microphone and a loudspeaker; None is what is not known."""

    drift: Annotated[float, msgspec.Meta(ge=-FASTEST, le=FASTEST)] | None = None
    """Share by which the microphone's clock runs faster than the loudspeaker's."""
    lag_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)] | None = None
    """How late the loudspeaker is heard, against what was played and is kept in step with the microphone."""


STRANGERS = Pair()


def pairs_path() -> Path:
    """The file in the platform's cache folder."""
    return cache_folder() / "devices.json"


class Pairs:
    """Pairs by the names of their devices, in one small file; the names cannot be read from it, as they may hold
    somebody's own. A cache: what cannot be read is learned again. Belongs to one thread at a time; only the constructor
    and `keep` touch the file.
    """

    def __init__(self, path: Path) -> None:
        self._file = CacheFile(path, Pair)
        self._known = self._file.read()

    def recall(self, microphone: str, loudspeaker: str) -> Pair:
        """What is known of these two, by name."""
        return self._known.get(_name(microphone, loudspeaker), STRANGERS)

    def learn(self, microphone: str, loudspeaker: str, pair: Pair) -> None:
        """Remember `pair`, unless nothing is known of it."""
        if pair != STRANGERS:
            name = _name(microphone, loudspeaker)
            self._known.pop(name, None)
            self._known[name] = pair

    def keep(self) -> None:
        """Write down the newest."""
        self._file.write(dict(list(self._known.items())[-_MOST:]))


def _name(microphone: str, loudspeaker: str) -> str:
    return hashlib.sha256(f"{microphone}\n{loudspeaker}".encode()).hexdigest()[:32]
