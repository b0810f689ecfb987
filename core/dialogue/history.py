"""The conversation as it is remembered: entries in order, kept on disk as they happen.

A file is lines of JSON, only ever appended to and flushed to the disk line by line: first what it is, then entries. An
entry that says more about the same turn and role takes the place of the one before it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path  # noqa: TC003 - msgspec reads the fields of `SavedConversation`
from typing import TYPE_CHECKING, Literal

import msgspec

from core.dialogue.protocol import Message
from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = 1
TITLE_LENGTH = 60
TRASH = "trash"


class Entry(msgspec.Struct, frozen=True, tag_field="kind", tag="entry", omit_defaults=True):
    """What one side said in one turn.

    `text` is what was said by the person, or heard of the avatar; `full_text` is the whole reply, where that is more.
    `started` is the ISO time at which it began; `heard_s` the seconds of the reply that were heard.
    """

    turn: int
    role: Literal["user", "assistant"]
    text: str
    started: str
    full_text: str = ""
    heard_s: float = 0.0
    cut: bool = False
    spoken: bool = False
    broken: bool = False
    """The reply stopped before its end by itself; nobody interrupted it."""
    withheld: bool = False
    """The endpoint's filter stopped this turn; it is not told to a model again, which would be stopped again."""


class _Header(msgspec.Struct, frozen=True, tag_field="kind", tag="conversation"):
    schema: int
    avatar: str
    started: str


class _Title(msgspec.Struct, frozen=True, tag_field="kind", tag="title"):
    title: str


class SavedConversation(msgspec.Struct, frozen=True):
    """A conversation on disk as a list shows it. `readable` is False for a file that cannot be opened again."""

    path: Path
    title: str
    avatar: str
    started: str
    entries: int
    readable: bool = True


_LINE: msgspec.json.Decoder[Entry | _Header | _Title] = msgspec.json.Decoder(Entry | _Header | _Title)


class History:
    """The entries of one conversation, and its file. Belongs to the conversation thread; use as a context.

    `started` is the ISO time of its beginning. With `folder` None nothing is ever written: a private conversation. The
    file is made with the first entry. When the disk refuses, the entry that failed and all later ones are kept in
    memory only, and the trouble is raised once.
    """

    def __init__(self, avatar: str, started: str, folder: Path | None) -> None:
        self._header = _Header(SCHEMA, avatar, started)
        self._title = ""
        self._entries: dict[tuple[int, str], Entry] = {}
        self._folder = folder
        self._path: Path | None = None
        self._file: int | None = None

    @classmethod
    def reopen(cls, path: Path) -> History:
        """The conversation in `path`, to be gone on with.

        Raises:
            LiveTalkError: nothing of the file can be read, or a newer LiveTalk wrote it (`HISTORY_UNREADABLE`).
        """
        header, title, entries = _read(path)
        history = cls(header.avatar, header.started, path.parent)
        history._title, history._entries, history._path = title, entries, path
        return history

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path | None:
        """The file, once there is one."""
        return self._path

    @property
    def private(self) -> bool:
        return self._folder is None

    @property
    def avatar(self) -> str:
        return self._header.avatar

    @property
    def title(self) -> str:
        """The beginning of the first thing the person said; empty before that."""
        return self._title

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries.values())

    @property
    def last_turn(self) -> int:
        """The highest turn number so far, 0 at the beginning."""
        return max((turn for turn, _ in self._entries), default=0)

    def put(self, entry: Entry) -> None:
        """Add `entry`, or let it take the place of the one of the same turn and role. What was withheld stays so.

        Raises:
            LiveTalkError: it could not be written; it is kept in memory all the same.
        """
        before = self._entries.get((entry.turn, entry.role))
        if before is not None and before.withheld and not entry.withheld:
            entry = msgspec.structs.replace(entry, withheld=True)
        self._keep(entry)

    def withhold(self, turn: int, withheld: bool) -> None:
        """A filter stopped what the person said in `turn`, or let it pass after all: whether a model is told of it.

        Raises:
            LiveTalkError: it could not be written; it is kept in memory all the same.
        """
        entry = self._entries.get((turn, "user"))
        if entry is not None and entry.withheld != withheld:
            self._keep(msgspec.structs.replace(entry, withheld=withheld))

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.turn, entry.role] = entry
        lines: list[Entry | _Title] = [entry]
        if not self._title and entry.role == "user" and entry.text.strip():
            self._title = _title_of(entry.text)
            lines.append(_Title(self._title))
        self._write(lines)

    def messages(self, before: int | None = None) -> list[Message]:
        """What a model may be told, oldest first; how much of it fits is for whoever asks the model to know. A reply
        of which nothing was heard was not said; what the person spoke was, and has no text where nobody knows the
        words. `before` leaves out that turn and what came later; turns that a filter stopped are left out."""
        withheld = {entry.turn for entry in self._entries.values() if entry.withheld}
        return [
            Message(entry.role, entry.text, entry.turn)
            for entry in self._entries.values()
            if (entry.text or entry.spoken) and entry.turn not in withheld and (before is None or entry.turn < before)
        ]

    def forget(self) -> None:
        """Write nothing from now on; what was written is left to whoever asked. Any thread."""
        self._folder = None

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, lines: Iterable[Entry | _Title]) -> None:
        if self._folder is None:
            return
        try:
            if self._file is None:
                self._file = self._open(self._folder)
            for line in lines:
                _append(self._file, line)
        except OSError as error:
            self._folder = None
            self.close()
            raise _unwritable(error) from error

    def _open(self, folder: Path) -> int:
        if self._path:
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            os.write(file, b"\n")  # the last line of a killed process may have no end
            return file
        folder.mkdir(parents=True, exist_ok=True)
        self._path, file = _create(folder, self._header.started)
        _append(file, self._header)
        return file


