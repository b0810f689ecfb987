"""From settings to a dialogue over an endpoint, and to what the Test button tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.dialogue.endpoint import Endpoint, host_of
from core.dialogue.local_voice import LocalVoice
from core.dialogue.omni import OmniDialogue
from core.dialogue.probe import EndpointReport, try_endpoint
from core.dialogue.services import Local, Service, Services
from core.dialogue.verdicts import Verdicts, verdicts_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.media import AudioChunk
    from core.settings import DialogueSettings

    KeyOf = Callable[[str, bool], str]
    """The key for what is at an address, and whether that is a speech service beside the endpoint; empty when there is
    none."""


def connect(
    wanted: DialogueSettings, key_of: KeyOf, transcribe: Callable[[AudioChunk], str], voice: str
) -> OmniDialogue:
    """A dialogue over the endpoint of `wanted`; `transcribe` and the local `voice` serve where it has none."""
    return OmniDialogue(
        _endpoint(wanted, key_of),
        local=Local(transcribe, LocalVoice(voice)),
        services=_services(wanted, key_of),
        verdicts=Verdicts(verdicts_path()),
        ask_for_words=wanted.write_down == "auto",
    )


def try_settings(wanted: DialogueSettings, key_of: KeyOf, voice: str) -> EndpointReport:
    """Ask the endpoint of `wanted` something short. Blocks for seconds.

    Raises:
        ServerError: no answer, or a refusal, or the person's own profiles cannot be read.
    """
    return try_endpoint(
        _endpoint(wanted, key_of),
        services=_services(wanted, key_of),
        local=Local(None, LocalVoice(voice)),
        verdicts=Verdicts(verdicts_path()),
    )


def _endpoint(wanted: DialogueSettings, key_of: KeyOf) -> Endpoint:
    return Endpoint(
        url=wanted.url,
        model=wanted.model,
        key=key_of(wanted.url, False),
        voice=wanted.voice,
        instructions=wanted.instructions,
        dialect=wanted.dialect,
    )


def _services(wanted: DialogueSettings, key_of: KeyOf) -> Services:
    return Services(
        _service(wanted, wanted.transcription_url, wanted.transcription_model, key_of),
        _service(wanted, wanted.speech_url, wanted.speech_model, key_of),
    )


def _service(wanted: DialogueSettings, url: str, model: str, key_of: KeyOf) -> Service:
    elsewhere = bool(url) and host_of(url) != host_of(wanted.url)
    return Service(url, model, key_of(url or wanted.url, elsewhere))
