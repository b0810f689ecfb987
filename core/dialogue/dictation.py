"""Dictation: a model writes down word for word what the person said, over chat.completions."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import msgspec

from core.dialogue.client import open_client
from core.dialogue.endpoint import readable_profiles
from core.dialogue.exchange import Waiting, read_reply
from core.dialogue.identify import Server
from core.dialogue.request import Question, build_request
from core.dialogue.trouble import Setback
from core.dialogue.wire import Words
from core.errors import Problem

if TYPE_CHECKING:
    import openai

    from core.dialogue.client import Patience
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.profile import EndpointProfile
    from core.dialogue.wire import Sound
    from core.media import AudioChunk

log = logging.getLogger(__name__)
_WRITE_DOWN = (
    "Write down word for word what is said in the recording, in its own language. Write nothing else. "
    "If nothing is said, write a dash."
)
_HOPELESS = {Problem.ENDPOINT_REFUSED, Problem.KEY_REFUSED}


class Dictation:
    """Asks the model that hears the turns. A live server is asked over HTTP, in the form that its profile names; one
    that refuses is not asked again. Lives on the loop."""

    def __init__(self, client: openai.AsyncOpenAI, endpoint: Endpoint, patience: Patience) -> None:
        self._client = client
        self._endpoint = endpoint
        self._patience = patience
        self._own: openai.AsyncOpenAI | None = None
        self._refused = False

    async def write_down(self, server: Server, speech: AudioChunk) -> str:
        """The words of `speech` as the model hears them, empty when there are none or nobody can be asked.

        Raises:
            Setback: it did not answer.
        """
        if server.profile.transport == "chat":
            return await self._ask(self._client, self._endpoint, server, speech)
        form = readable_profiles().get(server.profile.writes_down)
        if form is None or self._refused:
            return ""
        endpoint = over_http(self._endpoint, form)
        if self._own is None:
            self._own = open_client(endpoint, self._patience)
        try:
            return await self._ask(self._own, endpoint, Server(form, form.default_model or server.model, ""), speech)
        except Setback as setback:
            self._refused = setback.error.problem in _HOPELESS
            raise

    async def close(self) -> None:
        if self._own is not None:
            await self._own.close()

    async def _ask(self, client: openai.AsyncOpenAI, endpoint: Endpoint, server: Server, speech: AudioChunk) -> str:
        form = msgspec.structs.replace(server.profile, modalities="text")
        request = build_request(form, server.model, "", _WRITE_DOWN, Question(speech))
        written: list[str] = []

        async def take(piece: Words | Sound) -> bool:
            if isinstance(piece, Words):
                written.append(piece.text)
            return True

        await read_reply(client, endpoint, request, Waiting(self._patience), take)
        words = " ".join("".join(written).split())
        return "" if words in {"-", "–", "—"} else words


def over_http(endpoint: Endpoint, form: EndpointProfile) -> Endpoint:
    """Where the server of a live `endpoint` takes chat.completions: under the path of `form` where that belongs to a
    provider, else under the same."""
    base = urlsplit(endpoint.base_url)
    path = form.path if form.hosts else base.path
    return replace(endpoint, url=urlunsplit((base.scheme, base.netloc, path, "", "")), dialect=form.key)
