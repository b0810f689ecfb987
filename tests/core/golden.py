"""Tensors that the released model's own code produced, where they are at hand: `../shared/golden`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file

from core.performer.diffusion.sizes import Sizes
from core.performer.diffusion.transformer import Transformer

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = Path(__file__).parents[2].parent / "shared" / "golden"


def tensors(name: str) -> dict[str, Tensor]:
    """All tensors of a file; skips the test where there are none."""
    path = FOLDER / f"{name}.safetensors"
    if not path.exists():
        pytest.skip(f"the golden tensors are not here ({path.name} in ../shared/golden)")
    return load_file(path)


def config(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())["config"]


def tiny_transformer() -> Transformer:
    """The released architecture at the size of the golden weights, loaded strictly."""
    weights, made = tensors("dit_tiny_weights"), config("dit_tiny_weights")
    sizes = Sizes(
        dim=made["dim"],
        ffn_dim=made["ffn_dim"],
        layers=made["num_layers"],
        heads=made["num_heads"],
        text_dim=made["text_dim"],
        audio_dim=10752,
        audio_hidden=made["audio_hidden_size"],
        audio_layers=tuple(range(2, made["num_layers"] // 2 + 1)),
    )
    model = Transformer(sizes)
    model.load_state_dict(weights)
    return model.requires_grad_(False).eval()
