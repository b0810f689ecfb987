"""A turn as the body of a chat completion, in the form that the endpoint's profile asks for."""

from __future__ import annotations

import base64
import io
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.dialogue.endpoint import EndpointProfile
    from core.dialogue.protocol import Message

WORDS_NOT_KNOWN = "(something spoken)"
"""Stands in the history for a spoken turn whose words nobody wrote down."""


@dataclass(frozen=True)
class Request:
    """One chat completion: `extras` are the fields beside model and messages, merged into the body by the SDK."""

    model: str
    messages: list[dict[str, Any]]
    extras: dict[str, Any]


def build_request(
    profile: EndpointProfile,
    model: str,
    voice: str,
    instructions: str,
    history: Sequence[Message],
    speech: AudioChunk | str,
) -> Request:
    """The newest turn as sound or text, what was said before it as text."""
    messages = [_earlier(message) for message in history if message.text or message.role == "user"]
    messages.append({"role": "user", "content": _newest(profile, speech)})
    if instructions:
        messages = _instructed(profile, instructions, messages)
    return Request(model, messages, _extras(profile, voice))


def wav_of(speech: AudioChunk) -> bytes:
    """16-bit WAV of `speech` at its own rate."""
    pcm = np.clip(np.rint(speech.samples * 32768.0), -32768, 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(CAPTURE_RATE)
        writer.writeframes(pcm.tobytes())
    return file.getvalue()


def _earlier(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": message.text or WORDS_NOT_KNOWN}


def _newest(profile: EndpointProfile, speech: AudioChunk | str) -> str | list[dict[str, Any]]:
    if isinstance(speech, str):
        return speech
    encoded = base64.b64encode(wav_of(speech)).decode("ascii")
    if profile.sound_as_data_uri:
        encoded = f"data:;base64,{encoded}"
    return [{"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}}]


def _instructed(profile: EndpointProfile, instructions: str, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instructions as a system message, or, where that is refused, in front of the first thing the person said."""
    if profile.system_role:
        return [{"role": "system", "content": instructions}, *messages]
    first = next(index for index, message in enumerate(messages) if message["role"] == "user")
    content = messages[first]["content"]
    if isinstance(content, str):
        folded: str | list[dict[str, Any]] = f"{instructions}\n\n{content}"
    else:
        folded = [{"type": "text", "text": instructions}, *content]
    return [*messages[:first], {"role": "user", "content": folded}, *messages[first + 1 :]]


def _extras(profile: EndpointProfile, voice: str) -> dict[str, Any]:
    extras: dict[str, Any] = {"stream_options": {"include_usage": True}} if profile.usage else {}
    if not profile.with_sound:
        return extras | {"modalities": ["text"]}
    audio = {"format": profile.sound_format}
    if voice and profile.voice_field == "audio":
        audio["voice"] = voice
    extras |= {"modalities": ["text", "audio"], "audio": audio}
    if voice and profile.voice_field == "top":
        extras["voice"] = voice
    return extras
