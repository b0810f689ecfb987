"""A turn as the body of a chat completion, in the form that the endpoint's profile asks for."""

from __future__ import annotations

import base64
import io
import wave
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.dialogue.context import fitting, room_for_history
from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from core.dialogue.profile import EndpointProfile
    from core.dialogue.protocol import Message

WORDS_NOT_KNOWN = "(something spoken)"
"""Stands in the history for a spoken turn whose words nobody wrote down and whose sound is gone."""
_TOO_LONG_S = 60.0


@dataclass(frozen=True)
class Question:
    """What the person said, what was said before it, and the sound of earlier turns by number, as far as it is kept.
    `number` is that of the turn; `halved` when all that should fit of what was said before proved too much."""

    speech: AudioChunk | str
    history: tuple[Message, ...] = ()
    kept: Mapping[int, AudioChunk] = field(default_factory=dict[int, AudioChunk])
    number: int = 0
    halved: bool = False
    released: asyncio.Event | None = None
    """Set when it is certain that the person has finished; None where it always was."""

    @property
    def certain(self) -> bool:
        """Whether the person has finished for certain."""
        return self.released is None or self.released.is_set()

    @property
    def texts(self) -> list[str]:
        """The words of the conversation as far as they are known, newest first."""
        newest = [self.speech] if isinstance(self.speech, str) else []
        return newest + [message.text for message in reversed(self.history)]

    def shorter(self) -> Question:
        """The newer half of what was said before, and the last minute of the turn itself: what is asked when all of it
        was too long."""
        speech = self.speech if isinstance(self.speech, str) else last_of(self.speech, _TOO_LONG_S)
        return replace(self, speech=speech, kept={}, halved=True)


@dataclass(frozen=True)
class Request:
    """One chat completion: `extras` are the fields beside model and messages, merged into the body by the SDK."""

    model: str
    messages: list[dict[str, Any]]
    extras: dict[str, Any]


def build_request(profile: EndpointProfile, model: str, voice: str, instructions: str, question: Question) -> Request:
    """The newest turn as sound or text, what was said before it as text, or as sound where nobody knows the words."""
    instructions = f"{instructions}\n{profile.manner}".strip()
    speech = _fitting(profile, question.speech)
    kept = question.kept if profile.earlier_sound and profile.hears(model) else {}
    room = room_for_history(profile, instructions, speech if isinstance(speech, str) else seconds_of(speech))
    sounds = {number: seconds_of(sound) for number, sound in kept.items()}
    told = fitting(question.history, sounds, room, halved=question.halved)
    kept = {number: kept[number] for number in told.as_sound}
    messages = [_earlier(profile, message, kept) for message in told.messages if message.text or message.role == "user"]
    messages.append({"role": "user", "content": _newest(profile, speech)})
    if instructions:
        messages = _instructed(profile, instructions, messages)
    extras = _extras(profile, voice)
    if profile.sound_in == "top_level" and not isinstance(speech, str):
        extras["audios"] = ["data:audio/wav;base64," + _encoded(speech)]
    return Request(model, messages, extras)


def seconds_of(speech: AudioChunk) -> float:
    return len(speech.samples) / CAPTURE_RATE


def last_of(speech: AudioChunk, seconds: float) -> AudioChunk:
    """The end of `speech`, at most so long: people say last what they want to know."""
    surplus = len(speech.samples) - round(seconds * CAPTURE_RATE)
    return speech if surplus <= 0 else AudioChunk(speech.samples[surplus:], speech.start + surplus)


def wav_of(speech: AudioChunk) -> bytes:
    """16-bit WAV of `speech` at its own rate."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(CAPTURE_RATE)
        writer.writeframes(pcm_of(speech.samples))
    return file.getvalue()


def pcm_of(samples: np.ndarray) -> bytes:
    """16-bit little-endian PCM of float samples."""
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2").tobytes()


def _fitting(profile: EndpointProfile, speech: AudioChunk | str) -> AudioChunk | str:
    return speech if isinstance(speech, str) else last_of(speech, profile.longest_s)


def _earlier(profile: EndpointProfile, message: Message, kept: Mapping[int, AudioChunk]) -> dict[str, Any]:
    if message.role == "user" and not message.text and message.turn in kept:
        return {"role": "user", "content": _newest(profile, kept[message.turn])}
    return {"role": message.role, "content": message.text or WORDS_NOT_KNOWN}


def _newest(profile: EndpointProfile, speech: AudioChunk | str) -> str | list[dict[str, Any]]:
    if isinstance(speech, str):
        return speech
    if profile.sound_in == "top_level":
        return ""
    encoded = _encoded(speech)
    if profile.sound_in == "data_uri":
        encoded = f"data:;base64,{encoded}"
    return [{"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}}]


def _encoded(speech: AudioChunk) -> str:
    return base64.b64encode(wav_of(speech)).decode("ascii")


def _instructed(profile: EndpointProfile, instructions: str, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Instructions as a system message, or, where that is refused, in front of the first thing the person said."""
    if profile.system_role:
        return [{"role": "system", "content": instructions}, *messages]
    first = next(index for index, message in enumerate(messages) if message["role"] == "user")
    content = messages[first]["content"]
    if isinstance(content, str):
        folded: str | list[dict[str, Any]] = f"{instructions}\n\n{content}".rstrip()
    elif profile.one_modality:
        return [*messages[:first], {"role": "user", "content": instructions}, *messages[first:]]
    else:
        folded = [{"type": "text", "text": instructions}, *content]
    return [*messages[:first], {"role": "user", "content": folded}, *messages[first + 1 :]]


def _extras(profile: EndpointProfile, voice: str) -> dict[str, Any]:
    extras: dict[str, Any] = {"stream_options": {"include_usage": True}} if profile.usage else {}
    if profile.modalities == "omit":
        return extras
    if profile.modalities == "text":
        return extras | {"modalities": ["text"]}
    audio = {"format": profile.sound_format}
    if voice and profile.voice_field == "audio":
        audio["voice"] = voice
    extras |= {"modalities": ["text", "audio"], "audio": audio}
    if voice and profile.voice_field == "top":
        extras["voice"] = voice
    return extras
