"""One file from the Hugging Face Hub: goes on where it stopped, is checked by its hash, can be given up at any moment.

huggingface_hub knows the hub: addresses, mirrors (`HF_ENDPOINT`), tokens, offline mode, and what hash a file must have.
The bytes are taken here, because its own download begins anew after every interruption (2.4 gives each attempt a file
of its own and deletes it).
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx2

    from app.setup.stop import Stop

    Report = Callable[[int], None]
    """Called with the bytes that are here."""

PAUSES_S = (0.5, 2.0, 5.0, 10.0, 20.0)
"""How long to wait before each further try while nothing arrives."""
_TIMEOUT_S = 15.0
_CHUNK = 1 << 20
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which trying again makes sense."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository. `sha256` is empty where only the hub knows it; `size` is what it is expected to take."""

    repo: str
    path: str
    size: int
    sha256: str = ""
    revision: str = "main"


@dataclass(frozen=True)
class _Wanted:
    size: int
    sha256: str


def fetch_file(file: HubFile, target: Path, report: Report, stop: Stop) -> str:
    """Bring `file` to `target`, which appears whole or not at all; returns its sha256. What has arrived of it lies
    beside it under a name that holds the hash, so that the next call goes on from there.

    Raises:
        Stopped: somebody asked to; what has arrived is kept.
        LiveTalkError: the hub cannot be reached, or may not be (`DOWNLOAD_FAILED`), what came is not what was asked for
            (`MODEL_DAMAGED`), or it cannot be written (`DISK_FULL`, `FOLDER_UNWRITABLE`).
    """
    wanted = _ask(file, stop)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _Part(partial(target, wanted.sha256), report) as part:
            part.read(stop)
            resumed = part.size > 0
            _fill(part, file, wanted, stop)
            if resumed and not part.whole(wanted):  # what was kept was spoilt: nothing of it can be told apart
                part.restart()
                _fill(part, file, wanted, stop)
            part.settle(file, wanted)
        partial(target, wanted.sha256).replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    return wanted.sha256


def partial(target: Path, sha256: str) -> Path:
    """Where the beginning of a file with this hash is kept until the rest has come."""
    return target.with_name(f"{target.name}.{sha256[:12]}.part")


def arrived(target: Path) -> int:
    """Bytes of `target` that an earlier download left."""
    parts = target.parent.glob(f"{target.name}.*.part") if target.parent.is_dir() else ()
    return max((part.stat().st_size for part in parts), default=0)


def hub_name() -> str:
    """The host that files come from."""
    return urlsplit(_endpoint()).hostname or _endpoint()


def _endpoint() -> str:
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _url(file: HubFile) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=_endpoint())


def _ask(file: HubFile, stop: Stop) -> _Wanted:
    """What the hub says that the file is; where a hash is pinned, it must be that one."""
    import httpx2
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    stop.check()
    try:
        told = get_hf_file_metadata(_url(file), timeout=_TIMEOUT_S, endpoint=_endpoint())
    except OfflineModeIsEnabled as error:
        raise _switched_off() from error
    except HfHubHTTPError as error:
        raise _refused(file, error) from error
    except httpx2.TransportError as error:
        raise _unreachable(error) from error
    etag = told.etag or ""
    sha256 = etag if re.fullmatch(r"[0-9a-f]{64}", etag) else ""
    if file.sha256 and sha256 and sha256 != file.sha256:
        raise _another(file, f"{hub_name()} offers sha256 {sha256}, expected {file.sha256}")
    size = told.size or (file.size if file.sha256 else 0)
    if not (file.sha256 or sha256) or not size:
        raise LiveTalkError(
            Problem.DOWNLOAD_FAILED,
            f"{hub_name()} does not say what {file.path} must be, so it could not be checked.",
            "Unset HF_ENDPOINT, or set it to a complete mirror of huggingface.co.",
            detail=f"{file.repo}/{file.path}: etag {etag!r}, size {told.size}",
        )
    return _Wanted(size, file.sha256 or sha256)


class _Part:
    """The beginning of a file on disk, and the hash of it."""

    def __init__(self, path: Path, report: Report) -> None:
        self._report = report
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._digest = hashlib.sha256()
        self.size = 0

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, stop: Stop) -> None:
        """Know what an earlier download left."""
        while chunk := self._file.read(_CHUNK):
            stop.check()
            self._digest.update(chunk)
            self.size += len(chunk)
        self._report(self.size)

    def add(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)
        self._report(self.size)

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    def whole(self, wanted: _Wanted) -> bool:
        return (self.size, self._digest.hexdigest()) == (wanted.size, wanted.sha256)

    def settle(self, file: HubFile, wanted: _Wanted) -> None:
        """All of it is here: on disk, and the right one.

        Raises:
            LiveTalkError: it is another one (`MODEL_DAMAGED`); it is forgotten.
        """
        self._file.flush()
        os.fsync(self._file.fileno())
        if not self.whole(wanted):
            found = f"{self.size} bytes with sha256 {self._digest.hexdigest()}"
            self.restart()
            raise _another(file, f"{found}, expected {wanted.size} with {wanted.sha256}")


