"""The diffusion transformer: streams with every kind of window, one pass in detail, the training pass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch

from core.performer.diffusion.attention import Clip, SinkCache, block_causal_mask
from core.performer.diffusion.linears import fuse
from core.performer.diffusion.sampler import denoise
from core.performer.diffusion.schedule import RELEASED, Schedule
from core.performer.diffusion.sizes import Sizes
from core.performer.diffusion.transformer import Condition, TextKeys, Transformer
from core.performer.diffusion.window import Window
from tests.golden.folder import Case, greatest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from tests.golden.folder import Folder

BOUND = 1e-5
HALF_BOUND = 0.045
"""Two bf16 runs differ by 0.03; a wrong rule of eviction gives 0.055 and more."""


@dataclass(frozen=True)
class Model:
    """The weights and inputs that all files with one prefix share."""

    folder: Folder
    prefix: str

    @cached_property
    def made(self) -> dict[str, object]:
        return self.folder.config(f"{self.prefix}_weights")

    @property
    def block_frames(self) -> int:
        return int(str(self.made["frames_per_block"]))

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        return self.folder.tensors(f"{self.prefix}_inputs")

    @cached_property
    def sound(self) -> dict[str, Tensor]:
        return self.folder.tensors(f"{self.prefix}_audio")

    @property
    def plane(self) -> tuple[int, int]:
        height, width = self.inputs["noise"].shape[-2:]
        return height, width

    def load(self, dtype: torch.dtype = torch.float32, *, fused: bool = False) -> Transformer:
        """The released architecture at the size of the weights, loaded strictly."""
        weights, made = self.folder.tensors(f"{self.prefix}_weights"), self.folder.config(f"{self.prefix}_weights")
        hidden, packed = weights["audio_proj.proj.weight"].shape
        sizes = Sizes(
            dim=made["dim"],
            ffn_dim=made["ffn_dim"],
            layers=made["num_layers"],
            heads=made["num_heads"],
            text_dim=made["text_dim"],
            audio_dim=packed // 4,
            audio_hidden=hidden,
            audio_layers=tuple(range(2, made["num_layers"] // 2 + 1)),
            freq_dim=made["freq_dim"],
        )
        model = Transformer(sizes)
        model.load_state_dict(weights)
        model = model.requires_grad_(False).eval().to(dtype)
        return fuse(model) if fused else model

    def text(self, model: Transformer) -> TextKeys:
        return model.text_keys(self.inputs["prompt_embeds"].to(model.head.modulation.dtype))

    def terms(self, frames: slice) -> Tensor:
        return self.sound["cond"][None, :, frames, 0, 0].transpose(0, 1)

    def given(self, frames: slice) -> Tensor:
        """Reference latent and mask as the network sees them, [1, frames, 17, h, w]."""
        return self.inputs["img_lat"].transpose(1, 2)[:, frames]

    def cache(self, model: Transformer, window: Window, dtype: torch.dtype = torch.float32) -> SinkCache:
        sizes = model.sizes
        rope = model.rope(*self.plane)
        return SinkCache(window, rope, layers=sizes.layers, heads=sizes.heads, width=sizes.dim, dtype=dtype)


def cases(folder: Folder) -> Iterator[Case]:
    for stem in folder.stems:
        prefix = stem.partition("_run_")[0] if "_run_" in stem else stem.rpartition("_")[0]
        if stem.endswith("_train_forward"):
            prefix = stem.removesuffix("_train_forward")
        needs = tuple(f"{prefix}_{part}" for part in ("weights", "inputs", "audio"))
        if not folder.has(stem, *needs):
            continue
        model, files = Model(folder, prefix), (stem, *needs)
        if "_run_" in stem:
            yield from _run_cases(model, stem, files)
        elif stem.endswith("_trace"):
            yield Case(f"{stem}: one pass, layer by layer", files, BOUND, partial(trace, model, stem))
        elif stem.endswith("_train_forward"):
            yield from _training_cases(model, stem, files)
        elif stem.endswith("_audio"):
            yield Case(f"{stem}: terms of every layer", files, 1e-6, partial(audio_terms, model))


def _run_cases(model: Model, stem: str, files: tuple[str, ...]) -> Iterator[Case]:
    half = model.folder.config(stem).get("dtype") == "torch.bfloat16"
    dtype = torch.bfloat16 if half else torch.float32
    bound = HALF_BOUND if half else BOUND
    yield Case(f"{stem}: {'smoke' if half else 'stream'}", files, bound, partial(run, model, stem, dtype))
    if stem.endswith("ahis"):
        yield Case(f"{stem}: q, k, v in one", files, bound, partial(run, model, stem, dtype, fused=True))


def run(model: Model, stem: str, dtype: torch.dtype, *, fused: bool = False) -> float:
    """Every block of a stream, fed with the release's own noise: flows, clean latents, the clean pass."""
    golden, made = model.folder.tensors(stem), model.folder.config(stem)
    network, frames = model.load(dtype, fused=fused), model.block_frames
    local = made["local_attn_size"]
    blocks = made["blocks"]
    window = Window(blocks if local < 0 else local // frames, made["sink_size"] // frames, frames, absolute=True)
    cache = model.cache(network, window, dtype)
    schedule = Schedule(tuple(made.get("sigmas", RELEASED.sigmas)), tuple(golden["timesteps"].tolist()))
    # in bf16 errors build up along the stream; what a smoke test can ask for is the latents
    only = ("clean",) if dtype is torch.bfloat16 else ("flow", "x0", "clean", "flow_ctx")
    text, errors = model.text(network), [0.0]
    for block in range(blocks):
        made_here = _block(model, network, text, cache, golden, schedule, block)
        errors += [
            greatest(seen.float(), golden[name]) for name, seen in made_here.items() if name.partition(".")[0] in only
        ]
    return max(errors)


def _block(
    model: Model,
    network: Transformer,
    text: TextKeys,
    cache: SinkCache,
    golden: dict[str, Tensor],
    schedule: Schedule,
    block: int,
) -> dict[str, Tensor]:
    """What one block gives, by the names of the golden tensors."""
    frames = slice(model.block_frames * block, model.block_frames * (block + 1))
    dtype = network.head.modulation.dtype
    condition, given = Condition(text, model.terms(frames).to(dtype)), model.given(frames).to(dtype)
    made: dict[str, Tensor] = {}

    def flow(x: Tensor, timestep: float) -> Tensor:
        step = sum(name.startswith("flow.") for name in made)
        seen = network(torch.cat((x, given), 2), torch.full((1, model.block_frames), timestep), condition, cache)
        made[f"flow.{block}.{step}"] = seen
        made[f"x0.{block}.{step}"] = x - schedule.sigmas[step] * seen
        return seen

    renoise = [golden[f"renoise.{block}.{step}"][None] for step in range(len(schedule.sigmas) - 1)]
    noises = iter([model.inputs["noise"][:, frames], *renoise])
    cache.open_block()
    channels = model.inputs["noise"].shape[2]
    first = given[:, 0, :channels] if block == 0 else None
    clean = denoise(flow, lambda: next(noises).to(dtype), schedule, first=first)
    made[f"clean.{block}"] = clean
    made[f"flow_ctx.{block}"] = network(
        torch.cat((clean, given), 2), torch.zeros(1, model.block_frames), condition, cache
    )
    return made


def trace(model: Model, stem: str) -> float:
    """One pass over the second block, what enters and leaves every layer."""
    golden, network, frames = model.folder.tensors(stem), model.load(), model.block_frames
    cache = model.cache(network, Window(7, 0, frames, absolute=True))
    seen: dict[str, Tensor] = {}
    for index, block in enumerate(network.blocks):

        def note(_: object, given: tuple[Tensor, ...], out: Tensor, name: str = f"block.{index}") -> None:
            seen[f"{name}.in"], seen[f"{name}.out"] = given[0], out

        block.register_forward_hook(note)
    for block, timestep in ((0, 0.0), (1, 936.0)):
        part = slice(block * frames, (block + 1) * frames)
        cache.open_block()
        x = torch.cat((model.inputs["noise"][:, part], model.given(part)), 2)
        network(x, torch.full((1, frames), timestep), Condition(model.text(network), model.terms(part)), cache)
    seen["text_embedding"] = network.text_embedding(model.inputs["prompt_embeds"])
    return max(greatest(value, golden[name]) for name, value in seen.items() if name in golden)


def audio_terms(model: Model) -> float:
    """Features of a clip to what is added before each layer."""
    features = model.sound["features"]
    first = features[:, :1].expand(-1, 3, -1)
    terms = model.load().audio_terms(torch.cat((first, features), 1))
    return greatest(terms, model.sound["cond"][:, None, :, 0, 0])


def _training_cases(model: Model, stem: str, files: tuple[str, ...]) -> Iterator[Case]:
    # the local variant looks at its own block and one before, whatever its window says in frames
    kinds = (
        ("flow_causal", "block-causal", partial(clip, model, stem, "flow_causal", causal=True)),
        ("flow_causal_local6", "local", partial(clip, model, stem, "flow_causal_local6", causal=True, local_blocks=2)),
        ("flow_bidirectional", "both ways", partial(clip, model, stem, "flow_bidirectional")),
        ("flow_bidirectional_zero_audio", "no sound", partial(clip, model, stem, "flow_bidirectional_zero_audio")),
    )
    there = model.folder.tensors(stem)
    for name, words, error in kinds:
        if name in there:
            yield Case(f"{stem}: {words}", files, BOUND, error)


def clip(model: Model, stem: str, name: str, *, causal: bool = False, local_blocks: int | None = None) -> float:
    """All frames of a clip in one pass, as in training."""
    golden, network = model.folder.tensors(stem), model.load()
    count = golden[name].shape[2]
    frames = slice(0, count)
    tokens = model.block_frames * network.rope(*model.plane).tokens_per_frame
    mask = block_causal_mask(count // model.block_frames, tokens, local_blocks=local_blocks) if causal else None
    memory = Clip(network.rope(*model.plane).rotation(range(count)), network.sizes.heads, mask)
    when = golden["timesteps"] if causal else torch.full((1, count), 832.0)
    condition = Condition(model.text(network), model.terms(frames))
    if name.endswith("zero_audio"):
        silence = torch.zeros(1, 4 * count, network.sizes.audio_dim)
        condition = Condition(condition.text, network.audio_terms(silence))
    x = torch.cat((model.inputs["noise"][:, frames], model.given(frames)), 2)
    return greatest(network(x, when, condition, memory).transpose(1, 2), golden[name])
