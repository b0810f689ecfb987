"""The student stage: a few-step causal student by teacher forcing.

Each block learns the flow from its noisy self to its clean self, mostly at the noise levels that the sampler will ask
for, looking at the true blocks before it. These are shown with noise on them: a student that has only seen flawless
pasts trusts its own too much, and its head drifts away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.performer.diffusion.attention import Clip, teacher_forcing_mask
from core.performer.diffusion.transformer import Condition
from core.performer.portrait.codec import FRAMES, LATENT, CurveCodec
from core.performer.portrait.motion import STYLE_ROWS
from core.training.dataset import Clips, curves_of, cut_clips, latents_of
from core.training.listener import LipReader, Lips
from core.training.loop import LoopRecipe, train

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from core.performer.portrait.codec import MotionCodec
    from core.performer.portrait.motion import MotionModel, MotionSpec
    from core.training.dataset import Corpus


@dataclass(frozen=True)
class StudentRecipe:
    """Beside the loop's: how the past is shown, and what counts."""

    copies: int = 3
    """Noisy versions of every clip that share one clean past."""
    context_noise: float = 0.3
    """Most noise on the past; each block has its own amount."""
    between: float = 0.2
    """Share of noise levels that are none of the sampler's, but drawn from a logit-normal."""
    lips: float = 0.3
    """Weight of the lips that the estimated clean latents decode to."""
    hint: float = 0.0
    """Weight of reading the lips directly from the sound's features. Above 0 the listener learns on beside the
    transformer, otherwise it stays as it is."""
    drop_style: float = 0.15


