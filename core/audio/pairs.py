"""Pairs: what was learned of a microphone beside a loudspeaker, kept so that the next session begins with it."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec

from core.audio.delay import LONGEST_S
from core.audio.drift import FASTEST
from core.settings import cache_folder

log = logging.getLogger(__name__)
_MOST = 50


class Pair(msgspec.Struct, frozen=True):
    """A microphone and a loudspeaker; None is what is not known."""

    drift: Annotated[float, msgspec.Meta(ge=-FASTEST, le=FASTEST)] | None = None
    """Share by which the microphone's clock runs faster than the loudspeaker's."""
    lag_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_S)] | None = None
    """How late the loudspeaker is heard, against what was played and is kept in step with the microphone."""


STRANGERS = Pair()
_FORM = msgspec.json.Decoder(dict[str, Pair])


def pairs_path() -> Path:
    """The file in the platform's cache folder."""
    return cache_folder() / "devices.json"


class Pairs:
    """Pairs by the names of their devices, in one small file; the names cannot be read from it, as they may hold
    somebody's own. A cache: what cannot be read is learned again. Belongs to one thread at a time; only the constructor
    and `keep` touch the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._read()

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
        newest = dict(list(self._known.items())[-_MOST:])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._path.parent, suffix=".tmp", delete=False) as file:
                written = Path(file.name)
                file.write(msgspec.json.encode(newest))
            try:
                written.replace(self._path)
            except OSError:
                with contextlib.suppress(OSError):
                    written.unlink()
                raise
        except OSError as error:
            log.info("what was learned of the devices is not kept: %s", type(error).__name__)

    def _read(self) -> dict[str, Pair]:
        try:
            return _FORM.decode(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            log.info("what was learned of the devices cannot be read: %s", type(error).__name__)
            return {}


def _name(microphone: str, loudspeaker: str) -> str:
    return hashlib.sha256(f"{microphone}\n{loudspeaker}".encode()).hexdigest()[:32]
