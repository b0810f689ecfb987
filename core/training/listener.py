"""The listener stage: sound to features, learned by reading the lips straight from them.

It costs a fraction of a step of the student and needs the same ears, so they are made first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from core.performer.diffusion.sizes import FRAMES_PER_LATENT
from core.performer.portrait.audio import HOPS_PER_FRAME
from core.performer.portrait.codec import FACE_CURVES, LIP_CURVES, MotionCodec
from core.training.dataset import Clips, cut_windows
from core.training.loop import LoopRecipe, train
from core.training.rig import lip_gap

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.portrait.audio import AudioEncoder
    from core.performer.portrait.motion import MotionModel, MotionSpec
    from core.training.dataset import Corpus

NEARLY_SHUT = 0.02
"""Face heights of lip opening above which all is open to whoever only asks whether lips are shut."""


@dataclass(frozen=True, eq=False)
class Lips:
    """What of a face is judged as lips: their curves, their opening, and their opening as far as it is nearly none.

    All in standard deviations of the corpus. What is seen first, that lips open and close in time, counts more.
    """

    gap: Tensor
    mean: Tensor
    std: Tensor

    @staticmethod
    def of(codec: MotionCodec, corpus: Corpus) -> Lips:
        gap = torch.from_numpy(lip_gap(codec.basis.numpy().astype(np.float64))).float()
        plain = Lips(gap, torch.zeros(()), torch.ones(()))
        seen = plain(corpus.curves).flatten(0, 1)
        return Lips(gap, seen.mean(0), seen.std(0))

    @property
    def width(self) -> int:
        return len(LIP_CURVES) + 2

    def error(self, seen: Tensor, wanted: Tensor) -> Tensor:
        """Weighted mean square between lips [..., width]."""
        weights = torch.ones(self.width)
        weights[LIP_CURVES.index("jaw")], weights[-2], weights[-1] = 2.0, 2.0, 3.0
        return ((seen - wanted).square() * (weights / weights.mean())).mean()

    def __call__(self, curves: Tensor) -> Tensor:
        """[..., CURVES] -> [..., width]."""
        opening = (curves[..., : len(FACE_CURVES)] @ self.gap)[..., None]
        seen = torch.cat((curves[..., : len(LIP_CURVES)], opening, opening.clamp_max(NEARLY_SHUT)), -1)
        return (seen - self.mean) / self.std


class LipReader(nn.Module):
    """The listener, and a reader of lips that is thrown away when all is learned."""

    def __init__(self, listener: AudioEncoder, features: int, lips: Lips) -> None:
        super().__init__()
        self.listener, self.reader = listener, nn.Linear(features, lips.width)

    def forward(self, mels: Tensor, states: Tensor | None) -> tuple[Tensor, Tensor]:
        """Windows [n, hops, 80] and the speech encoder's states -> features [n, block frames, features], lips [n,
        block frames, width]."""
        features = self.listener(mels, states)
        return features, self.reader(features)


def train_listener(
    model: MotionModel, spec: MotionSpec, corpus: Corpus, loop: LoopRecipe, folder: Path, seed: int
) -> None:
    """Learn the listener for a codec that is ready. Changes `model`."""
    lips = Lips.of(model.codec, corpus)
    reader = LipReader(model.listener, spec.sizes.audio_features, lips)

    def lessons(rng: np.random.Generator) -> Clips:
        return cut_windows(corpus, spec.hearing, loop.batch, rng)

    def losses(windows: Clips) -> dict[str, Tensor]:
        _, read = reader(windows.mels, windows.states)
        wanted = lips(corpus.curves[windows.who[:, None], windows.frames])
        return {"lips": lips.error(read, wanted)}

    average = train(reader, lessons, losses, loop, folder, "listener", seed)
    reader.load_state_dict(average)


def hear_as_before(
    model: MotionModel, spec: MotionSpec, known: MotionModel, its_spec: MotionSpec, corpus: Corpus
) -> float:
    """Turn the transformer's ear for new features, so that it hears in them what it heard in those of `known`.

    By least squares from the new features of some windows to the old ones. Changes `model`, whose transformer came
    from `known`.

    Returns:
        Share of the old features' variance that is found in the new ones.

    Raises:
        ValueError: the new listener does not hear all that the old one did.
    """
    new_reach, old_reach = (s.hearing for s in (spec, its_spec))
    if new_reach.frames_before < old_reach.frames_before or new_reach.frames_ahead < old_reach.frames_ahead:
        raise ValueError(f"a listener of {new_reach} cannot take over from one of {old_reach}")
    windows = cut_windows(corpus, spec.hearing, 400, np.random.default_rng(0))
    skipped = (new_reach.frames_before - old_reach.frames_before) * HOPS_PER_FRAME
    hops = old_reach.window_frames * HOPS_PER_FRAME
    with torch.no_grad():
        new = model.listener(windows.mels, windows.states).flatten(0, 1).double()
        states = windows.states if its_spec.sizes.speech_width else None
        old = known.listener(windows.mels[:, skipped : skipped + hops], states).flatten(0, 1).double()
        seen = torch.cat((new, torch.ones_like(new[:, :1])), 1)
        square = seen.T @ seen
        ridge = 1e-4 * square[:-1].diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
        turned = torch.linalg.solve(square + ridge, seen.T @ old)
        left = (seen @ turned - old).square().sum() / (old - old.mean(0)).square().sum()
        ear = model.transformer.audio_proj.proj
        per_frame = known.transformer.audio_proj.proj.weight.double().unflatten(1, (FRAMES_PER_LATENT, -1))
        ear.weight.copy_((per_frame @ turned[:-1].T).flatten(1))
        ear.bias.copy_(known.transformer.audio_proj.proj.bias + (per_frame @ turned[-1]).sum(1))
    return 1 - float(left)
