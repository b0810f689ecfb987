"""Who answers at an address: the form it wants its requests in, the model and the voice to ask for."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.dialogue.client import NoList, check_key, list_models
from core.dialogue.endpoint import describe, profile_of_owners
from core.dialogue.exchange import Waiting, read_reply
from core.dialogue.profile import AUTOMATIC, known_profiles, turned, without_refused
from core.dialogue.request import Question, build_request
from core.dialogue.trouble import Setback, no_model, unknown_kind
from core.dialogue.wire import Sound, TurnDecoder
from core.errors import Problem, ServerError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openai

    from core.dialogue.client import Patience
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.profile import EndpointProfile
    from core.dialogue.verdicts import Verdicts
    from core.dialogue.wire import Landing, Words

log = logging.getLogger(__name__)
ONE_WORD = "Say: yes."
_MOST_FORMS = 4
_CARRIED = {"usage", "system"}
"""What a server that refused it of one form would refuse of another."""


@dataclass(frozen=True)
class Server:
    """Who answers: the form it wants, the model and voice to ask for, and the models it lists."""

    profile: EndpointProfile
    model: str
    voice: str
    models: tuple[str, ...] = ()

    def asked_as(self, profile: EndpointProfile) -> Server:
        return replace(self, profile=profile)

    @property
    def hears(self) -> bool:
        return self.profile.hears(self.model)


async def identify(
    client: openai.AsyncOpenAI, endpoint: Endpoint, patience: Patience, verdicts: Verdicts | None
) -> Server:
    """Find out by the setting, what is remembered, the host's name, the owner of the listed models; and where all of
    them are silent, by a question of one word. Asking for the models also warms the connection.

    Raises:
        Setback: it cannot be reached, the key cannot be one, or no model is known: for that the list may be to blame.
    """
    check_key(endpoint)
    profiles = _profiles(endpoint)
    listed, unlisted = await _listed(client, endpoint, patience)
    told = describe(endpoint, profiles)
    remembered = verdicts.recall(endpoint, profiles) if verdicts else None
    owned = profile_of_owners(listed.values(), endpoint.transport, profiles)
    if remembered is not None and (known := told or owned) is not None and known.key != remembered.key:
        remembered = None  # another server lives at this address
    profile = remembered or told or owned or profiles[_fallback(endpoint)]
    model = endpoint.model or _usual_model(profile, tuple(listed))
    if not model:
        raise unlisted or Setback(no_model())
    server = Server(profile, model, profile.voice_for(model, endpoint.voice), tuple(listed))
    if remembered is None and told is None and owned is None and endpoint.transport == "chat":
        found = await _probed(client, endpoint, patience, server, profiles)
        if found is not None and verdicts:
            verdicts.keep(endpoint, found)
        if found is not None:
            return Server(found, model, found.voice_for(model, endpoint.voice), tuple(listed))
    return server


async def _listed(
    client: openai.AsyncOpenAI, endpoint: Endpoint, patience: Patience
) -> tuple[dict[str, str], NoList | None]:
    try:
        return await list_models(client, endpoint, patience), None
    except NoList as unlisted:
        log.info("the endpoint lists no models: %s", unlisted.error.detail)
        return {}, unlisted


def _profiles(endpoint: Endpoint) -> Mapping[str, EndpointProfile]:
    try:
        profiles = known_profiles()
    except SettingsError as error:
        refused = Problem.ENDPOINT_REFUSED
        raise Setback(ServerError(refused, error.title, error.advice, detail=error.detail)) from error
    if endpoint.dialect != AUTOMATIC and endpoint.dialect not in profiles:
        raise Setback(unknown_kind(endpoint.dialect))
    return profiles


def profile_of_landing(landing: Landing, profiles: Mapping[str, EndpointProfile]) -> EndpointProfile | None:
    """The first profile whose answers look like one that was seen; None where the answer had no sound and no words."""
    if not landing.sound and not landing.words:
        return None
    if not landing.sound:
        return profiles.get("text")
    if landing.sound == "delta":
        return profiles.get("openai" if landing.words == "transcript" else "compatible")
    fitting = (profile for profile in profiles.values() if profile.transport == "chat")
    return next((profile for profile in fitting if profile.sound_out == landing.sound), None)


async def _probed(
    client: openai.AsyncOpenAI,
    endpoint: Endpoint,
    patience: Patience,
    server: Server,
    profiles: Mapping[str, EndpointProfile],
) -> EndpointProfile | None:
    """Ask for one word with sound, and look where it lands; what the server refuses on the way is turned. None when
    it does not tell."""
    profile = server.profile
    for _ in range(_MOST_FORMS):
        request = build_request(profile, server.model, server.voice, "", Question(ONE_WORD))
        decoder = TurnDecoder()
        try:
            await read_reply(
                client, endpoint, request, Waiting(patience, loading=endpoint.nearby), _until_sound, decoder
            )
        except Setback as setback:
            said, broke_down = setback.refusal, setback.broke_down
            other = without_refused(profile, said, broke_down=broke_down) if said else None
            if other is None:
                log.info("who answers is not known: %s", setback.error.detail)
                return None
            profile = other
            continue
        found = profile_of_landing(decoder.landing, profiles)
        if found is None:
            return None
        log.info("the endpoint answers like %s", found.title)
        for switch in profile.refused & _CARRIED:
            found = turned(found, switch)
        return found
    return None


async def _until_sound(piece: Words | Sound) -> bool:
    return not isinstance(piece, Sound)


def _fallback(endpoint: Endpoint) -> str:
    return "compatible_realtime" if endpoint.transport == "realtime" else "compatible"


def _usual_model(profile: EndpointProfile, listed: tuple[str, ...]) -> str:
    """The model to ask where none is set: the usual one of such servers, else one that sounds able to speak."""
    if not listed or profile.default_model in listed:
        return profile.default_model
    live = profile.transport == "realtime"
    able = [name for name in listed if "omni" in name.lower() and live == ("realtime" in name.lower())]
    return next(iter(able), profile.default_model or listed[0])
