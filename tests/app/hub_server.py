"""A hub on this computer: what huggingface.co says about files, a host that has their bytes, and trouble with both."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_PIECE = 1 << 14


@dataclass
class Trouble:
    """What goes wrong from now on."""

    cut_after: list[int] = field(default_factory=list)
    """For each download in turn, after so many bytes the line breaks."""
    stall_after: int | None = None
    """After so many bytes nothing comes any more."""
    answers: list[int] = field(default_factory=list)
    """For each request for bytes in turn, the status to answer with instead."""
    status: int = 0
    """What every question about a file is answered with."""
    silent_about_hashes: bool = False
    no_ranges: bool = False
    wrong_bytes: bool = False
    other_hash: str = ""
    small: bool = False
    """Files are kept in the repository itself: the answer is the file, and its hash is git's."""


class Hub:
    """Serves `files` by (repository, path): questions at 127.0.0.1, bytes at localhost, as the real one sends them from
    another host. `asked` are the requests for bytes: path and where they began."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], bytes] = {}
        self.trouble = Trouble()
        self.asked: list[tuple[str, int]] = []
        self.stalled = threading.Event()
        self.closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="hub")

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Hub:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_HEAD(self) -> None:
        self._resolve()

    def do_GET(self) -> None:
        if self.path.startswith("/bytes/"):
            self._send_bytes()
        else:
            self._resolve()

    def _resolve(self) -> None:
        """What the hub knows of a file, and where its bytes are."""
        hub, trouble = self.server.hub, self.server.hub.trouble
        asked = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path)
        assert asked is not None
        content = hub.files.get((asked[1], asked[2]))
        if trouble.status or content is None:
            code = "EntryNotFound" if content is None else "GatedRepo"
            self._answer(trouble.status or 404, {"X-Error-Code": code})
            return
        if trouble.small:
            self._answer(200, {"X-Repo-Commit": COMMIT, "ETag": f'"{"a" * 40}"'}, len(content))
            if self.command == "GET":
                hub.asked.append((asked[2], 0))
                self._write(content)
            return
        headers = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Size": str(len(content)),
            "Location": f"http://localhost:{hub.port}/bytes/{asked[1]}/{asked[2]}",
        }
        if not trouble.silent_about_hashes:
            headers["X-Linked-Etag"] = f'"{trouble.other_hash or hashlib.sha256(content).hexdigest()}"'
        self._answer(302, headers)

    def _send_bytes(self) -> None:
        hub, trouble = self.server.hub, self.server.hub.trouble
        if trouble.answers:
            self._answer(trouble.answers.pop(0), {})
            return
        wanted = re.fullmatch(r"/bytes/([^/]+/[^/]+)/(.+)", self.path)
        assert wanted is not None
        content = hub.files[wanted[1], wanted[2]]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not trouble.no_ranges else 0
        hub.asked.append((wanted[2], start))
        ranged = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self._answer(206 if start else 200, ranged, len(content) - start)
        rest = bytes(len(content) - start) if trouble.wrong_bytes else content[start:]
        if trouble.cut_after:
            self._write(rest[: trouble.cut_after.pop(0)])
        elif trouble.stall_after is not None:
            self._write(rest[: trouble.stall_after])
            hub.stalled.set()
            hub.closing.wait()
        else:
            self._write(rest)

    def _write(self, content: bytes) -> None:
        for begin in range(0, len(content), _PIECE):
            try:
                self.wfile.write(content[begin : begin + _PIECE])
            except (BrokenPipeError, ConnectionResetError):
                return  # who downloads may hang up

    def _answer(self, status: int, headers: dict[str, str], length: int = 0) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...
