"""A folder of golden tensors: safetensors files with a description beside each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    Cases = Callable[["Folder"], Iterator["Case"]]
    """The cases of one family that a folder has files for."""

SHARED = Path(__file__).parents[2].parent / "shared" / "golden"
"""Where the golden tensors lie beside a checkout that has them."""


@dataclass(frozen=True)
class Case:
    """One comparison: what is compared, from which files, how much may differ, and what does."""

    name: str
    files: tuple[str, ...]
    bound: float
    error: Callable[[], float]
    """Runs the case; the greatest absolute difference."""
    threads: int = 1
    """As many as the golden tensors were made with, where long sums must be added up in the same order."""

    def run(self) -> float:
        """The error, with gradients off and threads as wanted."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                return self.error()
        finally:
            torch.set_num_threads(before)


@dataclass(frozen=True)
class Folder:
    """Files by their stem, read when they are asked for."""

    path: Path

    @cached_property
    def stems(self) -> list[str]:
        """Every golden file, with or without tensors."""
        described = {path.stem for path in self.path.glob("*.json")}
        return sorted(described | {path.stem for path in self.path.glob("*.safetensors")})

    def has(self, *stems: str) -> bool:
        return all((self.path / f"{stem}.safetensors").is_file() for stem in stems)

    def tensors(self, stem: str) -> dict[str, Tensor]:
        return load_file(self.path / f"{stem}.safetensors")

    def described(self, stem: str) -> dict[str, Any]:
        """Its JSON: whatever the tensors' maker wrote beside them."""
        return json.loads((self.path / f"{stem}.json").read_text())

    def config(self, stem: str) -> dict[str, Any]:
        return self.described(stem)["config"]

    def weights(self, stem: str) -> dict[str, Tensor]:
        """The tensors called `w.…`, without that."""
        return {name[2:]: tensor for name, tensor in self.tensors(stem).items() if name.startswith("w.")}


def greatest(one: Tensor, other: Tensor) -> float:
    """The greatest absolute difference; infinite when the shapes differ or a value is no number."""
    if one.shape != other.shape or one.isnan().any() or other.isnan().any():
        return float("inf")
    return float((one.double() - other.double()).abs().max())
