"""EndpointProfile: how servers of Qwen3-Omni differ, as data; and which profile an address has."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit

Dialect = Literal["dashscope", "vllm_omni", "openai"]


@dataclass(frozen=True)
class EndpointProfile:
    """What a server of this kind wants in a request. What it sends back is recognised by `core.dialogue.wire`.

    `voice_field`: "audio" is ``audio.voice``, "top" a field of the request, "none" leaves it out.
    `refused`: the switches that were already changed after the server named them in a refusal.
    """

    dialect: Dialect
    title: str
    path: str = "/v1"
    sound_as_data_uri: bool = False
    voice_field: Literal["audio", "top", "none"] = "audio"
    sound_format: str = "wav"
    with_sound: bool = True
    system_role: bool = True
    usage: bool = True
    default_model: str = ""
    default_voices: tuple[tuple[str, str], ...] = ()
    refused: frozenset[str] = frozenset()

    def voice_for(self, model: str, voice: str) -> str:
        """`voice`, or what this kind of server calls its usual one for `model`; empty when it needs none."""
        usual = (name for prefix, name in self.default_voices if model.startswith(prefix))
        return voice or next(usual, "")


PROFILES: dict[Dialect, EndpointProfile] = {
    "dashscope": EndpointProfile(
        "dashscope",
        "Alibaba Model Studio",
        path="/compatible-mode/v1",
        sound_as_data_uri=True,
        default_model="qwen3-omni-flash",
        default_voices=(("qwen3.5", "Tina"), ("", "Cherry")),
    ),
    "vllm_omni": EndpointProfile("vllm_omni", "vLLM-Omni", voice_field="top"),
    "openai": EndpointProfile(
        "openai", "OpenAI", sound_format="pcm16", default_model="gpt-audio", default_voices=(("", "marin"),)
    ),
}
_COMPATIBLE = EndpointProfile("openai", "OpenAI-compatible server", sound_format="pcm16")
NO_ADDRESS = "http://address.invalid/v1"
"""Stands for what is no address: a name that by RFC 2606 no network knows, so that it is simply not reached."""
_HOSTS: dict[str, Dialect] = {"aliyuncs.com": "dashscope", "openai.com": "openai"}
_OWNERS: dict[str, Dialect] = {"vllm": "vllm_omni", "vllm-omni": "vllm_omni", "openai": "openai", "system": "openai"}
_NAMED_IN_REFUSALS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("voice", ("voice", "speaker")),
    ("system", ("system role", "system message", "'system'", '"system"', "role system", "role: system")),
    ("usage", ("stream_options", "include_usage")),
    ("modalities", ("modalit",)),
    ("format", ("audio.format", "audio format", "response_format", "'wav'", "'pcm16'")),
    ("input", ("input_audio", "base64", "data uri", "data url", "invalid url")),
)


@dataclass(frozen=True)
class Endpoint:
    """Where turns are sent and how the avatar is asked to be. `key` is never printed or logged."""

    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    voice: str = ""
    instructions: str = field(default="", repr=False)
    dialect: Dialect | Literal["auto"] = "auto"

    @property
    def base_url(self) -> str:
        """The address as the SDK wants it: with scheme and version path, without the name of a call."""
        return _base_url(self.url)

    @property
    def local(self) -> bool:
        """Whether the server is on this computer, so that no proxy may come between."""
        return _is_loopback(_host(self.base_url))


def describe(url: str, dialect: Dialect | Literal["auto"] = "auto") -> EndpointProfile | None:
    """The profile that the setting or the host name tells; None when only the server itself can tell."""
    if dialect != "auto":
        return PROFILES[dialect]
    host = _host(url)
    for ending, known in _HOSTS.items():
        if host == ending or host.endswith("." + ending):
            return PROFILES[known]
    return None


def profile_of_owner(owners: set[str]) -> EndpointProfile:
    """The profile of a server by what its list of models calls their owner; OpenAI's form when that is unknown."""
    known: list[Dialect] = [_OWNERS[owner.lower()] for owner in sorted(owners) if owner.lower() in _OWNERS]
    return PROFILES[known[0]] if known else _COMPATIBLE


def without_refused(profile: EndpointProfile, refusal: str) -> EndpointProfile | None:
    """`profile` with the switch turned that a refusal (a 400's text) names; None when it names none not yet turned."""
    words = refusal.lower()
    for switch, names in _NAMED_IN_REFUSALS:
        if switch not in profile.refused and any(name in words for name in names):
            return replace(_turned(profile, switch), refused=profile.refused | {switch})
    return None


def _turned(profile: EndpointProfile, switch: str) -> EndpointProfile:
    match switch:
        case "voice":
            return replace(profile, voice_field="none")
        case "system":
            return replace(profile, system_role=False)
        case "usage":
            return replace(profile, usage=False)
        case "modalities":
            return replace(profile, with_sound=False)
        case "format":
            return replace(profile, sound_format="pcm16" if profile.sound_format == "wav" else "wav")
        case _:
            return replace(profile, sound_as_data_uri=not profile.sound_as_data_uri)


def _base_url(url: str) -> str:
    address = url.strip().rstrip("/")
    host = _host(address)
    if not host or any(character.isspace() for character in address):
        return NO_ADDRESS
    if "://" not in address:
        address = ("http://" if _is_private(host) else "https://") + address
    address = address.removesuffix("/chat/completions").rstrip("/")
    if urlsplit(address).path:
        return address
    profile = describe(address)
    return address + (profile.path if profile else "/v1")


def _host(url: str) -> str:
    """The host that `url` names, with a port that can be one; empty when it is no address."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url.strip()}")
        return (parts.hostname or "").lower() if parts.port != 0 else ""
    except ValueError:
        return ""


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
