"""LiveTalk-1.3B on disk: what it is made of, where that comes from, on what terms, and what of it is here."""

from __future__ import annotations

import hashlib
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.setup.hub import HubFile, arrived, fetch_file
from app.setup.pace import gigabytes
from core.errors import LiveTalkError, Problem
from core.performer.livetalk.files import NAMES, SMALL_DECODER_SHA256, SUFFIXES, find, own_folder, recognise

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from app.setup.stop import Stop
    from core.performer.livetalk.files import Found, Kind

    Report = Callable[[int, int], None]
    """Called with the bytes that are here and the bytes there are to be."""

NAME = "livetalk-1.3b"
PURPOSE = "imagines the whole picture anew (needs an NVIDIA GPU)"
LICENCE = "CC BY-NC-SA 4.0 or Apache-2.0"
TERMS = (
    "The authors of LiveTalk publish its weights under two licences that contradict each other: the licence file of "
    "their repository says CC BY-NC-SA 4.0, which forbids commercial use, and its description says Apache-2.0. Ask "
    "them before any commercial use. What it is built on is free: Wan2.1, UMT5 and wav2vec2 are under Apache-2.0, the "
    "small decoder (TAEHV) is under the MIT licence."
)
_CHUNK = 1 << 20
_SPARE_BYTES = 500_000_000
"""What the rest of the computer keeps when all is here."""
_WAN, _WAN_REVISION = "Wan-AI/Wan2.1-T2V-1.3B", "37ec512624d61f7aa208f7ea8140a131f93afc9a"
_AUDIO, _AUDIO_REVISION = "facebook/wav2vec2-base-960h", "22aad52d435eb6dbaf354bdad9b0da84ce7d6156"


@dataclass(frozen=True)
class Piece:
    """What is found or fetched together. `folder` is its place, as the authors' own instructions have it; without
    what is not `needed` only the best preset runs."""

    kind: Kind
    folder: str
    files: tuple[HubFile, ...]
    needed: bool = True

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def _wan(path: str, size: int, sha256: str) -> HubFile:
    return HubFile(_WAN, path, size, sha256, _WAN_REVISION)


def _audio(path: str, size: int, sha256: str) -> HubFile:
    return HubFile(_AUDIO, path, size, sha256, _AUDIO_REVISION)


PIECES = (
    Piece(
        "transformer", "LiveTalk-1.3B-V0.1", (HubFile("GAIR/LiveTalk-1.3B-V0.1", "model.safetensors", 5_684_850_000),)
    ),
    Piece(
        "vae",
        "Wan2.1-T2V-1.3B",
        (_wan("Wan2.1_VAE.pth", 507_609_880, "38071ab59bd94681c686fa51d75a1968f64e470262043be31f7a094e442fd981"),),
    ),
    Piece(
        "audio",
        "wav2vec2",
        (
            _audio(
                "model.safetensors", 377_607_901, "8aa76ab2243c81747a1f832954586bc566090c83a0ac167df6f31f0fa917d74a"
            ),
            _audio("config.json", 1_596, "d3ec255c063d9f95057b553b19c20135b259875834a4fe9deb218a6be25b4cf3"),
            _audio("preprocessor_config.json", 159, "b225d617c025463b9e157e06afea8b90dc7078fc70b013c533328423e0486b4a"),
        ),
    ),
    Piece(
        "tokenizer",
        "Wan2.1-T2V-1.3B",
        (
            _wan(
                "google/umt5-xxl/tokenizer.json",
                16_837_417,
                "6e197b4d3dbd71da14b4eb255f4fa91c9c1f2068b20a2de2472967ca3d22602b",
            ),
            _wan(
                "google/umt5-xxl/spiece.model",
                4_548_313,
                "e3909a67b780650b35cf529ac782ad2b6b26e6d1f849d3fbb6a872905f452458",
            ),
            _wan(
                "google/umt5-xxl/tokenizer_config.json",
                61_728,
                "ed9a3a8b0faa71a70a32847e0435fe036e6e112d4df4edb7bb48a921e344dc05",
            ),
            _wan(
                "google/umt5-xxl/special_tokens_map.json",
                6_623,
                "7b8a9f5040adb67b5805abdfd42c1f8d0f3d0e711f10726580eb3789cd0ad61d",
            ),
        ),
    ),
    Piece(
        "text",
        "Wan2.1-T2V-1.3B",
        (
            _wan(
                "models_t5_umt5-xxl-enc-bf16.pth",
                11_361_920_418,
                "7cace0da2b446bbbbc57d031ab6cf163a3d59b366da94e5afe36745b746fd81d",
            ),
        ),
    ),
    Piece(
        "small_decoder",
        "taehv",
        (HubFile("lightx2v/Autoencoders", "taew2_1.pth", 22_678_901, SMALL_DECODER_SHA256),),
        needed=False,
    ),
)


