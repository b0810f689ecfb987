"""Servers that differ in more than their stream, over a real socket: what they are asked, and what is heard of them."""

from __future__ import annotations

import base64
import io
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from core.dialogue.protocol import Message, Verdict
from core.dialogue.services import Local
from core.media import AudioChunk
from tests.core.conformance import LONG, SHORT, SIZES, TEXT, WORDS
from tests.core.live_server import pcm_of
from tests.core.omni_server import (
    DONE,
    Event,
    Head,
    Step,
    chunk,
    heard_as,
    in_turn,
    pieces,
    sglang_sound,
    voiced,
    wav,
)
from tests.core.omni_talk import Heard, ask, refused, talking

if TYPE_CHECKING:
    from core.media import Samples
    from tests.core.omni_server import Asked, Script

SAID = AudioChunk(np.random.default_rng(5).uniform(-0.5, 0.5, 24_000).astype(np.float32), 0)
HISTORY = [Message("user", "I am Leo.", 1), Message("assistant", "Hello Leo.", 1)]


def sent_in(encoded: str) -> bytes:
    """The samples of a WAV file in base64."""
    with wave.open(io.BytesIO(base64.b64decode(encoded))) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (16_000, 1, 2)
        return reader.readframes(reader.getnframes())


def pcm_for(size: int) -> bytes:
    return SHORT if size < 100 else LONG


# -- SGLang-Omni


def sglang(pcm: bytes, size: int) -> list[Step]:
    """Words in `content`, a file each in `delta.audio`, what was used on the last chunk."""
    sound = [sglang_sound(wav(piece)) for piece in pieces(pcm, size)]
    told = [Event(chunk({"content": word})) for word in WORDS]
    used = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    last = Event(chunk({}, "stop", usage=used))
    first = Event(chunk({"role": "assistant", "content": ""}))
    return [Head(), first, *told[:2], *sound[:1], *told[2:], *sound[1:], last, DONE]


def of_june(pcm: bytes, size: int) -> Script:
    """The build of June 2026 takes a list of parts for words: whoever sends one gets an answer about base64."""

    def script(asked: Asked) -> list[Step]:
        if any(not isinstance(message["content"], str) for message in asked.body["messages"]):
            return [Head(), Event(chunk({"content": "That is a lot of letters."}, "stop")), DONE]
        return sglang(pcm, size)

    return script


@pytest.mark.parametrize("size", [size for size in SIZES if size % 2 == 0])
@pytest.mark.parametrize("owner", ["sglang-omni", "nobody"])
def test_sglang_omni_of_june_2026_is_given_the_sound_beside_the_messages(owner: str, size: int) -> None:
    june: dict[str, Any] = {"models": (("q", owner),), "dialect": "sglang_omni_2026_06", "instructions": "Be kind."}
    with talking(of_june(pcm_for(size), size), **june) as (server, dialogue):
        reply = ask(dialogue, Heard(SAID, 2), HISTORY)
        typed = ask(dialogue, Heard("And you?", 3), HISTORY)
        spoken_turn, typed_turn = (turn.body for turn in server.turns)
    for one in (reply, typed):
        assert (one.text, one.pcm, one.verdict) == (TEXT, pcm_for(size), Verdict.OK)
    (sound,) = spoken_turn["audios"]
    assert sound.startswith("data:audio/wav;base64,")
    assert sent_in(sound.partition(",")[2]) == pcm_of(SAID.samples)
    assert [message["content"] for message in spoken_turn["messages"]] == ["Be kind.", "I am Leo.", "Hello Leo.", ""]
    assert (spoken_turn["modalities"], spoken_turn["audio"]) == (["text", "audio"], {"format": "wav"})
    assert "audios" not in typed_turn


@pytest.mark.parametrize("size", [size for size in SIZES if size % 2 == 0])
def test_sglang_omni_as_it_is_today_is_given_parts(size: int) -> None:
    def script(asked: Asked) -> list[Step]:
        kinds = {part["type"] for part in asked.body["messages"][-1]["content"]}
        if not kinds <= {"text", "image_url", "video_url", "audio_url", "input_audio"} or "voice" in asked.body:
            return [Head(400, body={"detail": "unsupported"})]
        return sglang(pcm_for(size), size)

    with talking(script, models=(("q", "sglang-omni"),), voice="chelsie") as (server, dialogue):
        reply = ask(dialogue, Heard(SAID))
        (part,) = server.turns[0].body["messages"][-1]["content"]
    assert (reply.text, reply.pcm, reply.verdict) == (TEXT, pcm_for(size), Verdict.OK)
    assert sent_in(part["input_audio"]["data"]) == pcm_of(SAID.samples)


# -- llama.cpp and Ollama: no speech comes out


