"""Sending: how far a request has got on its way to an endpoint, as the transport under the SDK tells it.

An endpoint is not silent before it has the whole request; and a connection that was idle for long may be dead without
anybody having said so.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import httpx2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator

_PIECE = 16_384
_UNSENT = 65_536
"""Bytes that the system may hold back for a connection before more is taken: what it holds looks as if it were sent."""
_HEARD = ("receive_response_headers.complete", "receive_response_body.complete")
"""Something came from the other side. That a response was closed says nothing: this side does that by itself."""
_current: ContextVar[Sending | None] = ContextVar("sending", default=None)


class Sending:
    """One request on its way. Lives on the loop.

    `sent`: the whole of it is on the way. `reused`: over a connection that was there before, whose client heard from
    the other side `idle_s` seconds ago. `moved` is called whenever it got further.
    """

    def __init__(self) -> None:
        self.sent = False
        self.reused = True
        self.idle_s = math.inf
        self.moved: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def followed(self) -> Generator[None]:
        """The request that is made meanwhile is this one."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def note(self, event: str) -> None:
        """Something happened to it; `event` is httpcore's name for that, without who reports it."""
        if event == "connect_tcp.started":
            self.reused = self.sent = False
        elif event == "send_request_headers.started":
            self.sent = False  # what was sent before it was for a proxy
        elif event == "send_request_body.complete":
            self.sent = True
        else:
            return
        self.moved()


class Road:
    """The connections of one client. Lives on the loop."""

    def __init__(self) -> None:
        self._heard_at = -math.inf

    async def watch(self, request: httpx2.Request) -> None:
        """Follow `request`, which is about to be sent."""
        sending = _current.get()
        if sending is not None:
            sending.idle_s = _now() - self._heard_at
            request.stream = _Pieces(cast("httpx2.AsyncByteStream", request.stream), sending)

        async def trace(event: str, info: dict[str, Any]) -> None:
            name = event.partition(".")[2]
            if name == "connect_tcp.complete":
                _hold_little_back(info["return_value"])
            elif name in _HEARD:
                self._heard_at = _now()
            if sending is not None:
                sending.note(name)

        request.extensions["trace"] = trace


class _Pieces(httpx2.AsyncByteStream):
    """A body in pieces small enough to see it move."""

    def __init__(self, whole: httpx2.AsyncByteStream, sending: Sending) -> None:
        self._whole = whole
        self._sending = sending

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._whole:
            for at in range(0, len(data), _PIECE):
                yield data[at : at + _PIECE]
                self._sending.moved()

    async def aclose(self) -> None:
        await self._whole.aclose()


def _hold_little_back(stream: Any) -> None:
    """Have the system take no more than it can send soon. Where it cannot be told, it takes little by itself."""
    connection = stream.get_extra_info("socket")
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if connection is not None and option is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, _UNSENT)


def _now() -> float:
    return asyncio.get_running_loop().time()
