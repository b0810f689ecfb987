"""The training's parts: mouths for sounds, clips as the student sees them, a loop that can be interrupted."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.media import MEDIA_RATE
from core.performer.diffusion.attention import block_causal_mask
from core.performer.portrait.audio import BANDS, HOPS_PER_FRAME
from core.performer.portrait.codec import CURVES, FACE_CURVES, LATENT, MotionCodec
from core.performer.portrait.motion import MotionModel, MotionSizes, MotionSpec
from core.performer.portrait.weights import load_weights, save_weights
from core.training.dataset import Corpus, curves_of, cut_clips, cut_windows, latents_of
from core.training.life import People, blinks, wandering
from core.training.listener import Lips, hear_as_before, train_listener
from core.training.loop import LoopRecipe, train
from core.training.music import music
from core.training.rig import EXPRESSIONS
from core.training.run import Recipe, run
from core.training.scene import flow_at_once
from core.training.speech import Phone, Utterance, faster
from core.training.student import Lessons, StudentRecipe, train_student
from core.training.teacher import TeacherRecipe, scene_of, train_teacher
from core.training.visemes import Articulation, lip_curves, visemes_of_arpabet, visemes_of_ipa

if TYPE_CHECKING:
    from collections.abc import Callable

HEARING = MotionSpec().hearing
RECIPE = Path(__file__).parents[2] / "core" / "training" / "recipes" / "portrait.toml"
SMALL = MotionSizes(dim=24, ffn_dim=24, layers=2, heads=2, text_dim=8, audio_width=8, audio_features=6, audio_hidden=8,
                    audio_layers=(0, 1), codec_hidden=8)  # fmt: skip


def corpus_of(streams: int = 3, frames: int = 120) -> Corpus:
    """Noise with a frame's number in its first curve."""
    torch.manual_seed(0)
    hops = (frames + HEARING.window_frames - HEARING.block_frames) * HOPS_PER_FRAME
    curves = torch.randn(streams, frames, len(CURVES))
    curves[..., 0] = torch.arange(frames)
    mels = torch.rand(streams, hops, BANDS).half()
    mels[..., 0] = (torch.arange(hops) / 1000).half()
    rest, style = torch.zeros(streams, len(CURVES)), torch.tensor([[0, 1, 1]] * streams)
    music = torch.rand(2, hops, BANDS).half()
    states = torch.zeros(0, streams, 1, 1, 1)
    return Corpus(mels, curves, rest, style, torch.ones(streams, frames, dtype=torch.bool), music, states)


def test_sounds_of_any_language_have_mouths() -> None:
    assert visemes_of_ipa("ˈaʊ") == ("a", "u")
    assert visemes_of_ipa("tʃ") == ("ch",)
    assert visemes_of_ipa("mʲ") == ("p",)
    assert visemes_of_ipa("") == ("rest",)
    assert visemes_of_arpabet("ow") == ("o", "u")
    with pytest.raises(KeyError):
        visemes_of_arpabet("zzz")


def test_lips_close_on_p_even_between_open_vowels() -> None:
    phones = [Phone(0.0, 0.3, "a"), Phone(0.3, 0.38, "p"), Phone(0.38, 0.7, "a")]
    curves = lip_curves(phones, 17, 25, Articulation())
    closed, jaw = curves[:, 4], curves[:, 0]
    assert closed[7:9].max() > 0.95
    assert closed[[2, 14]].max() < 0.05
    assert jaw[7:9].min() < 0.6 * jaw[3]


def test_a_head_wanders_with_the_power_it_is_given() -> None:
    wave = wandering(np.random.default_rng(0), 20_000, 25, [0.05, 0.5, 1.0], [0.8, 0.2])
    power = np.abs(np.fft.rfft(wave)) ** 2
    hz = np.fft.rfftfreq(len(wave), 1 / 25)
    assert abs(wave.std() - 1) < 0.15
    assert power[(hz > 0.05) & (hz < 0.5)].sum() / power.sum() == pytest.approx(0.8, abs=0.12)


