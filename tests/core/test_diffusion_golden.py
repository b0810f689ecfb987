"""The diffusion bricks give the numbers of the released model's own code, at a tiny size with random weights."""

from __future__ import annotations

import pytest
import torch

from core.performer.diffusion.attention import Clip, SinkCache, block_causal_mask
from core.performer.diffusion.rope import Rope, axis_split
from core.performer.diffusion.sampler import denoise
from core.performer.diffusion.schedule import RELEASED, Schedule, shifted_sigmas
from core.performer.diffusion.transformer import Condition, Transformer
from core.performer.diffusion.window import Window
from tests.core.golden import config, tensors, tiny_transformer

CLOSE = 1e-5
PLANE = (8, 12)
FRAMES = 3


def condition_for(model: Transformer, frames: slice) -> Condition:
    prompt = tensors("dit_tiny_inputs")["prompt_embeds"]
    return Condition(model.text_keys(prompt), tensors("dit_tiny_audio")["cond"][None, :, frames, 0, 0].transpose(0, 1))


def given_frames(frames: slice) -> torch.Tensor:
    """Reference latent and mask as the network sees them, [1, frames, 17, h, w]."""
    return tensors("dit_tiny_inputs")["img_lat"].transpose(1, 2)[:, frames]


def cache_for(model: Transformer, window: Window) -> SinkCache:
    sizes = model.sizes
    return SinkCache(window, model.rope(*PLANE), layers=sizes.layers, heads=sizes.heads, width=sizes.dim)


def times(value: float, frames: int = FRAMES) -> torch.Tensor:
    return torch.full((1, frames), float(value))


@pytest.mark.parametrize(
    ("name", "blocks", "sinks"),
    [("full", 7, 0), ("sink0", 2, 0), ("sink3", 3, 1), ("ahis", 5, 3)],
)
def test_a_stream_with_absolute_positions_is_the_released_one(name: str, blocks: int, sinks: int) -> None:
    run, inputs = tensors(f"dit_tiny_run_{name}"), tensors("dit_tiny_inputs")
    model = tiny_transformer()
    cache = cache_for(model, Window(blocks, sinks, FRAMES, absolute=True))
    schedule = Schedule(RELEASED.sigmas, tuple(run["timesteps"].tolist()))
    for block in range(config(f"dit_tiny_run_{name}")["blocks"]):
        frames = slice(FRAMES * block, FRAMES * (block + 1))
        condition, given = condition_for(model, frames), given_frames(frames)
        flows: list[torch.Tensor] = []

        def flow(
            x: torch.Tensor,
            timestep: float,
            given: torch.Tensor = given,
            condition: Condition = condition,
            flows: list[torch.Tensor] = flows,
        ) -> torch.Tensor:
            flows.append(model(torch.cat((x, given), 2), times(timestep), condition, cache))
            return flows[-1]

        noises = iter([inputs["noise"][:, frames], *(run[f"renoise.{block}.{s}"][None] for s in range(3))])
        cache.open_block()
        clean = denoise(flow, lambda n=noises: next(n), schedule, first=given[:, 0, :16] if block == 0 else None)
        for step, seen in enumerate(flows):
            assert (seen - run[f"flow.{block}.{step}"]).abs().max() < CLOSE, (block, step)
        assert (clean - run[f"clean.{block}"]).abs().max() < CLOSE, block
        context = model(torch.cat((clean, given), 2), times(0), condition, cache)
        assert (context - run[f"flow_ctx.{block}"]).abs().max() < CLOSE, block


@pytest.mark.parametrize("name", ["full", "sink3"])
def test_remembering_leaves_the_same_keys_as_the_whole_pass(name: str) -> None:
    model, run = tiny_transformer(), tensors(f"dit_tiny_run_{name}")
    given, condition = given_frames(slice(0, FRAMES)), condition_for(model, slice(0, FRAMES))
    x = torch.cat((run["clean.0"], given), 2)
    whole, short = (cache_for(model, Window(5, 1, FRAMES)) for _ in range(2))
    for cache in (whole, short):
        cache.open_block()
    model(x, times(0), condition, whole)
    model.remember(x, times(0), condition, short)
    nothing = torch.zeros(1, FRAMES * 24, model.sizes.dim)
    whole.open_block()
    short.open_block()
    for layer in range(model.sizes.layers):
        for one, other in zip(
            whole.extend(layer, nothing, nothing), short.extend(layer, nothing, nothing), strict=True
        ):
            assert torch.equal(one, other)


