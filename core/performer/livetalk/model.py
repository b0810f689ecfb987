"""LiveTalk's weights, loaded: from files, or drawn at random for measuring and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from core.errors import PerformerError, Problem
from core.performer.diffusion.linears import compile_blocks
from core.performer.livetalk.checkpoint import load_strictly, load_transformer, random_transformer
from core.performer.livetalk.prompts import SCENE, all_prompts, prompt_for
from core.performer.livetalk.small_decoder import SmallDecoder, SmallSizes, own_name
from core.performer.livetalk.text_encoder import PromptCache, open_umt5, weights_key
from core.performer.livetalk.vae import WanVae
from core.performer.livetalk.wav2vec import Wav2Vec2, load_wav2vec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from core.performer.device import Device
    from core.performer.diffusion.transformer import Transformer
    from core.performer.livetalk.frames import FrameDecoder
    from core.performer.livetalk.spec import LiveTalkSpec, ModelFiles, Preset

_Module = TypeVar("_Module", bound=nn.Module)
_CPU = torch.device("cpu")
_ROOM_BESIDE_ENCODER = 1.3
"""Of the size of the text encoder's file, what a device's memory must have for it to run there."""


@dataclass(frozen=True, eq=False)
class LiveTalkModel:
    """Everything that does not change while it runs, on its device."""

    spec: LiveTalkSpec
    preset: Preset
    transformer: Transformer
    vae: WanVae
    """Of which the encoder is on the device, and the decoder too where the preset draws with it."""
    frames: FrameDecoder
    hearing: Wav2Vec2
    prompts: Mapping[str, Tensor]
    """Encoded, [1, rows, text dim] each, on the device."""


def load_model(
    spec: LiveTalkSpec,
    files: ModelFiles,
    preset: Preset,
    device: Device,
    prompt_folder: Path,
    style: str = "",
    *,
    compiled: bool = False,
) -> LiveTalkModel:
    """The model as `preset` runs it. Prompts that are not in `prompt_folder` are encoded first and kept there: all
    that there are, or only that of `style` and the plain one where the encoder would have to run on the processor.

    Args:
        compiled: have the transformer's blocks compiled in their first pass.

    Raises:
        PerformerError: a file is missing, damaged or another model's.
    """
    place, dtype = device.torch_device, device.dtype
    prompts = _prompts(spec, files, device, prompt_folder, style)
    with torch.device("meta"):
        vae = WanVae(spec.vae)
    load_strictly(vae, files.vae, what="the Wan2.1 video VAE", device=torch.device("cpu"), dtype=dtype)
    if preset.decoder == "small":
        small = _small_decoder(spec, files, device)
        frames: FrameDecoder = small
    else:
        frames = vae
    transformer = load_transformer(
        files.transformer,
        spec.transformer,
        device=place,
        dtype=dtype,
        linears=preset.linears,
        attention=preset.attention,
        native=device.eight_bits,
    )
    return LiveTalkModel(
        spec=spec,
        preset=preset,
        transformer=compile_blocks(transformer) if compiled else transformer,
        vae=_placed(vae, preset, place),
        frames=frames,
        hearing=load_wav2vec(files.audio, spec.audio, device=place),
        prompts=prompts,
    )


def random_model(
    spec: LiveTalkSpec,
    preset: Preset,
    device: Device,
    seed: int = 0,
    *,
    compiled: bool = False,
    drawn: torch.device = _CPU,
) -> LiveTalkModel:
    """The same sizes and the same work without a file; what it draws is noise.

    Args:
        drawn: where the numbers are drawn. On a GPU that is a second instead of half a minute, and they are others.
    """
    place, dtype = device.torch_device, device.dtype
    with torch.random.fork_rng(devices=[]), drawn:
        torch.manual_seed(seed)
        vae = WanVae(spec.vae).to(dtype)
        small = SmallDecoder(small_sizes(spec)).to(place, dtype)
        hearing = Wav2Vec2(spec.audio).to(place)
        rows = [torch.randn(1, spec.text.rows, spec.text.dim).to(place, dtype) for _ in all_prompts()]
        transformer = random_transformer(
            spec.transformer,
            device=place,
            dtype=dtype,
            seed=seed,
            linears=preset.linears,
            attention=preset.attention,
            native=device.eight_bits,
        )
    return LiveTalkModel(
        spec=spec,
        preset=preset,
        transformer=compile_blocks(transformer) if compiled else transformer,
        vae=_placed(_still(vae), preset, place),
        frames=_still(small) if preset.decoder == "small" else vae,
        hearing=_still(hearing),
        prompts=dict(zip(all_prompts(), rows, strict=True)),
    )


def _prompts(spec: LiveTalkSpec, files: ModelFiles, device: Device, folder: Path, style: str) -> dict[str, Tensor]:
    """Prompts, encoded; the encoder is gone when this returns. Those that were encoded before need none."""
    needed = [SCENE, prompt_for(style)]
    if files.text is None or files.tokenizer is None:
        cache = PromptCache.last(folder, spec.text)
        if cache is None or any(cache.load(prompt) is None for prompt in needed):
            raise PerformerError(
                Problem.MODEL_MISSING,
                "The text encoder of LiveTalk 1.3B is not here.",
                "Fetch it with “livetalk models fetch livetalk-1.3b”.",
            )
        return _loaded(cache, device)
    text, tokenizer = files.text, files.tokenizer
    fits = device.memory().total > _ROOM_BESIDE_ENCODER * text.stat().st_size
    place = device.torch_device if fits else torch.device("cpu")
    cache = PromptCache(folder, spec.text, weights_key(text))
    cache.encode(
        all_prompts() if fits else needed,
        lambda: open_umt5(text, tokenizer, spec.text, device=place, dtype=torch.bfloat16),
    )
    device.release()
    return _loaded(cache, device)


def _loaded(cache: PromptCache, device: Device) -> dict[str, Tensor]:
    """All prompts that have been encoded, on the device."""
    encoded = {prompt: cache.load(prompt) for prompt in all_prompts()}
    return {
        prompt: rows.to(device=device.torch_device, dtype=device.dtype)
        for prompt, rows in encoded.items()
        if rows is not None
    }


def _small_decoder(spec: LiveTalkSpec, files: ModelFiles, device: Device) -> SmallDecoder:
    if files.small_decoder is None:
        raise PerformerError(
            Problem.MODEL_MISSING,
            "The small decoder (TAEHV) is not here.",
            "Fetch it with “livetalk models fetch livetalk-1.3b”, or choose the preset “quality”.",
        )
    with torch.device("meta"):
        small = SmallDecoder(small_sizes(spec))
    load_strictly(
        small,
        files.small_decoder,
        what="the small decoder (TAEHV)",
        device=device.torch_device,
        dtype=device.dtype,
        rename=own_name,
    )
    return _still(small)


def small_sizes(spec: LiveTalkSpec) -> SmallSizes:
    """The published sizes, brought down as far as the video VAE is."""
    published, released = SmallSizes(), 96
    widths = tuple(max(4, width * spec.vae.dim // released) for width in published.widths)
    return SmallSizes(widths=widths, latent_channels=spec.vae.latent_channels)


def _placed(vae: WanVae, preset: Preset, place: torch.device) -> WanVae:
    """Only the halves that are used take room on the device."""
    _still(vae)
    vae.encoder.to(place)
    vae.conv1.to(place)
    rest = place if preset.decoder == "wan" else torch.device("meta")
    vae.decoder.to(rest)
    vae.conv2.to(rest)
    if place.type != "cpu":
        _channels_last(vae)
    return vae


def _channels_last(module: nn.Module) -> None:
    """Weights of convolutions in the order in which matrix hardware reads them."""
    orders = {4: torch.channels_last, 5: torch.channels_last_3d}
    for weight in module.parameters():
        if weight.dim() in orders:
            weight.data = weight.data.contiguous(memory_format=orders[weight.dim()])


def _still(module: _Module) -> _Module:
    return module.requires_grad_(False).eval()
