"""The codec stage: curves to latents and back, and the basis of displacements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.performer.portrait.codec import FACE_CURVES, FRAMES, CurveCodec, MotionCodec
from core.training.loop import LoopRecipe, train

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from core.training.dataset import Corpus
    from core.training.rig import Rig

_CLIP_FRAMES = 64
_GAP_SCALE = 0.02
"""Face heights of lip opening that weigh as much as one standard deviation of a curve."""
_KL_WEIGHT = 2e-4
_SMALLEST_STD = 0.01


def train_codec(codec: MotionCodec, corpus: Corpus, rig: Rig, recipe: LoopRecipe, folder: Path, seed: int) -> None:
    """Learn both codecs, then fit the basis and give the latents unit variance. Changes `codec`."""
    _take_scale(codec.face, corpus.curves[..., : len(FACE_CURVES)])
    _take_scale(codec.carriage, corpus.curves[..., len(FACE_CURVES) :])
    both = nn.ModuleList((codec.face, codec.carriage))
    gap = torch.from_numpy(rig.gap).float()

    def losses(curves: Tensor) -> dict[str, Tensor]:
        face, carriage = curves.split((len(FACE_CURVES), corpus.curves.shape[-1] - 14), -1)
        seen, face_loss, face_spread = _autoencode(codec.face, face)
        _, carriage_loss, carriage_spread = _autoencode(codec.carriage, carriage)
        opening = ((seen - face) @ gap / _GAP_SCALE).square().mean()
        return {"face": face_loss, "carriage": carriage_loss, "gap": opening, "kl": face_spread + carriage_spread}

    average = train(both, lambda rng: _cut(corpus, recipe.batch, rng), losses, recipe, folder, "codec", seed)
    both.load_state_dict(average)
    with torch.no_grad():
        codec.basis.copy_(fitted_basis(corpus, rig))
        latents = codec.encode(corpus.curves).flatten(2).flatten(0, 1)
        codec.latent_mean.copy_(latents.mean(0))
        codec.latent_std.copy_(latents.std(0))


def fitted_basis(corpus: Corpus, rig: Rig) -> Tensor:
    """Least squares from the face curves to the displacements that the rig makes of them: [FACE_CURVES, 468, 3]."""
    curves = corpus.curves[:, ::25, : len(FACE_CURVES)].flatten(0, 1).double()
    displacement = curves @ torch.from_numpy(rig.basis).flatten(1)
    ridge = 1e-6 * torch.eye(len(FACE_CURVES), dtype=torch.float64)
    solved = torch.linalg.solve(curves.T @ curves + ridge, curves.T @ displacement)
    return solved.unflatten(1, (-1, 3)).float()


def _take_scale(codec: CurveCodec, curves: Tensor) -> None:
    flat = curves.flatten(0, 1)
    codec.mean.copy_(flat.mean(0))
    codec.std.copy_(flat.std(0).clamp_min(_SMALLEST_STD))


def _cut(corpus: Corpus, batch: int, rng: np.random.Generator) -> Tensor:
    who = torch.from_numpy(rng.integers(0, len(corpus.curves), batch))
    starts = rng.integers(0, (corpus.curves.shape[1] - _CLIP_FRAMES) // FRAMES + 1, batch) * FRAMES
    frames = torch.from_numpy(starts)[:, None] + torch.arange(_CLIP_FRAMES)
    return corpus.curves[who[:, None], frames]


def _autoencode(codec: CurveCodec, curves: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The curves that come back, how far off they are in standard deviations, and the pull towards unit latents."""
    mean, log_variance = codec.encode(curves)
    sampled = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
    past = sampled[:, :1].expand(-1, CurveCodec.PAST, -1)
    seen = codec.decode(torch.cat((past, sampled), 1))
    off = ((seen - curves) / codec.std).square().mean()
    spread = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    return seen, off, _KL_WEIGHT * spread
