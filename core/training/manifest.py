"""Manifests: the conditions that clips are made from, one JSON document a line, and beside them what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Self


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one clip is made from. Paths are relative to the manifest."""

    name: str
    """Of the clip's file; no two have the same."""
    picture: str
    sound: str
    prompt: str

    def beside(self, folder: Path) -> Self:
        """The same with paths that can be opened."""
        picture, sound = str(folder / self.picture), str(folder / self.sound)
        return msgspec.structs.replace(self, picture=picture, sound=sound)


class Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A picture that no clip is made from, and every reason for it in words."""

    name: str
    picture: str
    reasons: list[str]


def write_manifest(path: Path, kept: Iterable[Condition], refused: Iterable[Refused]) -> None:
    """`path`, and beside it what was refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_lines(kept))
    refusals(path).write_bytes(_lines(refused))


def read_manifest(path: Path) -> list[Condition]:
    """Raises msgspec.ValidationError, which names the field, for a line that is no condition."""
    found = [msgspec.json.decode(line, type=Condition).beside(path.parent) for line in path.read_bytes().splitlines()]
    names = [condition.name for condition in found]
    if len(set(names)) < len(names):
        raise ValueError(f"{path} has a name twice: {sorted({name for name in names if names.count(name) > 1})}")
    return found


def refusals(path: Path) -> Path:
    """Where the refused are listed beside a manifest."""
    return path.with_suffix(".refused.jsonl")


def _lines(entries: Iterable[msgspec.Struct]) -> bytes:
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
