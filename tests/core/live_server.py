"""LiveServer: a realtime endpoint on loopback over real WebSockets, which does what a script says.

A script is a coroutine called with each connection:

    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        await talk.send({"type": "response.done", "response": {"status": "completed"}})

    with LiveServer(script) as server:
        endpoint = Endpoint(server.url, model="m")
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.core.loopback import LoopbackServer

if TYPE_CHECKING:
    import numpy as np


class Talk:
    """One connection, as a script sees it. `gone_at` is the loop's time at which the other side left."""

    def __init__(self, connection: ServerConnection, changed: Callable[[], None]) -> None:
        assert connection.request is not None
        self._connection = connection
        self._changed = changed
        self.path = connection.request.path
        self.headers = dict(connection.request.headers.raw_items())
        self.events: list[dict[str, Any]] = []
        self.gone_at: float | None = None

    async def until(self, kind: str) -> dict[str, Any]:
        """Read events until one of this kind comes."""
        while True:
            event = json.loads(await self._connection.recv())
            self.events.append(event)
            self._changed()
            if event["type"] == kind:
                return event

    async def send(self, event: dict[str, Any]) -> None:
        await self._connection.send(json.dumps(event))

    async def send_text(self, text: str) -> None:
        await self._connection.send(text)

    async def hold(self) -> None:
        """Nothing more, until the other side leaves."""
        await self._connection.wait_closed()

    def abort(self) -> None:
        self._connection.transport.abort()

    def left(self, at: float) -> None:
        self.gone_at = at
        self._changed()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def pcm(self) -> bytes:
        """The sound that was appended, of all turns."""
        return b"".join(base64.b64decode(event["audio"]) for event in self.of("input_audio_buffer.append"))

    @property
    def session(self) -> dict[str, Any]:
        return self.of("session.update")[0]["session"]


Script = Callable[[Talk], Awaitable[None]]


def spoken_events(kind: str, text: str, pcm: bytes, number: int = 1, *, item: str = "") -> list[dict[str, Any]]:
    """A whole reply in the "flat" layout of DashScope or the "nested" one of OpenAI; `item` is its name, if any."""
    prefix = "response.audio" if kind == "flat" else "response.output_audio"
    about = {"response_id": f"r{number}"}
    sound = [pcm[at : at + 9601] for at in range(0, len(pcm), 9601)]
    added = {"type": "response.output_item.added", "item": {"id": item, "role": "assistant"}, **about}
    return [
        {"type": "response.created", "response": {"id": f"r{number}", "status": "in_progress"}},
        *([added] if item else []),
        {"type": f"{prefix}_transcript.delta", "delta": text, **about},
        *({"type": f"{prefix}.delta", "delta": base64.b64encode(data).decode(), **about} for data in sound),
        {"type": f"{prefix}.done", **about},
        {"type": "response.output_item.done", **about},
        {"type": "response.done", "response": {"id": f"r{number}", "status": "completed"}},
    ]


def speaking(kind: str, text: str, pcm: bytes, turns: int = 100) -> Script:
    """Answer every turn of every connection the same."""

    async def script(talk: Talk) -> None:
        await talk.send({"type": "session.created", "session": {"id": "s"}})
        for number in range(1, turns + 1):
            await talk.until("response.create")
            for event in spoken_events(kind, text, pcm, number):
                await talk.send(event)
        await talk.hold()

    return script


def one_after_another(*scripts: Script) -> Script:
    """The n-th connection gets the n-th script, later ones the last."""
    counted = iter(range(10**6))
    return lambda talk: scripts[min(next(counted), len(scripts) - 1)](talk)


class LiveServer(LoopbackServer):
    """The server, on a thread of its own while the context is entered. `refuse` answers the handshake instead."""

    def __init__(self, script: Script, refuse: tuple[int, dict[str, str], str] | None = None) -> None:
        super().__init__("live-server")
        self._script = script
        self._refuse = refuse
        self.talks: list[Talk] = []
        self.refused = 0

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/v1"

    @property
    def open_connections(self) -> int:
        return sum(talk.gone_at is None for talk in self.talks)

    async def _serve(self) -> None:
        async with serve(
            self._talk, "127.0.0.1", 0, process_request=self._admit, max_size=None, close_timeout=0.1
        ) as server:
            self._found(next(iter(server.sockets)))
            await self._over

    async def _admit(self, _: ServerConnection, request: Request) -> Response | None:
        """A list of models is not what lives here; the handshake may be refused."""
        if not request.path.split("?")[0].endswith("/realtime"):
            return Response(HTTPStatus.NOT_FOUND, "Not Found", Headers({"content-length": "0"}), b"")
        if self._refuse is None:
            return None
        status, headers, body = self._refuse
        self.refused += 1
        data = body.encode()
        return Response(status, "Refused", Headers({**headers, "content-length": str(len(data))}), data)

    async def _talk(self, connection: ServerConnection) -> None:
        talk = Talk(connection, self._note)
        self.talks.append(talk)
        self._note()
        watching = asyncio.create_task(connection.wait_closed())
        watching.add_done_callback(lambda _: talk.left(self.now()))
        try:
            await self._script(talk)
        except ConnectionClosed:
            pass
        finally:
            await connection.close()


def pcm_of(samples: np.ndarray) -> bytes:
    return (samples * 32768).round().clip(-32768, 32767).astype("<i2").tobytes()
