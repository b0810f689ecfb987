"""OmniServer: an endpoint on loopback that answers what a script says, byte for byte and moment for moment.

A script is called with each conversation request and yields steps; `answering` is one that behaves like a real server:

    with OmniServer(answering("Hello there.", pcm)) as server:
        endpoint = Endpoint(server.url, model="qwen3-omni")

It speaks plain HTTP/1.1 with chunked server-sent events, keeps connections alive, and remembers what it was asked, when
each reply's connection was closed by the other side, and how many connections were open at once.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.core.loopback import LoopbackServer

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True)
class Head:
    """Status and headers; an error status takes its body from `body` and ends the reply."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: object = None


@dataclass(frozen=True)
class Event:
    """One server-sent event: a JSON value, or text as it is."""

    data: object


@dataclass(frozen=True)
class Raw:
    """Bytes of the body as they are: what a voice sends."""

    data: bytes


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Hold:
    """Nothing more until `OmniServer.release`, or until the other side goes away."""


@dataclass(frozen=True)
class Reset:
    """The connection breaks in the middle of the body."""


Step = Head | Event | Raw | Wait | Hold | Reset
DONE = Event("[DONE]")
"""What servers send last; a script that ends without it just ends the body cleanly."""


@dataclass
class Asked:
    """A request as it came; `raw` is a body that is no JSON. `gone_at` is the loop's time at which the other side
    closed during the reply."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    gone_at: float | None = None
    raw: bytes = b""


Script = Callable[[Asked], Iterable[Step]]


def wav(pcm: bytes, rate: int = 24_000) -> bytes:
    """A WAV file of 16-bit mono `pcm`."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(pcm)
    return file.getvalue()