def test_synthetic_people_blink_as_often_as_real_ones() -> None:
    people = People.load()
    shut = blinks(np.random.default_rng(1), 25 * 600, 25, people, 1.0) > 0.3
    assert 13 < ((shut[1:]) & (~shut[:-1])).sum() / 10 < 24


def test_a_clip_is_the_beginning_and_some_blocks_that_follow_each_other() -> None:
    corpus = corpus_of()
    clips = cut_clips(corpus, HEARING, 5, 8, np.random.default_rng(2))
    frames = curves_of(corpus, clips)[..., 0]
    assert torch.equal(frames[:, :12], torch.arange(12.0).expand(8, -1))
    assert (frames[:, 13:].diff(dim=1) == 1).all()
    assert (frames[:, 12] % 12 == 0).all()
    latents = torch.arange(30.0).view(1, 30, 1, 1, 1).expand(3, -1, *LATENT)
    assert torch.equal(latents_of(latents, clips)[:, :, 0, 0, 0] * 4, frames[:, ::4])


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    def learned(folder: Path, *stops: int) -> dict[str, Tensor]:
        folder.mkdir()
        result: dict[str, Tensor] = {}
        for steps in stops:
            torch.manual_seed(0)
            module = nn.Linear(3, 2)

            def losses(x: Tensor, module: nn.Linear = module) -> dict[str, Tensor]:
                return {"square": module(x + 0.1 * torch.randn_like(x)).square().mean()}

            recipe = LoopRecipe(steps=12, batch=4, rate=0.01, warm_up=2, save_every=4, log_every=3)
            if steps < 12:
                with pytest.raises(KeyboardInterrupt):
                    train(module, _interrupted(draw, steps), losses, recipe, folder, "toy", seed=3)
            else:
                result = train(module, draw, losses, recipe, folder, "toy", seed=3)
        return result

    def draw(rng: np.random.Generator) -> Tensor:
        return torch.from_numpy(rng.normal(size=(4, 3))).float()

    straight, resumed = learned(tmp_path / "a", 12), learned(tmp_path / "b", 6, 12)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    assert (tmp_path / "a" / "toy.jsonl").read_text() == (tmp_path / "b" / "toy.jsonl").read_text()
    assert (tmp_path / "b" / "toy.png").exists()


def _interrupted(draw: Callable[[np.random.Generator], Tensor], after: int) -> Callable[[np.random.Generator], Tensor]:
    drawn = itertools.count()

    def until(rng: np.random.Generator) -> Tensor:
        if next(drawn) == after:
            raise KeyboardInterrupt
        return draw(rng)

    return until


def test_a_loss_that_is_no_number_stops_the_run_and_leaves_its_batch(tmp_path: Path) -> None:
    module = nn.Linear(2, 1)
    recipe = LoopRecipe(steps=9, batch=1, rate=0.1)

    def lessons(rng: np.random.Generator) -> Tensor:
        drawn = torch.from_numpy(rng.normal(size=(1, 2))).float()
        return drawn if next(counted) < 5 else drawn / 0

    counted = itertools.count()
    with pytest.raises(FloatingPointError, match=r"step 5 .*broken\.broken\.pt"):
        train(module, lessons, lambda x: {"bad": module(x).square().sum()}, recipe, tmp_path, "broken", seed=0)
    kept = torch.load(tmp_path / "broken.broken.pt", weights_only=True)
    assert kept["step"] == 5
    assert kept["batch"].isinf().all()
    assert torch.equal(kept["module"]["weight"], module.weight)


def test_a_student_learns_from_a_handful_of_steps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    corpus, model, spec = corpus_of(), MotionModel(SMALL), MotionSpec(SMALL)
    model.codec.basis.normal_()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    loop = LoopRecipe(steps=3, batch=2, rate=1e-3, warm_up=1, average=0.5)
    train_listener(model, spec, corpus, loop, tmp_path, seed=1)
    train_student(model, spec, corpus, loop, StudentRecipe(), tmp_path, seed=1)
    after = model.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"listener", "transformer", "style"}, "the codec stays as it is"


