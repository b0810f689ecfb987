"""LiveTalk's transformer: the same as diffusers' Wan, and the same however it is made fast."""

from __future__ import annotations

import dataclasses
import sys
import types
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from core.performer.diffusion.attention import Clip, SinkCache, choose_kernel, fast_kernel, standard_kernel
from core.performer.diffusion.linears import Fp8Linear, compile_blocks, fuse, to_fp8
from core.performer.diffusion.rope import Rope
from core.performer.diffusion.sizes import Sizes
from core.performer.diffusion.transformer import Condition, Transformer
from core.performer.diffusion.window import Window
from core.performer.livetalk.checkpoint import prepared, random_transformer
from core.performer.livetalk.spec import FAST, LIVETALK_1_3B, LIVETALK_14B, LOW, PRESETS, QUALITY, TINY

if TYPE_CHECKING:
    from diffusers import WanTransformer3DModel
    from torch.fx import GraphModule

    from core.performer.livetalk.spec import Numbers

SIZES = Sizes(
    dim=48,
    ffn_dim=64,
    layers=3,
    heads=2,
    text_dim=16,
    audio_dim=5,
    audio_hidden=6,
    audio_layers=(),
    latent_channels=4,
    freq_dim=32,
)
HEARING = dataclasses.replace(SIZES, audio_layers=(1, 2))
FRAMES, PLANE = 3, (4, 6)
CPU = torch.device("cpu")


def transformer(sizes: Sizes = SIZES, seed: int = 0) -> Transformer:
    torch.manual_seed(seed)
    model = Transformer(sizes).requires_grad_(False).eval()
    for parameter in model.parameters():
        parameter += 0.05 * torch.randn_like(parameter)  # nothing stays at one or zero
    return model


def wan(model: Transformer) -> WanTransformer3DModel:
    """diffusers' model of the same sizes, with the same weights under its own names."""
    from diffusers import WanTransformer3DModel

    sizes = model.sizes
    theirs = WanTransformer3DModel(
        num_attention_heads=sizes.heads,
        attention_head_dim=sizes.head_dim,
        in_channels=sizes.in_channels,
        out_channels=sizes.latent_channels,
        text_dim=sizes.text_dim,
        freq_dim=sizes.freq_dim,
        ffn_dim=sizes.ffn_dim,
        num_layers=sizes.layers,
        cross_attn_norm=True,
        eps=sizes.eps,
    )
    parts = (
        ("text_embedding.0.", "condition_embedder.text_embedder.linear_1."),
        ("text_embedding.2.", "condition_embedder.text_embedder.linear_2."),
        ("time_embedding.0.", "condition_embedder.time_embedder.linear_1."),
        ("time_embedding.2.", "condition_embedder.time_embedder.linear_2."),
        ("time_projection.1.", "condition_embedder.time_proj."),
        ("head.head.", "proj_out."),
        ("head.modulation", "scale_shift_table"),
        (".modulation", ".scale_shift_table"),
        ("self_attn.", "attn1."),
        ("cross_attn.", "attn2."),
        *((f".{letter}.", f".to_{letter}.") for letter in "qkv"),
        (".o.", ".to_out.0."),
        ("norm3.", "norm2."),
        ("ffn.0.", "ffn.net.0.proj."),
        ("ffn.2.", "ffn.net.2."),
    )
    renamed: dict[str, torch.Tensor] = {}
    for name, tensor in model.state_dict().items():
        for ours, their in parts:
            name = name.replace(ours, their)
        if not name.startswith("audio_"):
            renamed[name] = tensor
    theirs.load_state_dict(renamed, strict=True)
    return theirs.eval()


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents, timesteps, text."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, FRAMES, SIZES.in_channels, *PLANE, generator=generator)
    return x, torch.tensor([[1000.0, 624.0, 3.0]]), torch.randn(1, 7, SIZES.text_dim, generator=generator)


def flow_of(model: Transformer) -> torch.Tensor:
    x, when, text = inputs()
    condition = Condition(model.text_keys(text), model.audio_terms(torch.ones(1, 4 * FRAMES, model.sizes.audio_dim)))
    return model(x, when, condition, Clip(model.rope(*PLANE).rotation(range(FRAMES)), model.sizes.heads))