def tone(seconds: float, rate: int = 24_000, seed: int = 1) -> bytes:
    """16-bit mono noise of a given seed, so that every sample tells where it belongs."""
    count = round(seconds * rate)
    return np.random.default_rng(seed).integers(-20_000, 20_000, count).astype("<i2").tobytes()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def chunk(delta: dict[str, Any], finish: str | None = None, **top: Any) -> dict[str, Any]:
    """A ``chat.completion.chunk`` with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **top}


USAGE = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {}}


def dashscope_words(text: str) -> Event:
    return Event(chunk({"content": text}))


def dashscope_sound(pcm: bytes) -> Event:
    """Raw PCM under ``delta.audio``, whatever format was asked for."""
    return Event(chunk({"audio": {"data": base64.b64encode(pcm).decode(), "expires_at": 1, "id": "audio_1"}}))


def vllm_words(text: str) -> Event:
    return Event(chunk({"content": text}, modality="text"))


def vllm_sound(data: bytes) -> Event:
    """A WAV file (or raw PCM) as the content of a chunk whose top says that it is sound."""
    delta = {"role": "assistant", "content": base64.b64encode(data).decode()}
    return Event(chunk(delta, modality="audio", usage={"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}))


def sglang_sound(data: bytes) -> Event:
    """A WAV file under ``delta.audio``."""
    return Event(chunk({"audio": {"id": "a", "data": base64.b64encode(data).decode()}}))


def openai_words(text: str) -> Event:
    """Words beside the sound, and no content."""
    return Event(chunk({"content": None, "audio": {"id": "a", "transcript": text}}))


def heard_as(text: str) -> list[Step]:
    """What a service says that writes speech down."""
    return [Head(200, body={"text": text})]


def voiced(data: bytes, size: int = 4096, *headers: tuple[str, str]) -> list[Step]:
    """What a voice says: raw sound in pieces."""
    return [Head(200, (("content-type", "audio/pcm"), *headers)), *(Raw(piece) for piece in pieces(data, size))]


def answering(
    text: str,
    sound: bytes,
    *,
    rate: int = 24_000,
    delay_s: float = 0.0,
    dialect: str = "vllm_omni",
    fragment_s: float = 0.32,
) -> Script:
    """Answer any turn with `text` and `sound` (a WAV file, or 16-bit mono PCM at `rate`) after `delay_s`."""
    if sound[:4] == b"RIFF":
        with wave.open(io.BytesIO(sound)) as reader:
            rate, sound = reader.getframerate(), reader.readframes(reader.getnframes())
    fragments = list(pieces(sound, 2 * round(fragment_s * rate)))

    def script(_: Asked) -> Iterator[Step]:
        yield Head()
        yield Wait(delay_s)
        if dialect == "dashscope":
            yield dashscope_words(text)
            yield from map(dashscope_sound, fragments)
        else:
            yield vllm_words(text)
            yield from (vllm_sound(wav(fragment, rate)) for fragment in fragments)
        yield Event(chunk({"content": ""}, "stop"))
        yield Event(USAGE)
        yield DONE

    return script


def in_turn(*scripts: Iterable[Step]) -> Script:
    """The n-th request gets the n-th script, later ones the last."""
    counted = iter(range(10**6))
    return lambda _: scripts[min(next(counted), len(scripts) - 1)]


class OmniServer(LoopbackServer):
    """The server, on a thread of its own while the context is entered.

    `models` is what ``GET /models`` lists as (name, owner); None answers 404, a `Head` is the answer itself. `ears` and
    `voice` are scripts of the calls that write down and say; None answers 404. With `tls` it speaks HTTPS.
    """

    def __init__(
        self,
        script: Script,
        models: Iterable[tuple[str, str]] | Head | None = (("qwen3-omni", "vllm"),),
        ears: Script | None = None,
        voice: Script | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__("omni-server")
        self._tls = tls
        nothing: Script = lambda _: [Head(404, body={"detail": "Not Found"})]  # noqa: E731 - one line says it
        self._scripts: dict[str, Script] = {
            "/chat/completions": script,
            "/audio/transcriptions": ears or nothing,
            "/audio/speech": voice or nothing,
        }
        self._models = models if models is None or isinstance(models, Head) else list(models)
        self._released = asyncio.Event()
        self.asked: list[Asked] = []
        self.connections = 0
        self.open_connections = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}/v1"

    @property
    def turns(self) -> list[Asked]:
        """The conversation requests, without those for the list of models."""
        return [asked for asked in self.asked if asked.path.endswith("/chat/completions")]

    def asked_of(self, call: str) -> list[Asked]:
        """The requests for one call, such as "/audio/speech"."""
        return [asked for asked in self.asked if asked.path.endswith(call)]

    def release(self) -> None:
        """Go on after `Hold`, for every reply from now on."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def _serve(self) -> None:
        await self._listen(self._connection, ssl=self._tls)

    def _count(self, change: int) -> None:
        def counted() -> None:
            self.open_connections += change
            self.connections += max(change, 0)

        self._note(counted)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count(1)
        early = b""
        try:
            while asked := await self._read_request(reader, early):
                self._note(lambda asked=asked: self.asked.append(asked))
                if self._script_of(asked) is not None:
                    early = await self._reply(asked, reader, writer)
                else:
                    await self._list_models(writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._count(-1)

    async def _read_request(self, reader: asyncio.StreamReader, early: bytes) -> Asked | None:
        try:
            head = (early + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except asyncio.IncompleteReadError:
            return None
        method, path, _ = head[0].split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if "json" in headers.get("content-type", ""):
            return Asked(method, path, headers, json.loads(body) if body else {})
        return Asked(method, path, headers, {}, raw=body)

    def _script_of(self, asked: Asked) -> Script | None:
        return next((script for call, script in self._scripts.items() if asked.path.endswith(call)), None)

    async def _reply(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Play the script while watching for the other side's end; returns what came early of the next request."""
        watching = asyncio.create_task(reader.read(1))
        playing = asyncio.create_task(self._play(asked, writer))
        try:
            await asyncio.wait((watching, playing), return_when=asyncio.FIRST_COMPLETED)
            if watching.done() and (watching.exception() or not watching.result()):
                self._note(lambda: setattr(asked, "gone_at", self.now()))
                raise ConnectionResetError
            await playing
            return watching.result() if watching.done() else b""
        finally:
            playing.cancel()
            watching.cancel()
            await asyncio.gather(playing, watching, return_exceptions=True)

    async def _list_models(self, writer: asyncio.StreamWriter) -> None:
        if self._models is None:
            await self._plain(writer, Head(404, body={"detail": "Not Found"}))
        elif isinstance(self._models, Head):
            await self._plain(writer, self._models)
        else:
            listed = [{"id": name, "object": "model", "owned_by": owner} for name, owner in self._models]
            await self._plain(writer, Head(200, body={"object": "list", "data": listed}))

    async def _plain(self, writer: asyncio.StreamWriter, head: Head) -> None:
        body = (head.body if isinstance(head.body, str) else json.dumps(head.body)).encode()
        kind = "text/html" if isinstance(head.body, str) else "application/json"
        headers = (("content-type", kind), ("content-length", str(len(body))), *head.headers)
        lines = [f"HTTP/1.1 {head.status} Status", *(f"{name}: {value}" for name, value in headers), "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    async def _play(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        script = self._script_of(asked)
        assert script is not None
        for step in script(asked):
            match step:
                case Head() if step.body is not None:
                    await self._plain(writer, step)
                    return
                case Head():
                    headers = {
                        "content-type": "text/event-stream",
                        "transfer-encoding": "chunked",
                        **dict(step.headers),
                    }
                    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
                    writer.write("\r\n".join(lines).encode())
                case Raw():
                    self._send(writer, step.data)
                case Event():
                    data = step.data if isinstance(step.data, str) else json.dumps(step.data)
                    self._send(writer, f"data: {data}\n\n".encode())
                case Wait():
                    await asyncio.sleep(step.seconds)
                case Hold():
                    await self._released.wait()
                case Reset():
                    writer.transport.abort()
                    raise ConnectionResetError
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
