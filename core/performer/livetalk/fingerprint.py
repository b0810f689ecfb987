"""Which model a file holds, told from the names and shapes of its tensors; the tensors themselves are not read.

A fingerprint is the MD5 of all tensors' `name` and `name:dim_dim_…`, sorted and joined with commas, as the released
loaders count it (section 1.3 of the checkpoint's description).
"""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError

from core.errors import PerformerError, Problem
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.spec import LIVETALK_1_3B, LIVETALK_14B, TextSizes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from core.performer.diffusion.sizes import Sizes

Shapes = dict[str, tuple[int, ...]]

RELEASED = {
    "2bf9513c7a3e908015f11a800fc9b820": "LiveTalk 1.3B",
    "883a90b12576b9b8693a08cf690998dd": "OmniAvatar 14B, merged",
    "ccc42284ea13e1ad04693284c7a09be6": "Wan2.1 VAE",
    "9c8818c2cbea55eca56c7b447df170da": "UMT5-XXL encoder",
    "9269f8db9040a9d860eaca435be61814": "Wan2.1-T2V-1.3B, which hears nothing",
    "aafcfd9672c3a2456dc46e1cb6e52c70": "Wan2.1-T2V-14B, which hears nothing",
}
"""What is published, by fingerprint. LiveTalk 1.3B and the merged OmniAvatar 1.3B share one."""

UNREADABLE = (ValueError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError)
"""What reading a broken file of tensors may raise."""
_LONGEST_HEADER = 100_000_000
"""Bytes; the limit of the safetensors format."""


class Fingerprint(NamedTuple):
    """One model built here without memory, beside what its published file has."""

    name: str
    tensors: int
    md5: str
    expected: str

    @property
    def matches(self) -> bool:
        return self.md5 == self.expected


def fingerprints() -> list[Fingerprint]:
    """The four models of the released system, built without memory; seconds, because of transformers."""
    built = {
        "2bf9513c7a3e908015f11a800fc9b820": _shapes(_without_memory(LIVETALK_1_3B.transformer)),
        "883a90b12576b9b8693a08cf690998dd": _shapes(_without_memory(LIVETALK_14B.transformer)),
        "ccc42284ea13e1ad04693284c7a09be6": _vae_shapes(),
        "9c8818c2cbea55eca56c7b447df170da": _text_shapes(),
    }
    return [Fingerprint(RELEASED[md5], len(shapes), fingerprint(shapes), md5) for md5, shapes in built.items()]


def fingerprint(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """MD5 of names and shapes, 32 hexadecimal digits."""
    described = [text for name, shape in shapes.items() for text in (name, f"{name}:{'_'.join(map(str, shape))}")]
    return hashlib.md5(",".join(sorted(described)).encode(), usedforsecurity=False).hexdigest()


def fingerprint_of(file: Path) -> str:
    """The fingerprint of a safetensors file or of a pickled dict of tensors.

    Raises:
        PerformerError: the file is missing, cut short, or holds no tensors.
    """
    return fingerprint(shapes_of(file))


def shapes_of(file: Path) -> Shapes:
    """Names and shapes of a file's tensors, read from its header; pickles are opened without running their code.

    Raises:
        PerformerError: as for `fingerprint_of`.
    """
    try:
        return _from_safetensors(file) if is_safetensors(file) else _from_pickle(file)
    except FileNotFoundError as missing:
        raise PerformerError(
            Problem.MODEL_MISSING,
            f"The model file “{file.name}” is not there.",
            "Fetch it with “livetalk models fetch livetalk-1.3b”, or choose the folder that holds it.",
            detail=str(missing),
        ) from missing
    except (*UNREADABLE, OSError, struct.error) as broken:
        raise damaged(file, f"{type(broken).__name__}: {broken}") from broken


def is_safetensors(file: Path) -> bool:
    """Whether it begins as that format does; anything else may be a pickle."""
    with file.open("rb") as opened:
        return opened.read(9)[8:] == b"{"


def damaged(file: Path, detail: str) -> PerformerError:
    """A file that cannot be read to its end."""
    return PerformerError(
        Problem.MODEL_DAMAGED,
        f"The model file “{file.name}” is damaged or cut short.",
        "Delete it and fetch it again with “livetalk models fetch livetalk-1.3b”.",
        detail=f"{file}: {detail}",
    )


def _from_safetensors(file: Path) -> Shapes:
    """The format: eight bytes of length, a JSON header of that length, then the tensors without gaps."""
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        if length > _LONGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        header: dict[str, Any] = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    end = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if file.stat().st_size < end:
        raise ValueError(f"{file.stat().st_size} bytes where the header speaks of {end}")
    return {name: tuple(entry["shape"]) for name, entry in header.items()}


def _from_pickle(file: Path) -> Shapes:
    held = open_pickle(file, torch.device("meta"))
    return {name: tuple(tensor.shape) for name, tensor in held.items()}


def open_pickle(file: Path, device: torch.device) -> dict[str, torch.Tensor]:
    """The tensors of a pickled dict, mapped and not copied; nothing but tensors may be in it.

    Raises:
        ValueError: it holds something else.
        UNREADABLE: it cannot be read.
    """
    held: object = torch.load(file, map_location=device, weights_only=True, mmap=True)
    if not isinstance(held, dict) or not all(isinstance(value, torch.Tensor) for value in held.values()):
        raise ValueError("no dict of tensors")
    return {str(name): tensor for name, tensor in held.items()}


def _without_memory(sizes: Sizes) -> nn.Module:
    with torch.device("meta"):
        return Transformer(sizes)


def _shapes(model: nn.Module) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _vae_shapes() -> Shapes:
    from core.performer.livetalk.vae import WanVae

    with torch.device("meta"):
        return _shapes(WanVae())


def _text_shapes() -> Shapes:
    from core.performer.livetalk.text_encoder import empty_encoder, own_names

    sizes = TextSizes()
    released = {own: name for name, own in own_names(sizes.layers).items()}
    return {released[own]: shape for own, shape in _shapes(empty_encoder(sizes)).items()}
