"""The student stage: a few-step causal student by teacher forcing.

Each block learns the flow from its noisy self to its clean self, at exactly the noise levels that the sampler will
ask for, looking at the true blocks before it. These are shown with noise on them: a student that has only seen
flawless pasts trusts its own too much, and its head drifts away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from core.performer.diffusion.attention import Clip, teacher_forcing_mask
from core.performer.diffusion.transformer import Condition
from core.performer.portrait.codec import FRAMES, LATENT, LIP_CURVES
from core.performer.portrait.motion import STYLE_ROWS
from core.training.dataset import Clips, curves_of, cut_clips, latents_of
from core.training.loop import LoopRecipe, train

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.portrait.motion import MotionModel, MotionSpec
    from core.training.dataset import Corpus


@dataclass(frozen=True)
class StudentRecipe:
    """Beside the loop's: how the past is shown."""

    copies: int = 2
    """Noisy versions of every clip that share one clean past."""
    context_noise: float = 0.3
    """Most noise on the past; each block has its own amount."""
    hint: float = 0.3
    """Weight of reading the lips directly from the sound's features, which wakes the listener early."""
    drop_style: float = 0.15


class _Learner(nn.Module):
    """What the student stage changes: everything but the codec, and a reader of lips that is thrown away."""

    def __init__(self, model: MotionModel) -> None:
        super().__init__()
        self.listener, self.transformer, self.style = model.listener, model.transformer, model.style
        self.lips = nn.Linear(model.transformer.sizes.audio_dim, len(LIP_CURVES))


def train_student(
    model: MotionModel,
    spec: MotionSpec,
    corpus: Corpus,
    loop: LoopRecipe,
    recipe: StudentRecipe,
    folder: Path,
    seed: int,
) -> None:
    """Learn listener, transformer and styles for a codec that is ready. Changes `model`."""
    learner = _Learner(model)
    with torch.no_grad():
        latents = model.codec.encode(corpus.curves)
        reference = model.codec.encode(corpus.rest[:, None].expand(-1, FRAMES, -1))[:, 0]
    tokens = spec.window_blocks * spec.block_latents
    memory = Clip(
        model.transformer.rope(*LATENT[1:]).rotation([*range(tokens)] * (1 + recipe.copies)),
        spec.sizes.heads,
        teacher_forcing_mask(spec.window_blocks, spec.block_latents, recipe.copies),
    )
    lips = corpus.curves[..., : len(LIP_CURVES)].flatten(0, 1)
    lip_scale = (lips.mean(0), lips.std(0))

    def losses(step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng((seed, step))
        torch.manual_seed(seed + step)
        clips = cut_clips(corpus, spec.hearing, spec.window_blocks, loop.batch, rng)
        features = learner.listener(clips.mels).unflatten(0, (loop.batch, -1)).flatten(1, 2)
        target = (curves_of(corpus, clips)[..., : len(LIP_CURVES)] - lip_scale[0]) / lip_scale[1]
        hint = recipe.hint * (learner.lips(features) - target).square().mean()
        clean = latents_of(latents, clips)
        style = _styles(corpus, clips, recipe.drop_style, rng)
        flow = _flow_loss(learner, spec, recipe, clean, reference[clips.who], features, style, memory)
        return {"flow": flow, "hint": hint}

    average = train(learner, losses, loop, folder, "student")
    learner.load_state_dict(average)


def _styles(corpus: Corpus, clips: Clips, drop: float, rng: np.random.Generator) -> Tensor:
    rows = corpus.style[clips.who].clone()
    rows[torch.from_numpy(rng.random(len(rows)) < drop), 1:] = 1
    assert rows.shape[1] == STYLE_ROWS
    return rows


def _flow_loss(
    learner: _Learner,
    spec: MotionSpec,
    recipe: StudentRecipe,
    clean: Tensor,
    reference: Tensor,
    features: Tensor,
    style: Tensor,
    memory: Clip,
) -> Tensor:
    """Mean square of the flow's error over all noisy copies; the given first latent does not count."""
    batch, frames = clean.shape[:2]
    copies, block = recipe.copies, spec.block_latents
    blocks = frames // block

    def per_block(values: Tensor) -> Tensor:
        return values.repeat_interleave(block, 1)[..., None, None, None]

    amount = per_block(recipe.context_noise * torch.rand(batch, blocks) * (torch.rand(batch, blocks) < 0.8))
    past = (1 - amount) * clean + amount * torch.randn_like(clean)
    past = torch.cat((reference[:, None], past[:, 1:]), 1)
    sigmas = torch.tensor(spec.sigmas)[torch.randint(len(spec.sigmas), (copies, batch, blocks))]
    sequence, times, targets = [past], [torch.zeros(batch, frames)], []
    for sigma in sigmas:
        noise = torch.randn_like(clean)
        noisy = (1 - per_block(sigma)) * clean + per_block(sigma) * noise
        sequence.append(torch.cat((reference[:, None], noisy[:, 1:]), 1))
        times.append(1000.0 * sigma.repeat_interleave(block, 1))
        targets.append(noise - clean)
    given = reference[:, None].expand(-1, frames, -1, -1, -1)
    mask = torch.ones_like(given[:, :, :1])
    mask[:, 0] = 0
    known = torch.cat((given, mask), 2).repeat(1, 1 + copies, 1, 1, 1)
    terms = learner.transformer.audio_terms(features).repeat(1, 1, 1 + copies, 1)
    condition = Condition(learner.transformer.text_keys(learner.style(style)), terms)
    seen = learner.transformer(torch.cat((torch.cat(sequence, 1), known), 2), torch.cat(times, 1), condition, memory)
    error = (seen[:, frames:] - torch.cat(targets, 1)).square().mean((2, 3, 4)).unflatten(1, (copies, frames))
    return error[:, :, 1:].mean()