def written(**top: Any) -> list[Step]:
    """A reply in words, as both stream it."""
    told = [Event(chunk({"role": "assistant", "content": word}, **top)) for word in WORDS]
    end = Event(chunk({}, "stop", **top))
    used = Event({**chunk({}, **top), "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 9}})
    return [Head(), Event(chunk({"role": "assistant", "content": None}, **top)), *told, end, used, DONE]


LLAMA_CPP = {"system_fingerprint": "b9000-abc", "timings": {"predicted_n": 9}}
OLLAMA = {"system_fingerprint": "fp_ollama"}


def by_sentence(pcm: bytes, size: int) -> Script:
    return lambda asked: voiced(pcm if asked.body["input"] == "Hello there." else pcm[: len(pcm) // 4 * 2], size)


@pytest.mark.parametrize("size", SIZES)
def test_llama_cpp_with_an_omni_model_hears_and_a_service_speaks_for_it(size: int) -> None:
    pcm = pcm_for(size)
    with talking(
        in_turn(written(**LLAMA_CPP)),
        models=(("Qwen3-Omni-30B-A3B-Instruct-Q4_K_M.gguf", "llamacpp"),),
        voice_of=by_sentence(pcm, size),
    ) as (server, dialogue):
        reply = ask(dialogue, Heard(SAID, 2), HISTORY)
        body = server.turns[0].body
    assert (reply.text, reply.verdict) == (TEXT, Verdict.OK)
    assert reply.pcm == pcm + pcm[: len(pcm) // 4 * 2]
    (part,) = body["messages"][-1]["content"]
    assert (part["type"], part["input_audio"]["format"]) == ("input_audio", "wav")
    assert sent_in(part["input_audio"]["data"]) == pcm_of(SAID.samples)
    assert not {"modalities", "audio", "voice"} & body.keys()


@pytest.mark.parametrize("size", SIZES)
def test_llama_cpp_with_a_text_model_writes_down_first_what_was_said(size: int) -> None:
    """Its server has a call for that since April 2026, and none that speaks."""
    pcm = pcm_for(size)
    with talking(
        in_turn(written(**LLAMA_CPP)),
        models=(("Qwen3-8B-Q4_K_M.gguf", "llamacpp"),),
        ears=lambda _: heard_as(" Well? "),
        voice_of=by_sentence(pcm, size),
    ) as (server, dialogue):
        reply = ask(dialogue, Heard(SAID))
        (heard,) = server.asked_of("/audio/transcriptions")
    assert (reply.said, reply.text, reply.verdict) == ("Well?", TEXT, Verdict.OK)
    assert reply.pcm == pcm + pcm[: len(pcm) // 4 * 2]
    assert wav(pcm_of(SAID.samples), 16_000) in heard.raw


def test_llama_cpp_that_cannot_hear_after_all_is_given_words() -> None:
    no = [Head(500, body={"error": {"code": 500, "message": "audio input is not supported", "type": "server_error"}})]
    local = Local(lambda _: "What was said")
    with talking(in_turn(no, written(**LLAMA_CPP)), models=(("qwen3-omni.gguf", "llamacpp"),), local=local) as (
        server,
        dialogue,
    ):
        reply = ask(dialogue, Heard(SAID))
        again = ask(dialogue, Heard(SAID, 2))
        contents = [turn.body["messages"][-1]["content"] for turn in server.turns]
    assert (reply.said, reply.text, again.text) == ("What was said", TEXT, TEXT)
    assert [isinstance(content, str) for content in contents] == [False, True, True]


def test_ollama_converses_with_the_ears_and_the_voice_of_this_computer() -> None:
    said: list[str] = []

    def say(sentence: str) -> tuple[Samples, int]:
        said.append(sentence)
        return np.frombuffer(LONG, "<i2").astype(np.float32) / 32768, 24_000

    local = Local(lambda _: "What was said", say)
    models = (("qwen3:8b", "library"), ("nomic-embed-text:latest", "library"))
    with talking(in_turn(written(**OLLAMA)), models=models, local=local) as (server, dialogue):
        reply = ask(dialogue, Heard(SAID, 2), HISTORY)
        body = server.turns[0].body
    assert (reply.said, reply.text, reply.verdict) == ("What was said", TEXT, Verdict.OK)
    assert reply.pcm == 2 * LONG
    assert sorted(said) == ["Hello there.", "How are you?"]
    assert body["model"] == "qwen3:8b"
    assert [message["content"] for message in body["messages"][1:]] == ["I am Leo.", "Hello Leo.", "What was said"]
    assert not {"modalities", "audio", "voice", "audios"} & body.keys()


def test_a_model_that_ollama_does_not_have_is_named() -> None:
    missing = refused(404, 'model "qwen4" not found, try pulling it first', type="not_found_error")
    with talking(in_turn(missing), models=(("qwen3:8b", "library"),), model="qwen4") as (_, dialogue):
        reply = ask(dialogue)
    assert reply.error is not None
    assert reply.error.title == 'The endpoint does not know the model "qwen4".'
