"""From the chunks of a streamed chat completion to words, sound and a verdict."""

from __future__ import annotations

import base64
import struct
from typing import Any

import numpy as np
import pytest
from openai.types.chat import ChatCompletionChunk

from core.dialogue.protocol import Verdict
from core.dialogue.wire import PcmDecoder, Sound, TurnDecoder, UnreadableReply, Words
from tests.core.omni_server import USAGE, chunk, pieces, tone, wav

PCM = tone(0.25)
SAMPLES = np.frombuffer(PCM, "<i2").astype(np.float32) / 32768


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def heard(decoder: PcmDecoder, fragments: list[bytes]) -> np.ndarray:
    return np.concatenate([decoder.feed(fragment).samples for fragment in fragments])


def read(chunks: list[dict[str, Any]], typed: bool) -> tuple[str, np.ndarray, set[int], Verdict]:
    """Text, samples, rates and verdict of a whole stream, with chunks as the SDK's models or as plain mappings."""
    decoder = TurnDecoder()
    found = [piece for data in chunks for piece in decoder.feed(model(data) if typed else data)]
    sounds = [piece for piece in found if isinstance(piece, Sound)]
    samples = np.concatenate([sound.samples for sound in sounds]) if sounds else np.zeros(0, np.float32)
    words = "".join(piece.text for piece in found if isinstance(piece, Words))
    return words, samples, {sound.rate for sound in sounds}, decoder.verdict


def model(data: dict[str, Any]) -> ChatCompletionChunk:
    from openai._models import construct_type  # the SDK's own way from JSON to a chunk

    built = construct_type(type_=ChatCompletionChunk, value=data)
    assert isinstance(built, ChatCompletionChunk)
    return built


@pytest.mark.parametrize("size", [1, 2, 3, 7, 639, 640, 4095, 12_000])
def test_raw_pcm_in_fragments_of_any_size_gives_every_sample(size: int) -> None:
    np.testing.assert_array_equal(heard(PcmDecoder(), list(pieces(PCM, size))), SAMPLES)


@pytest.mark.parametrize("size", [640, 4096, 12_000])
def test_a_wav_file_in_every_fragment_gives_every_sample(size: int) -> None:
    fragments = [wav(fragment) for fragment in pieces(PCM, size)]
    np.testing.assert_array_equal(heard(PcmDecoder(), fragments), SAMPLES)


@pytest.mark.parametrize("size", [1, 3, 11, 12, 13, 43, 44, 45, 5000])
def test_one_wav_file_cut_into_fragments_anywhere_gives_every_sample(size: int) -> None:
    decoder = PcmDecoder()
    np.testing.assert_array_equal(heard(decoder, list(pieces(wav(PCM, 16_000), size))), SAMPLES)
    assert decoder.feed(b"\0\0").rate == 16_000


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_header_without_a_size_in_front_of_a_stream_is_a_header(stated: int) -> None:
    header = bytearray(wav(b""))
    struct.pack_into("<I", header, 40, stated)
    np.testing.assert_array_equal(heard(PcmDecoder(), list(pieces(bytes(header) + PCM, 1001))), SAMPLES)


def test_a_header_on_the_first_fragment_only_speaks_for_the_raw_ones_after_it() -> None:
    first, *rest = pieces(PCM, 960)
    decoder = PcmDecoder()
    np.testing.assert_array_equal(heard(decoder, [wav(first, 22_050), *rest]), SAMPLES)
    assert decoder.feed(b"\0\0").rate == 22_050


def test_tags_after_the_body_of_a_wav_are_no_sound() -> None:
    tagged = wav(PCM) + b"LIST\x04\0\0\0INFO"
    np.testing.assert_array_equal(heard(PcmDecoder(), [tagged, tagged]), np.concatenate([SAMPLES, SAMPLES]))


def test_a_half_sample_before_a_new_file_is_dropped() -> None:
    np.testing.assert_array_equal(heard(PcmDecoder(), [PCM + b"\x01", wav(PCM)]), np.concatenate([SAMPLES, SAMPLES]))


def test_stereo_and_float_wavs_become_mono() -> None:
    stereo = np.stack([SAMPLES, -SAMPLES], axis=1).astype("<f4").tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16, 3, 2, 48_000, 0, 8, 32, b"data", 0)
    sound = PcmDecoder().feed(header + stereo)
    assert sound.rate == 48_000
    np.testing.assert_array_equal(sound.samples, np.zeros_like(SAMPLES))


def test_samples_that_are_no_numbers_are_silence() -> None:
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16, 3, 1, 24_000, 0, 4, 32, b"data", 0)
    sent = np.array([0.5, np.nan, np.inf, -0.25], "<f4").tobytes()
    np.testing.assert_array_equal(PcmDecoder().feed(header + sent).samples, np.array([0.5, 0, 0, -0.25], np.float32))


@pytest.mark.parametrize(
    "data",
    [
        b"ID3\x04 something compressed",
        b"fLaC something compressed",
        b"OggS something compressed",
        struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16, 6, 1, 8000, 0, 1, 8, b"data", 0),
        struct.pack("<4sI4s4sI", b"RIFF", 0, b"WAVE", b"data", 0),
        struct.pack("<4sI4s4sI", b"RIFF", 0, b"WAVE", b"junk", 0xFFFFFFF0) + b"\0" * 5000,
        struct.pack("<4sI4s4sI4s", b"RIFF", 0, b"WAVE", b"fmt ", 4, b"\0\0\0\0"),
    ],
)
def test_sound_of_another_kind_is_refused_by_name_and_never_played_as_noise(data: bytes) -> None:
    with pytest.raises(UnreadableReply):
        PcmDecoder().feed(data)