def test_a_teacher_learns_beside_the_student_and_leaves_it_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    corpus, model, spec = corpus_of(), MotionModel(SMALL), MotionSpec(SMALL)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    loop = LoopRecipe(steps=3, batch=2, rate=1e-3, warm_up=1, average=0.5)
    teacher = train_teacher(model, spec, corpus, loop, TeacherRecipe(), tmp_path, seed=1)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not torch.equal(teacher.head.head.weight, model.transformer.head.head.weight)


def test_a_teacher_sees_what_comes_later_and_a_student_does_not() -> None:
    torch.manual_seed(0)
    model, spec = MotionModel(SMALL), MotionSpec(SMALL)
    torch.nn.init.normal_(model.transformer.head.head.weight)
    batch = Lessons(model, spec, corpus_of(), 2, 0.0).batch(np.random.default_rng(0))
    scene, times = scene_of(model, batch), torch.full(batch.clean.shape[:2], 500.0)
    other = batch.clean.clone()
    other[:, -1] += 1.0
    causal = block_causal_mask(spec.window_blocks, spec.block_latents)
    for mask, same in ((causal, True), (None, False)):
        seen, changed = (
            flow_at_once(model.transformer, scene, x, times, mask=mask)[:, :3] for x in (batch.clean, other)
        )
        assert torch.allclose(seen, changed, atol=1e-6) == same


def test_with_other_ears_the_transformer_hears_what_it_heard() -> None:
    torch.manual_seed(0)
    corpus, known = corpus_of(), MotionModel(SMALL)
    wider = dataclasses.replace(SMALL, audio_features=12)
    model = MotionModel(wider)
    model.listener.load_state_dict(_doubled(known.listener.state_dict()))
    assert hear_as_before(model, MotionSpec(wider), known, MotionSpec(SMALL), corpus) > 0.999
    mels = cut_windows(corpus, HEARING, 7, np.random.default_rng(1)).mels
    old = known.transformer.audio_proj(known.listener(mels))
    assert torch.allclose(model.transformer.audio_proj(model.listener(mels)), old, atol=1e-2)