class Learner(nn.Module):
    """What is learned when the codec is ready."""

    def __init__(self, model: MotionModel, reader: LipReader, *, hears: bool) -> None:
        super().__init__()
        self.transformer, self.style = model.transformer, model.style
        if hears:
            self.reader = reader


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips as the student learns from them.

    clean: latents [batch, frames, 16, 2, 2]; past: the latents before every block [batch, blocks, PAST, 16, 2, 2];
    reference: [batch, 16, 2, 2]; lips: [batch, 4 * frames, width]; style: rows [batch, STYLE_ROWS]; mels: a window a
    block [batch * blocks, hops, 80]; states: the same by a speech encoder, where there is one; who, blocks: which
    streams [batch], which of their blocks [batch, blocks].
    """

    clean: Tensor
    past: Tensor
    reference: Tensor
    lips: Tensor
    style: Tensor
    mels: Tensor
    states: Tensor | None
    who: Tensor
    blocks: Tensor


class Lessons:
    """Batches from a corpus, the same ones for the same seed and step."""

    def __init__(self, model: MotionModel, spec: MotionSpec, corpus: Corpus, batch: int, drop_style: float) -> None:
        self._spec, self._corpus, self._batch, self._drop = spec, corpus, batch, drop_style
        self.lips = Lips.of(model.codec, corpus)
        with torch.no_grad():
            self._latents = model.codec.encode(corpus.curves)
            self._reference = model.codec.encode(corpus.rest[:, None].expand(-1, FRAMES, -1))[:, 0]

    def batch(self, rng: np.random.Generator) -> Batch:
        clips = cut_clips(self._corpus, self._spec.hearing, self._spec.window_blocks, self._batch, rng)
        return Batch(
            clean=latents_of(self._latents, clips),
            past=self._past(clips),
            reference=self._reference[clips.who],
            lips=self.lips(curves_of(self._corpus, clips)),
            style=self._styles(clips, rng),
            mels=clips.mels,
            states=clips.states,
            who=clips.who,
            blocks=clips.blocks,
        )

    def _past(self, clips: Clips) -> Tensor:
        first = clips.frames[:, :: self._spec.block_frames] // FRAMES
        before = first[:, :, None] + torch.arange(-CurveCodec.PAST, 0)
        past = self._latents[clips.who[:, None, None], before.clamp_min(0)]
        return torch.where(before[..., None, None, None] < 0, self._reference[clips.who][:, None, None], past)

    def _styles(self, clips: Clips, rng: np.random.Generator) -> Tensor:
        rows = self._corpus.style[clips.who].clone()
        rows[torch.from_numpy(rng.random(len(rows)) < self._drop), 1:] = 1
        assert rows.shape[1] == STYLE_ROWS
        return rows


def train_student(
    model: MotionModel,
    spec: MotionSpec,
    corpus: Corpus,
    loop: LoopRecipe,
    recipe: StudentRecipe,
    folder: Path,
    seed: int,
) -> None:
    """Learn transformer and styles, and let the listener learn on if the recipe says so. Changes `model`."""
    lessons = Lessons(model, spec, corpus, loop.batch, recipe.drop_style)
    reader = LipReader(model.listener, spec.sizes.audio_features, lessons.lips)
    learner = Learner(model, reader, hears=recipe.hint > 0)
    memory = forced_memory(model, spec, recipe.copies)

    def losses(batch: Batch) -> dict[str, Tensor]:
        with torch.set_grad_enabled(recipe.hint > 0):
            features, read = reader(batch.mels, batch.states)
        features = features.unflatten(0, (loop.batch, -1)).flatten(1, 2)
        sigmas = _sigmas(spec, recipe, loop.batch)
        noise = torch.randn(recipe.copies, *batch.clean.shape)
        noisy = (1 - sigmas) * batch.clean + sigmas * noise
        flow = forced_flow(learner, spec, batch, features, noisy, sigmas, recipe.context_noise, memory)
        flow_error = (flow - (noise - batch.clean)).square()[:, :, 1:].mean()
        seen = lessons.lips(decoded(model.codec, noisy - sigmas * flow, batch.past))
        losses = {"flow": flow_error, "lips": recipe.lips * lessons.lips.error(seen, batch.lips)}
        if recipe.hint > 0:
            losses["hint"] = recipe.hint * lessons.lips.error(read.view_as(batch.lips), batch.lips)
        return losses

    average = train(learner, lessons.batch, losses, loop, folder, "student", seed)
    learner.load_state_dict(average)


def forced_memory(model: MotionModel, spec: MotionSpec, copies: int) -> Clip:
    """For a clean clip followed by noisy copies of it, which look at its past."""
    tokens = spec.window_blocks * spec.block_latents
    return Clip(
        model.transformer.rope(*LATENT[1:]).rotation([*range(tokens)] * (1 + copies)),
        spec.sizes.heads,
        teacher_forcing_mask(spec.window_blocks, spec.block_latents, copies),
    )


def forced_flow(
    learner: Learner,
    spec: MotionSpec,
    batch: Batch,
    features: Tensor,
    noisy: Tensor,
    sigmas: Tensor,
    context_noise: float,
    memory: Clip,
) -> Tensor:
    """Flow of every noisy copy, each block given the true blocks before it.

    Args:
        noisy: [copies, batch, frames, 16, 2, 2].
        sigmas: [copies, batch, frames, 1, 1, 1].

    Returns:
        [copies, batch, frames, 16, 2, 2].
    """
    size, frames = batch.clean.shape[:2]
    copies, reference = len(noisy), batch.reference
    blocks = frames // spec.block_latents
    amount = context_noise * torch.rand(size, blocks) * (torch.rand(size, blocks) < 0.8)
    amount = amount.repeat_interleave(spec.block_latents, 1)[..., None, None, None]
    past = (1 - amount) * batch.clean + amount * torch.randn_like(batch.clean)
    sequence = torch.cat((past[None], noisy))
    sequence = torch.cat((reference[None, :, None].expand(1 + copies, -1, -1, -1, -1, -1), sequence[:, :, 1:]), 2)
    times = torch.cat((torch.zeros(1, size, frames), 1000.0 * sigmas[..., 0, 0, 0]))
    given = reference[:, None].expand(-1, frames, -1, -1, -1)
    mask = torch.ones_like(given[:, :, :1])
    mask[:, 0] = 0
    known = torch.cat((given, mask), 2)[None].expand(1 + copies, -1, -1, -1, -1, -1)
    shown = torch.cat((sequence, known), 3).transpose(0, 1).flatten(1, 2)
    terms = learner.transformer.audio_terms(features).repeat(1, 1, 1 + copies, 1)
    condition = Condition(learner.transformer.text_keys(learner.style(batch.style)), terms)
    seen = learner.transformer(shown, times.transpose(0, 1).flatten(1), condition, memory)
    return seen.unflatten(1, (1 + copies, frames)).transpose(0, 1)[1:]


def decoded(codec: MotionCodec, latents: Tensor, past: Tensor) -> Tensor:
    """Curves of latents [copies, batch, frames, 16, 2, 2], every block after its true past: [copies, batch, 4 * frames,
    CURVES]."""
    copies, size = latents.shape[:2]
    blocks = latents.unflatten(2, (past.shape[1], -1))
    seen = torch.cat((past[None].expand(copies, -1, -1, -1, -1, -1, -1), blocks), 3)
    return codec.decode(seen.flatten(0, 2)).unflatten(0, (copies, size, -1)).flatten(2, 3)


def _sigmas(spec: MotionSpec, recipe: StudentRecipe, batch: int) -> Tensor:
    """A noise level for every block of every copy, the same for its frames: [copies, batch, frames, 1, 1, 1]."""
    shape = (recipe.copies, batch, spec.window_blocks)
    sigmas = torch.tensor(spec.sigmas)[torch.randint(len(spec.sigmas), shape)]
    other = torch.sigmoid(torch.randn(shape))
    sigmas = torch.where(torch.rand(shape) < recipe.between, other, sigmas)
    return sigmas.repeat_interleave(spec.block_latents, 2)[..., None, None, None]
