"""On-policy distillation at a tiny size: the roll-out is the product's, and each player learns what is meant for it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import torch

from core.performer.diffusion.attention import SinkCache, block_causal_mask
from core.performer.diffusion.schedule import Schedule
from core.performer.diffusion.streaming import BlockStream
from core.performer.diffusion.transformer import Transformer
from core.performer.diffusion.window import Window
from core.training.crew import spare_activations
from core.training.distil import Chance, Distillation, DistilRecipe
from core.training.dmd import Guidance
from core.training.rollout import roll_out
from core.training.scene import Scene, flow_at_once
from tests.core.test_diffusion_stream import SIZES

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

SCHEDULE = Schedule((1.0, 0.8, 0.5), (1000.0, 800.0, 500.0))
FRAMES, BLOCKS = 2, 5


def network(seed: int) -> Transformer:
    torch.manual_seed(seed)
    return Transformer(SIZES).eval()


def scene(batch: int = 1, blocks: int = BLOCKS) -> Scene:
    given = torch.Generator().manual_seed(7)
    return Scene(
        torch.randn(batch, 4, 2, 2, generator=given),
        torch.randn(batch, 4 * FRAMES * blocks, 5, generator=given),
        torch.randn(batch, 3, 8, generator=given),
        torch.randn(batch, 3, 8, generator=given),
    )


def chance(number: int) -> Chance:
    return Chance.of(0, number, 0, len(SCHEDULE.sigmas))


def drawing(noise: torch.Generator) -> Callable[[tuple[int, ...]], Tensor]:
    return lambda shape: torch.randn(shape, generator=noise)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("window", [Window(3, 1, FRAMES), Window(BLOCKS, 0, FRAMES)])
def test_the_roll_out_is_the_product_bit_for_bit(window: Window, absolute: bool) -> None:
    window = dataclasses.replace(window, absolute=absolute)
    model, told = network(3).requires_grad_(False), scene()
    stream = BlockStream(model, window, SCHEDULE, told.reference, told.text, seed=5)
    features = told.features.split(4 * FRAMES, 1)
    product = torch.cat([stream.imagine(heard) for heard in features], 1)
    rolled = roll_out(model, window, SCHEDULE, told, drawing(torch.Generator().manual_seed(5)))
    assert torch.equal(product, rolled)


@pytest.mark.parametrize("exit_step", [0, 1, 2])
def test_gradients_leave_by_one_step_and_not_by_the_past(exit_step: int) -> None:
    model, told = network(3), scene()
    made = roll_out(
        model,
        Window(3, 1, FRAMES),
        SCHEDULE,
        told,
        drawing(torch.Generator().manual_seed(5)),
        exit_step=exit_step,
    )
    features = told.features.clone().requires_grad_()
    again = roll_out(
        model,
        Window(3, 1, FRAMES),
        SCHEDULE,
        dataclasses.replace(told, features=features),
        drawing(torch.Generator().manual_seed(5)),
        exit_step=exit_step,
    )
    assert torch.equal(made, again)
    (gradient,) = torch.autograd.grad(again[:, -FRAMES:].square().sum(), features)
    per_block = gradient.unflatten(1, (BLOCKS, -1)).abs().sum((0, 2, 3))
    assert per_block[-1] > 0
    assert per_block[:-1].eq(0).all(), "what earlier blocks heard reaches the last one only through the cache"


def test_the_gradient_of_the_exit_step_is_that_of_numbers() -> None:
    model, told = network(3).double(), scene(blocks=2)
    told = Scene(*(getattr(told, part.name).double() for part in dataclasses.fields(told)))
    bias = model.head.head.bias

    def made() -> Tensor:
        noise = torch.Generator().manual_seed(5)
        rolled = roll_out(
            model,
            Window(3, 1, FRAMES),
            SCHEDULE,
            told,
            lambda shape: torch.randn(shape, generator=noise, dtype=torch.float64),
            exit_step=0,  # with no step before it, nothing is left out of the gradient but the past
        )
        return rolled[:, :FRAMES].square().mean()

    (gradient,) = torch.autograd.grad(made(), bias)
    with torch.no_grad():
        for index in (0, 3):
            values = []
            for change in (0.05, -0.1):  # the loss is a square of the bias, so a wide step is exact
                bias[index] += change
                values.append(made().item())
            bias[index] += 0.05
            assert (values[0] - values[1]) / 0.1 == pytest.approx(gradient[index].item(), rel=1e-4)


@pytest.mark.parametrize("spare", [False, True])
def test_a_past_that_lasts_need_not_be_copied(spare: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One network in a window that holds the whole clip; the copies are what a window that forgets needs."""
    copies = SinkCache.frozen
    gradients: list[list[Tensor]] = []
    for lasting in (True, False):
        with monkeypatch.context() as patched:
            patched.setattr(SinkCache, "frozen", lambda cache, lasting=lasting, **_: copies(cache, lasting=lasting))  # type: ignore[misc]
            model = network(3)
            if spare:
                spare_activations(model)
            made = roll_out(
                model,
                Window(BLOCKS, 0, FRAMES, absolute=True),
                SCHEDULE,
                scene(),
                drawing(torch.Generator().manual_seed(5)),
                exit_step=1,
            )
            made.square().mean().backward()
            gradients.append([value.grad for value in model.parameters() if value.grad is not None])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_every_process_leaves_the_sampler_at_the_same_step() -> None:
    """What a clip draws is known from its place in the whole batch; who has it is not asked."""
    exits = [[Chance.of(7, number, place, 4).exit_step for place in range(64)] for number in range(200)]
    assert all(len(set(batch)) == 1 for batch in exits)
    drawn = [batch[0] for batch in exits]
    assert all(30 < drawn.count(step) < 70 for step in range(4)), "all steps are as likely"
    noises = [torch.randn(4, generator=Chance.of(7, 3, place, 4).noise) for place in (0, 1, 0)]
    assert not torch.equal(noises[0], noises[1])
    assert torch.equal(noises[0], noises[2])


