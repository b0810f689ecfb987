"""Clips: a folder of what a video student learns from, one safetensors file each.

A file holds `reference` [channels, h, w], `features` [4 * frames - 3, audio_dim] as the sound of the video frames,
`text` [rows, text_dim], for samples to be listened to `sound` [samples at 16 kHz], and for the converged start `states`
[states + 1, frames, channels, h, w], the teacher's trajectory from noise to clean. Beside them lies
`negative.safetensors` with the `text` of the negative prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from safetensors.torch import load_file, save_file

from core.performer.livetalk.audio_encoder import packed_alone
from core.training.scene import Scene

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from core.training.crew import Crew

NEGATIVE = "negative.safetensors"


@dataclass(frozen=True, eq=False)
class Batch:
    """What a clip is told, and how the teacher made it; a batch of one."""

    scene: Scene
    states: Tensor | None
    sound: Tensor | None


@dataclass(frozen=True)
class Chosen:
    """A clip drawn for a step, and which of the whole batch it is, whoever learns from it."""

    place: int
    file: Path


class ClipFolder:
    """Draws batches from a folder, the same for the same step whatever the number of processes.

    Args:
        held_out: how many clips, the last by name, are kept for figures and never learned from.

    Raises:
        FileNotFoundError: there are too few clips, or no negative prompt.
    """

    def __init__(self, folder: Path, seed: int, crew: Crew, held_out: int = 0) -> None:
        files = sorted(path for path in folder.glob("*.safetensors") if path.name != NEGATIVE)
        if len(files) <= held_out or not (folder / NEGATIVE).exists():
            raise FileNotFoundError(f"{folder} holds {len(files)} clips; it needs over {held_out}, and {NEGATIVE}")
        self.held_out = files[len(files) - held_out :]
        self._files = files[: len(files) - held_out]
        self._no_text = load_file(folder / NEGATIVE)["text"]
        self._seed, self._crew = seed, crew

    def __len__(self) -> int:
        return len(self._files)

    def drawn(self, number: int, clips: int) -> list[Chosen]:
        """The whole batch of `clips` that has this number."""
        chosen = np.random.default_rng((self._seed, number)).choice(len(self._files), clips, replace=True)
        return [Chosen(place, self._files[index]) for place, index in enumerate(chosen)]

    def share(self, number: int, clips: int) -> list[Chosen]:
        """This process's part of it.

        Raises:
            ValueError: `clips` cannot be shared evenly.
        """
        if clips % self._crew.size:
            raise ValueError(f"{clips} clips cannot be shared evenly by {self._crew.size} processes")
        each = clips // self._crew.size
        return self.drawn(number, clips)[self._crew.rank * each :][:each]

    def load(self, file: Path) -> Batch:
        """A clip from its file, on the crew's device."""
        clip = {name: value.float().to(self._crew.device)[None] for name, value in load_file(file).items()}
        no_text = self._no_text.float().to(self._crew.device)[None]
        scene = scene_of(clip["reference"], clip["features"], clip["text"], no_text)
        return Batch(scene, clip.get("states"), clip.get("sound"))


def scene_of(reference: Tensor, features: Tensor, text: Tensor, no_text: Tensor) -> Scene:
    """With `features` [batch, 4 * frames - 3, audio_dim] of the video frames: the first latent hears one frame only."""
    return Scene(reference, packed_alone(features), text, no_text)


def save_clip(
    path: Path,
    *,
    reference: Tensor,
    features: Tensor,
    text: Tensor,
    states: Tensor | None = None,
    sound: Tensor | None = None,
) -> None:
    """In half precision, whole or not at all."""
    tensors = {"reference": reference, "features": features, "text": text}
    if states is not None:
        tensors["states"] = states
    if sound is not None:
        tensors["sound"] = sound
    partial = path.with_suffix(".partial")
    save_file({name: value.detach().half().cpu().contiguous() for name, value in tensors.items()}, partial)
    partial.replace(path)


def save_negative(folder: Path, text: Tensor) -> None:
    save_file({"text": text.detach().half().cpu().contiguous()}, folder / NEGATIVE)