def _fill(part: _Part, file: HubFile, wanted: _Wanted, stop: Stop) -> None:
    """Take what is missing of it; a line that breaks is tried again for as long as something comes through it."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    failures = 0
    while part.size < wanted.size:
        before = part.size
        broken: Exception = EOFError(f"{file.path} ended early")
        try:
            _stream(part, file, stop)
        except OfflineModeIsEnabled as error:
            raise _switched_off() from error
        except HfHubHTTPError as error:
            if error.response.status_code not in _PASSING:
                raise _refused(file, error) from error
            broken = error
        except httpx2.TransportError as error:
            broken = error
        stop.check()
        failures = 0 if part.size > before else failures + 1
        if part.size < wanted.size:
            if failures > len(PAUSES_S):
                raise _unreachable(broken) from broken
            stop.wait(PAUSES_S[max(failures, 1) - 1])


def _stream(part: _Part, file: HubFile, stop: Stop) -> None:
    """One connection: from where the part ends to wherever the line holds."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
    with get_session().stream("GET", _url(file), headers=headers, timeout=_TIMEOUT_S) as response:
        hf_raise_for_status(response)
        if part.size and response.status_code != 206:  # a server that knows no ranges sends all of it again
            part.restart()
        with stop.hanging_up(lambda: _hang_up(response)):
            for chunk in response.iter_raw():
                part.add(chunk)
                stop.check()


def _hang_up(response: httpx2.Response) -> None:
    """Wake the thread that waits for this response; it sees a broken line."""
    line: Any = response.extensions.get("network_stream")
    connection = line.get_extra_info("socket") if line is not None else None
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side was faster


def _switched_off() -> LiveTalkError:
    return LiveTalkError(
        Problem.DOWNLOAD_FAILED,
        "Downloads are switched off by HF_HUB_OFFLINE.",
        "Unset it to download, or name a folder that has the files already.",
    )


def _unreachable(error: Exception) -> LiveTalkError:
    return LiveTalkError(
        Problem.DOWNLOAD_FAILED,
        f"{hub_name()} could not be reached.",
        "What has arrived is kept. Check the network, then try again; HF_ENDPOINT can name a mirror.",
        detail=f"{type(error).__name__}: {error}",
    )


def _refused(file: HubFile, error: Exception) -> LiveTalkError:
    from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError, RevisionNotFoundError

    assert isinstance(error, HfHubHTTPError)
    status = error.response.status_code
    title, advice = f"{hub_name()} is busy ({status}).", "What has arrived is kept. Try again later."
    if isinstance(error, RemoteEntryNotFoundError | RevisionNotFoundError):
        title = f"{hub_name()} does not have {file.path} of {file.repo}."
        advice = "Unset HF_ENDPOINT if it names a mirror, or update LiveTalk."
    elif status in (401, 403, 404):  # the hub hides what one may not see
        title = f"{hub_name()} does not give {file.repo} to everybody."
        advice = f"Accept its terms at {_endpoint()}/{file.repo}, then set HF_TOKEN or run: hf auth login"
    return LiveTalkError(Problem.DOWNLOAD_FAILED, title, advice, detail=str(error))


def _another(file: HubFile, detail: str) -> LiveTalkError:
    return LiveTalkError(
        Problem.MODEL_DAMAGED,
        f"{file.path} of {file.repo} is not the file that was expected, so it was not kept.",
        "Try again; if HF_ENDPOINT names a mirror, unset it.",
        detail=detail,
    )


def _unwritable(target: Path, error: OSError) -> LiveTalkError:
    if error.errno == errno.ENOSPC:
        return LiveTalkError(
            Problem.DISK_FULL,
            "The disk is full, so the download stopped.",
            f'What has arrived is kept. Free space at "{target.parent}", then go on.',
            detail=str(error),
        )
    return LiveTalkError(
        Problem.FOLDER_UNWRITABLE,
        f'Models can\'t be written to "{target.parent}".',
        "Check that the folder can be written, or set LIVETALK_MODELS to another one.",
        detail=str(error),
    )
