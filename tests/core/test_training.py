"""The training's parts: mouths for sounds, clips as the student sees them, a loop that can be interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.performer.portrait.audio import BANDS, HOPS_PER_FRAME
from core.performer.portrait.codec import CURVES, LATENT
from core.performer.portrait.motion import MotionModel, MotionSizes, MotionSpec
from core.training.dataset import Corpus, curves_of, cut_clips, latents_of
from core.training.life import People, blinks, wandering
from core.training.loop import LoopRecipe, train
from core.training.run import Recipe
from core.training.speech import Phone
from core.training.student import StudentRecipe, train_student
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
    return Corpus(mels, curves, rest, style, torch.ones(streams, frames, dtype=torch.bool))


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
    def run(folder: Path, *stops: int) -> dict[str, Tensor]:
        folder.mkdir()
        result: dict[str, Tensor] = {}
        for steps in stops:
            torch.manual_seed(0)
            module = nn.Linear(3, 2)

            def losses(step: int, module: nn.Linear = module) -> dict[str, Tensor]:
                x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
                return {"square": module(x).square().mean()}

            recipe = LoopRecipe(steps=12, batch=4, rate=0.01, warm_up=2, save_every=4, log_every=3)
            if steps < 12:
                with pytest.raises(KeyboardInterrupt):
                    train(module, _interrupted(losses, steps), recipe, folder, "toy")
            else:
                result = train(module, losses, recipe, folder, "toy")
        return result

    straight, resumed = run(tmp_path / "a", 12), run(tmp_path / "b", 6, 12)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    assert (tmp_path / "b" / "toy.png").exists()


def _interrupted(losses: Callable[[int], dict[str, Tensor]], at: int) -> Callable[[int], dict[str, Tensor]]:
    def until(step: int) -> dict[str, Tensor]:
        if step == at:
            raise KeyboardInterrupt
        return losses(step)

    return until


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path) -> None:
    module = nn.Linear(1, 1)
    recipe = LoopRecipe(steps=3, batch=1, rate=0.1, log_every=1)
    with pytest.raises(FloatingPointError, match="step 0"):
        train(module, lambda _: {"bad": module.weight.sum() * float("nan")}, recipe, tmp_path, "broken")


def test_a_student_learns_from_a_handful_of_steps(tmp_path: Path) -> None:
    torch.manual_seed(0)
    corpus, model, spec = corpus_of(), MotionModel(SMALL), MotionSpec(SMALL)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    loop = LoopRecipe(steps=3, batch=2, rate=1e-3, warm_up=1, average=0.5)
    train_student(model, spec, corpus, loop, StudentRecipe(), tmp_path, seed=1)
    after = model.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(before[name], after[name])}
    assert changed == {"listener", "transformer", "style"}, "the codec stays as it is"


def test_a_recipe_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    assert Recipe.load(RECIPE).loop.steps > 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(RECIPE.read_text().replace("[student]", "[student]\ncopys = 3"))
    with pytest.raises(TypeError, match="copys"):
        Recipe.load(wrong)
