"""TurnDecoder: from the chunks of a streamed chat completion to words, sound and a verdict.

Servers agree on the frame and on little else: where the sound lies, whether it has a header, whether the first finish
is the last. Everything they differ in is decided here by looking at what came, never by asking who sent it.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from core.dialogue.protocol import Verdict
from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.media import Samples

RIFF_IN_BASE64 = "UklGR"
_BASE64_ONLY = re.compile(r"[A-Za-z0-9+/]{64,}={0,2}")
_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_COMPRESSED = {b"ID3": "mp3", b"fLaC": "flac", b"OggS": "ogg"}
_NO_SIZE_KNOWN = 0x7FFFFFFF
_LONGEST_HEADER = 4096
_VERDICTS = {"content_filter": Verdict.FILTERED, "length": Verdict.LENGTH, "abort": Verdict.CUT, "error": Verdict.CUT}


class UnreadableReply(ValueError):
    """What the endpoint sent is not what was agreed. The message names the form, never the content."""


@dataclass(frozen=True, eq=False)
class Words:
    """A piece of the reply's text, exactly as it came; pieces are joined without anything between them."""

    text: str


@dataclass(frozen=True, eq=False)
class Sound:
    """A piece of the reply's speech: mono float32 at `rate` samples a second."""

    samples: Samples
    rate: int


@dataclass
class Landing:
    """Where a reply's words and sound were found; empty where none came. "delta_wav" is a WAV file under
    ``delta.audio``, "delta" raw PCM there, "content" sound among the words."""

    words: Literal["", "content", "transcript"] = ""
    sound: Literal["", "content", "delta", "delta_wav"] = ""


class TurnDecoder:
    """One reply. Feed every chunk until the stream ends, then ask for the verdict.

    The finish reason is kept and reading goes on: some servers finish the text while sound is still coming.
    """

    def __init__(self) -> None:
        self._pcm = PcmDecoder()
        self._finish = ""
        self._sound_open = False
        """More sound may come though a finish reason was seen."""
        self.landing = Landing()
        self._heard_sound = False
        self._chunks = 0

    @property
    def chunks(self) -> int:
        """How many chunks came; 0 means that the other side does not speak this protocol at all."""
        return self._chunks

    @property
    def finished(self) -> bool:
        """Whether a stream that goes on without saying anything has said all: there was a finish reason, and not one
        that the words had alone while the sound was coming."""
        return bool(self._finish) and not (self._sound_open and self._heard_sound)

    @property
    def verdict(self) -> Verdict:
        """How the reply ended, given that the stream has ended cleanly."""
        if not self._finish:
            return Verdict.CUT
        verdict = _VERDICTS.get(self._finish, Verdict.OK)
        return Verdict.NO_AUDIO if verdict is Verdict.OK and not self._heard_sound else verdict

    def feed(self, chunk: object) -> list[Words | Sound]:
        """What `chunk` (the SDK's `ChatCompletionChunk`, or a mapping like it) adds to the reply, in order.

        Raises:
            UnreadableReply: sound that is no base64, no PCM and no PCM WAV.
        """
        self._chunks += 1
        pieces: list[Words | Sound] = []
        for choice in _items(_field(chunk, "choices")):
            delta = _field(choice, "delta")
            content = _text(_field(delta, "content"))
            if self._is_sound(chunk, content):
                pieces += self._sound("content", content, _stated_rate(chunk, choice))
            else:
                pieces += self._words("content", content)
            audio = _field(delta, "audio")
            pieces += self._words("transcript", _text(_field(audio, "transcript")))
            data = _text(_field(audio, "data")) or _text(audio)
            where = "delta_wav" if RIFF_IN_BASE64 in data[:64] else "delta"
            pieces += self._sound(where, data, _stated_rate(chunk, choice))
            self._take_finish(chunk, _text(_field(choice, "finish_reason")))
        return pieces

    def _take_finish(self, chunk: object, reason: str) -> None:
        if reason:
            self._finish = reason
            self._sound_open = _field(chunk, "modality") == "text"

    def _is_sound(self, chunk: object, content: str) -> bool:
        """vLLM-Omni puts base64 into the content and says so at the top of the chunk, unless a proxy dropped that; then
        a header tells, and after one a content without a single space or mark is what follows it."""
        if _field(chunk, "modality") == "audio" or content.startswith(RIFF_IN_BASE64):
            return True
        return self.landing.sound == "content" and _BASE64_ONLY.fullmatch(content) is not None

    def _words(self, source: Literal["content", "transcript"], text: str) -> list[Words]:
        """The same words may come as content and as transcript: the first seen is the source for the whole reply."""
        if not text or self.landing.words not in ("", source):
            return []
        self.landing.words = source
        return [Words(text)]

    def _sound(self, where: Literal["content", "delta", "delta_wav"], encoded: str, rate: int | None) -> list[Sound]:
        if not encoded:
            return []
        sound = self._pcm.feed(from_base64(encoded), rate)
        self._heard_sound |= bool(sound.samples.size)
        self._sound_open |= bool(self._finish and sound.samples.size)
        self.landing.sound = self.landing.sound or where
        return [sound] if sound.samples.size else []


