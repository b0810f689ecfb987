"""What LiveTalk hears: transformers' wav2vec2 at the video's pace, from a stream as from a clip."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import PerformerError
from core.performer.livetalk.audio_encoder import AudioStream, packed_alone, resampled
from core.performer.livetalk.spec import TINY, AudioSizes
from core.performer.livetalk.wav2vec import Wav2Vec2, load_wav2vec, normalised, stretched

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Samples
    from core.performer.livetalk.spec import LiveTalkSpec

CPU = torch.device("cpu")
SPEC = dataclasses.replace(TINY, audio_lookahead_frames=4)


@pytest.fixture(scope="module")
def model() -> Wav2Vec2:
    torch.manual_seed(0)
    made = Wav2Vec2(SPEC.audio).requires_grad_(False).eval()
    made.settle()
    return made


def speech(frames: int, seed: int = 0, spec: LiveTalkSpec = SPEC) -> Samples:
    """Media samples of something that rises and falls as speech does."""
    count = frames * spec.samples_per_frame
    time = np.arange(count) / spec.sample_rate
    voice = np.random.default_rng(seed).standard_normal(count) * 0.05 + 0.2 * np.sin(2 * np.pi * 140 * time)
    return (voice * np.abs(np.sin(2 * np.pi * 2.5 * time))).astype(np.float32)


def streamed(model: Wav2Vec2, sound: Samples, blocks: int, spec: LiveTalkSpec = SPEC) -> list[torch.Tensor]:
    stream, start, heard = AudioStream(model, spec), 0, list[torch.Tensor]()
    for block in range(blocks):
        end = start + spec.frames_of(block) * spec.samples_per_frame
        heard.append(stream.hear(sound[start:end], sound[end:]))
        start = end
    return heard


@torch.inference_mode()
def test_features_are_those_of_transformers(tmp_path: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    sizes = AudioSizes(dim=32, ffn_dim=48, layers=3, heads=4, conv_dim=16)
    config = Wav2Vec2Config(
        hidden_size=sizes.dim,
        intermediate_size=sizes.ffn_dim,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        conv_dim=[sizes.conv_dim] * 7,
        vocab_size=5,
    )
    torch.manual_seed(0)
    theirs = Wav2Vec2ForCTC(config).eval()
    for parameter in theirs.parameters():
        parameter += 0.05 * torch.randn_like(parameter)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    ours = load_wav2vec(tmp_path / "model.safetensors", sizes, device=CPU)
    samples = torch.from_numpy(resampled(speech(20), 24_000, 16_000))[None]
    whole = theirs.wav2vec2(normalised(samples), output_hidden_states=True)
    wanted = torch.cat((whole.last_hidden_state, *whole.hidden_states), -1)
    assert wanted.shape == (1, ours.conv_frames(samples.shape[1]), sizes.features)
    assert (ours(samples, wanted.shape[1]) - wanted).abs().max() < 1e-5
    assert (ours(samples, wanted.shape[1], stride=1.0) - wanted).abs().max() < 1e-5


def test_the_older_names_of_the_position_weights_are_read_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    held = {f"wav2vec2.{name}": tensor for name, tensor in Wav2Vec2(SPEC.audio).state_dict().items()}
    held |= {"lm_head.weight": torch.zeros(2, 2), "wav2vec2.masked_spec_embed": torch.zeros(2)}
    old = "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original"
    older = {name.replace(f"{old}0", "encoder.pos_conv_embed.conv.weight_g"): value for name, value in held.items()}
    older = {name.replace(f"{old}1", "encoder.pos_conv_embed.conv.weight_v"): value for name, value in older.items()}
    models: list[Wav2Vec2] = []
    for file, tensors in (("new", held), ("old", older)):
        save_file(tensors, tmp_path / file)
        models.append(load_wav2vec(tmp_path / file, SPEC.audio, device=CPU))
    sound = torch.randn(1, 4000)
    assert torch.equal(models[0](sound, 4), models[1](sound, 4))


def test_another_models_file_is_no_wav2vec(tmp_path: Path) -> None:
    save_file({"blocks.0.modulation": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(PerformerError, match="not wav2vec2-base") as raised:
        load_wav2vec(tmp_path / "model.safetensors", SPEC.audio, device=CPU)
    assert "missing: feature_extractor.conv_layers.0.conv.weight" in raised.value.detail


def test_a_row_stands_between_the_two_that_it_is_made_of() -> None:
    rows = torch.arange(10.0)[None, :, None]
    assert stretched(rows, 3, 3.125)[0, :, 0].tolist() == [0.0, 3.125, 6.25]
    assert stretched(rows, 4)[0, :, 0].tolist() == pytest.approx([0.0, 3.0, 6.0, 9.0])
    assert stretched(rows, 4, 3.125)[0, -1, 0] == 9.0, "beyond the end there is only the end"


def test_training_stretches_as_a_fixed_stride_does_where_both_exist(model: Wav2Vec2) -> None:
    frames = 33
    samples = torch.from_numpy(resampled(speech(frames), 24_000, 16_000))[None]
    rows = model.convolved(normalised(samples))[:, : 1 + 25 * (frames - 1) // 8]
    assert torch.allclose(stretched(rows, frames), stretched(rows, frames, 3.125), atol=1e-6)


@torch.inference_mode()
def test_a_block_hears_its_window_as_a_clip_of_its_own(model: Wav2Vec2) -> None:
    blocks = 9
    sound = speech(9 + 12 * blocks)
    heard = streamed(model, sound, blocks)
    clip = torch.from_numpy(resampled(sound, 24_000, 16_000))
    for block, rows in enumerate(heard):
        first = 0 if block == 0 else 12 * block - 3
        end = first + SPEC.frames_of(block) + SPEC.audio_lookahead_frames
        start = max(0, end - SPEC.audio_window_frames)
        begun = start - start % 8  # where a convolution frame of the whole clip begins
        rows_of_window = model(clip[None, begun * 1000 : end * 1000], end - start, 3.125, start - begun)
        offline = rows_of_window[:, first - start : end - start - SPEC.audio_lookahead_frames]
        assert rows.shape == (1, 12, SPEC.audio.features)
        assert (rows - packed_alone(offline)).abs().max() < 2e-3, block  # the resampler's own edges


@torch.inference_mode()
def test_a_stream_that_fits_the_window_is_the_offline_clip(model: Wav2Vec2) -> None:
    spec = dataclasses.replace(SPEC, sample_rate=16_000, audio_lookahead_frames=0)
    sound = speech(33, spec=spec)
    heard = streamed(model, sound, 3, spec)
    offline = model(torch.from_numpy(sound)[None], 33, 3.125)
    assert torch.allclose(heard[2], offline[:, 21:], atol=1e-6)


def test_the_first_latent_hears_one_frame_four_times(model: Wav2Vec2) -> None:
    first = streamed(model, speech(20), 1)[0]
    assert all(torch.equal(first[:, row], first[:, 0]) for row in (1, 2, 3))
    assert not torch.equal(first[:, 4], first[:, 0])


def test_sound_beyond_the_look_ahead_changes_nothing(model: Wav2Vec2) -> None:
    one, other = speech(40), speech(40)
    heard = (9 + SPEC.audio_lookahead_frames) * SPEC.samples_per_frame
    other[heard:] = 0.0
    assert torch.equal(streamed(model, one, 1)[0], streamed(model, other, 1)[0])
    other[heard - 3000 :] = 0.0
    assert not torch.equal(streamed(model, one, 1)[0], streamed(model, other, 1)[0])


@pytest.mark.parametrize("heard", [0, 1, 6, 8])
def test_a_rewound_block_was_never_heard(model: Wav2Vec2, heard: int) -> None:
    sound = speech(9 + 12 * 10)
    straight, back = AudioStream(model, SPEC), AudioStream(model, SPEC)

    def part(block: int) -> Samples:
        start = 0 if block == 0 else (12 * block - 3) * SPEC.samples_per_frame
        return sound[start : start + SPEC.frames_of(block) * SPEC.samples_per_frame]

    for block in range(heard):
        straight.hear(part(block), part(block + 1))
        back.hear(part(block), part(block + 1))
    back.hear(np.zeros_like(part(heard)), np.zeros(0, np.float32))
    back.rewind()
    assert torch.equal(straight.hear(part(heard), part(heard + 1)), back.hear(part(heard), part(heard + 1)))


def test_sound_that_is_no_sound_is_heard_as_silence_or_full_scale(model: Wav2Vec2) -> None:
    broken, mended = speech(9), speech(9)
    broken[100], broken[200], broken[300] = np.nan, np.inf, 7.0
    mended[100], mended[200], mended[300] = 0.0, 0.0, 1.0
    nothing = np.zeros(0, np.float32)
    heard = AudioStream(model, SPEC).hear(broken, nothing)
    assert heard.isfinite().all()
    assert torch.equal(heard, AudioStream(model, SPEC).hear(mended, nothing))


def test_silence_gives_numbers(model: Wav2Vec2) -> None:
    heard = streamed(model, np.zeros(60 * SPEC.samples_per_frame, np.float32), 3)
    assert all(rows.isfinite().all() for rows in heard)


def test_a_block_of_another_length_is_refused(model: Wav2Vec2) -> None:
    with pytest.raises(ValueError, match="block 0 is 13500 samples, not 18000"):
        AudioStream(model, SPEC).hear(np.zeros(18_000, np.float32), np.zeros(0, np.float32))


def test_what_is_kept_of_the_past_does_not_grow(model: Wav2Vec2) -> None:
    stream, sound = AudioStream(model, SPEC), speech(12)
    stream.hear(sound[: 9 * SPEC.samples_per_frame], sound)
    lengths: list[int] = []
    for _ in range(12):
        stream.hear(sound, sound)
        lengths.append(len(stream._heard.past))
    assert lengths[-1] == lengths[-2] <= SPEC.audio_window_frames * SPEC.samples_per_frame
