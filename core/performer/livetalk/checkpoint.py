"""Weights from disk into a model, strictly: a file that is not the one is refused by name, never half taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import safe_open
from torch import nn

from core.errors import PerformerError, Problem
from core.performer.diffusion.attention import choose_kernel
from core.performer.diffusion.linears import fuse, to_fp8
from core.performer.diffusion.transformer import Transformer
from core.performer.livetalk.fingerprint import (
    RELEASED,
    UNREADABLE,
    damaged,
    fingerprint,
    is_safetensors,
    open_pickle,
    shapes_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.performer.diffusion.sizes import Sizes
    from core.performer.livetalk.fingerprint import Shapes
    from core.performer.livetalk.spec import Numbers

    Rename = Callable[[str], str | None]
    """The model's name for a name in the file; None for a tensor that it has no use for."""

_Model = TypeVar("_Model", bound=nn.Module)
_NAMED = 6
"""Tensors of each kind of trouble that are named in a message."""


def load_transformer(
    file: Path,
    sizes: Sizes,
    *,
    device: torch.device,
    dtype: torch.dtype,
    linears: Numbers = "half",
    attention: Numbers = "half",
    native: bool = True,
) -> Transformer:
    """The diffusion transformer, ready to run: q, k and v joined, weights in eight bits where that is asked for.

    Args:
        native: whether the device multiplies in eight bits; only asked when `linears` is "fp8".

    Raises:
        PerformerError: the file is missing, damaged, or another model's; the tensors are named.
    """
    with torch.device("meta"):
        model = Transformer(sizes, choose_kernel(device, eight_bits=attention == "fp8"))
    load_strictly(model, file, what="LiveTalk's transformer", device=device, dtype=dtype)
    return prepared(model, linears=linears, native=native)


def random_transformer(
    sizes: Sizes,
    *,
    device: torch.device,
    dtype: torch.dtype,
    seed: int = 0,
    linears: Numbers = "half",
    attention: Numbers = "half",
    native: bool = True,
) -> Transformer:
    """The same without a file: weights drawn at random, for measuring and for tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kernel = choose_kernel(device, eight_bits=attention == "fp8")
        model = Transformer(sizes, kernel).to(device=device, dtype=dtype)
    return prepared(model, linears=linears, native=native)


def prepared(model: Transformer, *, linears: Numbers, native: bool) -> Transformer:
    """Ready to run and not to be trained, in place."""
    model.requires_grad_(False).eval()
    fuse(model)
    return to_fp8(model, native=native) if linears == "fp8" else model


def load_strictly(
    model: _Model,
    file: Path,
    *,
    what: str,
    device: torch.device,
    dtype: torch.dtype,
    rename: Rename | None = None,
) -> _Model:
    """Give every tensor of `model`, which may have been built without memory, its value from `file`.

    Args:
        what: the model in words, for messages: "LiveTalk's transformer".
        dtype: for all tensors that are not whole numbers.

    Raises:
        PerformerError: the file is missing or damaged; it lacks a tensor, has one too many, or one of another shape.
    """
    shapes = shapes_of(file)
    names = {own: name for name in shapes if (own := rename(name) if rename else name) is not None}
    wanted: Shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    trouble = _differences(wanted, {own: shapes[name] for own, name in names.items()})
    if trouble:
        raise _foreign(file, what, shapes, trouble)
    tensors = _tensors(file, device)
    held = {own: _as(tensors(name), dtype, device) for own, name in names.items()}
    model.load_state_dict(held, strict=True, assign=True)
    empty = [name for name, tensor in (*model.named_parameters(), *model.named_buffers()) if tensor.is_meta]
    assert not empty, f"nothing in a file fills {empty}"
    return model


def _tensors(file: Path, device: torch.device) -> Callable[[str], torch.Tensor]:
    """What gives a file's tensors by name; each is read when it is asked for."""
    try:
        if is_safetensors(file):
            return safe_open(file, framework="pt", device=str(device)).get_tensor
        return open_pickle(file, torch.device("cpu")).__getitem__
    except UNREADABLE as broken:
        raise damaged(file, str(broken)) from broken


def _as(tensor: torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tensor of its own on the device, so that the file may go."""
    return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None, copy=True)


def _differences(wanted: Shapes, found: Shapes) -> str:
    """What is missing, unknown or of another shape, the first few of each by name; nothing when all is well."""
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    other = [
        f"{name} is {list(found[name])} and should be {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    kinds = (("missing", missing), ("unknown", unknown), ("of another shape", other))
    return "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in kinds if names)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _foreign(file: Path, what: str, shapes: Shapes, trouble: str) -> PerformerError:
    known = RELEASED.get(fingerprint(shapes))
    is_what = f"It is {known}." if known else "It belongs to another model, or to another version of this one."
    return PerformerError(
        Problem.MODEL_DAMAGED,
        f"The file “{file.name}” is not {what}.",
        f"{is_what} Fetch the right one with “livetalk models fetch livetalk-1.3b”.",
        detail=f"{file}: {trouble}",
    )
