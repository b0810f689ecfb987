"""What goes over a realtime WebSocket: DashScope's flat session, OpenAI's nested one, and the bare one that vLLM-Omni
had before it took over OpenAI's."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

from core.dialogue.protocol import Verdict
from core.dialogue.request import WORDS_NOT_KNOWN
from core.dialogue.trouble import codes
from core.dialogue.wire import PcmDecoder, Sound, Words, believable_rate, from_base64

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.dialogue.profile import EndpointProfile
    from core.dialogue.protocol import Message

_SOUND = {"response.audio.delta", "response.output_audio.delta"}
_SOUND_DONE = {"response.audio.done", "response.output_audio.done"}
_WORDS = {
    "response.audio_transcript.delta": "transcript",
    "response.output_audio_transcript.delta": "transcript",
    "response.text.delta": "text",
    "response.output_text.delta": "text",
    "transcription.delta": "transcription",
}
_REASONS = {"content_filter": Verdict.FILTERED, "max_output_tokens": Verdict.LENGTH, "max_tokens": Verdict.LENGTH}


class Complaint(Exception):
    """The server sent an error; `begun` when it came in the middle of a reply."""

    def __init__(self, code: str, said: str, *, begun: bool) -> None:
        super().__init__(code)
        self.code = code
        self.said = said
        self.begun = begun


class RealtimeDecoder:
    """One reply. Feed every event until `ended`; servers that forget the last one are done once `finished`.

    `before` is the reply before this one, whose last events may still be on their way. `bare`: the reply ends with its
    sound, as it does in a bare session.
    """

    def __init__(self, before: str = "", *, bare: bool = False) -> None:
        self._pcm = PcmDecoder()
        self._before = before
        self._bare = bare
        self._id = ""
        self._words_from = ""
        self._verdict: Verdict | None = None
        self._heard_sound = False
        self.item = ""
        """The name of the reply among the items of the conversation, once the server has told it."""
        self.seconds = 0.0
        """Of sound that came."""
        self.begun = False
        self.finished = False
        self.ended = False

    @property
    def id(self) -> str:
        """The reply's name, once the server has told it."""
        return self._id

    @property
    def verdict(self) -> Verdict:
        verdict = self._verdict or Verdict.OK
        return Verdict.NO_AUDIO if verdict is Verdict.OK and not self._heard_sound else verdict

    def feed(self, event: Mapping[str, Any]) -> list[Words | Sound]:
        """What `event` adds to the reply; another reply's events and unknown ones add nothing.

        Raises:
            Complaint: the server reports an error.
            UnreadableReply: sound that cannot be read.
        """
        kind = str(event.get("type", ""))
        if kind == "error":
            raise self._complaint(event.get("error"), str(event.get("code") or ""))
        if kind == "response.created":
            self._id = self._id or str(_part(event, "response").get("id") or "")
        about = str(event.get("response_id") or _part(event, "response").get("id") or self._id)
        if about != self._id if self._id else about and about == self._before:
            return []
        self._name_item(kind, event)
        if kind in _SOUND:
            return self._sound(event)
        if kind in _WORDS:
            return self._words(_WORDS[kind], str(event.get("delta") or ""))
        if kind == "response.output_item.done":
            self.finished = True
        elif kind in _SOUND_DONE:
            self.ended = self._bare
        elif kind == "response.done":
            self._end(_part(event, "response"))
        return []

    def _name_item(self, kind: str, event: Mapping[str, Any]) -> None:
        if kind == "response.output_item.added":
            self.item = str(_part(event, "item").get("id") or self.item)
        elif kind in _SOUND:
            self.item = str(event.get("item_id") or self.item)

    def _sound(self, event: Mapping[str, Any]) -> list[Words | Sound]:
        encoded = event.get("delta") or event.get("audio")
        if not isinstance(encoded, str) or not encoded:
            return []
        self.begun = True
        sound = self._pcm.feed(from_base64(encoded), believable_rate(event.get("sample_rate_hz")))
        self._heard_sound |= bool(sound.samples.size)
        self.seconds += len(sound.samples) / sound.rate
        return [sound] if sound.samples.size else []

    def _words(self, source: str, text: str) -> list[Words | Sound]:
        if not text or self._words_from not in ("", source):
            return []
        self.begun, self._words_from = True, source
        return [Words(text)]

    def _end(self, response: Mapping[str, Any]) -> None:
        status, details = response.get("status"), _part(response, "status_details")
        if status == "failed":
            raise self._complaint(details.get("error"), "")
        reason = str(details.get("reason") or "")
        self.ended = True
        if status == "incomplete":
            self._verdict = _REASONS.get(reason, Verdict.CUT)
        elif status == "cancelled":
            self._verdict = Verdict.CUT

    def _complaint(self, error: object, code: str) -> Complaint:
        if not isinstance(error, dict):
            return Complaint(code, str(error or ""), begun=self.begun)
        told = cast("dict[str, Any]", error)
        return Complaint(
            codes(told.get("code") or code or None, told.get("type")), str(told.get("message") or ""), begun=self.begun
        )


