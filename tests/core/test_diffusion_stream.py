"""A stream of blocks: equal to one pass over the clip, blind to the future, bounded in the past, able to go back."""

from __future__ import annotations

import pytest
import torch

from core.performer.diffusion.attention import Clip, SinkCache, block_causal_mask, teacher_forcing_mask
from core.performer.diffusion.rope import axis_split
from core.performer.diffusion.sampler import denoise
from core.performer.diffusion.schedule import Schedule
from core.performer.diffusion.sizes import Sizes
from core.performer.diffusion.streaming import BlockStream, conditioning
from core.performer.diffusion.transformer import Condition, Transformer
from core.performer.diffusion.window import Window

SIZES = Sizes(
    dim=24,
    ffn_dim=48,
    layers=3,
    heads=2,
    text_dim=8,
    audio_dim=5,
    audio_hidden=6,
    audio_layers=(0, 2),
    latent_channels=4,
)
FRAMES = 2
SCHEDULE = Schedule((1.0, 0.5), (1000.0, 500.0))


@pytest.fixture
def model() -> Transformer:
    torch.manual_seed(3)
    return Transformer(SIZES).requires_grad_(False).eval()


def stream_of(model: Transformer, *, window: Window | None = None, seed: int = 5) -> BlockStream:
    torch.manual_seed(4)
    reference, text = torch.randn(1, 4, 2, 2), torch.randn(1, 3, 8)
    return BlockStream(model, window or Window(3, 1, FRAMES), SCHEDULE, reference, text, seed)


def sound(block: int) -> torch.Tensor:
    return torch.randn(1, 4 * FRAMES, 5, generator=torch.Generator().manual_seed(block))


def cache_of(model: Transformer, window: Window) -> SinkCache:
    return SinkCache(window, model.rope(2, 2), layers=SIZES.layers, heads=SIZES.heads, width=SIZES.dim)


def test_block_by_block_equals_the_whole_clip_at_once(model: Transformer) -> None:
    torch.manual_seed(0)
    blocks, frames = 4, 4 * FRAMES
    x, when = torch.randn(1, frames, SIZES.in_channels, 2, 2), torch.rand(1, frames) * 1000
    text, audio = model.text_keys(torch.randn(1, 3, 8)), model.audio_terms(torch.randn(1, 4 * frames, 5))
    mask = block_causal_mask(blocks, FRAMES)
    offline = model(x, when, Condition(text, audio), Clip(model.rope(2, 2).rotation(range(frames)), SIZES.heads, mask))
    cache = cache_of(model, Window(blocks, 0, FRAMES))
    for block in range(blocks):
        part = slice(block * FRAMES, (block + 1) * FRAMES)
        cache.open_block()
        streamed = model(x[:, part], when[:, part], Condition(text, audio[:, :, part]), cache)
        assert torch.allclose(streamed, offline[:, part], atol=1e-6)


def test_a_clean_past_beside_a_noisy_present_equals_the_cached_stream(model: Transformer) -> None:
    torch.manual_seed(1)
    blocks, frames = 3, 3 * FRAMES
    clean, noisy = (torch.randn(1, frames, SIZES.in_channels, 2, 2) for _ in range(2))
    text, audio = model.text_keys(torch.randn(1, 3, 8)), model.audio_terms(torch.randn(1, 4 * frames, 5))
    when = torch.cat((torch.zeros(1, frames), torch.full((1, frames), 700.0)), 1)
    twice = Condition(text, audio.repeat(1, 1, 2, 1))
    memory = Clip(model.rope(2, 2).rotation([*range(frames)] * 2), SIZES.heads, teacher_forcing_mask(blocks, FRAMES))
    at_once = model(torch.cat((clean, noisy), 1), when, twice, memory)[:, frames:]
    cache = cache_of(model, Window(blocks, 1, FRAMES))
    for block in range(blocks):
        part = slice(block * FRAMES, (block + 1) * FRAMES)
        condition = Condition(text, audio[:, :, part])
        cache.open_block()
        seen = model(noisy[:, part], torch.full((1, FRAMES), 700.0), condition, cache)
        assert torch.allclose(seen, at_once[:, part], atol=1e-6)
        model.remember(clean[:, part], torch.zeros(1, FRAMES), condition, cache)


def test_sound_that_comes_later_changes_nothing_before(model: Transformer) -> None:
    one, other = stream_of(model), stream_of(model)
    for block in range(3):
        assert torch.equal(one.imagine(sound(block)), other.imagine(sound(block)))
    assert not torch.equal(one.imagine(sound(3)), other.imagine(sound(99)))


def test_the_first_frame_is_the_reference(model: Transformer) -> None:
    torch.manual_seed(4)
    reference = torch.randn(1, 4, 2, 2)
    assert torch.equal(stream_of(model).imagine(sound(0))[:, 0], reference)


