"""The way out: which proxy stands between this computer and an endpoint, and whose certificates are believed, as the
environment says. One answer for both roads, HTTP and WebSocket."""

from __future__ import annotations

import ipaddress
import os
import ssl
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from core.errors import Problem, ServerError

if TYPE_CHECKING:
    from core.dialogue.endpoint import Endpoint

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_THE_SYSTEM = "the settings of this computer"


def proxy_of(endpoint: Endpoint) -> str | None:
    """The proxy's address, None where the way is free: always on this computer itself. A SOCKS proxy looks names up by
    itself.

    Raises:
        ServerError: what is set cannot be used.
    """
    parts = urlsplit(endpoint.base_url)
    host = parts.hostname or ""
    if endpoint.local or _spared(host):
        return None
    known = urllib.request.getproxies()
    for kind in (parts.scheme, "all"):
        if stated := known.get(kind, "").strip():
            address = _address(stated)
            if address is None:
                raise _proxy_unusable(_variable(f"{kind}_proxy", stated))
            return address
    return None


def certificates_for(endpoint: Endpoint) -> ssl.SSLContext:
    """Whom to believe about who a server is: whom the system believes, and what the environment names instead.

    Raises:
        ServerError: what is named cannot be read, and the endpoint needs it.
    """
    try:
        return httpx2.create_ssl_context()
    except OSError as error:
        if not endpoint.base_url.startswith("https:"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # believes nobody, and is not asked
        named = next((name for name in _CERTIFICATES if os.environ.get(name)), _THE_SYSTEM)
        raise ServerError(
            Problem.ENDPOINT_UNREACHABLE,
            f"The certificates that {named} names cannot be read.",
            "Without them nobody can tell who answers. Mend or remove it and start LiveTalk again, "
            "or let the built-in companion answer.",
            detail=type(error).__name__,
        ) from error


def _address(stated: str) -> str | None:
    """The address of a proxy as both roads read it; None when it is none, or of a kind that neither knows."""
    try:
        url = httpx2.URL(stated if "://" in stated else f"http://{stated}")
    except (ValueError, httpx2.InvalidURL):
        return None
    if url.scheme not in _PORTS or not url.host or not (url.port or 1) < 65_536 or "%" in url.host:
        return None
    scheme = "socks5h" if url.scheme == "socks5" else url.scheme
    port = url.port or _PORTS[url.scheme]
    return str(url.copy_with(scheme=scheme, port=port, path="/", query=None, fragment=None))


def _spared(host: str) -> bool:
    """Whether the environment says that no proxy is for `host`, by its name or by the network it is in."""
    if urllib.request.proxy_bypass(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    spared = urllib.request.getproxies().get("no", "").split(",")
    return any(_holds(part.strip(), address) for part in spared if "/" in part)


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether `address` is in what is written there; nothing is in what is no network."""
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _variable(name: str, stated: str) -> str:
    """What the person has set: the variable of that name, in small letters or large."""
    named = (spelt for spelt in (name, name.upper()) if os.environ.get(spelt, "").strip() == stated)
    return next(named, _THE_SYSTEM)


def _proxy_unusable(name: str) -> ServerError:
    return ServerError(
        Problem.ENDPOINT_UNREACHABLE,
        f"The proxy that {name} names cannot be used.",
        f"Its address begins with http://, https://, socks5:// or socks5h://. Mend {name} and start LiveTalk again, "
        "or let the built-in companion answer.",
        detail="an address that is none, or of another kind",
    )
