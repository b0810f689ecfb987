"""What is read: the text encoder by the released names, and the rows that the transformer is shown."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from core.performer.livetalk.checkpoint import load_strictly
from core.performer.livetalk.spec import TextSizes
from core.performer.livetalk.text_encoder import empty_encoder, own_names, rows_of
from tests.golden.folder import Case, greatest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.golden.folder import Folder

BOUND = 1e-6


def cases(folder: Folder) -> Iterator[Case]:
    for stem in folder.stems:
        if stem.startswith("text") and folder.has(stem):
            yield Case(f"{stem}: rows of two prompts", (stem,), BOUND, partial(prompts, folder, stem))


def prompts(folder: Folder, stem: str) -> float:
    golden, described, made = folder.tensors(stem), folder.described(stem), folder.config(stem)
    sizes = TextSizes(
        vocabulary=made["vocab"],
        dim=made["dim"],
        attention_dim=made["dim_attn"],
        ffn_dim=made["dim_ffn"],
        layers=made["layers"],
        heads=made["heads"],
        buckets=made["buckets"],
        max_distance=made["max_distance"],
        rows=golden["ids"].shape[1],
    )
    names = own_names(sizes.layers)
    if names != described["key_map_to_transformers"]:
        return float("inf")
    model = load_strictly(
        empty_encoder(sizes),
        folder.path / f"{stem}.safetensors",
        what="the golden text encoder",
        device=torch.device("cpu"),
        dtype=torch.float32,
        rename=lambda name: names[name[2:]] if name.startswith("w.") else None,
    )
    if not torch.equal(golden["ids"].ne(0), golden["mask"].bool()):
        return float("inf")
    return greatest(rows_of(model.eval(), golden["ids"]), golden["prompt_embeds"])