def list_conversations(folder: Path) -> list[SavedConversation]:
    """The conversations in `folder`, newest first; unreadable ones are among them, so that they can be deleted."""
    return sorted((_summary(path) for path in folder.glob("*.jsonl")), key=lambda saved: saved.path.name, reverse=True)


def delete(path: Path) -> Path:
    """Move a conversation to the trash beside it; returns where it lies, for `restore`."""
    trash = path.parent / TRASH
    trash.mkdir(exist_ok=True)
    return path.replace(_free(trash / path.name))


def restore(trashed: Path) -> Path:
    """Undo `delete`; returns where the conversation lies again."""
    return trashed.replace(_free(trashed.parent.parent / trashed.name))


def empty_trash(folder: Path) -> None:
    """Delete for good what was deleted in earlier runs."""
    for path in (folder / TRASH).glob("*.jsonl"):
        path.unlink(missing_ok=True)


def _append(file: int, line: Entry | _Header | _Title) -> None:
    data = msgspec.json.encode(line) + b"\n"
    while data:
        data = data[os.write(file, data) :]
    os.fsync(file)


def _create(folder: Path, started: str) -> tuple[Path, int]:
    stamp = re.sub(r"[^0-9T-]", "-", started[:19])
    number = 1
    while True:
        path = folder / (f"{stamp}.jsonl" if number == 1 else f"{stamp}-{number}.jsonl")
        with contextlib.suppress(FileExistsError):
            return path, os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        number += 1


def _read(path: Path) -> tuple[_Header, str, dict[tuple[int, str], Entry]]:
    """What can be read; lines that cannot are passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise _unreadable(str(error)) from error
    header, title = None, ""
    entries: dict[tuple[int, str], Entry] = {}
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
            match _LINE.decode(line):
                case Entry() as entry:
                    entries[entry.turn, entry.role] = entry
                case _Header() as found:
                    header = found
                case _Title() as found:
                    title = found.title
    if header and header.schema > SCHEMA:
        raise _unreadable(f"schema {header.schema} is newer than {SCHEMA}")
    if not header and not entries:
        raise _unreadable(f"none of {len(lines)} lines is an entry")
    first = next(iter(entries.values()), None)
    return header or _Header(SCHEMA, "", first.started if first else ""), title, entries


def _summary(path: Path) -> SavedConversation:
    try:
        header, title, entries = _read(path)
    except LiveTalkError:
        return SavedConversation(path, path.stem, "", path.stem, 0, readable=False)
    return SavedConversation(path, title or header.started, header.avatar, header.started, len(entries))


def _title_of(text: str) -> str:
    words = " ".join(text.split())
    if len(words) <= TITLE_LENGTH:
        return words
    return words[:TITLE_LENGTH].rsplit(" ", 1)[0] + "…"


def _free(path: Path) -> Path:
    """`path`, or one beside it if a file of that name is there."""
    number = 2
    candidate = path
    while candidate.exists():
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate


def _unreadable(detail: str) -> LiveTalkError:
    return LiveTalkError(
        Problem.HISTORY_UNREADABLE,
        "This conversation can't be read.",
        "The file may be damaged or from a newer LiveTalk. It was left as it is.",
        detail=detail,
    )


def _unwritable(error: OSError) -> LiveTalkError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    reason = "the disk is full" if full else "its folder can't be written"
    return LiveTalkError(
        Problem.HISTORY_UNWRITABLE,
        f"This conversation can't be saved: {reason}.",
        "It goes on, and stays until LiveTalk closes.",
        detail=str(error),
    )
