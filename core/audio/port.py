"""Port: PortAudio, which this process has once, whoever uses it (docs/adr/0010-one-owner-of-portaudio.md).

The library keeps one list of devices and one of open streams, without a lock, and counting the devices again ends every
stream. So all calls that touch those lists are made here, one at a time, and the devices are counted again only while
no stream is open. A stream that is open belongs to who opened it.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

RATE = 48_000
"""Asked of every device; where it is refused, the device's own rate is used."""
S = TypeVar("S")


class Users:
    """How many streams are open, and the lock that every call takes which opens, closes, asks or counts again."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.open = 0


USERS = Users()


class Port:
    """PortAudio through sounddevice and rtmixer; without the system's library there are no devices. Any thread: a call
    waits while another one opens or closes a device, which may take a second."""

    def __init__(self) -> None:
        self.sounddevice: Any = None  # neither package is typed, and both load a native library when imported
        self.rtmixer: Any = None
        try:
            with USERS.lock:
                import rtmixer
                import sounddevice
        except (ImportError, OSError) as error:
            log.info("no PortAudio: %s", error)
            return
        self.sounddevice = sounddevice
        self.rtmixer = rtmixer

    def refresh(self) -> bool:
        """Let PortAudio count the devices again; False, and nothing is done, while any stream is open."""
        with USERS.lock:
            if self.sounddevice is None or USERS.open:
                return False
            self.sounddevice._terminate()  # the documented way to count again
            self.sounddevice._initialize()
            return True

    def names(self, kind: str) -> tuple[str, ...]:
        with USERS.lock:
            return tuple(dict.fromkeys(str(found["name"]) for found in self._found(kind)))

    def default(self, kind: str) -> str:
        with USERS.lock:
            found = self._find(kind, "")
            return str(found["name"]) if found else ""

    def open(self, kind: str, name: str, make: Callable[[Any, int], S]) -> S | None:
        """What `make` opens for the device of this name at a rate, None when that cannot be had.

        `make` opens exactly one stream, with `started`, which `close` ends.
        """
        with USERS.lock:
            found = self._find(kind, name)
            if found is None:
                return None
            for rate in dict.fromkeys((RATE, int(found["default_samplerate"]))):
                try:
                    return make(found, rate)
                except self.sounddevice.PortAudioError as error:
                    log.info("%s at %d a second: %s", kind, rate, error)
            return None

    def started(self, stream: Any) -> Any:
        """`stream`, running; it is counted until `close`. For `make` of `open`."""
        with USERS.lock:
            try:
                stream.start()
            except self.sounddevice.PortAudioError:
                stream.close()
                raise
            USERS.open += 1
            return stream

    def close(self, stream: Any) -> None:
        """End a stream that `started` gave; again does nothing."""
        with USERS.lock:
            if not stream.closed:
                USERS.open -= 1
                stream.close()

    def _found(self, kind: str) -> list[Any]:
        if self.sounddevice is None:
            return []
        default = self._find(kind, "")
        return [
            found
            for found in self.sounddevice.query_devices()
            if found[f"max_{kind}_channels"] and (default is None or found["hostapi"] == default["hostapi"])
        ]

    def _find(self, kind: str, name: str) -> Any:
        if self.sounddevice is None:
            return None
        if name:
            return next((found for found in self._found(kind) if found["name"] == name), None)
        try:
            return self.sounddevice.query_devices(kind=kind)
        except self.sounddevice.PortAudioError:
            return None
