"""The embedded avatar's motion: what it hears, what it shows, and that it can go back and begin again."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from core.errors import PerformerError, Problem
from core.media import MEDIA_RATE, SpeechBlock
from core.performer.portrait.audio import AudioEncoder, AudioState, LogMel
from core.performer.portrait.blinks import BlinkClock
from core.performer.portrait.codec import (
    CURVES,
    FACE_CURVES,
    FRAMES,
    LATENT,
    CurveCodec,
    DecoderState,
    MotionCodec,
)
from core.performer.portrait.motion import (
    MotionModel,
    MotionSizes,
    MotionSpec,
    MotionStream,
    open_speech,
    style_rows,
)
from core.performer.portrait.performer import amount_of, performer_spec
from core.performer.portrait.shown import Gains, Showing, face_motion
from core.performer.portrait.speech_encoder import FILE, PER_FRAME, SPEECH_FOLDER, WIDTH, SpeechEncoder
from core.performer.portrait.weights import SPEC, WEIGHTS, load_weights, save_weights
from core.settings import models_folder

if TYPE_CHECKING:
    import numpy.typing as npt

SHIPPED = Path(__file__).parents[2] / "assets" / "models" / "portrait"
SPEC_SHIPPED = load_weights(SHIPPED)[1]
HEARING = SPEC_SHIPPED.hearing
BLOCK = HEARING.block_frames * HEARING.frame
SMALL = MotionSizes(dim=24, ffn_dim=24, layers=2, heads=2, text_dim=8, audio_width=8, audio_features=6, audio_hidden=8,
                    audio_layers=(0, 1), codec_hidden=8)  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> tuple[MotionModel, MotionSpec]:
    return load_weights(SHIPPED)


def noise(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(int(seconds * MEDIA_RATE))).astype(np.float32)


def blocks_of(samples: npt.NDArray[np.float32]) -> list[SpeechBlock]:
    starts = range(0, len(samples) - BLOCK + 1, BLOCK)
    return [SpeechBlock(None, samples[s : s + BLOCK], samples[s + BLOCK : s + BLOCK + HEARING.ahead]) for s in starts]


def silence(blocks: int) -> list[SpeechBlock]:
    return [SpeechBlock(None, np.zeros(BLOCK, np.float32), np.zeros(HEARING.ahead, np.float32)) for _ in range(blocks)]


def stream_of(shipped: tuple[MotionModel, MotionSpec], seed: int = 1, style: str = "") -> MotionStream:
    model, spec = shipped
    return MotionStream(model, spec, speech_of(spec), torch.zeros(len(CURVES)), style, seed)


@functools.cache
def speech_of(spec: MotionSpec) -> SpeechEncoder | None:
    return open_speech(spec, models_folder() / SPEECH_FOLDER)


def gap_of(curves: torch.Tensor, model: MotionModel) -> torch.Tensor:
    """Lip opening on the mesh, face heights."""
    basis = model.codec.basis
    opening = basis[:, [14, 87, 317], 1].mean(1) - basis[:, [13, 82, 312], 1].mean(1)
    return curves[:, : len(FACE_CURVES)] @ opening


def test_a_stream_hears_what_a_file_hears() -> None:
    torch.manual_seed(0)
    encoder, mel = AudioEncoder(8, 6, SPEC_SHIPPED.sizes.audio_kernels), LogMel(HEARING)
    samples = noise(12 * BLOCK / MEDIA_RATE)
    whole = np.concatenate((np.zeros(HEARING.before, np.float32), samples, np.zeros(HEARING.ahead, np.float32)))
    offline = encoder(mel(torch.from_numpy(whole))[None])
    state, streamed = AudioState.silent(HEARING), []
    len_of_mels = HEARING.before + BLOCK + HEARING.ahead
    for block in blocks_of(samples):
        state, window = state.hear(block.samples, block.ahead, HEARING)
        streamed.append(encoder(mel(torch.from_numpy(window[-len_of_mels:]))[None]))
    assert torch.allclose(torch.cat(streamed, 1), offline, atol=1e-5)


class TestSpeechEncoder:
    HEARING = MotionSpec(MotionSizes(speech_width=WIDTH)).hearing

    @pytest.fixture
    def encoder(self) -> SpeechEncoder:
        return SpeechEncoder(models_folder() / SPEECH_FOLDER, self.HEARING)

    def sound(self, seconds: float, seed: int = 0) -> torch.Tensor:
        """A buzz through wandering resonances: [samples]."""
        samples = torch.from_numpy(noise(seconds, seed))
        swell = torch.nn.functional.interpolate(samples[None, None, :: MEDIA_RATE // 10].abs(), len(samples))[0, 0]
        return swell * torch.sin(torch.arange(len(samples)) * 2 * np.pi * 140 / MEDIA_RATE).sign() * 4 + 0.02 * samples

    @property
    def length(self) -> int:
        return self.HEARING.past + self.HEARING.block_frames * self.HEARING.frame + self.HEARING.ahead

    def test_there_are_states_for_every_frame_of_the_window(self, encoder: SpeechEncoder) -> None:
        states = encoder(self.sound(self.length / MEDIA_RATE)[None])
        assert states.shape == (1, PER_FRAME * self.HEARING.window_frames, WIDTH)

    def test_a_window_one_frame_later_has_the_same_states_one_frame_earlier(self, encoder: SpeechEncoder) -> None:
        sound = self.sound(3.0)
        now, later = (encoder(sound[start:][None, : self.length])[0] for start in (0, self.HEARING.frame))
        alike = [float(torch.cosine_similarity(now[lag:], later[: len(later) - lag]).mean()) for lag in range(6)]
        assert int(np.argmax(alike)) == PER_FRAME

    def test_windows_given_together_do_not_change_each_other(self, encoder: SpeechEncoder) -> None:
        both = torch.stack([self.sound(self.length / MEDIA_RATE), 0.1 * self.sound(self.length / MEDIA_RATE, seed=1)])
        assert torch.equal(encoder(both), torch.cat([encoder(one[None]) for one in both]))

    def test_without_its_file_there_is_advice(self, tmp_path: Path) -> None:
        with pytest.raises(PerformerError) as missing:
            SpeechEncoder(tmp_path, self.HEARING)
        assert missing.value.problem is Problem.MODEL_MISSING
        assert "make models" in missing.value.advice

    def test_a_damaged_file_is_told_from_a_missing_one(self, tmp_path: Path) -> None:
        (tmp_path / FILE).write_bytes(b"not a model")
        with pytest.raises(PerformerError) as damaged:
            SpeechEncoder(tmp_path, self.HEARING)
        assert damaged.value.problem is Problem.MODEL_DAMAGED


def test_a_decoder_fed_block_by_block_equals_one_fed_at_once() -> None:
    torch.manual_seed(0)
    codec, latents = MotionCodec(8).eval(), torch.randn(1, 12, *LATENT)
    state = DecoderState.resting(latents[:, 0])
    with torch.no_grad():
        at_once = codec.decode(torch.cat((state.past, latents), 1))[0]
        pieces = []
        for start in range(0, 12, 3):
            state, curves = state.decode(codec, latents[:, start : start + 3])
            pieces.append(curves)
    assert torch.allclose(torch.cat(pieces), at_once, atol=1e-6)


def test_encoding_sees_no_later_frame() -> None:
    torch.manual_seed(0)
    codec, curves = CurveCodec(3, 5, 8), torch.randn(1, 8 * FRAMES, 3)
    changed = curves.clone()
    changed[:, 5 * FRAMES :] += 1.0
    assert torch.equal(codec.encode(curves)[0][:, :5], codec.encode(changed)[0][:, :5])


def test_sound_that_is_none_is_silence() -> None:
    broken = np.full(BLOCK, np.nan, np.float32)
    broken[:100] = np.inf
    _, window = AudioState.silent(HEARING).hear(broken, np.zeros(0, np.float32), HEARING)
    assert np.array_equal(window, np.zeros_like(window))


def test_a_block_of_the_wrong_length_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a block is"):
        AudioState.silent(HEARING).hear(np.zeros(5, np.float32), np.zeros(0, np.float32), HEARING)


def test_a_rewound_block_was_never_imagined(shipped: tuple[MotionModel, MotionSpec]) -> None:
    straight, back = stream_of(shipped), stream_of(shipped)
    heard, wrong = blocks_of(noise(4.0)), blocks_of(noise(4.0, seed=9))
    for index, block in enumerate(heard):
        back.imagine(wrong[index])
        back.rewind()
        assert torch.equal(straight.imagine(block), back.imagine(block)), index


def test_a_seed_repeats_itself(shipped: tuple[MotionModel, MotionSpec]) -> None:
    block = blocks_of(noise(1.0))[0]
    first, again, other = (stream_of(shipped, seed=s).imagine(block) for s in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_silence_keeps_the_mouth_shut_and_the_head_alive(shipped: tuple[MotionModel, MotionSpec]) -> None:
    for seed in (1, 2):
        stream = stream_of(shipped, seed=seed)
        curves = torch.cat([stream.curves(stream.imagine(block)) for block in silence(30)])
        assert (gap_of(curves, shipped[0]) < 0.02).float().mean() >= 0.98
        yaw = torch.rad2deg(curves[:, CURVES.index("yaw")])
        assert 0.3 < yaw.std() < 6.0
        lids = curves[:, CURVES.index("lid_right")] > 0.5
        assert 2 <= (lids[1:] & ~lids[:-1]).sum() <= 8, "blinks in 14.4 s"


def test_noise_like_speech_opens_the_mouth(shipped: tuple[MotionModel, MotionSpec]) -> None:
    times = np.arange(5 * MEDIA_RATE) / MEDIA_RATE
    syllables = np.clip(np.sin(2 * np.pi * 3 * times), 0, None)
    voice = sum(np.sin(2 * np.pi * 120 * k * times) / k for k in range(1, 30)) * syllables * 0.2
    stream = stream_of(shipped)
    curves = torch.cat([stream.curves(stream.imagine(block)) for block in blocks_of(voice.astype(np.float32))])
    assert gap_of(curves, shipped[0]).quantile(0.9) > 0.02


def test_the_stream_begins_at_rest(shipped: tuple[MotionModel, MotionSpec]) -> None:
    stream = stream_of(shipped)
    first = stream.curves(stream.imagine(silence(1)[0]))[:FRAMES]
    assert gap_of(first, shipped[0]).abs().max() < 0.01
    assert torch.rad2deg(first[:, : CURVES.index("yaw") + 3][:, -3:]).abs().max() < 1.0


def test_words_of_a_style_are_found_and_others_say_nothing() -> None:
    assert style_rows("Smiling, calm and wise") == [0, 4, 2]
    assert style_rows("") == style_rows("purple") == [0, 1, 1]


def test_no_motion_is_asked_for_and_none_is_given() -> None:
    torch.manual_seed(0)
    rest = torch.randn(len(CURVES)) * 0.1
    curves = rest + 0.1 * torch.randn(7, len(CURVES))
    amount = amount_of(0.0)
    shown = Showing(rest, Gains(head=amount, brows=amount), 25, seed=0).curves(curves)
    still = face_motion(shown, rest, torch.zeros(len(FACE_CURVES), 468, 3))
    assert np.abs(still.rotation).max() < 1e-6
    assert np.abs(still.shift).max() < 1e-6
    assert np.abs(still.gaze).max() > 0


def test_a_head_that_moves_more_keeps_its_eyes_on_the_same_place_and_stops_at_a_limit() -> None:
    rest, curves = torch.zeros(len(CURVES)), torch.zeros(100, len(CURVES))
    yaw, gaze = CURVES.index("yaw"), CURVES.index("gaze_x")
    curves[:50, yaw], curves[50:, yaw] = 0.01, 1.0
    shown = Showing(rest, Gains(head=2.0), 25, seed=0).curves(curves)
    assert shown[49, yaw] == pytest.approx(0.02, rel=0.02)
    assert shown[49, gaze] == pytest.approx(0.35 * 0.01, rel=0.05)
    assert shown[99, yaw] < 0.2


def test_lids_are_the_models_own_or_those_of_a_clock() -> None:
    rest, curves = torch.zeros(len(CURVES)), torch.zeros(250, len(CURVES))
    lid = CURVES.index("lid_left")
    curves[100:106, lid] = torch.tensor([0.3, 0.8, 1.2, 0.9, 0.5, 0.2])
    own, by_clock = (Showing(rest, Gains(own_blinks=own), 25, seed=0).curves(curves)[:, lid] for own in (True, False))
    assert torch.equal(own, curves[:, lid].clamp(max=1.0))
    assert by_clock[100:106].max() < 0.2
    assert by_clock.max() == 1.0


def test_a_head_moves_on_smoothly_across_blocks() -> None:
    torch.manual_seed(1)
    rest, curves = torch.zeros(len(CURVES)), 0.05 * torch.randn(48, len(CURVES))
    at_once = Showing(rest, Gains(), 25, seed=0).curves(curves)
    showing = Showing(rest, Gains(), 25, seed=0)
    assert torch.allclose(torch.cat([showing.curves(part) for part in curves.split(12)]), at_once, atol=1e-6)
    yaw = CURVES.index("yaw")
    assert at_once[:, yaw].diff().std() < 0.4 * curves[:, yaw].diff().std()


def test_the_middle_of_the_slider_is_how_people_move() -> None:
    assert amount_of(0.5) == 1.0
    assert amount_of(0.2) < 1.0 < amount_of(0.9)
    with pytest.raises(ValueError, match="motion amount"):
        amount_of(1.5)


def test_blinks_come_as_often_and_last_as_long_as_peoples() -> None:
    clock, minutes = BlinkClock(3, 25), 10
    shut = np.concatenate([clock.closing(12) for _ in range(minutes * 60 * 25 // 12)]) > 0.18
    edges = np.diff(shut.astype(int))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    assert 12 <= len(starts) / minutes <= 25
    assert 160 <= np.median(ends[: len(starts)] - starts[: len(ends)]) * 40 <= 400


def test_how_frames_are_cut_into_blocks_does_not_move_a_blink() -> None:
    one, other = BlinkClock(3, 25), BlinkClock(3, 25)
    long = one.closing(600)
    assert np.allclose(long, np.concatenate([other.closing(12) for _ in range(50)]))


def test_the_engine_is_told_what_the_weights_were_trained_for(shipped: tuple[MotionModel, MotionSpec]) -> None:
    spec = performer_spec(shipped[1])
    assert (spec.fps, spec.sample_rate, spec.first_frames, spec.block_frames) == (25, 24_000, 12, 12)
    assert spec.tokens_per_frame == 1
    assert spec.lookahead == shipped[1].frames_ahead * spec.samples_per_frame


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model, spec = MotionModel(SMALL), MotionSpec(SMALL)
    save_weights(model, spec, tmp_path)
    again, its_spec = load_weights(tmp_path)
    assert its_spec == spec
    for name, tensor in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor.half().float()), name


def test_missing_and_damaged_weights_are_told_apart_and_say_how_to_mend_them(tmp_path: Path) -> None:
    with pytest.raises(PerformerError) as missing:
        load_weights(tmp_path)
    save_weights(MotionModel(SMALL), MotionSpec(SMALL), tmp_path)
    stored = bytearray((tmp_path / WEIGHTS).read_bytes())
    stored[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(stored)
    with pytest.raises(PerformerError) as damaged:
        load_weights(tmp_path)
    (tmp_path / SPEC).write_text("{")
    with pytest.raises(PerformerError) as unreadable:
        load_weights(tmp_path)
    assert missing.value.problem is Problem.MODEL_MISSING
    assert damaged.value.problem is unreadable.value.problem is Problem.MODEL_DAMAGED
    assert "git checkout assets/models/portrait" in damaged.value.advice


@pytest.mark.parametrize(
    "written",
    [
        b"[1, 2]",
        b"null",
        b'"motion"',
        b"3",
        b"{}",
        b'{"motion": 1, "sha256": "0"}',
        b'{"sha256": "0"}',
        b'{"motion": {"fps": "many"}, "sha256": "0"}',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_description_that_is_none_is_damage_whatever_it_is(tmp_path: Path, written: bytes) -> None:
    save_weights(MotionModel(SMALL), MotionSpec(SMALL), tmp_path)
    (tmp_path / SPEC).write_bytes(written)
    with pytest.raises(PerformerError) as damaged:
        load_weights(tmp_path)
    assert damaged.value.problem is Problem.MODEL_DAMAGED


def test_a_description_of_other_sizes_than_its_weights_have_is_damage(tmp_path: Path) -> None:
    save_weights(MotionModel(SMALL), MotionSpec(SMALL), tmp_path)
    described = json.loads((tmp_path / SPEC).read_text())
    described["motion"]["sizes"]["codec_hidden"] += 1
    (tmp_path / SPEC).write_text(json.dumps(described))
    with pytest.raises(PerformerError) as damaged:
        load_weights(tmp_path)
    assert "other sizes" in damaged.value.detail


def test_the_shipped_spec_names_the_shipped_weights() -> None:
    described = json.loads((SHIPPED / SPEC).read_text())
    assert described["motion"]["fps"] == 25
    assert (SHIPPED / WEIGHTS).stat().st_size < 25_000_000
