"""CacheFile: read or empty, written whole or not at all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from core.audio.pairs import Pair, Pairs
from core.cache_file import CacheFile, write_whole
from core.dialogue.endpoint import Endpoint
from core.dialogue.profile import known_profiles
from core.dialogue.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Found(msgspec.Struct, frozen=True):
    number: int


def learn_a_pair(path: Path) -> None:
    pairs = Pairs(path)
    pairs.learn("microphone", "loudspeaker", Pair(lag_s=0.08))
    pairs.keep()


def find_out_an_endpoint(path: Path) -> None:
    Verdicts(path).keep(Endpoint("http://localhost:1/v1"), known_profiles()["text"])


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 16 bytes."""
    resource = pytest.importorskip("resource", reason="this system does not limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = CacheFile(tmp_path / "deep" / "found.json", Found)
    assert cache.read() == {}
    cache.write({"a": Found(1), "b": Found(2)})
    assert list(cache.read().items()) == [("a", Found(1)), ("b", Found(2))]


@pytest.mark.parametrize("content", [b"", b"not json", b'{"a": 1}', b"\xff\xfe", b'{"\xff": {"number": 1}}'])
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "found.json"
    path.write_bytes(content)
    cache = CacheFile(path, Found)
    assert cache.read() == {}
    cache.write({"a": Found(1)})
    assert cache.read() == {"a": Found(1)}


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    CacheFile(path, Found).write({"a": Found(1)})
    with full_disk():
        CacheFile(path, Found).write({"a": Found(2), "b": Found(3)})
        with pytest.raises(OSError):
            write_whole(path, bytes(1000), lasting=True)
    assert CacheFile(path, Found).read() == {"a": Found(1)}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("keep", [learn_a_pair, find_out_an_endpoint])
def test_a_disk_that_is_full_fills_no_further(tmp_path: Path, keep: Callable[[Path], None]) -> None:
    with full_disk():
        keep(tmp_path / "found.json")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    path.mkdir()
    CacheFile(path, Found).write({"a": Found(1)})
    assert list(tmp_path.iterdir()) == [path]
