"""Clips: a folder of what a video student learns from, one safetensors file each.

A file holds `reference` [channels, h, w], `features` [4 * frames - 3, audio_dim] as the sound of the video frames,
`text` [rows, text_dim], and for the converged start `states` [states + 1, frames, channels, h, w], the teacher's
trajectory from noise to clean. Beside them lies `negative.safetensors` with the `text` of the negative prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.performer.diffusion.sizes import FRAMES_PER_LATENT
from core.training.scene import Scene

if TYPE_CHECKING:
    from pathlib import Path

    from core.training.crew import Crew

NEGATIVE = "negative.safetensors"


@dataclass(frozen=True, eq=False)
class Batch:
    """One process's share of a batch: what its clips are told, and how the teacher made them."""

    scene: Scene
    states: Tensor | None


class ClipFolder:
    """Draws batches from a folder, the same for the same step whatever the number of processes.

    Raises:
        FileNotFoundError: there are no clips, or no negative prompt.
    """

    def __init__(self, folder: Path, seed: int, crew: Crew) -> None:
        self._files = sorted(path for path in folder.glob("*.safetensors") if path.name != NEGATIVE)
        if not self._files or not (folder / NEGATIVE).exists():
            raise FileNotFoundError(f"{folder} holds {len(self._files)} clips; it needs some, and {NEGATIVE}")
        self._no_text = load_file(folder / NEGATIVE)["text"]
        self._seed, self._crew = seed, crew

    def __len__(self) -> int:
        return len(self._files)

    def batch(self, step: int, clips: int) -> Batch:
        """This process's share of `clips`, drawn for this step.

        Raises:
            ValueError: `clips` cannot be shared evenly.
        """
        if clips % self._crew.size:
            raise ValueError(f"{clips} clips cannot be shared evenly by {self._crew.size} processes")
        chosen = np.random.default_rng((self._seed, step)).choice(len(self._files), clips, replace=True)
        share = clips // self._crew.size
        mine = [load_file(self._files[index]) for index in chosen[self._crew.rank * share :][:share]]

        def stacked(name: str) -> Tensor:
            return torch.stack([clip[name].float() for clip in mine]).to(self._crew.device)

        features = stacked("features")
        first = features[:, :1].expand(-1, FRAMES_PER_LATENT - 1, -1)
        no_text = self._no_text.float().to(self._crew.device).expand(share, -1, -1)
        scene = Scene(stacked("reference"), torch.cat((first, features), 1), stacked("text"), no_text)
        return Batch(scene, stacked("states") if "states" in mine[0] else None)


def save_clip(path: Path, *, reference: Tensor, features: Tensor, text: Tensor, states: Tensor | None = None) -> None:
    """In half precision, whole or not at all."""
    tensors = {"reference": reference, "features": features, "text": text}
    if states is not None:
        tensors["states"] = states
    partial = path.with_suffix(".partial")
    save_file({name: value.detach().half().cpu().contiguous() for name, value in tensors.items()}, partial)
    partial.replace(path)


def save_negative(folder: Path, text: Tensor) -> None:
    save_file({"text": text.detach().half().cpu().contiguous()}, folder / NEGATIVE)
