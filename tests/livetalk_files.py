"""LiveTalk-1.3B in miniature: files with the names and shapes of the published ones, and hardly any data."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pathlib import Path

Shapes = dict[str, tuple[int, ...]]


def transformer_shapes(dim: int = 1536, ffn: int = 8960, layers: int = 30, channels: int = 33) -> Shapes:
    """Section 2.1 of the checkpoint's description, written out; without sound when it has 16 channels."""
    shapes: Shapes = {"patch_embedding.weight": (dim, channels, 1, 2, 2), "patch_embedding.bias": (dim,)}
    linears = {
        "text_embedding.0": (dim, 4096),
        "text_embedding.2": (dim, dim),
        "time_embedding.0": (dim, 256),
        "time_embedding.2": (dim, dim),
        "time_projection.1": (6 * dim, dim),
        "head.head": (64, dim),
    }
    shapes["head.modulation"] = (1, 2, dim)
    for layer in range(layers):
        block = f"blocks.{layer}"
        shapes[f"{block}.modulation"] = (1, 6, dim)
        for attention in ("self_attn", "cross_attn"):
            linears |= {f"{block}.{attention}.{letter}": (dim, dim) for letter in "qkvo"}
            shapes |= {f"{block}.{attention}.norm_{letter}.weight": (dim,) for letter in "qk"}
        shapes |= {f"{block}.norm3.weight": (dim,), f"{block}.norm3.bias": (dim,)}
        linears |= {f"{block}.ffn.0": (ffn, dim), f"{block}.ffn.2": (dim, ffn)}
    if channels > 16:
        linears["audio_proj.proj"] = (32, 43_008)
        shapes |= {"audio_proj.norm_out.weight": (32,), "audio_proj.norm_out.bias": (32,)}
        linears |= {f"audio_cond_projs.{index}": (dim, 32) for index in range(layers // 2 - 1)}
    for name, shape in linears.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def text_shapes() -> Shapes:
    """Section 6 of the checkpoint's description."""
    shapes: Shapes = {"token_embedding.weight": (256_384, 4096), "norm.weight": (4096,)}
    for layer in range(24):
        block = f"blocks.{layer}"
        shapes |= {f"{block}.norm{index}.weight": (4096,) for index in (1, 2)}
        shapes |= {f"{block}.attn.{letter}.weight": (4096, 4096) for letter in "qkvo"}
        shapes[f"{block}.pos_embedding.embedding.weight"] = (32, 64)
        shapes |= {f"{block}.ffn.gate.0.weight": (10_240, 4096), f"{block}.ffn.fc1.weight": (10_240, 4096)}
        shapes[f"{block}.ffn.fc2.weight"] = (4096, 10_240)
    return shapes


def vae_shapes() -> Shapes:
    """As the program builds it: its fingerprint is compared with the published one elsewhere."""
    from core.performer.livetalk.vae import WanVae

    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in WanVae().state_dict().items()}


def audio_shapes() -> Shapes:
    return {
        "wav2vec2.feature_extractor.conv_layers.0.conv.weight": (512, 1, 10),
        "wav2vec2.feature_projection.projection.weight": (768, 512),
        "wav2vec2.encoder.layers.11.feed_forward.output_dense.weight": (768, 3072),
        "lm_head.weight": (32, 768),
    }


def safetensors(shapes: Shapes, data: bytes = b"") -> bytes:
    """A file whose header tells these shapes, and whose tensors share `data`."""
    header = json.dumps(
        {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, len(data)]} for name, shape in shapes.items()}
    ).encode()
    return len(header).to_bytes(8, "little") + header + data


def pickled(shapes: Shapes) -> bytes:
    """A file as `torch.save` writes it, in which every tensor is one number many times over."""
    file = io.BytesIO()
    torch.save({name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}, file)
    return file.getvalue()


_TOKENIZER = "Wan2.1-T2V-1.3B/google/umt5-xxl"
OFFICIAL = {
    "LiveTalk-1.3B-V0.1/model.safetensors": lambda: safetensors(transformer_shapes(), bytes(range(256)) * 400),
    "Wan2.1-T2V-1.3B/Wan2.1_VAE.pth": lambda: pickled(vae_shapes()),
    "Wan2.1-T2V-1.3B/models_t5_umt5-xxl-enc-bf16.pth": lambda: pickled(text_shapes()),
    f"{_TOKENIZER}/tokenizer.json": lambda: b'{"model": {}}',
    f"{_TOKENIZER}/tokenizer_config.json": lambda: b"{}",
    "wav2vec2/model.safetensors": lambda: safetensors(audio_shapes()),
    "wav2vec2/config.json": lambda: b'{"hidden_size": 768}',
}
"""What the authors' own instructions put where."""


class Miniature:
    """The contents by their official paths."""

    def __init__(self) -> None:
        self.contents = {path: make() for path, make in OFFICIAL.items()}

    @property
    def size(self) -> int:
        return sum(len(content) for content in self.contents.values())

    def put(self, folder: Path, *without: str) -> Path:
        """Lay the files into `folder` as the official instructions do."""
        for path, content in self.contents.items():
            if path not in without:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
        return folder