@torch.inference_mode()
def test_the_transformer_is_diffusers_wan() -> None:
    model, (x, when, text) = transformer(), inputs()
    condition = Condition(model.text_keys(text), torch.zeros(0))
    ours = model(x, when, condition, Clip(model.rope(*PLANE).rotation(range(FRAMES)), SIZES.heads))
    tokens = (PLANE[0] // 2) * (PLANE[1] // 2)
    (theirs,) = wan(model)(x.transpose(1, 2), when.repeat_interleave(tokens, 1), text, return_dict=False)
    assert ours.std() > 0.1
    assert (ours - theirs.transpose(1, 2)).abs().max() < 1e-5


@torch.inference_mode()
def test_one_timestep_for_the_clip_is_diffusers_wan_too() -> None:
    model, (x, _, text) = transformer(seed=3), inputs()
    condition = Condition(model.text_keys(text), torch.zeros(0))
    memory = Clip(model.rope(*PLANE).rotation(range(FRAMES)), SIZES.heads)
    ours = model(x, torch.full((1, FRAMES), 832.0), condition, memory)
    (theirs,) = wan(model)(x.transpose(1, 2), torch.tensor([832.0]), text, return_dict=False)
    assert (ours - theirs.transpose(1, 2)).abs().max() < 1e-5


@torch.inference_mode()
def test_sound_is_added_before_its_layers_and_moves_the_picture() -> None:
    model = transformer(HEARING)
    (x, when, text), features = inputs(), torch.randn(1, 4 * FRAMES, HEARING.audio_dim)
    memory = Clip(model.rope(*PLANE).rotation(range(FRAMES)), HEARING.heads)
    terms = model.audio_terms(features)
    assert terms.shape == (2, 1, FRAMES, HEARING.dim)
    entered: list[torch.Tensor] = []
    for block in model.blocks:
        block.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    left: list[torch.Tensor] = []
    for block in model.blocks:
        block.register_forward_hook(lambda _, __, out: left.append(out))
    model(x, when, Condition(model.text_keys(text), terms), memory)
    per_frame = x.shape[-1] * x.shape[-2] // 4
    for layer in (1, 2):
        added = (entered[layer] - left[layer - 1]).unflatten(1, (FRAMES, per_frame))
        assert torch.allclose(added, terms[layer - 1][:, :, None].expand_as(added), atol=1e-5)


@torch.inference_mode()
def test_one_product_for_q_k_v_gives_the_same_numbers() -> None:
    model = transformer(HEARING)
    apart = flow_of(model)
    assert (flow_of(fuse(model)) - apart).abs().max() < 2e-6
    assert not any("self_attn.q." in name for name in model.state_dict())


@torch.inference_mode()
def test_compiled_blocks_give_the_same_numbers_from_one_compilation() -> None:
    counters.clear()
    plain = flow_of(fuse(transformer(HEARING)))
    assert torch.allclose(flow_of(compile_blocks(fuse(transformer(HEARING)), "aot_eager")), plain, atol=1e-6)
    assert counters["stats"]["unique_graphs"] == 2, "one for what is asked, one for the answer, for all three blocks"


@torch.inference_mode()
def test_what_is_compiled_has_no_complex_numbers_which_no_compiler_joins() -> None:
    calls: list[str] = []

    def backend(graph: GraphModule, _: list[torch.Tensor]) -> GraphModule:
        calls.extend(str(node.target) for node in graph.graph.nodes)
        return graph

    rotation, x = Rope(24, 2, 3).rotation(range(2)), torch.randn(1, 12, 48)
    compiled = torch.compile(rotation.apply, backend=backend, fullgraph=True)
    assert torch.allclose(compiled(x, 2), rotation.apply(x, 2), atol=1e-6)
    assert calls
    assert not [call for call in calls if "complex" in call or "view_as_real" in call]


@torch.inference_mode()
def test_weights_in_eight_bits_give_nearly_the_same_numbers() -> None:
    whole = flow_of(transformer(HEARING))
    rounded = flow_of(to_fp8(fuse(transformer(HEARING)), native=False))
    assert not torch.equal(whole, rounded)
    assert (whole - rounded).abs().max() < 0.1 * whole.std()


@torch.inference_mode()
def test_multiplying_in_eight_bits_is_multiplying_the_same_weights() -> None:
    torch.manual_seed(0)
    linear, x = nn.Linear(64, 32), torch.randn(2, 5, 64)
    scales = x.abs().amax(-1, keepdim=True) / 448
    rounded = (x / scales).to(torch.float8_e4m3fn).float() * scales
    native, widened = (Fp8Linear(linear, native=native) for native in (True, False))
    assert native(x).shape == (2, 5, 32)
    assert (native(x) - widened(rounded)).abs().max() < 1e-5
    assert (widened(x) - linear(x)).abs().max() < 0.1 * linear(x).std()


@torch.inference_mode()
def test_every_large_weight_of_a_block_is_in_eight_bits() -> None:
    model = random_transformer(TINY.transformer, device=CPU, dtype=torch.float32, linears="fp8", native=False)
    assert not [name for name, part in model.blocks.named_modules() if isinstance(part, nn.Linear)]
    bits = sum(tensor.numel() for tensor in model.state_dict().values() if tensor.dtype is torch.float8_e4m3fn)
    assert bits > 0.9 * sum(tensor.numel() for tensor in model.blocks.state_dict().values())
    large = LIVETALK_1_3B.transformer
    weights = large.layers * large.dim * (8 * large.dim + 2 * large.ffn_dim)
    assert weights > 0.97 * 1_421_187_232


@pytest.mark.parametrize(("linears", "wanted_mb"), [("half", 2842), ("fp8", 1465)])
def test_the_weights_are_as_large_as_said(linears: Numbers, wanted_mb: int) -> None:
    with torch.device("meta"):
        model = prepared(Transformer(LIVETALK_1_3B.transformer).to(torch.bfloat16), linears=linears, native=False)
    assert sum(tensor.nbytes for tensor in model.state_dict().values()) / 1e6 == pytest.approx(wanted_mb, abs=30)


@pytest.mark.parametrize("fp8", [False, True])
def test_a_block_of_the_real_size_goes_through(fp8: bool) -> None:
    spec, nowhere = LIVETALK_1_3B, torch.device("meta")
    sizes = dataclasses.replace(spec.transformer, layers=2, audio_layers=(1,))
    with nowhere:
        model = fuse(Transformer(sizes).to(torch.bfloat16))
        text = model.text_keys(torch.zeros(1, spec.text.rows, spec.text.dim, dtype=torch.bfloat16))
        features = torch.zeros(1, spec.block_frames, spec.audio.features, dtype=torch.bfloat16)
        x = torch.zeros(1, 3, 33, spec.latent_height, spec.latent_width, dtype=torch.bfloat16)
        when = torch.zeros(1, 3)
    rope = model.rope(spec.latent_height, spec.latent_width, nowhere)
    kept = {"layers": 2, "heads": sizes.heads, "width": sizes.dim}
    cache = SinkCache(spec.window, rope, **kept, dtype=torch.bfloat16, device=nowhere, fp8=fp8)
    for _ in range(6):
        cache.open_block()
        assert model(x, when, Condition(text, model.audio_terms(features)), cache).shape == (1, 3, 16, 64, 64)
    keys, values = cache.extend(0, *torch.zeros(2, 1, 3072, 1536, dtype=torch.bfloat16, device=nowhere))
    assert keys.shape == values.shape == (1, 15 * 1024, 1536)


def test_all_kernels_agree() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 2, 5, 12), torch.randn(1, 2, 9, 12), torch.randn(1, 2, 9, 12)
    for mask in (None, torch.rand(5, 9) > 0.3):
        written_out = (q @ k.transpose(-1, -2)) / 12**0.5
        if mask is not None:
            written_out = written_out.masked_fill(~mask, float("-inf"))
        wanted = written_out.softmax(-1) @ v
        for kernel in (standard_kernel, fast_kernel):
            assert torch.allclose(kernel(q, k, v, mask), wanted, atol=1e-6)
    assert choose_kernel(CPU) is standard_kernel
    assert choose_kernel(torch.device("cuda", 0)) is fast_kernel