def test_the_window_keeps_its_sinks_and_lets_the_oldest_of_the_rest_go() -> None:
    window = Window(blocks=5, sinks=3, block_frames=3)
    assert [window.visible(block) for block in (2, 4, 5, 6, 40)] == [
        [0, 1, 2],
        [0, 1, 2, 3, 4],
        [0, 1, 2, 4, 5],
        [0, 1, 2, 5, 6],
        [0, 1, 2, 39, 40],
    ]
    for block in range(60):
        slots = [window.slot(seen) for seen in window.visible(block)]
        assert sorted(slots) == list(range(len(slots))), "what is seen lies side by side"


def test_what_is_evicted_no_longer_matters_and_a_sink_always_does(model: Transformer) -> None:
    def last(changed: int) -> torch.Tensor:
        cache = cache_of(model, Window(3, 1, FRAMES))
        for block in range(6):
            cache.open_block()
            generator = torch.Generator().manual_seed(block + (100 if block == changed else 0))
            k, v = torch.randn(2, 1, FRAMES, SIZES.dim, generator=generator)
            for layer in range(SIZES.layers):
                keys, values = cache.extend(layer, k, v)
        return torch.cat((keys, values), -1)

    whole = last(changed=-1)
    assert torch.equal(last(changed=1), whole)
    assert torch.equal(last(changed=3), whole)
    assert not torch.equal(last(changed=0), whole)
    assert not torch.equal(last(changed=4), whole)


def test_a_long_stream_asks_from_the_same_place_for_ever(model: Transformer) -> None:
    cache = cache_of(model, Window(3, 1, FRAMES))
    for _ in range(3):
        cache.open_block()
    settled = cache.queries.cos.clone()
    for _ in range(2000):
        cache.open_block()
    assert torch.equal(cache.queries.cos, settled)


@pytest.mark.parametrize("heard", [0, 1, 2, 3, 4, 5, 6])
def test_a_rewound_block_leaves_no_trace(model: Transformer, heard: int) -> None:
    straight, back = stream_of(model), stream_of(model)
    for block in range(heard):
        straight.imagine(sound(block))
        back.imagine(sound(block))
    back.imagine(sound(77))
    back.rewind()
    assert back.blocks == heard
    for block in range(heard, heard + 5):
        assert torch.equal(straight.imagine(sound(block)), back.imagine(sound(block)))


def test_a_stream_that_begins_anew_is_a_new_one(model: Transformer) -> None:
    again = stream_of(model, seed=6)
    again.restart(torch.ones(1, 4, 2, 2), torch.ones(1, 3, 8), seed=7)
    for block in range(7):
        again.imagine(sound(block))
    torch.manual_seed(4)
    reference, text = torch.randn(1, 4, 2, 2), torch.randn(1, 3, 8)
    again.restart(reference, text, seed=5)
    fresh = stream_of(model, seed=5)
    for block in range(7):
        assert torch.equal(again.imagine(sound(block)), fresh.imagine(sound(block)))


def test_the_same_seed_repeats_and_another_does_not(model: Transformer) -> None:
    first = [stream_of(model, seed=8).imagine(sound(0)) for _ in range(2)]
    assert torch.equal(*first)
    assert not torch.equal(first[0], stream_of(model, seed=9).imagine(sound(0)))


def test_training_denoises_as_the_product_does_and_learns_from_one_step_only() -> None:
    torch.manual_seed(2)
    model = Transformer(SIZES)
    text, audio = torch.randn(1, 3, 8), model.audio_terms(sound(0)).detach()
    condition = Condition(model.text_keys(text), audio)
    given = conditioning(torch.randn(1, 4, 2, 2), FRAMES, beginning=True)
    noises = torch.randn(2, 1, FRAMES, 4, 2, 2)

    def run(grad_step: int | None) -> torch.Tensor:
        cache, drawn = cache_of(model, Window(3, 1, FRAMES)), iter(noises)
        cache.open_block()

        def flow(x: torch.Tensor, timestep: float) -> torch.Tensor:
            memory = cache.frozen() if torch.is_grad_enabled() else cache
            return model(torch.cat((x, given), 2), torch.full((1, FRAMES), timestep), condition, memory)

        return denoise(flow, lambda: next(drawn), SCHEDULE, grad_step=grad_step)

    with torch.no_grad():
        product = run(None)
    trained = run(1)
    assert torch.equal(trained.detach(), product)
    trained.square().sum().backward()
    key = model.blocks[0].self_attn.k.weight.grad  # type: ignore[union-attr]  # ModuleList forgets the class
    assert key is not None
    assert key.abs().sum() > 0


def test_a_head_that_cannot_be_split_in_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="even number"):
        axis_split(64)
