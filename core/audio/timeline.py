"""Timeline: which media sample leaves the loudspeaker at which sample of the device."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

_KEPT_SPANS = 256


class _Span(NamedTuple):
    """Device samples from `device` on carry media from `media` on, for `length` media samples."""

    device: int
    media: float
    length: float


@dataclass
class Timeline:
    """The map from device positions to media positions, kept for each write. Sound thread only.

    Silence put in for a starving ring takes device time but no media time: between two spans, media time stands still
    at the end of the earlier one. Media that was flushed is stepped over when the next span begins.
    """

    rate: int
    """Media samples a second."""
    device_rate: int

    def __post_init__(self) -> None:
        self._spans: deque[_Span] = deque(maxlen=_KEPT_SPANS)
        self._floor = 0.0

    def restart(self, device_rate: int, media: int) -> None:
        """A device whose positions begin again; media goes on at `media`."""
        self.device_rate = device_rate
        self._spans.clear()
        self._floor = float(media)

    def wrote(self, device: int, count: int, media: float) -> None:
        """`count` device samples from position `device` on carry media from `media` on."""
        length = count * self.rate / self.device_rate
        if self._spans:
            span = self._spans[-1]
            end = span.device + span.length * self.device_rate / self.rate
            if round(end) == device and abs(span.media + span.length - media) < 1:
                self._spans[-1] = span._replace(length=media + length - span.media)
                return
        self._spans.append(_Span(device, media, length))

    def cut(self, device: int, media: int) -> None:
        """What was written from `device` on never plays; from there on, media time is `media`."""
        while self._spans and self._spans[-1].device >= device:
            self._spans.pop()
        if self._spans:
            span = self._spans[-1]
            length = min(span.length, (device - span.device) * self.rate / self.device_rate)
            self._spans[-1] = span._replace(length=length)
        self._spans.append(_Span(device, float(media), 0.0))

    def media_at(self, device: float) -> float:
        """The media position that leaves when the device's position is `device`."""
        found = self._floor
        for span in reversed(self._spans):
            if span.device <= device:
                found = span.media + min(span.length, (device - span.device) * self.rate / self.device_rate)
                break
        else:
            if self._spans and len(self._spans) == _KEPT_SPANS:
                found = self._spans[0].media
        return found
