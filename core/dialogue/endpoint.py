"""Endpoint: where turns are sent, and what its address alone tells of who answers there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit, urlunsplit

from core.dialogue.profile import known_profiles, shipped_profiles
from core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.dialogue.profile import EndpointProfile

NO_ADDRESS = "http://address.invalid/v1"
"""Stands for what is no address: a name that by RFC 2606 no network knows, so that it is simply not reached."""
_CALLS = ("/chat/completions", "/audio/speech", "/audio/transcriptions", "/realtime", "/models")


@dataclass(frozen=True)
class Endpoint:
    """Where turns are sent and how the avatar is asked to be. `key` is never printed or logged.

    `dialect` is "auto" or the key of a profile.
    """

    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    voice: str = ""
    instructions: str = field(default="", repr=False)
    dialect: str = "auto"

    @property
    def base_url(self) -> str:
        """The address as the SDK wants it: http, with version path, without the name of a call."""
        return _base_url(self.url, self.transport)

    @property
    def transport(self) -> Literal["chat", "realtime"]:
        """How turns travel: as the profile says that was named, else over a WebSocket where the address or the model's
        name says so."""
        named = readable_profiles().get(self.dialect)
        if named is not None:
            return named.transport
        live = self.url.strip().lower().startswith(("ws://", "wss://")) or "/api-ws/" in self.url
        return "realtime" if live or self.url.rstrip("/").endswith("/realtime") or "realtime" in self.model else "chat"

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def local(self) -> bool:
        """Whether the server is on this computer, so that no proxy may come between."""
        return _is_loopback(host_of(self.base_url))

    @property
    def nearby(self) -> bool:
        """Whether the server is somebody's own: it loads its model when it is first asked."""
        return _is_private(host_of(self.base_url))


def describe(endpoint: Endpoint, profiles: Mapping[str, EndpointProfile] | None = None) -> EndpointProfile | None:
    """The profile that the setting or the host name tells; None when only the server itself can tell."""
    profiles = known_profiles() if profiles is None else profiles
    if endpoint.dialect in profiles:
        return profiles[endpoint.dialect]
    return _of_host(endpoint.host, endpoint.transport, profiles.values())


def profile_of_owners(
    owners: Iterable[str], transport: str, profiles: Mapping[str, EndpointProfile]
) -> EndpointProfile | None:
    """The profile of a server by what its list of models calls their owner."""
    named = {owner.lower() for owner in owners}
    fitting = (profile for profile in profiles.values() if profile.transport == transport)
    return next((profile for profile in fitting if named & set(profile.owners)), None)


def host_of(url: str) -> str:
    """The host that `url` names, with a port that can be one; empty when it is no address."""
    try:
        parts = urlsplit(url.strip() if "://" in url else f"//{url.strip()}")
        return (parts.hostname or "").lower() if parts.port != 0 else ""
    except ValueError:
        return ""


def readable_profiles() -> Mapping[str, EndpointProfile]:
    """Without those of the person where their file cannot be read: `identify` tells of it before anything is asked."""
    try:
        return known_profiles()
    except SettingsError:
        return shipped_profiles()


def _of_host(host: str, transport: str, profiles: Iterable[EndpointProfile]) -> EndpointProfile | None:
    for profile in profiles:
        if profile.transport == transport and any(host == end or host.endswith("." + end) for end in profile.hosts):
            return profile
    return None


def _base_url(url: str, transport: str) -> str:
    address = url.strip().rstrip("/")
    host = host_of(address)
    if not host or any(character.isspace() for character in address):
        return NO_ADDRESS
    if "://" not in address:
        address = ("http://" if _is_private(host) else "https://") + address
    parts = urlsplit(address)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme.lower(), parts.scheme)
    path = next((parts.path.removesuffix(call) for call in _CALLS if parts.path.endswith(call)), parts.path)
    profile = _of_host(host, transport, readable_profiles().values())
    if not path.rstrip("/"):
        path = profile.path if profile else "/v1"
    elif profile and profile.hosts and profile.transport == "realtime":
        path = profile.path  # the same server speaks over HTTP under another path
    return urlunsplit((scheme, parts.netloc, path.rstrip("/"), "", ""))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost"))