def test_an_installed_kernel_in_eight_bits_is_taken_where_it_can_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, served = torch.device("cuda", 0), list[int]()

    def sageattn(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **options: object) -> torch.Tensor:
        assert options == {"tensor_layout": "HND", "is_causal": False}
        served.append(q.shape[-1])
        return standard_kernel(q, k, v, None)

    assert choose_kernel(gpu, eight_bits=True) is fast_kernel, "nothing is installed"
    installed = types.ModuleType("sageattention")
    installed.__spec__ = ModuleSpec("sageattention", None)
    installed.sageattn = sageattn  # type: ignore[attr-defined]  # a package that is not here
    monkeypatch.setitem(sys.modules, "sageattention", installed)
    assert choose_kernel(gpu) is fast_kernel
    assert choose_kernel(CPU, eight_bits=True) is standard_kernel
    kernel = choose_kernel(gpu, eight_bits=True)
    for head in (24, 128):
        for keys in (9, 1024):
            q, k, v = torch.randn(1, 2, 5, head), torch.randn(1, 2, keys, head), torch.randn(1, 2, keys, head)
            for mask in (None, torch.ones(5, keys, dtype=torch.bool)):
                assert torch.allclose(kernel(q, k, v, mask), standard_kernel(q, k, v, mask), atol=1e-6)
    assert served == [128], "once: with many keys, a head that it knows, and no mask"


