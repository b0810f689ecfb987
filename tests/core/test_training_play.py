"""Networks that learn in turns: one process or two give the same, and so does a run that was killed."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
import torch.multiprocessing as processes

from core.performer.diffusion.window import Window
from core.training.crew import Crew, crew, shard, spare_activations
from core.training.distil import Chance, Distillation, DistilRecipe
from core.training.dmd import Guidance
from core.training.play import Play, Player, PlayerRecipe, PlayRecipe
from core.training.scene import Scene
from tests.core.test_training_distil import FRAMES, SCHEDULE, network, scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from core.training.play import Losses

STEPS = 6
BATCH = 2


def clip_of(whole: Scene, place: int) -> Scene:
    """One clip of a batch."""
    return Scene(*(getattr(whole, part.name)[place : place + 1] for part in dataclasses.fields(whole)))


def played(folder: Path, crew: Crew, *, steps: int = STEPS, spare: bool = False) -> list[dict[str, float]]:
    """A short game from the same start; what was logged."""
    networks = [network(seed) for seed in (1, 2, 3)]
    for model in networks:
        if spare:
            spare_activations(model)
        shard(model, crew, half=False)
    generator, critic, teacher = networks
    recipe = DistilRecipe(Guidance(2.0, 2.0), warm_up=1, ratio=2)
    game = Distillation(generator, critic, teacher, Window(3, 1, FRAMES), SCHEDULE, recipe)
    players = {
        "generator": Player(generator, PlayerRecipe(1e-3, (0.0, 0.999), 0.01, average=0.5, average_from=1), crew),
        "critic": Player(critic, PlayerRecipe(1e-3, (0.0, 0.999), 0.01, average=0.0), crew),
    }
    told = scene(BATCH, blocks=4)
    mine = range(crew.rank * BATCH // crew.size, (crew.rank + 1) * BATCH // crew.size)

    def losses(number: int, loss: Callable[[Scene, Chance], Tensor]) -> Losses:
        return [partial(loss, clip_of(told, place), Chance.of(0, number, place, 3)) for place in mine]

    def turn(step: int) -> Iterator[tuple[str, Losses]]:
        if recipe.generator_learns(step):
            yield "generator", losses(2 * step, game.generator_loss)
        yield "critic", losses(2 * step + 1, game.critic_loss)

    folder.mkdir(exist_ok=True)
    Play(players, turn, PlayRecipe(steps, log_every=1, save_every=2), folder, crew).run()
    return json.loads((folder / "checkpoint" / "log.json").read_text())["log"]


def one_of_two(rank: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank), "WORLD_SIZE": "2"}
    with crew() as both:
        played(folder, both, spare=True)


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


@pytest.mark.timeout(240)
def test_two_processes_go_on_with_what_one_began_and_one_with_what_two_did(tmp_path: Path) -> None:
    whole = played(tmp_path / "whole", Crew())
    played(tmp_path / "cut", Crew(), steps=4)
    processes.spawn(one_of_two, args=(free_port(), tmp_path / "cut"), nprocs=2)
    together = json.loads((tmp_path / "cut" / "checkpoint" / "log.json").read_text())["log"]
    assert close(whole, together, 2e-4), f"{whole}\n{together}"
    longer = played(tmp_path / "cut", Crew(), steps=STEPS + 2)
    assert close(played(tmp_path / "whole", Crew(), steps=STEPS + 2), longer, 2e-3)


def test_what_is_calculated_twice_is_the_same(tmp_path: Path) -> None:
    assert close(played(tmp_path / "kept", Crew()), played(tmp_path / "spared", Crew(), spare=True), 1e-5)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_no_number_stops_the_run_before_it_is_learned(what: str, tmp_path: Path) -> None:
    model = network(1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    player = Player(model, PlayerRecipe(1e-3), Crew())

    def loss() -> Tensor:
        total = model.head.head.bias.square().sum()
        return total * float("nan") if what == "loss" else (total - total.detach()).sqrt()  # its slope is infinite

    with pytest.raises(FloatingPointError, match=f"step 0: the critic's {what} is"):
        Play(
            {"critic": player},
            lambda step: [("critic", [loss])],
            PlayRecipe(3),
            tmp_path,
            Crew(),
            batch=lambda step: {"critic": ["a", "b"]},
        ).run()
    told = json.loads((tmp_path / "broken.json").read_text())
    assert (told["step"], told["batch"]) == (0, {"critic": ["a", "b"]})
    assert (tmp_path / "broken" / ".metadata").exists()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_checkpoint_that_only_lacks_its_name_is_found(tmp_path: Path) -> None:
    whole = played(tmp_path / "whole", Crew())
    played(tmp_path / "cut", Crew(), steps=4)
    (tmp_path / "cut" / "checkpoint").rename(tmp_path / "cut" / "checkpoint.partial")
    assert played(tmp_path / "cut", Crew()) == whole


def test_the_moving_average_is_lent_and_given_back() -> None:
    model = network(1)
    player = Player(model, PlayerRecipe(1e-2, average=0.5, average_from=0), Crew())
    first = model.head.head.bias.detach().clone()
    player.learn([lambda: model.head.head.bias.sum()])
    own = model.head.head.bias.detach().clone()
    with player.averaged():
        assert torch.allclose(model.head.head.bias, (first + own) / 2)
    assert torch.equal(model.head.head.bias, own)
    assert torch.allclose(player.whole_average()["head.head.bias"], (first + own) / 2)


def test_the_losses_of_a_share_are_learned_from_as_their_mean() -> None:
    models = [network(1), network(1)]
    players = [Player(model, PlayerRecipe(1e-2), Crew()) for model in models]
    rows = torch.randn(4, len(models[0].head.head.bias), generator=torch.Generator().manual_seed(0))
    together = players[0].learn([lambda: (models[0].head.head.bias * rows).sum(1).mean()])
    apart = players[1].learn([lambda row=row: (models[1].head.head.bias * row).sum() for row in rows])
    assert apart == pytest.approx(together, rel=1e-5)
    assert torch.allclose(models[0].head.head.bias, models[1].head.head.bias)
