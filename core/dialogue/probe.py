"""The Test button of Settings: one short question to an endpoint, and how long the answer took."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.dialogue.client import Patience, identify, open_client
from core.dialogue.exchange import Waiting, read_reply
from core.dialogue.request import build_request
from core.dialogue.trouble import Setback, not_an_endpoint
from core.dialogue.wire import Sound

if TYPE_CHECKING:
    from core.dialogue.endpoint import Endpoint, EndpointProfile
    from core.dialogue.wire import Words

QUESTION = "Say hello in one short sentence."


@dataclass(frozen=True)
class EndpointReport:
    """What a test found.

    `seconds` from the question to the first sound, or to the first words where no sound came; `models` as the server
    lists them, empty where it has no list; `model` and `voice` are those that were asked for.
    """

    seconds: float
    with_sound: bool
    models: tuple[str, ...]
    model: str
    voice: str
    profile: EndpointProfile


def test_endpoint(endpoint: Endpoint) -> EndpointReport:
    """Ask `endpoint` something short and stop at the first sound. Blocks for seconds: call it off the GUI thread.

    Raises:
        ServerError: no answer, or a refusal; nothing is tried twice, so that what Settings say is what is tested.
    """
    try:
        return asyncio.run(_test(endpoint, Patience()))
    except Setback as setback:
        raise setback.error from setback


async def _test(endpoint: Endpoint, patience: Patience) -> EndpointReport:
    client = open_client(endpoint, patience)
    try:
        server = await identify(client, endpoint, patience)
        request = build_request(server.profile, server.model, server.voice, endpoint.instructions, (), QUESTION)
        first = _FirstPiece()
        await read_reply(client, endpoint, request, Waiting(patience), first.take)
        if not first.seconds:
            raise Setback(not_an_endpoint("an answer without words or sound"))
        return EndpointReport(
            first.seconds, first.with_sound, server.models, server.model, server.voice, server.profile
        )
    finally:
        await client.close()


class _FirstPiece:
    """Takes words until the first sound and keeps when they came."""

    def __init__(self) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        self.seconds = 0.0
        self.with_sound = False

    async def take(self, piece: Words | Sound) -> bool:
        self.with_sound = isinstance(piece, Sound)
        if self.with_sound or not self.seconds:
            self.seconds = asyncio.get_running_loop().time() - self._asked_at
        return not self.with_sound