def session_update(profile: EndpointProfile, model: str, voice: str, instructions: str) -> dict[str, Any]:
    """The first event: how the session is to be. Who has the floor is decided here, not there, unless the profile says
    otherwise. A bare session knows no persona and no voice."""
    if profile.session == "bare":
        return {"type": "session.update", "model": model}
    turns = None if profile.turns == "manual" else {"type": "server_vad", "interrupt_response": False}
    if profile.voice_field == "none":
        voice = ""
    if profile.session == "flat":
        session: dict[str, Any] = {
            "modalities": ["text", "audio"] if profile.speaks else ["text"],
            "instructions": instructions,
            "input_audio_format": profile.sound_format,
            "output_audio_format": profile.sound_format,
            "turn_detection": turns,
        }
        return {"type": "session.update", "session": session | ({"voice": voice} if voice else {})}
    output: dict[str, Any] = {"format": {"type": "audio/pcm", "rate": 24_000}} | ({"voice": voice} if voice else {})
    heard: dict[str, Any] = {"format": {"type": "audio/pcm", "rate": profile.rate_in}, "turn_detection": turns}
    if profile.transcription:
        heard["transcription"] = {"model": profile.transcription}
    session = {
        "type": "realtime",
        "output_modalities": ["audio"] if profile.speaks else ["text"],
        "instructions": instructions,
        "audio": {"input": heard, "output": output},
    }
    return {"type": "session.update", "session": session}


def replay(
    profile: EndpointProfile, model: str, voice: str, instructions: str, history: Sequence[Message]
) -> list[dict[str, Any]]:
    """Events that tell a new session what was said before; none where it cannot be told."""
    told = [message for message in history if message.text or message.role == "user"]
    if not told or profile.session == "bare":
        return []
    if profile.replay == "items":
        return [text_item(profile, message.role, message.text or WORDS_NOT_KNOWN) for message in told]
    names = {"user": "Person", "assistant": "You"}
    lines = [f"{names[message.role]}: {message.text or WORDS_NOT_KNOWN}" for message in told]
    words = "\n".join([instructions, "The conversation so far:", *lines]).strip()
    return [session_update(profile, model, voice, words)]


def text_item(profile: EndpointProfile, role: str, text: str) -> dict[str, Any]:
    """A message in words."""
    kind = "input_text" if role == "user" else "text" if profile.session == "flat" else "output_text"
    item = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
    return {"type": "conversation.item.create", "item": item}


def truncate(item: str, seconds: float) -> dict[str, Any]:
    """Of a reply only the first `seconds` were heard."""
    end_ms = int(seconds * 1000)
    return {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": end_ms}


def delete(item: str) -> dict[str, Any]:
    """A message that is to be forgotten."""
    return {"type": "conversation.item.delete", "item_id": item}


def commit(profile: EndpointProfile, *, final: bool = True) -> dict[str, Any]:
    """What the person said is complete; `final` False opens it, in a bare session."""
    event: dict[str, Any] = {"type": "input_audio_buffer.commit"}
    return event | {"final": final} if profile.session == "bare" else event


def append(pcm: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode("ascii")}


def _part(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = holder.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, dict) else {}
