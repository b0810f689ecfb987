"""Scene: what the clips of a batch are told, whatever model makes them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.performer.diffusion.attention import Clip
from core.performer.diffusion.streaming import conditioning
from core.performer.diffusion.transformer import Condition, Transformer


@dataclass(frozen=True, eq=False)
class Scene:
    """Conditions of a batch of clips.

    `reference` is the conditioning latent [batch, channels, h, w]; `features` the sound [batch, 4 * frames,
    audio_dim]; `text` the prompts' rows and `no_text` those of the negative prompt, [batch, rows, text_dim].
    """

    reference: Tensor
    features: Tensor
    text: Tensor
    no_text: Tensor

    def condition(self, model: Transformer, *, reads: bool = True, hears: bool = True) -> Condition:
        """What `model` listens to. Without hearing the features are zero, which is not the same as no sound term."""
        features = self.features if hears else torch.zeros_like(self.features)
        return Condition(model.text_keys(self.text if reads else self.no_text), model.audio_terms(features))


def flow_at_once(
    model: Transformer,
    scene: Scene,
    noisy: Tensor,
    timesteps: Tensor,
    *,
    mask: Tensor | None = None,
    reads: bool = True,
    hears: bool = True,
) -> Tensor:
    """Flow of whole clips in one pass: of a teacher that looks both ways, or with a block-causal `mask`.

    Args:
        noisy: [batch, frames, channels, h, w].
        timesteps: [batch, frames].
    """
    frames, (height, width) = noisy.shape[1], noisy.shape[-2:]
    memory = Clip(model.rope(height, width, noisy.device).rotation(range(frames)), model.sizes.heads, mask)
    given = conditioning(scene.reference, frames, beginning=True)
    return model(torch.cat((noisy, given), 2), timesteps, scene.condition(model, reads=reads, hears=hears), memory)
