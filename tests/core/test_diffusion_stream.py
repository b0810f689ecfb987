"""A stream of blocks: equal to one pass over the clip, blind to the future, bounded in the past, able to go back."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from core.performer.diffusion.attention import Clip, SinkCache, block_causal_mask, teacher_forcing_mask
from core.performer.diffusion.rope import axis_split
from core.performer.diffusion.sampler import denoise
from core.performer.diffusion.schedule import Schedule
from core.performer.diffusion.sizes import Sizes
from core.performer.diffusion.streaming import BlockStream, conditioning
from core.performer.diffusion.transformer import Condition, Transformer
from core.performer.diffusion.window import Window

if TYPE_CHECKING:
    from core.performer.diffusion.streaming import Call

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


@pytest.mark.parametrize("counts_itself", [True, False])
def test_a_long_stream_asks_from_the_same_place_for_ever(model: Transformer, counts_itself: bool) -> None:
    window = Window(3, 1, FRAMES, counts_itself=counts_itself)
    cache = cache_of(model, window)
    for _ in range(window.slots):
        cache.open_block()
    settled = cache.queries.cos.clone()
    for _ in range(200):
        cache.open_block()
        assert torch.equal(cache.queries.cos, settled)


def test_two_thousand_latents_need_no_more_memory_than_a_hundred(model: Transformer) -> None:
    stream = stream_of(model)
    held: list[int] = []
    for block in range(2000 // FRAMES):
        latents = stream.imagine(sound(block))
        if block in (50, 2000 // FRAMES - 1):
            gc.collect()
            storages = [one.untyped_storage() for one in gc.get_objects() if type(one) is torch.Tensor]
            held.append(sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()))
    assert held[1] == held[0]
    assert latents.isfinite().all()
    assert latents.std() < 10


def test_the_paper_counts_two_finished_blocks_beside_its_sinks() -> None:
    window = Window(blocks=5, sinks=3, block_frames=3, counts_itself=False)
    assert [window.visible(block) for block in (4, 5, 6, 40)] == [
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 4, 5],
        [0, 1, 2, 4, 5, 6],
        [0, 1, 2, 38, 39, 40],
    ]
    assert sorted(window.slot(seen) for seen in window.visible(40)) == [0, 1, 2, 3, 4, 5]


WINDOWS = {
    "release": Window(3, 1, FRAMES),
    "paper": Window(3, 1, FRAMES, counts_itself=False),
    "absolute": Window(3, 1, FRAMES, absolute=True),
    "without sinks": Window(3, 0, FRAMES),
}


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
def test_a_cache_holds_what_its_window_sees_at_the_places_it_says(model: Transformer, window: Window) -> None:
    cache, seen = cache_of(model, window), list[tuple[torch.Tensor, torch.Tensor]]()
    for block in range(9):
        seen.append(tuple(torch.randn(2, 1, FRAMES, SIZES.dim)))  # type: ignore[arg-type]  # two tensors
        cache.open_block()
        keys, values = cache.extend(0, *seen[block])
        visible = window.visible(block)
        by_slot = sorted(visible, key=window.slot)
        places = {past: past if window.absolute else visible.index(past) for past in visible}
        frames = [FRAMES * places[past] + frame for past in by_slot for frame in range(FRAMES)]
        plain = torch.cat([seen[past][0] for past in by_slot], 1)
        assert torch.equal(keys, model.rope(2, 2).rotation(frames).apply(plain, SIZES.heads))
        assert torch.equal(values, torch.cat([seen[past][1] for past in by_slot], 1))


def test_before_anything_leaves_places_in_the_window_are_those_in_the_stream(model: Transformer) -> None:
    one, other = (stream_of(model, window=Window(3, 1, FRAMES, absolute=absolute)) for absolute in (True, False))
    for block in range(3):
        assert torch.equal(one.imagine(sound(block)), other.imagine(sound(block)))
    for block in (3, 4):
        assert not torch.equal(one.imagine(sound(block)), other.imagine(sound(block)))


def test_remembering_leaves_the_same_keys_as_the_whole_pass(model: Transformer) -> None:
    torch.manual_seed(6)
    x, when = torch.randn(1, FRAMES, SIZES.in_channels, 2, 2), torch.zeros(1, FRAMES)
    condition = Condition(model.text_keys(torch.randn(1, 3, 8)), model.audio_terms(sound(0)))
    whole, short = (cache_of(model, Window(3, 1, FRAMES)) for _ in range(2))
    for cache in (whole, short):
        cache.open_block()
    model(x, when, condition, whole)
    model.remember(x, when, condition, short)
    nothing = torch.zeros(1, FRAMES, SIZES.dim)
    for cache in (whole, short):
        cache.open_block()
    for layer in range(SIZES.layers):
        kept, also = whole.extend(layer, nothing, nothing), short.extend(layer, nothing, nothing)
        assert torch.equal(kept[0], also[0])
        assert torch.equal(kept[1], also[1])


def test_another_prompt_counts_from_the_next_block_on(model: Transformer) -> None:
    straight, changed = stream_of(model), stream_of(model)
    other = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(1))
    for block in range(4):
        assert torch.equal(straight.imagine(sound(block)), changed.imagine(sound(block)))
    changed.prompt(other)
    assert not torch.equal(straight.imagine(sound(4)), changed.imagine(sound(4)))


def test_a_prompt_changed_over_a_rewound_block_is_the_one_that_counts(model: Transformer) -> None:
    straight, back = stream_of(model), stream_of(model)
    other = torch.randn(1, 3, 8, generator=torch.Generator().manual_seed(1))
    for block in range(5):
        straight.imagine(sound(block))
        back.imagine(sound(block))
    back.imagine(sound(99))
    back.rewind()
    for stream in (straight, back):
        stream.prompt(other)
    assert torch.equal(straight.imagine(sound(5)), back.imagine(sound(5)))


def test_a_stream_begun_anew_is_a_new_stream(model: Transformer) -> None:
    torch.manual_seed(9)
    reference, text = torch.randn(1, 4, 2, 2), torch.randn(1, 3, 8)
    fresh, again = BlockStream(model, Window(3, 1, FRAMES), SCHEDULE, reference, text, 6), stream_of(model)
    for block in range(5):
        again.imagine(sound(block))
    again.restart(reference, text, 6)
    for block in range(5):
        assert torch.equal(fresh.imagine(sound(block)), again.imagine(sound(block)))


def test_latents_are_there_before_they_are_remembered(model: Transformer) -> None:
    whole, halves = stream_of(model), stream_of(model)
    for block in range(5):
        latents = halves.make(sound(block))
        kept = latents.clone()
        halves.remember()
        assert torch.equal(latents, kept)
        assert torch.equal(latents, whole.imagine(sound(block)))


def test_calls_become_steady_when_the_window_is_full_and_get_the_same_shapes(model: Transformer) -> None:
    shapes: list[list[torch.Size]] = []

    def steady(call: Call) -> Call:
        seen: list[torch.Size] = []
        shapes.append(seen)

        def noted(*inputs: torch.Tensor) -> torch.Tensor:
            seen.extend(given.shape for given in inputs)
            return call(*inputs)

        return noted

    torch.manual_seed(4)
    reference, text = torch.randn(1, 4, 2, 2), torch.randn(1, 3, 8)
    fast = BlockStream(model, Window(3, 1, FRAMES), SCHEDULE, reference, text, 5, steady=steady)
    plain = stream_of(model)
    for block in range(6):
        assert torch.equal(fast.imagine(sound(block)), plain.imagine(sound(block)))
        assert bool(shapes[0]) == (block >= 2)
    assert all(len(set(seen)) == 2 for seen in shapes), "two inputs, each always of one shape"


class _Asked(TorchDispatchMode):
    """Notes what is asked of a device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
