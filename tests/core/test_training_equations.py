"""The equations of the recipe, against numbers of the released code and against what they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from core.training.dmd import Guidance, critic_loss, direction, generator_loss
from core.training.noise import NoiseTable
from core.training.ode import ode_loss
from tests.golden.folder import SHARED, Folder

if TYPE_CHECKING:
    from torch import Tensor

    from core.training.dmd import Score


def stub(weights: list[float], text: Tensor, audio: Tensor) -> Score:
    """x0 = a x + b text + c audio + 0.001 t, the golden file's stand-in for a network."""
    a, b, c = weights
    return lambda noisy, timestep: a * noisy + b * text + c * audio + 0.001 * timestep.reshape(-1, 1, 1, 1, 1).float()


@pytest.mark.skipif(not Folder(SHARED).has("train_math", "scheduler"), reason="the golden tensors are not here")
class TestGoldenMath:
    @pytest.mark.parametrize(("case", "guidance"), [("same_scale", Guidance(5, 5)), ("split_scale", Guidance(5, 3))])
    def test_the_generators_gradient_and_loss(self, case: str, guidance: Guidance) -> None:
        golden, made = Folder(SHARED).tensors("train_math"), Folder(SHARED).config("train_math")
        text, audio, no_text = golden["cond.text"], golden["cond.audio"], golden["uncond.text"]
        silence = torch.zeros_like(audio)
        real = guidance.apply(
            stub(made["real"], text, audio), stub(made["real"], no_text, silence), stub(made["real"], text, silence)
        )
        x = golden["generated"].clone().requires_grad_()
        timestep = golden[f"dmd.{case}.timestep"][:, 0]
        away = direction(
            x,
            golden["ref_image"][:, 0, :16],
            golden[f"dmd.{case}.noise"],
            timestep,
            fake=stub(made["fake"], text, audio),
            real=real,
            table=NoiseTable(),
        )
        assert torch.allclose(away, golden[f"dmd.{case}.kl_grad"], atol=1e-6)
        loss = generator_loss(x, away)
        loss.backward()
        assert loss.item() == pytest.approx(golden[f"dmd.{case}.loss"].item(), abs=1e-6)
        assert x.grad is not None
        assert torch.allclose(x.grad, golden[f"dmd.{case}.grad_wrt_generated"], atol=1e-6)

    def test_the_critics_loss_leaves_out_the_given_frame(self) -> None:
        golden, made = Folder(SHARED).tensors("train_math"), Folder(SHARED).config("train_math")
        loss = critic_loss(
            golden["generated"],
            golden["ref_image"][:, 0, :16],
            golden["critic.noise"],
            golden["critic.timestep"][:, 0],
            fake=stub(made["fake"], golden["cond.text"], golden["cond.audio"]),
            table=NoiseTable(),
        )
        assert loss.item() == pytest.approx(golden["critic.loss_first_frame_masked"].item(), rel=1e-6)

    def test_the_table_of_noise(self) -> None:
        golden = Folder(SHARED).tensors("scheduler")
        table = NoiseTable()
        steps = golden["train_list.steps"]
        assert torch.allclose(table.sigma(steps).float(), golden["train_list.sigmas"].float(), atol=1e-6)
        x, noise, times = golden["x.x0"], golden["x.noise"], golden["x.timesteps"]
        assert torch.allclose(table.add_noise(x, noise, times), golden["x.add_noise_train"], atol=1e-6)
        assert torch.allclose(table.clean(x, golden["x.flow"], times), golden["x.flow_to_x0_train"], atol=1e-5)
        assert torch.allclose(table.flow(noise, x, times), golden["x.x0_to_flow_train"], rtol=1e-5, atol=1e-5)


def test_timesteps_lean_towards_noise_and_stay_away_from_the_ends() -> None:
    table = NoiseTable()
    warped = table.warped(torch.tensor([0.0, 1.0, 500.0, 999.0]))
    assert warped.tolist() == pytest.approx([20.0, 20.0, 1000 * 5 * 0.5 / 3.0, 980.0])
    drawn = table.draw(4000, torch.Generator().manual_seed(0))
    assert drawn.min() >= 20
    assert drawn.max() <= 980
    assert 700 < drawn.median() < 900


def test_the_generators_gradient_is_the_direction() -> None:
    made = torch.randn(2, 3, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    away = torch.randn_like(made)
    (gradient,) = torch.autograd.grad(generator_loss(made, away), made)
    assert torch.allclose(gradient, away / made.numel())


def test_a_generator_that_makes_what_the_teacher_wants_is_left_alone() -> None:
    made = torch.randn(1, 3, 4, 2, 2)
    score: Score = lambda noisy, timestep: 0.9 * noisy  # noqa: E731 - both scores are the same network
    away = direction(
        made, made[:, 0], torch.randn_like(made), torch.tensor([500.0]), fake=score, real=score, table=NoiseTable()
    )
    assert torch.equal(away, torch.zeros_like(made))


def test_the_critic_has_a_gradient_and_the_generator_none_from_it() -> None:
    made = torch.randn(1, 3, 4, 2, 2, requires_grad=True)
    weight = torch.tensor(0.5, requires_grad=True)
    loss = critic_loss(
        made,
        made[:, 0].detach(),
        torch.randn(1, 3, 4, 2, 2),
        torch.tensor([500.0]),
        fake=lambda noisy, _: weight * noisy,
        table=NoiseTable(),
    )
    loss.backward()
    assert made.grad is None
    assert weight.grad is not None
    assert weight.grad.abs() > 0


def test_blocks_stand_at_states_of_their_own_and_end_where_the_teacher_did() -> None:
    times = (1000.0, 936.0, 832.0, 624.0)
    states = torch.arange(5.0).reshape(1, 5, 1, 1, 1, 1).expand(2, 5, 6, 1, 1, 1)
    seen: list[tuple[Tensor, Tensor]] = []

    def estimate(noisy: Tensor, timesteps: Tensor) -> Tensor:
        seen.append((noisy, timesteps))
        return torch.full_like(noisy, 4.0)

    for seed in range(8):
        assert ode_loss(estimate, states, times, 3, torch.Generator().manual_seed(seed)) == 0
    noisy = torch.cat([given for given, _ in seen]).flatten(1)
    told = torch.cat([given for _, given in seen])
    assert torch.equal(told, torch.tensor(times)[noisy.long()]), "each block is told the time of its own state"
    assert (noisy[:, 0] == noisy[:, 2]).all(), "a block stands at one state"
    assert (noisy[:, 0] != noisy[:, 3]).any(), "blocks stand at different ones"
    assert noisy.max() == 3, "never at the clean one"


def test_trajectories_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="5 states of 4 frames"):
        ode_loss(lambda noisy, _: noisy, torch.zeros(1, 5, 4, 1, 1, 1), (1000.0, 936.0, 832.0, 624.0), 3)