def size() -> int:
    """Bytes of all of it."""
    return sum(piece.size for piece in PIECES)


def complete(found: Found) -> bool:
    """Whether all is here that is needed."""
    return all(piece.kind in found.paths for piece in PIECES if piece.needed)


def left(found: Found) -> int:
    """Bytes that are still to come."""
    return sum(
        max(0, file.size - arrived(_target(piece, file)))
        for piece in PIECES
        if piece.kind not in found.paths
        for file in piece.files
        if not _here(piece, file)
    )


def room(found: Found) -> int:
    """Bytes that the disk must have free for the rest: none when everything is here."""
    rest = left(found)
    return rest + _SPARE_BYTES if rest else 0


def accepted() -> bool:
    """Whether the terms as they are were accepted on this computer."""
    try:
        return (own_folder() / "terms-accepted.txt").read_text("utf-8") == TERMS
    except OSError:
        return False


def accept() -> None:
    """The person accepted the terms.

    Raises:
        LiveTalkError: that could not be written down (`FOLDER_UNWRITABLE`).
    """
    try:
        own_folder().mkdir(parents=True, exist_ok=True)
        (own_folder() / "terms-accepted.txt").write_text(TERMS, "utf-8")
    except OSError as error:
        raise LiveTalkError(
            Problem.FOLDER_UNWRITABLE,
            f'Models can\'t be written to "{own_folder()}".',
            "Check that the folder can be written, or set LIVETALK_MODELS to another one.",
            detail=str(error),
        ) from error


def fetch(weights: str, report: Report, stop: Stop) -> list[LiveTalkError]:
    """Bring what is not here; returns why what is not needed could not be had.

    Raises:
        Stopped: somebody asked to; what has arrived is kept.
        LiveTalkError: the terms were not accepted, there is no room, somebody else fetches, or as for
            `app.setup.hub.fetch_file`.
    """
    if not accepted():
        raise LiveTalkError(
            Problem.LICENCE_NOT_ACCEPTED,
            "The licence of the weights was not accepted, so nothing was downloaded.",
            "Read it with: livetalk models fetch livetalk-1.3b",
        )
    found = find(weights)
    ask_for_room(found)
    lacking = [piece for piece in PIECES if piece.kind not in found.paths]
    count = _Count(sum(piece.size for piece in lacking), report)
    troubles: list[LiveTalkError] = []
    with _alone():
        for piece in lacking:
            try:
                _fetch_piece(piece, count, stop)
            except LiveTalkError as error:
                if piece.needed or error.problem in (Problem.DISK_FULL, Problem.FOLDER_UNWRITABLE):
                    raise
                troubles.append(error)
    count.finish()
    return troubles


class _Count:
    """Adds up the bytes of one file after the other."""

    def __init__(self, total: int, report: Report) -> None:
        self._total = total
        self._report = report
        self._before = 0

    def __call__(self, done: int) -> None:
        self._report(min(self._before + done, self._total), self._total)

    def past(self, size: int) -> None:
        self._before += size
        self(0)

    def finish(self) -> None:
        self._report(self._total, self._total)


def _fetch_piece(piece: Piece, count: _Count, stop: Stop) -> None:
    for file in piece.files:
        target = _target(piece, file)
        if not _here(piece, file):
            sha256 = fetch_file(file, target, count, stop)
            _checksum_file(target).write_text(f"{sha256}  {target.name}\n", "utf-8")
        count.past(file.size)
        if target.suffix in SUFFIXES and (seen := recognise(target)).kind != piece.kind:
            raise LiveTalkError(
                Problem.MODEL_DAMAGED,
                f"{file.path} of {file.repo} {seen.what}, and not {NAMES[piece.kind]}.",
                "Update LiveTalk, or set HF_ENDPOINT to another mirror.",
                detail=f"{target}. {seen.detail}",
            )