@dataclass(frozen=True)
class _PcmFormat:
    rate: int
    channels: int = 1
    tag: int = _INTEGER
    bits: int = 16

    @property
    def bytes_per_frame(self) -> int:
        return self.channels * self.bits // 8


class PcmDecoder:
    """Fragments of sound, of any length, to mono float32: raw 16-bit PCM, a WAV file each, or one header in front.

    A fragment that begins with a WAV header begins a new file. Samples split between fragments are put together.
    """

    def __init__(self) -> None:
        self._format = _PcmFormat(MEDIA_RATE)
        self._buffer = b""
        self._at_start = True
        self._body_left: int | None = None

    def feed(self, fragment: bytes, stated_rate: int | None = None, channels: int = 1) -> Sound:
        """The samples that are whole once `fragment` is here; `stated_rate` and `channels` are what is said of
        raw PCM beside it.

        Raises:
            UnreadableReply: compressed sound, or a WAV that is not 16-bit or float PCM.
        """
        if _is_wav(fragment):
            self._buffer, self._at_start = b"", True
        self._buffer += fragment
        if self._at_start:
            self._at_start = not self._start_is_read(stated_rate or MEDIA_RATE, channels)
        return Sound(_to_mono(b"" if self._at_start else self._whole_frames(), self._format), self._format.rate)

    def _start_is_read(self, raw_rate: int, raw_channels: int) -> bool:
        data = self._buffer
        if len(data) < 12 and (b"RIFF".startswith(data) or data.startswith(b"RIFF")):
            return False
        if not _is_wav(data):
            _refuse_compressed(data)
            self._format, self._body_left = _PcmFormat(raw_rate, raw_channels), None
            return True
        header = _read_header(data)
        if header is None:
            return False
        self._format, body, size = header
        self._buffer = data[body:]
        self._body_left = size if 0 < size < _NO_SIZE_KNOWN else None
        return True

    def _whole_frames(self) -> bytes:
        """What can be played now. Bytes after a WAV's body are tags; the fragment after them is sound of its kind."""
        data = self._buffer if self._body_left is None else self._buffer[: self._body_left]
        frame = self._format.bytes_per_frame
        whole = len(data) - len(data) % frame
        self._buffer = data[whole:]
        if self._body_left is not None:
            self._body_left -= whole
            if self._body_left < frame:
                self._buffer, self._body_left = b"", None
        return data[:whole]


def _is_wav(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def _refuse_compressed(data: bytes) -> None:
    for magic, name in _COMPRESSED.items():
        if data.startswith(magic):
            raise UnreadableReply(f"sound as {name}")


def _read_header(data: bytes) -> tuple[_PcmFormat, int, int] | None:
    """Format, where the body begins, and its stated size; None while the header is not complete."""
    at, found = 12, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int(struct.unpack_from("<I", data, at + 4)[0])
        if name == b"data":
            if found is None:
                raise UnreadableReply("a WAV without a format")
            return found, at + 8, size
        if name == b"fmt " and at + 8 + size <= len(data):
            found = _read_format(data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    if len(data) > _LONGEST_HEADER:
        raise UnreadableReply("a WAV header without an end")
    return None


def _read_format(body: bytes) -> _PcmFormat:
    if len(body) < 16:
        raise UnreadableReply("a WAV format cut short")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    if (tag, bits) not in ((_INTEGER, 16), (_FLOAT, 32)) or not channels or believable_rate(rate) is None:
        raise UnreadableReply(f"WAV sound of kind {tag}, {bits} bit, {channels} channels, {rate} Hz")
    return _PcmFormat(rate, channels, tag, bits)


def _to_mono(data: bytes, form: _PcmFormat) -> Samples:
    if form.tag == _FLOAT:
        sent = np.frombuffer(data, "<f4").astype(np.float32)
        samples = np.where(np.isfinite(sent), sent, np.float32(0))  # what is no number is no sound either
    else:
        samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    return samples if form.channels == 1 else samples.reshape(-1, form.channels).mean(axis=1, dtype=np.float32)


def believable_rate(told: object) -> int | None:
    """`told` where it is a rate that sound can have, in samples a second; a wrong one makes hours of a fragment."""
    return told if isinstance(told, int) and 4_000 <= told <= 384_000 else None


def from_base64(encoded: str) -> bytes:
    """The bytes of `encoded`, which may be a data URI and lack its padding.

    Raises:
        UnreadableReply: it is no base64.
    """
    _, _, bare = encoded.rpartition(";base64,")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise UnreadableReply("sound that is not base64") from error


def _stated_rate(chunk: object, choice: object) -> int | None:
    """The rate that newer servers write beside raw PCM, on the chunk, on the choice or in `audio_metadata`."""
    for holder in (chunk, choice, _field(chunk, "audio_metadata"), _field(choice, "audio_metadata")):
        rate = _field(holder, "sample_rate_hz")
        if (believed := believable_rate(rate)) is not None:
            return believed
    return None


def _field(holder: object, name: str) -> object:
    """Fields arrive as models, as extras of models, or as plain mappings, depending on the SDK and the server."""
    if isinstance(holder, Mapping):
        return cast("Mapping[str, object]", holder).get(name)
    return getattr(holder, name, None)


def _items(value: object) -> Iterable[object]:
    return cast("list[object]", value) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
