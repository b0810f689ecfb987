"""The large recipe, by the same code at a tiny size: both stages take real steps; what they would need is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from core.performer.diffusion.schedule import RELEASED, shifted_sigmas
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.spec import TINY
from core.training import video
from core.training.account import ClipSize, needed
from core.training.clips import ClipFolder, save_clip, save_negative
from core.training.crew import Crew
from core.training.trajectory import trajectory
from tests.core.test_training_distil import FRAMES, SIZES, network, scene

if TYPE_CHECKING:
    from torch import Tensor

RECIPES = Path(video.__file__).parent / "recipes"


@pytest.mark.parametrize(("stage", "players"), [("ode", {"student"}), ("dmd", {"student", "critic"})])
def test_a_stage_takes_real_steps_and_leaves_weights_in_the_released_layout(
    stage: str, players: set[str], tmp_path: Path
) -> None:
    recipe = video.VideoRecipe.load(RECIPES / f"livetalk-1.3b-{stage}.toml")
    assert recipe.batch == 64
    video.run_tiny(recipe, tmp_path, tmp_path / "out", Crew())
    (first, second) = json.loads((tmp_path / "out" / "checkpoint" / "log.json").read_text())["log"]
    assert players <= first.keys()
    assert first["student"] != second["student"]
    weights = load_file(tmp_path / "out" / "student.safetensors")
    with torch.device("meta"):
        wanted = Transformer(TINY.transformer).state_dict()
    assert {name: tensor.shape for name, tensor in weights.items()} == {
        name: tensor.shape for name, tensor in wanted.items()
    }


def test_the_papers_numbers_are_in_the_recipes() -> None:
    ode, dmd = (video.VideoRecipe.load(RECIPES / f"livetalk-1.3b-{stage}.toml") for stage in ("ode", "dmd"))
    assert (ode.learning.rate, ode.learning.betas, ode.play.steps) == (4e-5, (0.9, 0.999), 20_000)
    assert dmd.critic_learning is not None
    assert (dmd.learning.rate, dmd.critic_learning.rate) == (4e-6, 8e-7)
    assert (dmd.learning.betas, dmd.learning.decay) == ((0.0, 0.999), 0.01)
    assert sum(dmd.distil.generator_learns(step) for step in range(dmd.play.steps)) == 1000


def test_a_recipe_with_an_unknown_key_or_without_its_teacher_is_refused(tmp_path: Path) -> None:
    written = (RECIPES / "livetalk-1.3b-dmd.toml").read_text("utf-8")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(written.replace("seed = 0", "sead = 0"), "utf-8")
    with pytest.raises(msgspec.ValidationError, match="sead"):
        video.VideoRecipe.load(wrong)
    wrong.write_text(written.replace("[teacher]", "[critic_learning.teacher]"), "utf-8")
    with pytest.raises(msgspec.ValidationError):
        video.VideoRecipe.load(wrong)


def test_memory_of_a_process_falls_with_their_number() -> None:
    clip = ClipSize(frames=6, height=4, width=4, rows=3, block=3)
    needs = [
        needed({"student": SIZES, "critic": SIZES}, {"teacher": SIZES}, clip, crew, causal="student")
        for crew in (1, 8, 16)
    ]
    parameters = sum(value.numel() for value in network(0).parameters())
    assert needs[0].parts["student: parameters"] == 4 * parameters
    assert needs[0].parts["student: gradients, moments, average"] == 16 * parameters
    assert needs[1].parts["student: parameters"] == -(-parameters // 8) * 4
    assert needs[1].total > needs[2].total
    assert needs[1].parts["activations"] == needs[2].parts["activations"] > 0


def test_longer_clips_keep_more_activations() -> None:
    short, long = (
        needed({"student": SIZES}, {}, ClipSize(frames, 4, 4, 3, 3), 1, causal="student") for frames in (6, 12)
    )
    assert long.parts["activations"] > 1.5 * short.parts["activations"]


class TestTrajectory:
    def kept(self, guidance: float, teacher: Transformer) -> Tensor:
        told = scene(blocks=2)
        noise = torch.randn(1, 2 * FRAMES, 4, 2, 2, generator=torch.Generator().manual_seed(0))
        return trajectory(teacher, told, noise, steps=8, keep=4, guidance=guidance)

    def test_states_go_from_noise_to_the_end_and_hold_the_given_frame(self) -> None:
        states = self.kept(4.5, network(3))
        assert states.shape == (1, 5, 2 * FRAMES, 4, 2, 2)
        reference = scene(blocks=2).reference
        assert torch.equal(states[:, :, 0], reference[:, None].expand(-1, 5, -1, -1, -1))

    def test_guidance_matters(self) -> None:
        teacher = network(3)
        assert not torch.equal(self.kept(4.5, teacher), self.kept(1.0, teacher))

    def test_a_step_is_eulers(self) -> None:
        """A network that always answers the same flow moves in a straight line."""
        teacher = network(3)
        with torch.no_grad():
            teacher.head.head.weight.zero_()
            teacher.head.head.bias.fill_(0.5)
        states = self.kept(4.5, teacher)
        sigmas = torch.tensor([*shifted_sigmas(8, 5.0)[::2], 0.0])
        moved = states[0, :, 1:] - states[0, :1, 1:]
        assert torch.allclose(moved, ((sigmas - 1) * 0.5)[:, None, None, None, None].expand_as(moved), atol=1e-5)

    def test_kept_states_stand_where_the_students_sampler_asks(self) -> None:
        assert shifted_sigmas(48, 5.0)[::12] == pytest.approx(RELEASED.sigmas)

    def test_steps_that_do_not_divide_are_refused(self) -> None:
        with pytest.raises(ValueError, match="50 steps"):
            trajectory(network(3), scene(blocks=2), torch.zeros(1), steps=50, keep=4, guidance=4.5)


class TestClips:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for number in range(6):
            value = torch.full((1,), float(number))
            save_clip(
                tmp_path / f"{number}.safetensors",
                reference=value.expand(4, 2, 2),
                features=torch.arange(5.0)[:, None].expand(5, 3) + 10 * number,
                text=value.expand(3, 8),
            )
        save_negative(tmp_path, torch.zeros(3, 8))
        return tmp_path

    def test_a_batch_is_shared_by_the_processes_and_nothing_else_changes(self, folder: Path) -> None:
        whole = ClipFolder(folder, 1, Crew()).batch(3, 4).scene.reference
        halves = [ClipFolder(folder, 1, Crew(rank, 2)).batch(3, 4).scene.reference for rank in (0, 1)]
        assert torch.equal(whole, torch.cat(halves))
        assert not torch.equal(whole, ClipFolder(folder, 1, Crew()).batch(4, 4).scene.reference)

    def test_the_first_sound_is_heard_four_times(self, folder: Path) -> None:
        heard = ClipFolder(folder, 1, Crew()).batch(0, 1).scene.features[0, :, 0]
        assert (heard - heard[0]).tolist() == [0, 0, 0, 0, 1, 2, 3, 4]

    def test_what_cannot_be_shared_or_is_not_there_is_refused(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="cannot be shared evenly"):
            ClipFolder(folder, 1, Crew(0, 2)).batch(0, 3)
        (folder / "negative.safetensors").unlink()
        with pytest.raises(FileNotFoundError, match="6 clips"):
            ClipFolder(folder, 1, Crew())