@torch.inference_mode()
def test_a_fused_model_in_eight_bits_streams() -> None:
    model = random_transformer(TINY.transformer, device=CPU, dtype=torch.bfloat16, linears="fp8", native=True)
    sizes = model.sizes
    cache = SinkCache(
        Window(2, 1, 1), model.rope(4, 4), layers=sizes.layers, heads=sizes.heads, width=sizes.dim, dtype=torch.bfloat16
    )
    text = model.text_keys(torch.randn(1, 4, sizes.text_dim, dtype=torch.bfloat16))
    features = torch.randn(1, 4, sizes.audio_dim, dtype=torch.bfloat16)
    for _ in range(4):
        cache.open_block()
        x = torch.randn(1, 1, sizes.in_channels, 4, 4, dtype=torch.bfloat16)
        flow = model(x, torch.zeros(1, 1), Condition(text, model.audio_terms(features)), cache)
        assert flow.dtype is torch.bfloat16
        assert flow.isfinite().all()


def test_the_spec_has_the_geometry_of_the_release() -> None:
    spec = LIVETALK_1_3B
    assert (spec.latent_height, spec.latent_width, spec.tokens_per_frame) == (64, 64, 1024)
    assert [spec.frames_of(block) for block in range(3)] == [9, 12, 12]
    assert (spec.samples_per_frame, spec.audio_samples_per_frame) == (1500, 1000)
    assert spec.transformer.audio_dim == 10_752
    assert spec.transformer.audio_layers == tuple(range(2, 16))
    assert LIVETALK_14B.transformer.audio_layers == tuple(range(2, 21))
    assert spec.window == Window(5, 3, 3)
    assert dataclasses.replace(spec, rolling="paper", positions="stream").window == Window(
        5, 3, 3, absolute=True, counts_itself=False
    )
    assert spec.schedule.timesteps == (1000.0, 936.0, 832.0, 624.0)
    assert spec.schedule.sigmas == pytest.approx((1.0, 15 / 16, 5 / 6, 5 / 8))
    assert (spec.audio.hop, spec.audio.span) == (320, 400)
    assert [preset.memory_mb for preset in PRESETS] == sorted((p.memory_mb for p in PRESETS), reverse=True)
    assert QUALITY.memory_mb <= 11_000
    assert LOW.memory_mb <= 6_000
    assert spec.performer_spec(FAST).lookahead == spec.audio_lookahead_frames * 1500


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": 17}, "do not divide"),
        ({"audio_window_frames": 12}, "does not hold a block"),
        ({"audio": LIVETALK_1_3B.audio}, "for a model that hears"),
        ({"text": LIVETALK_1_3B.text}, "for a model that reads"),
        ({"vae": dataclasses.replace(TINY.vae, latent_channels=8)}, "latent channels"),
    ],
)
def test_a_spec_whose_parts_do_not_fit_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(TINY, **changes)  # type: ignore[arg-type]  # whatever the case says
