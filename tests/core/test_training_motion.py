"""The embedded avatar's recipe: its stages at a small size, what they leave, and going on where one stopped."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.performer.portrait.motion import MotionModel, MotionSizes, MotionSpec
from core.performer.portrait.weights import load_weights, save_weights
from core.training import motion
from core.training.corpus import STREAMS
from core.training.dataset import Corpus
from core.training.distil import DistilRecipe
from core.training.dmd import Guidance
from core.training.motion import TEACHER, MotionRecipe, distil
from core.training.motion_scenes import ConditionRecipe, Scenes, TrajectoryRecipe
from core.training.play import PlayerRecipe, PlayRecipe
from core.training.trajectory import between
from tests.core.test_training import SMALL, corpus_of

LISTENING = dataclasses.replace(SMALL, speech_width=4)
ODE = MotionRecipe(
    stage="ode",
    seed=3,
    batch=2,
    conditions=ConditionRecipe(held_out=0.4, judged=2),
    trajectories=TrajectoryRecipe(clips=4, each=2),
    learning=PlayerRecipe(rate=1e-3, average=0.5, average_from=0),
    play=PlayRecipe(steps=4, log_every=1, save_every=2),
)


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    """What a teacher stage leaves, without having learned."""
    folder = tmp_path / "teacher"
    model, spec = MotionModel(SMALL), MotionSpec(SMALL)
    torch.manual_seed(1)
    model.codec.basis.normal_()
    torch.nn.init.normal_(model.transformer.head.head.weight, std=0.1)
    save_weights(model, spec, folder / "begin")
    save_file(model.transformer.state_dict(), folder / TEACHER)
    corpus_of(streams=5).save(folder / STREAMS)
    return folder


@pytest.fixture(autouse=True)
def no_films(monkeypatch: pytest.MonkeyPatch) -> None:
    """They need flite and the face models, and are looked at by a person."""
    monkeypatch.setenv("PATH", "")


def dmd() -> MotionRecipe:
    return msgspec.structs.replace(
        ODE,
        stage="dmd",
        critic_learning=PlayerRecipe(rate=1e-3, average=0.0),
        distil=DistilRecipe(guidance=Guidance(0.5, 0.5), shift=1.5, warm_up=1, ratio=2),
    )


def test_a_converged_start_and_distillation_leave_weights_that_the_product_loads(taught: Path, tmp_path: Path) -> None:
    start, end = tmp_path / "ode", tmp_path / "dmd"
    distil(ODE, taught, None, start)
    distil(dmd(), taught, start, end)
    (before, _), (after, spec) = load_weights(start), load_weights(end)
    assert spec == MotionSpec(SMALL)
    changed = {
        name.split(".")[0]
        for (name, old), new in zip(before.state_dict().items(), after.state_dict().values(), strict=True)
        if not torch.equal(old, new)
    }
    assert changed == {"transformer"}, "ears, styles and codec are those of the teacher"
    told = json.loads((end / "figures.json").read_text())
    assert [entry["step"] for entry in told] == [2.0, 4.0]
    assert {"distance", "lips follow", "spread of the head", "flicker", "teacher's correction"} <= set(told[0])
    assert (end / "figures.png").exists()
    assert load_weights(end / "best")[1] == spec


def test_a_start_that_was_interrupted_ends_as_one_that_was_not(taught: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    distil(ODE, taught, None, whole)
    half = msgspec.structs.replace(ODE, play=PlayRecipe(steps=2, log_every=1, save_every=2))
    distil(half, taught, None, parts)
    distil(ODE, taught, None, parts)
    assert json.loads((whole / "figures.json").read_text()) == json.loads((parts / "figures.json").read_text())
    one, other = (load_weights(folder)[0].state_dict() for folder in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_trajectories_pass_through_the_levels_of_the_students_sampler(taught: Path, tmp_path: Path) -> None:
    distil(ODE, taught, None, tmp_path / "ode")
    files = sorted((tmp_path / "ode" / "trajectories").iterdir())
    spec = MotionSpec(SMALL)
    states = load_file(files[0])["states"]
    assert len(files) == 2
    assert states.shape == (2, len(spec.sigmas) + 1, spec.window_blocks * spec.block_latents, 16, 2, 2)
    assert between(spec.sigmas, 2)[::2] == pytest.approx(spec.sigmas)
    assert between((1.0, 0.5), 2) == [1.0, 0.75, 0.5, 0.25]


def test_what_was_not_curated_has_other_faces_and_louder_noise() -> None:
    model, spec, corpus = MotionModel(SMALL), MotionSpec(SMALL), corpus_of()
    clean, spoiled = (
        Scenes(model, spec, corpus, ConditionRecipe(curated=curated), 16, seed=4).draw(1).batch
        for curated in (True, False)
    )
    assert torch.equal(clean.clean, spoiled.clean)
    assert not torch.equal(clean.reference, spoiled.reference)
    louder = (spoiled.mels.mean((1, 2)) - clean.mels.mean((1, 2))).unflatten(0, (16, -1)).mean(1) > 0.01
    assert 2 < louder.sum() < 14


def test_states_of_the_speech_encoder_are_cut_with_the_sound() -> None:
    model, spec, plain = MotionModel(LISTENING), MotionSpec(LISTENING), corpus_of()
    blocks = plain.curves.shape[1] // spec.block_frames
    numbered = torch.arange(float(blocks)).view(1, 1, -1, 1, 1).expand(3, 3, -1, 2 * spec.hearing.window_frames, 4)
    corpus = Corpus(**{**vars(plain), "states": numbered})
    batch = Scenes(model, spec, corpus, ConditionRecipe(), 4, seed=4).draw(1).batch
    assert batch.states is not None
    assert torch.equal(batch.states[:, 0, 0], batch.blocks.flatten().float())
    told = Scenes(model, spec, corpus, ConditionRecipe(), 4, seed=4).draw(1).scene
    assert told.features.shape == (4, spec.window_blocks * spec.block_frames, SMALL.audio_features)


def test_a_recipe_with_an_unknown_key_is_refused_by_its_name(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('stage = "ode"\nseed = 1\nspede = 2\n')
    with pytest.raises(msgspec.ValidationError, match="spede"):
        MotionRecipe.load(recipe)


def test_the_recipes_that_are_shipped_are_recipes() -> None:
    folder = Path(motion.__file__).parent / "recipes"
    stages = {MotionRecipe.load(folder / f"portrait-{stage}.toml").stage for stage in ("teacher", "ode", "dmd")}
    assert stages == {"teacher", "ode", "dmd"}


def test_sizes_without_a_speech_encoder_are_those_of_before() -> None:
    assert MotionSizes().speech_width == 0
    assert MotionSpec(SMALL).hearing.past == MotionSpec(SMALL).hearing.before


def test_a_stage_whose_forerunner_has_not_run_says_which(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "r.toml"
    for stage, wanted in (("ode", "portrait-teacher.toml"), ("teacher", "portrait.toml")):
        text = (Path(motion.__file__).parent / "recipes" / f"portrait-{stage}.toml").read_text()
        recipe.write_text(text.replace("../../../runs", str(tmp_path / "nowhere")))
        with pytest.raises(SystemExit):
            motion.main([str(recipe), "--out", str(tmp_path / "out")])
        assert wanted in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match=r"portrait-ode\.toml"):
        distil(dmd(), taught, tmp_path / "nowhere", tmp_path / "out")