def test_a_steady_block_waits_for_no_device_and_brings_nothing_from_the_host(
    model: Transformer, window: Window
) -> None:
    stream = stream_of(model, window=window)
    for block in range(5):
        stream.imagine(sound(block))
    heard = [sound(5), sound(6)]
    with _Asked() as asked:
        stream.imagine(heard[0])
        stream.rewind()
        stream.imagine(heard[1])
    assert {"randn", "index_copy_", "linear"} <= asked.names, "the notes are of the block"
    waits = {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "equal", "masked_select", "unique_consecutive"}
    from_host = {"lift_fresh", "lift_fresh_copy", "scalar_tensor"}
    assert not asked.names & (waits | from_host)


def test_a_past_in_eight_bits_is_nearly_the_same_past(model: Transformer) -> None:
    torch.manual_seed(4)
    reference, text = torch.randn(1, 4, 2, 2), torch.randn(1, 3, 8)
    small = BlockStream(model, Window(3, 1, FRAMES), SCHEDULE, reference, text, 5, fp8_cache=True)
    plain = stream_of(model)
    for block in range(8):
        whole, rounded = plain.imagine(sound(block)), small.imagine(sound(block))
        assert not torch.equal(whole, rounded)
        assert (whole - rounded).abs().max() < 0.05 * whole.std()


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS.keys())
@pytest.mark.parametrize("heard", [0, 1, 2, 3, 4, 5, 6])
def test_a_rewound_block_leaves_no_trace(model: Transformer, heard: int, window: Window) -> None:
    straight, back = stream_of(model, window=window), stream_of(model, window=window)
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
