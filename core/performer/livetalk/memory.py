"""What LiveTalk needs of a device's memory, counted tensor by tensor without a device.

Every module and cache is built on torch's meta device, where tensors have sizes and no content; what a call needs for
the time of the call is found by making it there and following every tensor from its birth to its end.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from core.performer.diffusion.attention import SinkCache
from core.performer.diffusion.sizes import FRAMES_PER_LATENT
from core.performer.diffusion.transformer import Condition, Transformer
from core.performer.livetalk.checkpoint import prepared
from core.performer.livetalk.frames import to_pixels
from core.performer.livetalk.model import small_sizes
from core.performer.livetalk.prompts import all_prompts
from core.performer.livetalk.small_decoder import SmallDecoder
from core.performer.livetalk.vae import WanVae
from core.performer.livetalk.wav2vec import Wav2Vec2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from core.performer.livetalk.spec import LiveTalkSpec, Preset

_META = torch.device("meta")
LIBRARIES = 700_000_000
"""CUDA's context and the libraries' workspaces, which no tensor shows: an estimate, not a count."""


@dataclass(frozen=True)
class Item:
    """One line of the count, in bytes."""

    name: str
    size: int


def count(spec: LiveTalkSpec, preset: Preset, dtype: torch.dtype = torch.bfloat16) -> list[Item]:
    """Everything that the preset keeps, then what its calls need while they run."""
    with _META:
        vae, hearing = WanVae(spec.vae).to(dtype), Wav2Vec2(spec.audio)
        small = SmallDecoder(small_sizes(spec)).to(dtype)
        transformer = prepared(Transformer(spec.transformer).to(dtype), linears=preset.linears, native=True)
    transformer.requires_grad_(False)
    decoder = small if preset.decoder == "small" else vae
    frames = decoder.open(spec.latent_height, spec.latent_width)
    rows = torch.empty(1, spec.text.rows, spec.text.dim, dtype=dtype, device=_META)
    with torch.inference_mode():
        text = transformer.text_keys(rows)
        cache = _full_cache(spec, preset, transformer, dtype)
        times = _times(spec)
        moments = [transformer.moment(torch.full_like(times, step)) for step in (*spec.timesteps, 0.0)]
        kept = [
            Item("transformer, weights", held(transformer)),
            Item("keys and values of the past", held(cache)),
            Item("keys and values of the text", held(text)),
            Item("what the steps are told", held(moments)),
            Item("prompts", len(all_prompts()) * held(rows)),
            Item("picture encoder, weights", held(vae.encoder) + held(vae.conv1)),
            Item("decoder, weights", held(small) if preset.decoder == "small" else held(vae.decoder) + held(vae.conv2)),
            Item("decoder, what it remembers", held(list(frames.tensors()))),
            Item("hearing, weights", held(hearing)),
        ]
        latents = torch.empty(_latents(spec, 1), dtype=dtype, device=_META)
        one_pass = _one_pass(spec, transformer, cache, text, moments[0], dtype)
        drawing = peak(lambda: to_pixels(frames.later(latents)))
        picture = torch.empty(1, 3, spec.height, spec.width, device=_META)
        looking = peak(lambda: vae.encode(picture))
    return [
        *kept,
        Item("a pass, captured", one_pass),
        Item("a pass, of a stream's first blocks", one_pass),
        Item("drawing a latent", drawing),
        Item("looking at a portrait", looking),
    ]


def total(items: list[Item]) -> int:
    return sum(item.size for item in items) + LIBRARIES


def held(thing: Any) -> int:
    """Bytes of all tensors that can be reached from `thing` through attributes, lists, tuples and dicts; what several
    tensors share counts once."""
    found: dict[int, int] = {}
    for tensor in _tensors(thing, set()):
        storage = tensor.untyped_storage()
        found[storage._cdata] = storage.nbytes()  # pyright: ignore[reportPrivateUsage]  # torch's own name for a storage
    return sum(found.values())


def peak(call: Callable[[], object]) -> int:
    """The most bytes that were alive at one time of all that was made during the call."""
    with _Following() as following, _FusedAttention():
        call()
    return following.most


def _tensors(thing: Any, seen: set[int]) -> Iterator[Tensor]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        yield thing
    for part in _parts(thing):
        yield from _tensors(part, seen)


def _parts(thing: Any) -> Iterable[Any]:
    if isinstance(thing, nn.Module):
        return (*thing.parameters(), *thing.buffers())
    if isinstance(thing, dict):
        return thing.values()
    if isinstance(thing, list | tuple):
        return thing
    if type(thing).__module__.startswith("core.") and not isinstance(thing, type):
        return vars(thing).values()
    return ()


class _Following(TorchDispatchMode):
    """Counts storages as they are made and as they go."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {storage for storage in map(_storage, (*args, *(kwargs or {}).values())) if storage is not None}
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, list | tuple) else (made,):
            if isinstance(tensor, Tensor):
                self._follow(tensor, given)
        return made

    def _follow(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata  # pyright: ignore[reportPrivateUsage]  # torch's own name for a storage
        if key in given or key in self._alive:
            return
        self._alive[key] = storage.nbytes()
        weakref.finalize(storage, self._alive.pop, key, None)
        self.most = max(self.most, sum(self._alive.values()))


def _storage(thing: object) -> int | None:
    return thing.untyped_storage()._cdata if isinstance(thing, Tensor) else None  # pyright: ignore[reportPrivateUsage]


class _FusedAttention(TorchFunctionMode):
    """Attention as a GPU computes it, without a matrix of all pairs; the meta device would make one."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))


def _latents(spec: LiveTalkSpec, frames: int) -> tuple[int, ...]:
    return (1, frames, spec.transformer.latent_channels, spec.latent_height, spec.latent_width)


def _times(spec: LiveTalkSpec) -> Tensor:
    return torch.zeros(1, spec.block_latents, device=_META)


def _full_cache(spec: LiveTalkSpec, preset: Preset, transformer: Transformer, dtype: torch.dtype) -> SinkCache:
    sizes = transformer.sizes
    cache = SinkCache(
        spec.window,
        transformer.rope(spec.latent_height, spec.latent_width, _META),
        layers=sizes.layers,
        heads=sizes.heads,
        width=sizes.dim,
        dtype=dtype,
        device=_META,
        fp8=preset.cache == "fp8",
    )
    for _ in range(spec.window.slots + 1):
        cache.open_block()
    return cache


def _one_pass(
    spec: LiveTalkSpec, transformer: Transformer, cache: SinkCache, text: Any, moment: Any, dtype: torch.dtype
) -> int:
    frames = spec.block_latents
    x = torch.empty(
        1, frames, spec.transformer.in_channels, spec.latent_height, spec.latent_width, dtype=dtype, device=_META
    )
    features = torch.empty(1, FRAMES_PER_LATENT * frames, spec.audio.features, dtype=dtype, device=_META)

    def run() -> None:
        condition = Condition(text, transformer.audio_terms(features))
        transformer.flow_at(moment, x, condition, cache)

    return peak(run)
