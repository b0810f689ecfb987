"""Verdicts: what was found out about endpoints, kept so that the next conversation need not ask again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from core.cache_file import CacheFile
from core.dialogue.profile import LASTING, turned
from core.settings import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from core.dialogue.endpoint import Endpoint
    from core.dialogue.profile import EndpointProfile

_MOST = 200


class _Verdict(msgspec.Struct, frozen=True):
    profile: str
    turned: tuple[str, ...] = ()


def verdicts_path() -> Path:
    """The file in the platform's cache folder."""
    return cache_folder() / "endpoints.json"


class Verdicts:
    """Profiles by address and model, without the key, in one small file. A cache: what cannot be read was not found
    out, and what cannot be written is found out again. Belongs to one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._file = CacheFile(path, _Verdict)

    def recall(self, endpoint: Endpoint, profiles: Mapping[str, EndpointProfile]) -> EndpointProfile | None:
        """The profile that was found for `endpoint`, with the switches that it refused turned."""
        verdict = self._file.read().get(_name(endpoint))
        if verdict is None or verdict.profile not in profiles:
            return None
        profile = profiles[verdict.profile]
        if profile.transport != endpoint.transport:
            return None
        for switch in verdict.turned:
            if switch in LASTING:
                profile = turned(profile, switch)
        return profile

    def keep(self, endpoint: Endpoint, profile: EndpointProfile) -> None:
        """Remember that `endpoint` is served by `profile`."""
        found = self._file.read()
        name = _name(endpoint)
        verdict = _Verdict(profile.key, tuple(sorted(profile.refused & LASTING)))
        if found.get(name) == verdict:
            return
        found.pop(name, None)
        self._file.write({**dict(list(found.items())[1 - _MOST :]), name: verdict})

    def forget(self, endpoint: Endpoint) -> None:
        """What was remembered of `endpoint` proved wrong."""
        found = self._file.read()
        if found.pop(_name(endpoint), None) is not None:
            self._file.write(found)


def _name(endpoint: Endpoint) -> str:
    """The address and the model, unreadable: an address may hold somebody's name for their workspace."""
    return hashlib.sha256(f"{endpoint.base_url}\n{endpoint.model}".encode()).hexdigest()[:32]
