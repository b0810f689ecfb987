"""The Test button of Settings: one short question to an endpoint, how soon it answers, and who hears and speaks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.dialogue.bugs import Bugs
from core.dialogue.chat import ChatTransport
from core.dialogue.client import Patience, open_client
from core.dialogue.delivery import Delivery
from core.dialogue.exchange import Waiting
from core.dialogue.identify import identify
from core.dialogue.realtime import RealtimeTransport
from core.dialogue.request import Question
from core.dialogue.services import Local, Services, Speech
from core.dialogue.trouble import Setback, not_an_endpoint

if TYPE_CHECKING:
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.identify import Server
    from core.dialogue.profile import EndpointProfile
    from core.dialogue.verdicts import Verdicts
    from core.media import Samples

QUESTION = "Say hello in one short sentence."


@dataclass(frozen=True)
class EndpointReport:
    """What a test found.

    `seconds` from the question to the first sound, or to the first words where no sound came; `models` as the server
    lists them, empty where it has no list; `model` and `voice` are those that were asked for. `with_sound` is the
    model's own voice; `voice_from` says whose is heard: the model's, a service's, this computer's, or nobody's.
    `hears` is False where the person's words are written down before they are sent.
    """

    seconds: float
    with_sound: bool
    models: tuple[str, ...]
    model: str
    voice: str
    profile: EndpointProfile
    voice_from: Literal["model", "service", "here", "nobody"] = "model"
    hears: bool = True


def try_endpoint(
    endpoint: Endpoint,
    *,
    services: Services | None = None,
    local: Local | None = None,
    verdicts: Verdicts | None = None,
) -> EndpointReport:
    """Ask `endpoint` something short and stop at the first sound. Blocks for seconds: call it off the GUI thread.

    Raises:
        ServerError: no answer, or a refusal; nothing is tried twice, so that what Settings say is what is tested.
    """
    try:
        return asyncio.run(_test(endpoint, services or Services(), local or Local(), verdicts, Patience()))
    except Setback as setback:
        raise setback.error from setback


async def _test(
    endpoint: Endpoint, services: Services, local: Local, verdicts: Verdicts | None, patience: Patience
) -> EndpointReport:
    client = open_client(endpoint, patience)
    speech = Speech(endpoint, services, local, patience)
    live = RealtimeTransport(client, endpoint, patience, Bugs("LiveTalk"))
    chat = ChatTransport(client, endpoint, patience, speech)
    try:
        if verdicts:
            verdicts.forget(endpoint)
        server = await identify(client, endpoint, patience, verdicts)
        transport = live if endpoint.transport == "realtime" else chat
        first = _FirstPiece()
        delivery = Delivery(first.speak, first.user_said)
        await transport.attempt(server, Question(QUESTION), Waiting(patience), delivery)
        if notice := speech.notice():
            raise Setback(notice)
        if not first.seconds:
            raise Setback(not_an_endpoint("an answer without words or sound"))
        return _report(server, first, speech)
    finally:
        await live.close()
        await chat.close()
        await client.close()


def _report(server: Server, first: _FirstPiece, speech: Speech) -> EndpointReport:
    speaks = first.sounded and server.profile.speaks and not speech.spoke
    whose: Literal["model", "service", "here", "nobody"] = "nobody"
    if speaks:
        whose = "model"
    elif first.sounded:
        whose = "here" if speech.speaks_here else "service"
    return EndpointReport(
        first.seconds, speaks, server.models, server.model, server.voice, server.profile, whose, server.hears
    )


class _FirstPiece:
    """Takes words until the first sound and keeps when they came."""

    def __init__(self) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        self.seconds = 0.0
        self.sounded = False

    async def user_said(self, text: str) -> None: ...

    async def speak(self, samples: Samples, text: str) -> bool:
        if (samples.size and not self.sounded) or not self.seconds:
            self.seconds = asyncio.get_running_loop().time() - self._asked_at
        self.sounded |= samples.size > 0
        return not self.sounded