@pytest.mark.parametrize("typed", [True, False])
def test_a_dashscope_stream(typed: bool) -> None:
    chunks = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "Hello"}),
        chunk({"content": " there."}),
        *(chunk({"audio": {"data": base64_of(part), "id": "a", "expires_at": 1}}) for part in pieces(PCM, 4001)),
        chunk({"content": ""}, "stop"),
        USAGE,
    ]
    text, samples, rates, verdict = read(chunks, typed)
    assert (text, rates, verdict) == ("Hello there.", {24_000}, Verdict.OK)
    np.testing.assert_array_equal(samples, SAMPLES)


@pytest.mark.parametrize("typed", [True, False])
def test_a_vllm_omni_stream_has_its_sound_in_the_content_and_goes_on_after_the_first_finish(typed: bool) -> None:
    parts = [wav(part) for part in pieces(PCM, 3840)]
    chunks = [
        chunk({"content": "Hello"}, modality="text"),
        chunk({"role": "assistant", "content": base64_of(parts[0])}, modality="audio"),
        chunk({"content": " there."}, "stop", modality="text"),
        chunk({"role": "assistant", "content": ""}, modality="audio"),
        *(chunk({"role": "assistant", "content": base64_of(part)}, modality="audio") for part in parts[1:]),
    ]
    text, samples, rates, verdict = read(chunks, typed)
    assert (text, rates, verdict) == ("Hello there.", {24_000}, Verdict.OK)
    np.testing.assert_array_equal(samples, SAMPLES)


def test_base64_of_a_wav_is_never_taken_for_words_even_if_a_proxy_dropped_the_modality() -> None:
    text, samples, _, _ = read([chunk({"content": base64_of(wav(PCM))}, "stop")], typed=True)
    assert text == ""
    np.testing.assert_array_equal(samples, SAMPLES)


@pytest.mark.parametrize("typed", [True, False])
def test_an_openai_stream_has_its_words_in_the_transcript(typed: bool) -> None:
    chunks = [
        chunk({"role": "assistant", "content": None, "audio": {"id": "a", "transcript": "Hello"}}),
        chunk({"audio": {"transcript": " there."}}),
        *(chunk({"audio": {"data": base64_of(part)}}) for part in pieces(PCM, 4800)),
        chunk({"audio": {"expires_at": 1}}),
        chunk({}, "stop"),
    ]
    text, samples, _, verdict = read(chunks, typed)
    assert (text, verdict) == ("Hello there.", Verdict.OK)
    np.testing.assert_array_equal(samples, SAMPLES)


def test_words_that_come_twice_are_taken_from_where_they_were_first_seen() -> None:
    both = [chunk({"content": word, "audio": {"transcript": word}}) for word in ("Hello", " there.")]
    assert read(both, typed=True)[0] == "Hello there."


def test_sound_as_a_bare_string_or_a_data_uri_without_padding_is_sound() -> None:
    encoded = "data:audio/pcm;base64," + base64_of(PCM[:1000]).rstrip("=")
    _, samples, _, _ = read([chunk({"audio": encoded}, "stop")], typed=True)
    np.testing.assert_array_equal(samples, SAMPLES[:500])


@pytest.mark.parametrize("holder", ["chunk", "metadata"])
def test_the_rate_stated_beside_raw_pcm_is_believed(holder: str) -> None:
    top: dict[str, Any] = (
        {"sample_rate_hz": 16_000} if holder == "chunk" else {"audio_metadata": {"sample_rate_hz": 16_000}}
    )
    data = chunk({"content": base64_of(PCM)}, modality="audio", **top)
    assert read([data], typed=True)[2] == {16_000}


def test_chunks_without_choices_or_with_odd_fields_are_passed_over() -> None:
    odd: list[dict[str, Any]] = [
        USAGE,
        {**USAGE, "choices": None},
        chunk({"content": [{"type": "text"}]}),
        {**USAGE, "choices": [{"index": 0, "delta": None, "finish_reason": None}]},
        chunk({"reasoning_content": "thinking", "content": None}),
    ]
    assert read(odd, typed=True)[0] == ""


@pytest.mark.parametrize(
    ("finish", "sound", "verdict"),
    [
        ("stop", True, Verdict.OK),
        ("stop", False, Verdict.NO_AUDIO),
        ("length", True, Verdict.LENGTH),
        ("content_filter", True, Verdict.FILTERED),
        ("content_filter", False, Verdict.FILTERED),
        ("abort", True, Verdict.CUT),
        (None, True, Verdict.CUT),
        (None, False, Verdict.CUT),
    ],
)
def test_the_verdict_follows_the_finish_reason_and_whether_there_was_sound(
    finish: str | None, sound: bool, verdict: Verdict
) -> None:
    chunks = [chunk({"content": "Hi."}), *([chunk({"audio": {"data": base64_of(PCM)}})] if sound else [])]
    assert read([*chunks, chunk({}, finish)], typed=True)[3] is verdict


def test_sound_that_is_no_base64_is_refused_without_repeating_it() -> None:
    with pytest.raises(UnreadableReply) as refused:
        TurnDecoder().feed(chunk({"audio": {"data": "secret words, not base64"}}))
    assert "secret" not in str(refused.value)
