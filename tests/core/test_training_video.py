"""The large recipe, by the same code at a tiny size: both stages take real steps; what they would need is counted."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import msgspec
import pytest
import torch
import torch.multiprocessing as processes
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor

from core.performer.diffusion.schedule import RELEASED, shifted_sigmas
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.spec import TINY
from core.training import video
from core.training.account import ClipSize, needed
from core.training.clips import ClipFolder, save_clip, save_negative
from core.training.crew import Crew, crew
from core.training.ode import ode_loss
from core.training.trajectory import trajectory
from core.training.turns import Turns
from tests.core.test_training_distil import FRAMES, SIZES, network, scene
from tests.core.test_training_play import free_port

if TYPE_CHECKING:
    from torch import Tensor

RECIPES = Path(video.__file__).parent / "recipes"


@pytest.mark.parametrize(("stage", "players"), [("ode", {"student"}), ("dmd", {"student", "critic"})])
def test_a_stage_takes_real_steps_and_leaves_weights_in_the_released_layout(
    stage: str, players: set[str], tmp_path: Path
) -> None:
    recipe = video.VideoRecipe.load(RECIPES / f"livetalk-1.3b-{stage}.toml")
    assert recipe.batch == 64
    video.run_tiny(recipe, tmp_path / "out", Crew())
    (first, second) = json.loads((tmp_path / "out" / "checkpoint" / "log.json").read_text())["log"]
    assert players <= first.keys()
    assert first["student"] != second["student"]
    weights = load_file(tmp_path / "out" / "student.safetensors")
    with torch.device("meta"):
        wanted = Transformer(TINY.transformer).state_dict()
    assert {name: tensor.shape for name, tensor in weights.items()} == {
        name: tensor.shape for name, tensor in wanted.items()
    }
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [entry["step"] for entry in figures] == [1, 2]
    with av.open(str(tmp_path / "out" / "samples" / "step-000002.mp4")) as shown:
        assert sum(1 for _ in shown.decode(video=0)) == 4 * 9 - 3
    assert load_file(tmp_path / "out" / "best.safetensors").keys() == weights.keys()


@pytest.mark.timeout(300)
def test_two_processes_read_share_and_train_what_one_does(tmp_path: Path) -> None:
    recipe = video.VideoRecipe.load(RECIPES / "livetalk-1.3b-ode.toml")
    torch.manual_seed(0)
    save_file(Transformer(TINY.transformer).state_dict(), tmp_path / "weights.safetensors")
    video.run_tiny(recipe, tmp_path / "one", Crew(), steps=1)
    processes.spawn(one_of_two, args=(free_port(), tmp_path), nprocs=2)
    alone, together = (json.loads((tmp_path / which / "figures.json").read_text()) for which in ("one", "two"))
    assert together[0] == pytest.approx(alone[0], rel=1e-4)
    one, two = (load_file(tmp_path / which / "student.safetensors") for which in ("one", "two"))
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-6


def one_of_two(rank: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "2"}
    with crew() as both:
        written = load_file(folder / "weights.safetensors")
        for half, frozen in ((False, False), (True, True)):
            network = video.load_network(
                TINY.transformer, folder / "weights.safetensors", both, half=half, frozen=frozen
            )
            assert not any(parameter.requires_grad for parameter in network.parameters()) or not frozen
            for name, value in network.state_dict().items():
                whole = value.full_tensor() if isinstance(value, DTensor) else value
                assert whole.dtype == (torch.bfloat16 if half else torch.float32)
                assert torch.equal(whole, written[name].to(whole.dtype)), name
        recipe = video.VideoRecipe.load(RECIPES / "livetalk-1.3b-ode.toml")
        video.run_tiny(recipe, folder / "two", both, steps=1)


def test_rounded_weights_do_not_outlive_a_step(tmp_path: Path) -> None:
    """The critic, whose turn is after the generator's, learns what the generator makes with its new weights."""
    recipe = msgspec.structs.replace(
        video.VideoRecipe.load(RECIPES / "livetalk-1.3b-dmd.toml"), batch=1, frames=3, held_out=1
    )
    video.noise_clips(tmp_path, msgspec.structs.replace(recipe, frames=3))
    networks = {name: network_of(seed) for seed, name in enumerate(recipe.networks)}
    clips = ClipFolder(tmp_path, 0, Crew(), 1)
    turns = Turns(
        networks,
        clips,
        TINY,
        replace(recipe.distil, warm_up=0),
        seed=0,
        batch=1,
        frames=3,
        device=torch.device("cpu"),
        half=True,
    )
    within = 0.0
    for name, losses in turns(0):
        if name == "student":
            losses[0]().backward()
            with torch.no_grad():  # as a step of the optimiser would, but far
                for value in networks["student"].parameters():
                    value.mul_(1.5)
        else:
            within = float(losses[0]().detach())
    (_, _), (_, critic) = turns(0)
    assert float(critic[0]().detach()) == within