def test_before_anything_is_evicted_positions_in_the_window_are_the_absolute_ones() -> None:
    model, inputs = tiny_transformer(), tensors("dit_tiny_inputs")
    seen: list[torch.Tensor] = []
    for absolute in (True, False):
        cache = cache_for(model, Window(5, 3, FRAMES, absolute=absolute))
        for block in range(5):
            frames = slice(FRAMES * block, FRAMES * (block + 1))
            cache.open_block()
            x = torch.cat((inputs["noise"][:, frames], given_frames(frames)), 2)
            seen.append(model(x, times(625), condition_for(model, frames), cache))
    assert all(torch.equal(one, other) for one, other in zip(seen[:5], seen[5:], strict=True))


@pytest.mark.parametrize(
    ("name", "local", "timesteps"),
    [("flow_causal", None, None), ("flow_causal_local6", 2, None), ("flow_bidirectional", 3, 832.0)],
)
def test_a_whole_clip_in_one_pass_is_the_released_training_pass(
    name: str, local: int | None, timesteps: float | None
) -> None:
    golden, model = tensors("dit_tiny_train_forward"), tiny_transformer()
    frames = slice(0, 9)
    mask = None if timesteps else block_causal_mask(3, FRAMES * 24, local_blocks=local)
    memory = Clip(model.rope(*PLANE).rotation(range(9)), model.sizes.heads, mask)
    when = golden["timesteps"] if timesteps is None else times(timesteps, 9)
    x = torch.cat((tensors("dit_tiny_inputs")["noise"][:, frames], given_frames(frames)), 2)
    flow = model(x, when, condition_for(model, frames), memory)
    assert (flow.transpose(1, 2) - golden[name]).abs().max() < CLOSE


def test_audio_features_become_the_released_terms() -> None:
    golden, model = tensors("dit_tiny_audio"), tiny_transformer()
    features = torch.cat((golden["features"][:, :1].expand(-1, 3, -1), golden["features"]), 1)
    assert (model.audio_terms(features) - golden["cond"][:, None, :, 0, 0]).abs().max() < 1e-6


def test_zero_features_are_the_branch_without_sound() -> None:
    golden, model = tensors("dit_tiny_train_forward"), tiny_transformer()
    memory = Clip(model.rope(*PLANE).rotation(range(9)), model.sizes.heads)
    silent = Condition(condition_for(model, slice(0, 9)).text, model.audio_terms(torch.zeros(1, 36, 10752)))
    x = torch.cat((tensors("dit_tiny_inputs")["noise"][:, :9], given_frames(slice(0, 9))), 2)
    flow = model(x, times(832, 9), silent, memory)
    assert (flow.transpose(1, 2) - golden["flow_bidirectional_zero_audio"]).abs().max() < CLOSE


def test_a_head_of_128_rotates_as_released_far_into_a_stream() -> None:
    golden, made = tensors("rope_hd128"), config("rope_hd128")
    assert list(axis_split(128)) == made["split"]
    frames, rows, columns = made["grid"]
    rope = Rope(128, rows, columns)
    start = made["start_frame"]
    rotated = rope.rotation(range(start, start + frames)).apply(golden["x"], made["heads"])
    assert (rotated - golden["y"]).abs().max() < 1e-5


def test_the_schedule_is_the_released_one() -> None:
    golden = tensors("scheduler")
    assert torch.allclose(torch.tensor(shifted_sigmas(4, 5.0)), golden["infer4.sigmas"], atol=1e-7)
    assert torch.equal(torch.tensor(RELEASED.timesteps), golden["infer4.timesteps_bf16"])
    table = torch.tensor(shifted_sigmas(1000, 5.0), dtype=torch.float64)
    assert torch.allclose(table.float(), golden["train1000_shift5.sigmas"], atol=1e-6)
