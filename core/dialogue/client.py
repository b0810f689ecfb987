"""The connection to an endpoint: the SDK's client as LiveTalk wants it, and the models it lists."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import httpx2
import openai

from core.dialogue.endpoint import NO_ADDRESS
from core.dialogue.sending import Road
from core.dialogue.trouble import Setback, key_refused, of_failure, silent
from core.dialogue.way_out import certificates_for, proxy_of
from core.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.dialogue.endpoint import Endpoint

KEPT_ALIVE_S = 300.0
_ABOUT_WHO_ASKS = (401, 402, 403, 407, 408, 429)
"""Refusals that are about the account or the moment; any other means that there is no such list."""


@dataclass(frozen=True)
class Patience:
    """How long an endpoint is waited for, in seconds.

    `stall_s` is for the first word or sound in the first attempt, from when the request was sent, `first_s` in both
    attempts together; and `stall_s` again for the sound that follows the first words. `gap_s` is for each later piece;
    `turn_s` for all waiting of a turn. `loading_s` takes the place of `stall_s` where a model may have to be loaded.
    `sign_s` is for the first sign of life over a connection that may be dead, because nothing came from the other side
    for `trusted_s`: without one the request is made once more on another.
    """

    connect_s: float = 3.0
    sign_s: float = 5.0
    trusted_s: float = 15.0
    stall_s: float = 8.0
    loading_s: float = 60.0
    first_s: float = 10.0
    gap_s: float = 5.0
    turn_s: float = 90.0


def open_client(endpoint: Endpoint, patience: Patience) -> openai.AsyncOpenAI:
    """A client that never retries by itself, keeps its connection, reads no other program's credentials from the
    environment, goes to this computer without a proxy, and is sent on to nobody else. Makes no connection yet."""
    for name in ("openai", "httpx2", "httpcore2", "websockets", "python_socks"):
        logging.getLogger(name).setLevel(logging.WARNING)  # at DEBUG they write down what is sent
    address = _address(endpoint)
    client = openai.AsyncOpenAI(
        base_url=address,
        websocket_base_url=address.replace("http", "ws", 1),
        api_key=endpoint.key.strip() or "none",
        max_retries=0,
        timeout=httpx2.Timeout(patience.turn_s, connect=patience.connect_s),
        http_client=_http_client(endpoint),
    )
    client.admin_api_key = client.organization = client.project = None
    return client


def _http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    try:
        proxy, trusted = proxy_of(endpoint), certificates_for(endpoint)
    except ServerError as error:
        return openai.DefaultAsyncHttpxClient(transport=_NoWayOut(error), trust_env=False)
    return openai.DefaultAsyncHttpxClient(
        limits=httpx2.Limits(keepalive_expiry=KEPT_ALIVE_S),
        trust_env=False,
        proxy=proxy,
        verify=trusted,
        event_hooks={"request": [Road().watch]},
        follow_redirects=False,  # what is said goes to the address that was chosen and nowhere else
    )


class _NoWayOut(httpx2.AsyncBaseTransport):
    """Nothing can be sent, and every request is told why."""

    def __init__(self, error: ServerError) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no way out") from self._error


def check_key(endpoint: Endpoint) -> None:
    """Whether the key can be sent at all.

    Raises:
        Setback: it has characters that no header can carry.
    """
    key = endpoint.key.strip()
    if not (key.isascii() and key.isprintable()):
        raise Setback(key_refused(endpoint, "a key with characters that no key has"))


class NoList(Setback):
    """The server did not give its list of models; a key may allow to ask one all the same."""


async def list_models(client: openai.AsyncOpenAI, endpoint: Endpoint, patience: Patience) -> dict[str, str]:
    """Names of models and who owns them, in the server's order; empty where there is no such list.

    Raises:
        NoList: there may be one, and it was not to be had: it may not be needed.
        Setback: the server cannot be reached.
    """
    try:
        body = await client.get("/models", cast_to=object, options={"timeout": patience.connect_s})
    except openai.APITimeoutError as error:
        if isinstance(error.__cause__, httpx2.ReadTimeout):
            raise NoList(silent(patience.connect_s), again_after_s=(0.0,)) from error
        raise of_failure(error, endpoint, endpoint.model) from error
    except openai.APIConnectionError as error:
        raise of_failure(error, endpoint, endpoint.model) from error
    except openai.APIStatusError as error:
        if error.status_code in _ABOUT_WHO_ASKS or (error.status_code >= 500 and error.status_code != 501):
            refusal = of_failure(error, endpoint, endpoint.model)
            raise NoList(refusal.error, again_after_s=refusal.again_after_s) from error
        return {}
    except (openai.APIError, ValueError):
        return {}
    entries = cast("Mapping[str, object]", body).get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        return {}
    models = [cast("Mapping[str, object]", entry) for entry in cast("list[object]", entries) if isinstance(entry, dict)]
    return {str(model["id"]): str(model.get("owned_by")) for model in models if model.get("id")}


def _address(endpoint: Endpoint) -> str:
    try:
        httpx2.URL(endpoint.base_url)
    except httpx2.InvalidURL:
        return NO_ADDRESS
    return endpoint.base_url
