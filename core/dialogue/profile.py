"""EndpointProfile: how servers of speaking models differ, as data, and what a refusal changes of it."""

from __future__ import annotations

import functools
import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from core.errors import Problem, SettingsError
from core.settings import assets_folder, config_folder

if TYPE_CHECKING:
    from pathlib import Path

FILE = "endpoints.toml"
AUTOMATIC = "auto"
"""Stands for no profile in particular."""
_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Rate = Annotated[int, msgspec.Meta(ge=8_000, le=48_000)]
_Tokens = Annotated[int, msgspec.Meta(ge=256)]


class EndpointProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a server of this kind wants in a request; `assets/endpoints.toml` says what each field means.

    What it sends back is recognised by `core.dialogue.wire`, whoever sent it. `refused` are the switches that were
    already turned after the server named them in a refusal, `for_now` those after it named them when it broke down:
    they are not remembered.
    """

    key: _Name
    title: _Name
    transport: Literal["chat", "realtime"] = "chat"
    hosts: tuple[_Name, ...] = ()
    owners: tuple[_Name, ...] = ()
    path: str = "/v1"
    sound_in: Literal["bare", "data_uri", "top_level", "none"] = "bare"
    hearing_models: tuple[str, ...] = ()
    sound_out: Literal["content", "delta", "delta_wav", "none"] = "delta"
    modalities: Literal["both", "text", "omit"] = "both"
    sound_format: str = "wav"
    voice_field: Literal["audio", "top", "none"] = "audio"
    one_modality: bool = False
    system_role: bool = True
    usage: bool = True
    earlier_sound: bool = True
    manner: str = ""
    default_model: str = ""
    voices: tuple[tuple[str, str], ...] = ()
    most_encoded: int = 0
    most_seconds: _Positive = 120.0
    context_tokens: _Tokens = 8_000
    session: Literal["flat", "nested", "bare"] = "nested"
    rate_in: _Rate = 16_000
    turns: Literal["manual", "server"] = "manual"
    truncates: bool = False
    replay: Literal["items", "instructions"] = "items"
    transcription: str = ""
    writes_down: str = ""
    idle_s: _Positive = 1_200.0
    refused: frozenset[str] = frozenset()
    for_now: frozenset[str] = frozenset()

    @property
    def speaks(self) -> bool:
        """Whether sound is asked for."""
        return self.modalities == "both"

    def hears(self, model: str) -> bool:
        """Whether `model` is given sound; else what the person says is written down first."""
        name = model.lower()
        return self.sound_in != "none" and (
            not self.hearing_models or any(part in name for part in self.hearing_models)
        )

    def voice_for(self, model: str, voice: str) -> str:
        """`voice`, or what this kind of server calls its usual one for `model`; empty when it needs none."""
        usual = (name for prefix, name in self.voices if model.startswith(prefix))
        return voice or next(usual, "")

    @property
    def longest_s(self) -> float:
        """Seconds of 16-bit sound at 16 kHz that fit into one request."""
        fitting = self.most_encoded * 3 / 4 / 32_000 if self.most_encoded else self.most_seconds
        return min(self.most_seconds, fitting)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    profile: list[EndpointProfile] = []


_SWITCHES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("system", ("system role", "system message", "'system'", '"system"', "role system", "role: system")),
    ("usage", ("stream_options", "include_usage")),
    (
        "hearing",
        ("audio input is not", "at most 0 audio", "not support audio", "not a multimodal model", "unknown part type"),
    ),
    ("earlier_sound", ("audio(s) may be provided", "only one audio", "multiple audio")),
    ("one_modality", ("one modality", "single modality", "mixed modalit", "multiple modalit")),
    ("modalities", ("modalit",)),
    ("format", ("audio.format", "audio format", "audio_format", "response_format", "'wav'", "'pcm16'")),
    ("input", ("input_audio", "base64", "data uri", "data url", "invalid url")),
    ("top_level", ("content must be a string", "should be a valid string", "expected a string")),
)
"""Switches and the words by which a refusal names them, the most particular first."""
_OUTRIGHT: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("system", ("'system'", "system role not supported")),
    ("usage", ("'stream_options'", "'include_usage'", "'stream_options.include_usage'")),
    ("hearing", ("audio input is not supported", "at most 0 audio")),
    ("modalities", ("'modalities'", "'output_modalities'", "unsupported output modalit")),
    ("format", ("'audio.format'", "'audio_format'", "'response_format'")),
    ("input", ("'input_audio'",)),
)
"""The same for a server that broke down: fields by their whole name, and what servers are known to say then."""
_A_QUOTE = re.compile(r"[\"`‘’“”]")
_A_FIELD_FIRST = re.compile(r"^(?:body\.)?([\w.]+): ")
_UNKNOWN = r"(?:invalid|unknown|unsupported|unrecogni[sz]ed|unexpected|no such|not a valid)"
_VOICE = r"(?:voice|speaker)(?:_?id|_?name|s)?\b(?! activity)"
_NOT_THERE = r"(?:not (?:a )?(?:supported|found|available|valid|known|recogni[sz]ed|exist)|do(?:es)? not exist)"
_VOICE_REFUSED = re.compile(
    rf"^(?:audio\.)?{_VOICE}: |{_UNKNOWN}\W+(?:\w+\W+){{0,4}}?{_VOICE}"
    rf"|{_VOICE}[^.:;]{{0,60}}?\b(?:is |are )?(?:{_NOT_THERE}|{_UNKNOWN})"
    rf"|{_VOICE}[^.:;]{{0,40}} must be one of|{_VOICE}.{{0,30}}\bextra "
)
"""A refusal of the voice that was asked for: it is often spoken of where something else was wrong."""
LASTING = frozenset(name for name, _ in _SWITCHES)
"""Switches that belong to the server; another voice may be known where this one was not."""


@functools.cache
def shipped_profiles() -> dict[str, EndpointProfile]:
    """The profiles that come with the program, by key, in the order in which they are tried."""
    return _read(assets_folder() / FILE)


def own_profiles_path() -> Path:
    """The file in which a person describes kinds of their own, whether it is there or not."""
    return config_folder() / FILE


def known_profiles() -> dict[str, EndpointProfile]:
    """The shipped profiles and those of the person, which come first and take the place of their namesakes.

    Raises:
        SettingsError: the person's file cannot be read.
    """
    path = own_profiles_path()
    try:
        own = _read(path)
    except FileNotFoundError:
        return shipped_profiles()
    except (OSError, ValueError, msgspec.ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsError(
            Problem.SETTINGS_BROKEN,
            f"Your own kinds of endpoints, in {FILE}, could not be read.",
            f"It says: “{reason}” Mend the file or move it away, then try again: {path}",
            detail=reason,
        ) from error
    return own | {key: profile for key, profile in shipped_profiles().items() if key not in own}


def without_refused(profile: EndpointProfile, refusal: str, *, broke_down: bool = False) -> EndpointProfile | None:
    """`profile` with the switch turned that a refusal (a 400's text) names; None when it names none not yet turned.

    A server that `broke_down` (a 500's text) may speak of its own parts: only what it names outright is turned, and
    never the voice.
    """
    words, before = refusal.lower(), profile.refused | profile.for_now
    if broke_down:
        words = _A_FIELD_FIRST.sub(r"'\1' ", _A_QUOTE.sub("'", words))
    elif "voice" not in before and profile.voice_field != "none" and _VOICE_REFUSED.search(words):
        return turned(profile, "voice")
    for switch, names in _OUTRIGHT if broke_down else _SWITCHES:
        if switch not in before and any(name in words for name in names):
            return turned(profile, switch, for_now=broke_down)
    return None


def turned(profile: EndpointProfile, switch: str, *, for_now: bool = False) -> EndpointProfile:
    """`profile` with one switch turned, and marked so."""
    changes: dict[str, dict[str, object]] = {
        "voice": {"voice_field": "none"},
        "system": {"system_role": False},
        "usage": {"usage": False},
        "hearing": {"sound_in": "none"},
        "earlier_sound": {"earlier_sound": False},
        "one_modality": {"one_modality": True},
        "modalities": {"modalities": "text"},
        "format": {"sound_format": _other_format(profile)},
        "input": {"sound_in": "bare" if profile.sound_in == "data_uri" else "data_uri"},
        "top_level": {"sound_in": "top_level", "earlier_sound": False},
    }
    mark = {"for_now": profile.for_now | {switch}} if for_now else {"refused": profile.refused | {switch}}
    return msgspec.structs.replace(profile, **changes[switch], **mark)


def _other_format(profile: EndpointProfile) -> str:
    """How the same kind of server called 16-bit PCM before, or calls it by now; over chat there are files, too."""
    other = "pcm" if profile.transport == "realtime" else "wav"
    return other if profile.sound_format == "pcm16" else "pcm16" if profile.sound_format in ("wav", "pcm") else other


def _read(path: Path) -> dict[str, EndpointProfile]:
    tree = tomllib.loads(path.read_text("utf-8"))
    profiles = msgspec.convert(tree, _File).profile
    keys = [profile.key for profile in profiles]
    for key in keys:
        if keys.count(key) > 1 or key == AUTOMATIC:
            raise ValueError(f"the key {key!r} is {'taken' if key == AUTOMATIC else 'there twice'}")
    return {profile.key: profile for profile in profiles}