def _target(piece: Piece, file: HubFile) -> Path:
    return own_folder() / piece.folder / file.path


def _here(piece: Piece, file: HubFile) -> bool:
    """Whether this file is in its place, by a quick look."""
    target = _target(piece, file)
    if not target.is_file():
        return False
    if target.suffix in SUFFIXES:
        return recognise(target).kind == piece.kind
    return target.stat().st_size == file.size


def _checksum_file(target: Path) -> Path:
    """What the hub says that a file must be, as `sha256sum --check` reads it."""
    return target.with_name(f"{target.name}.sha256")


def ask_for_room(found: Found) -> None:
    """Whether what is still to come finds a place.

    Raises:
        LiveTalkError: it does not (`DISK_FULL`).
    """
    place = next(part for part in (own_folder(), *own_folder().parents) if part.exists())
    free, needed = shutil.disk_usage(place).free, room(found)
    if free < needed:
        raise LiveTalkError(
            Problem.DISK_FULL,
            f"LiveTalk 1.3B needs {gigabytes(needed)} of disk space, and {gigabytes(free)} are free.",
            f'Free space at "{place}", or set LIVETALK_MODELS to a folder on another disk.',
        )


@contextmanager
def _alone() -> Generator[None]:
    """Two downloads into one file would spoil it."""
    from filelock import FileLock, Timeout

    try:
        own_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(own_folder() / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise LiveTalkError(
            Problem.ALREADY_RUNNING,
            "Another LiveTalk is downloading these files.",
            "Wait until it has finished, or stop it there.",
        ) from error


@dataclass(frozen=True)
class Verdict:
    """What `verify` found of one piece. A file that is `unchecked` was recognised, but nobody said what its hash is."""

    piece: Piece
    path: Path | None
    state: Literal["ready", "damaged", "unchecked", "missing"]


def verify(found: Found, report: Report, stop: Stop) -> list[Verdict]:
    """Read every byte of what was found and compare it with what it must be.

    Raises:
        Stopped: somebody asked to.
    """
    sizes = {piece: _size_of(found.paths[piece.kind]) for piece in PIECES if piece.kind in found.paths}
    count = _Count(sum(sizes.values()), report)
    verdicts: list[Verdict] = []
    for piece in PIECES:
        path = found.paths.get(piece.kind)
        verdicts.append(Verdict(piece, path, _verdict(piece, path, count, stop) if path else "missing"))
    count.finish()
    return verdicts


def remove_damaged(verdicts: Sequence[Verdict]) -> bool:
    """Make room for what has to be fetched again; files in a folder of the person's own are left alone."""
    damaged = [
        path for verdict in verdicts if verdict.state == "damaged" and (path := verdict.path) and _fetched_by_us(path)
    ]
    for path in damaged:
        for file in list(path.iterdir()) if path.is_dir() else [path]:
            file.unlink()
    return bool(damaged)


def _fetched_by_us(path: Path) -> bool:
    return path.is_relative_to(own_folder())


def _verdict(piece: Piece, path: Path, count: _Count, stop: Stop) -> Literal["ready", "damaged", "unchecked"]:
    expected = {Path(file.path).name: file.sha256 for file in piece.files}
    states: set[bool | None] = set()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        sha256 = expected.get(file.name) or _told_beside(file)
        if sha256 or not path.is_dir():
            states.add(_hash(file, count, stop) == sha256 if sha256 else None)
    if False in states:
        return "damaged"
    return "unchecked" if None in states or not states else "ready"


def _told_beside(file: Path) -> str:
    """The hash that came with a file: from us, or from the hub's own tool, which notes it in a hidden folder."""
    for note in (_checksum_file(file), file.parent / f".cache/huggingface/download/{file.name}.metadata"):
        if note.is_file() and (told := re.search(r"\b[0-9a-f]{64}\b", note.read_text("utf-8"))):
            return told[0]
    return ""


def _hash(file: Path, count: _Count, stop: Stop) -> str:
    digest, done = hashlib.sha256(), 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            stop.check()
            digest.update(chunk)
            done += len(chunk)
            count(done)
    count.past(done)
    return digest.hexdigest()


def _size_of(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size