class TestPlayers:
    @pytest.fixture
    def game(self) -> Distillation:
        recipe = DistilRecipe(Guidance(2.0, 1.0))
        return Distillation(network(1), network(2), network(3), Window(3, 1, FRAMES), SCHEDULE, recipe)

    def test_the_generator_learns_alone(self, game: Distillation) -> None:
        game.generator_loss(scene(), chance(1)).backward()
        assert all(value.grad is None for value in game.teacher.parameters())
        assert all(value.grad is None for value in game.critic.parameters())
        assert any(value.grad is not None and value.grad.abs().sum() > 0 for value in game.generator.parameters())

    def test_the_critic_learns_alone(self, game: Distillation) -> None:
        game.critic_loss(scene(), chance(1)).backward()
        assert all(value.grad is None for value in game.generator.parameters())
        assert any(value.grad is not None and value.grad.abs().sum() > 0 for value in game.critic.parameters())

    def test_a_step_is_the_same_for_the_same_seed_and_another_for_another(self, game: Distillation) -> None:
        first, same, other = (game.critic_loss(scene(2), chance(seed)) for seed in (4, 4, 5))
        assert torch.equal(first, same)
        assert not torch.equal(first, other)

    def test_the_critic_comes_to_know_the_generator(self, game: Distillation) -> None:
        optimiser = torch.optim.AdamW(game.critic.parameters(), lr=3e-3, betas=(0.0, 0.999))

        def told() -> float:
            with torch.no_grad():
                return float(torch.stack([game.critic_loss(scene(4), chance(n)) for n in range(4)]).mean())

        before = told()
        for step in range(40):
            optimiser.zero_grad()
            game.critic_loss(scene(4), chance(100 + step)).backward()
            optimiser.step()
        assert told() < 0.8 * before


def test_the_critic_warms_up_and_then_has_five_steps_for_one() -> None:
    turns = [step for step in range(40) if DistilRecipe().generator_learns(step)]
    assert turns == [20, 25, 30, 35]


def test_a_teacher_looks_both_ways_and_a_mask_makes_it_causal() -> None:
    model, told = network(3).requires_grad_(False), scene(blocks=2)
    noisy, later = torch.randn(1, 2 * FRAMES, 4, 2, 2), torch.randn(1, 2 * FRAMES, 4, 2, 2)
    later[:, :FRAMES] = noisy[:, :FRAMES]
    times = torch.full((1, 2 * FRAMES), 500.0)
    mask = block_causal_mask(2, FRAMES)

    def first(clip: Tensor, mask: Tensor | None) -> Tensor:
        return flow_at_once(model, told, clip, times, mask=mask)[:, :FRAMES]

    assert torch.equal(first(noisy, mask), first(later, mask))
    assert not torch.equal(first(noisy, None), first(later, None))
