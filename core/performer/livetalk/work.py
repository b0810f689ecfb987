"""How much arithmetic the model does, in floating-point operations (a multiplication and an addition are two)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode

from core.performer.livetalk.model import small_sizes
from core.performer.livetalk.small_decoder import SmallDecoder
from core.performer.livetalk.vae import WanVae

if TYPE_CHECKING:
    from core.performer.livetalk.spec import LiveTalkSpec, Preset


def of_pass(spec: LiveTalkSpec, blocks_seen: int) -> int:
    """One pass of the transformer over a block that looks at `blocks_seen`, itself among them.

    Linear layers of every block, attention to the past and to the text; norms and embeddings are left out.
    """
    sizes, tokens = spec.transformer, spec.block_latents * spec.tokens_per_frame
    linears = 2 * tokens * (6 * sizes.dim**2 + 2 * sizes.dim * sizes.ffn_dim)
    attention = 4 * tokens * sizes.dim * (blocks_seen * tokens + spec.text.rows)
    return sizes.layers * (linears + attention)


def of_block(spec: LiveTalkSpec, blocks_seen: int) -> int:
    """All steps of a block and its clean pass, which leaves nothing out here though it stops before its end."""
    return (len(spec.sigmas) + 1) * of_pass(spec, blocks_seen)


def of_drawing(spec: LiveTalkSpec, preset: Preset, latents: int) -> int:
    """So many later latents to frames."""
    with torch.device("meta"):
        decoder = SmallDecoder(small_sizes(spec)) if preset.decoder == "small" else WanVae(spec.vae)
        frames = decoder.open(spec.latent_height, spec.latent_width)
        shape = (1, latents, spec.transformer.latent_channels, spec.latent_height, spec.latent_width)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            frames.later(torch.zeros(shape))
    return counter.get_total_flops()