def _doubled(listener: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same features twice, the second time the other way round."""
    last = max(listener, key=lambda name: (int(name.split(".")[1]), name.endswith("weight")))
    bias = last.replace("weight", "bias")
    return listener | {name: torch.cat((listener[name], -listener[name])) for name in (last, bias)}


def test_a_voice_played_faster_is_shorter_and_its_sounds_come_sooner() -> None:
    times = np.arange(MEDIA_RATE) / MEDIA_RATE
    said = Utterance(np.sin(2 * np.pi * 200 * times).astype(np.float32), (Phone(0.2, 0.6, "a"), Phone(0.6, 1.0, "p")))
    quick = faster(said, 1.25)
    assert len(quick.samples) == pytest.approx(0.8 * MEDIA_RATE, abs=2)
    assert [p.end_s for p in quick.phones] == pytest.approx([0.48, 0.8])
    assert np.abs(np.fft.rfft(quick.samples)).argmax() / 0.8 == pytest.approx(250, abs=2)


def test_music_has_no_voice_and_does_not_clip() -> None:
    played = music(np.random.default_rng(0), 3.0)
    assert played.shape == (3 * MEDIA_RATE,)
    assert np.abs(played).max() == pytest.approx(0.5)
    assert (np.abs(played) > 0.01).mean() > 0.2


def test_ears_learn_from_voices_that_are_disturbed_but_keep_their_shape() -> None:
    corpus = corpus_of()
    rng = np.random.default_rng(0)
    heard = [cut_windows(corpus, HEARING, 4, rng).mels for _ in range(2)]
    assert heard[0].shape == (4, HEARING.window_frames * HOPS_PER_FRAME, BANDS)
    assert all(mels.isfinite().all() for mels in heard)
    assert not torch.equal(*heard)


def test_lips_that_are_open_are_all_alike_to_who_asks_whether_they_are_shut() -> None:
    corpus, codec = corpus_of(), MotionCodec(8)
    codec.basis.data.normal_()
    lips = Lips.of(codec, corpus)
    seen = lips(corpus.curves)
    assert seen.shape[-1] == lips.width == 10
    assert seen.flatten(0, 1).mean(0).abs().max() < 1e-4
    openings = corpus.curves[..., : len(FACE_CURVES)] @ lips.gap
    assert seen[..., -1][openings > 0.02].unique().numel() == 1


def test_a_run_goes_on_from_weights_and_leaves_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    begin = MotionModel(SMALL)
    begin.codec.basis.normal_(std=0.01)
    save_weights(begin, MotionSpec(SMALL), tmp_path / "first")
    recipe, wider = tmp_path / "tiny.toml", dataclasses.replace(SMALL, audio_kernels=(5, 5))
    sizes = "\n".join(f"{key} = {list(v) if isinstance(v, tuple) else v}" for key, v in vars(wider).items())
    recipe.write_text(_TINY.replace("SIZES", sizes))
    run(recipe, tmp_path / "out", tmp_path / "installed")
    model, spec = load_weights(tmp_path / "installed")
    assert (spec.frames_ahead, spec.sizes) == (3, wider)
    assert spec.sigmas == (1.0, 0.5)
    assert spec.gains.turns == (1.0, 2.0, 1.0)
    assert torch.equal(model.codec.basis, begin.codec.basis.half().float()), "the codec stays"
    assert not torch.equal(model.transformer.head.head.weight, begin.transformer.head.head.weight.half().float())
    assert (tmp_path / "out" / "student.png").exists()


def test_a_run_begins_from_nothing_but_a_file_of_expressions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = sorted({name for parts in EXPRESSIONS.values() for name in parts})
    shapes = 0.3 * rng.normal(size=(len(names), 468, 3))
    np.savez(tmp_path / "faces.npz", mp=rng.normal(size=(468, 3)), D=shapes, names=names)
    sizes = "\n".join(f"{key} = {list(v) if isinstance(v, tuple) else v}" for key, v in vars(SMALL).items())
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        _TINY.replace("SIZES", sizes)
        .replace('begin = "first"', "")
        .replace("flite = []", 'flite = []\nexpressions = "faces.npz"')
        .replace("frames_ahead = 3", "frames_ahead = 2")
    )
    run(recipe, tmp_path / "out", None)
    model, _ = load_weights(tmp_path / "out")
    assert model.codec.basis.abs().max() > 0
    assert (tmp_path / "out" / "codec.png").exists()


_TINY = """
seed = 1
begin = "first"
[data]
streams = 2
seconds = 6.0
seed = 1
languages = ["en", "nl"]
variants = ["", "+f2"]
flite = []
[sizes]
SIZES
[spec]
frames_ahead = 3
sigmas = [1.0, 0.5]
[codec]
steps = 1
batch = 1
rate = 1e-3
[listener]
steps = 2
batch = 2
rate = 1e-3
[loop]
steps = 2
batch = 2
rate = 1e-3
warm_up = 1
[student]
hint = 0.1
[gains]
turns = [1.0, 2.0, 1.0]
"""


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    assert Recipe.load(RECIPE).loop.steps > 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(RECIPE.read_text().replace("[student]", "[student]\ncopys = 3"))
    with pytest.raises(TypeError, match="copys"):
        Recipe.load(wrong)


def test_every_recipe_of_the_embedded_avatar_can_be_read() -> None:
    on, from_nothing = Recipe.load(RECIPE), Recipe.load(RECIPE.with_name("portrait-from-nothing.toml"))
    assert on.sizes == from_nothing.sizes
    assert on.spec == from_nothing.spec
    assert from_nothing.listener
    assert not from_nothing.begin
    assert (RECIPE.parent / on.begin / "spec.json").exists()
