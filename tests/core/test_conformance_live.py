"""Every live dialect over a real WebSocket, in fragments of every size: each word and each sample, up and down."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soxr

from core.dialogue.protocol import Verdict
from core.media import AudioChunk
from tests.core.conformance import LONG, SHORT, SIZES, TEXT, WORDS
from tests.core.live_server import pcm_of
from tests.core.omni_server import pieces
from tests.core.omni_talk import Heard, ask
from tests.core.test_realtime import live

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.core.live_server import Script, Talk

SAID = AudioChunk(np.random.default_rng(5).uniform(-0.5, 0.5, 40_000).astype(np.float32), 0)


@dataclass(frozen=True)
class Dialect:
    """How a server of this kind names its events; `extra` is beside every piece of sound, `rate` is what goes up."""

    rate: int
    words: str
    sound: str
    field: str = "delta"
    extra: tuple[tuple[str, Any], ...] = ()
    bare: bool = False

    def saying(self, pcm: bytes, size: int) -> list[dict[str, Any]]:
        """A whole reply: words run ahead, the rest of them lies among the sound."""
        about = {} if self.bare else {"response_id": "r1", "item_id": "i1"}
        told = [{"type": self.words, "delta": word, **about} for word in WORDS]
        sound = [
            {"type": self.sound, self.field: base64.b64encode(piece).decode(), **about, **dict(self.extra)}
            for piece in pieces(pcm, size)
        ]
        middle = len(sound) // 2
        reply = [
            *told[:2],
            *sound[:middle],
            *told[2:],
            *sound[middle:],
            {"type": self.done, "has_audio": True, **about},
        ]
        if self.bare:
            return reply
        started = {"type": "response.created", "response": {"id": "r1", "status": "in_progress"}}
        return [
            {"type": "input_audio_buffer.committed", "item_id": "u1"},
            started,
            {"type": "response.output_item.added", "response_id": "r1", "item": {"id": "i1", "role": "assistant"}},
            *reply,
            {"type": "response.output_item.done", "response_id": "r1", "item": {"id": "i1"}},
            {"type": "response.done", "response": {"id": "r1", "status": "completed"}},
        ]

    @property
    def done(self) -> str:
        return self.sound.replace(".delta", ".done")


FLAT, NESTED = "response.audio.delta", "response.output_audio.delta"
DIALECTS = {
    "dashscope_realtime": Dialect(16_000, "response.audio_transcript.delta", FLAT),
    "sglang_omni_realtime": Dialect(16_000, "response.text.delta", FLAT),
    "openai_realtime": Dialect(24_000, "response.output_audio_transcript.delta", NESTED),
    "vllm_omni_realtime": Dialect(24_000, "response.output_audio_transcript.delta", NESTED),
    "compatible_realtime": Dialect(
        24_000, "response.output_text.delta", NESTED, extra=(("sample_rate_hz", 24_000), ("metadata", {}))
    ),
    "vllm_omni_realtime_2026_04": Dialect(
        16_000, "transcription.delta", FLAT, "audio", (("sample_rate_hz", 24_000), ("format", "pcm16")), bare=True
    ),
}


def answering(dialect: Dialect, pcm: bytes, size: int) -> Script:
    async def script(talk: Talk) -> None:
        await talk.send({"type": "session.created", "session": {"id": "s"}})
        await talk.until("input_audio_buffer.commit")
        await talk.until("input_audio_buffer.commit" if dialect.bare else "response.create")
        for event in dialect.saying(pcm, size):
            await talk.send(event)
        await talk.hold()

    return script


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", DIALECTS)
def test_every_live_dialect_in_fragments_of_every_size_gives_every_word_and_every_sample(name: str, size: int) -> None:
    dialect, pcm = DIALECTS[name], SHORT if size < 100 else LONG
    with live(answering(dialect, pcm, size), dialect=name) as (server, dialogue):
        reply = ask(dialogue, Heard(SAID))
        sent = server.talks[0].pcm
    assert (reply.text, reply.verdict, reply.error) == (TEXT, Verdict.OK, None)
    assert reply.pcm == pcm
    if dialect.rate == 16_000:
        assert sent == pcm_of(SAID.samples)
    else:
        expected = soxr.resample(SAID.samples, 16_000, dialect.rate)
        assert len(sent) == 2 * len(expected)
        np.testing.assert_allclose(np.frombuffer(sent, "<i2") / 32768, expected, atol=2e-3)


def one_size(dialect: Dialect, order: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Script:
    async def script(talk: Talk) -> None:
        await talk.until("response.create")
        for event in order(dialect.saying(LONG, 4801)):
            await talk.send(event)
        await talk.hold()

    return script


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if not dialect.bare])
def test_unknown_events_between_the_pieces_cost_nothing(name: str) -> None:
    odd: list[dict[str, Any]] = [
        {"type": "rate_limits.updated", "rate_limits": []},
        {"type": "response.content_part.added", "response_id": "r1", "part": {"type": "audio"}},
        {"type": "vendor.note", "delta": "not said", "response_id": "r1"},
        {"type": "response.audio.delta", "delta": "", "response_id": "r1"},
    ]

    def among(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [piece for event in events[:-1] for piece in (event, *odd)] + events[-1:]

    with live(one_size(DIALECTS[name], among), dialect=name) as (_, dialogue):
        reply = ask(dialogue, Heard(SAID))
    assert (reply.text, reply.pcm, reply.verdict) == (TEXT, LONG, Verdict.OK)
