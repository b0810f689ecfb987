"""Networks that learn in turns: one process or two give the same, and so does a run that was killed."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from typing import TYPE_CHECKING

import pytest
import torch
import torch.multiprocessing as processes

from core.performer.diffusion.window import Window
from core.training.crew import Crew, crew, shard, spare_activations
from core.training.distil import Distillation, DistilRecipe
from core.training.dmd import Guidance
from core.training.play import Play, Player, PlayerRecipe, PlayRecipe
from core.training.scene import Scene
from tests.core.test_training_distil import FRAMES, SCHEDULE, network, scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

STEPS = 6
BATCH = 2


def part_of(whole: Scene, crew: Crew) -> Scene:
    """This process's share of a batch."""
    share = slice(crew.rank * BATCH // crew.size, (crew.rank + 1) * BATCH // crew.size)
    return Scene(*(getattr(whole, part.name)[share] for part in dataclasses.fields(whole)))


def played(folder: Path, crew: Crew, *, steps: int = STEPS, spare: bool = False) -> list[dict[str, float]]:
    """A short game from the same start; what was logged."""
    networks = [network(seed) for seed in (1, 2, 3)]
    for model in networks:
        if spare:
            spare_activations(model)
        shard(model, crew, half=False)
    generator, critic, teacher = networks
    recipe = DistilRecipe(Guidance(2.0, 2.0), warm_up=1, ratio=2)
    game = Distillation(generator, critic, teacher, Window(3, 1, FRAMES), SCHEDULE, recipe, crew)
    players = {
        "generator": Player(generator, PlayerRecipe(1e-3, (0.0, 0.999), 0.01, average=0.5, average_from=1), crew),
        "critic": Player(critic, PlayerRecipe(1e-3, (0.0, 0.999), 0.01), crew),
    }
    told = part_of(scene(BATCH, blocks=4), crew)

    def turn(step: int) -> Iterator[tuple[str, Tensor]]:
        if recipe.generator_learns(step):
            yield "generator", game.generator_loss(told, torch.Generator().manual_seed(2 * step))
        yield "critic", game.critic_loss(told, torch.Generator().manual_seed(2 * step + 1))

    folder.mkdir(exist_ok=True)
    Play(players, turn, PlayRecipe(steps, log_every=1, save_every=2), folder, crew).run()
    return json.loads((folder / "checkpoint" / "log.json").read_text())["log"]


def one_of_two(rank: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "2"}
    with crew() as both:
        played(folder, both)


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def close(first: list[dict[str, float]], second: list[dict[str, float]], tolerance: float) -> bool:
    return [entry.keys() for entry in first] == [entry.keys() for entry in second] and all(
        entry[key] == pytest.approx(other[key], rel=tolerance)
        for entry, other in zip(first, second, strict=True)
        for key in entry
    )


def test_both_players_learn_in_their_turns(tmp_path: Path) -> None:
    log = played(tmp_path / "one", Crew())
    assert [("generator" in entry) for entry in log] == [False, True, False, True, False, True]
    assert all("critic" in entry for entry in log)
    assert (tmp_path / "one" / "losses.png").stat().st_size > 1000


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = played(tmp_path / "whole", Crew())
    played(tmp_path / "cut", Crew(), steps=4)
    assert played(tmp_path / "cut", Crew()) == whole


@pytest.mark.timeout(240)
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    alone = played(tmp_path / "one", Crew())
    processes.spawn(one_of_two, args=(free_port(), tmp_path / "two"), nprocs=2)
    together = json.loads((tmp_path / "two" / "checkpoint" / "log.json").read_text())["log"]
    assert close(alone, together, 2e-4), f"{alone}\n{together}"


def test_what_is_calculated_twice_is_the_same(tmp_path: Path) -> None:
    assert close(played(tmp_path / "kept", Crew()), played(tmp_path / "spared", Crew(), spare=True), 1e-5)


def test_a_loss_that_is_no_number_stops_the_run_before_it_is_learned(tmp_path: Path) -> None:
    model = network(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    player = Player(model, PlayerRecipe(1e-3), Crew())

    def turn(step: int) -> Iterator[tuple[str, Tensor]]:
        yield "critic", model.head.head.bias.sum() * float("nan")

    with pytest.raises(FloatingPointError, match="step 0: the loss of the critic is nan"):
        Play({"critic": player}, turn, PlayRecipe(3), tmp_path, Crew()).run()
    assert json.loads((tmp_path / "broken.json").read_text())["step"] == 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