def network_of(seed: int) -> Transformer:
    torch.manual_seed(seed)
    return Transformer(TINY.transformer)


def test_times_are_where_the_clips_are() -> None:
    """On any device; the meta device stands for one that is not the processor."""
    seen: list[Tensor] = []
    states = torch.empty(2, 5, 6, 1, 1, 1, device="meta")

    def estimate(noisy: Tensor, times: Tensor) -> Tensor:
        seen.append(times)
        return noisy

    ode_loss(estimate, states, RELEASED.timesteps, 3)
    assert seen[0].device == states.device


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
        needed(
            {"student": SIZES, "critic": SIZES}, {"teacher": SIZES}, clip, crew, causal="student", averaged={"student"}
        )
        for crew in (1, 8, 16)
    ]
    parameters = sum(value.numel() for value in network(0).parameters())
    assert needs[0].parts["student: parameters"] == 4 * parameters
    assert needs[0].parts["student: gradients, moments"] == 12 * parameters
    assert needs[0].parts["student: moving average"] == 4 * parameters
    assert "critic: moving average" not in needs[0].parts
    assert needs[0].parts["teacher: parameters"] == 2 * parameters
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
        return trajectory(teacher, told, noise, sigmas=shifted_sigmas(8, 5.0), keep=4, guidance=guidance)

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
        sigmas = shifted_sigmas(50, 5.0)
        with pytest.raises(ValueError, match="50 steps"):
            trajectory(network(3), scene(blocks=2), torch.zeros(1), sigmas=sigmas, keep=4, guidance=4.5)


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
        whole = ClipFolder(folder, 1, Crew()).share(3, 4)
        halves = [ClipFolder(folder, 1, Crew(rank, 2)).share(3, 4) for rank in (0, 1)]
        assert whole == halves[0] + halves[1]
        assert [chosen.place for chosen in whole] == [0, 1, 2, 3]
        assert whole != ClipFolder(folder, 1, Crew()).share(4, 4)

    def test_what_is_held_out_is_never_drawn(self, folder: Path) -> None:
        clips = ClipFolder(folder, 1, Crew(), held_out=2)
        assert [file.stem for file in clips.held_out] == ["4", "5"]
        assert {chosen.file.stem for step in range(40) for chosen in clips.drawn(step, 4)} == {"0", "1", "2", "3"}

    def test_the_first_sound_is_heard_four_times(self, folder: Path) -> None:
        clips = ClipFolder(folder, 1, Crew())
        heard = clips.load(clips.drawn(0, 1)[0].file).scene.features[0, :, 0]
        assert (heard - heard[0]).tolist() == [0, 0, 0, 0, 1, 2, 3, 4]

    def test_what_cannot_be_shared_or_is_not_there_is_refused(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="cannot be shared evenly"):
            ClipFolder(folder, 1, Crew(0, 2)).share(0, 3)
        (folder / "negative.safetensors").unlink()
        with pytest.raises(FileNotFoundError, match="6 clips"):
            ClipFolder(folder, 1, Crew())
