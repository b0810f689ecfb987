"""wav2vec2-base as the transformer hears it: convolutions, a stretch to the video's frames, then the encoder.

Parameter names are those of the published file (appendix A.4 of the checkpoint's description). The stretch comes
before the encoder, which therefore runs at one token a video frame; this is why it is no ordinary forward pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

from core.performer.diffusion.attention import attend
from core.performer.livetalk.checkpoint import load_strictly

if TYPE_CHECKING:
    from pathlib import Path

    from core.performer.livetalk.spec import AudioSizes

_EPS = 1e-5
_UNUSED = re.compile(r"lm_head\..*|masked_spec_embed|quantizer\..*|project_(hid|q)\..*")


class Wav2Vec2(nn.Module):
    """16 kHz sound to features, one row a video frame."""

    def __init__(self, sizes: AudioSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.feature_extractor = nn.ModuleDict({"conv_layers": _convolutions(sizes)})
        self.feature_projection = nn.ModuleDict(
            {"layer_norm": nn.LayerNorm(sizes.conv_dim, _EPS), "projection": nn.Linear(sizes.conv_dim, sizes.dim)}
        )
        self.encoder = nn.ModuleDict(
            {
                "pos_conv_embed": PositionConv(sizes),
                "layer_norm": nn.LayerNorm(sizes.dim, _EPS),
                "layers": nn.ModuleList(EncoderLayer(sizes) for _ in range(sizes.layers)),
            }
        )

    def forward(self, samples: Tensor, frames: int, stride: float | None = None, skipped: int = 0) -> Tensor:
        """Features of sound, one row a video frame.

        Args:
            samples: [batch, n], of any loudness; it is normalised over all that is given.
            frames: how many rows.
            stride: convolution frames from one row to the next, 3.125 for 1000 samples a video frame; without it the
                first and the last row are the clip's first and last convolution frame, as in the release.
            skipped: rows at the beginning that only the convolutions hear.

        Returns:
            [batch, frames, features]: the output, then every hidden state from before the first layer on.
        """
        rows = stretched(self.convolved(normalised(samples)), skipped + frames, stride)
        return self.listen(rows[:, skipped:])

    def convolved(self, samples: Tensor) -> Tensor:
        """Normalised [batch, n] -> [batch, convolution frames, conv_dim]."""
        x = samples[:, None]
        for layer in self.feature_extractor["conv_layers"]:  # type: ignore[union-attr]  # ModuleDict forgets the class
            x = F.gelu(layer["layer_norm"](layer["conv"](x)) if "layer_norm" in layer else layer["conv"](x))
        return x.transpose(1, 2)

    def listen(self, x: Tensor) -> Tensor:
        """Convolution frames, one a video frame [batch, frames, conv_dim] -> [batch, frames, features]."""
        x = self.feature_projection["projection"](self.feature_projection["layer_norm"](x))
        x = x + self.encoder["pos_conv_embed"](x)
        states = [self.encoder["layer_norm"](x)]
        for layer in self.encoder["layers"]:  # type: ignore[union-attr]  # as above
            states.append(layer(states[-1]))  # each state needs the one before
        return torch.cat((states[-1], *states), dim=-1)

    def settle(self) -> None:
        """Ready to run and not to be saved."""
        self.encoder["pos_conv_embed"].settle()  # type: ignore[operator]  # ModuleDict forgets the class

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def conv_frames(self, samples: int) -> int:
        """How many convolution frames fit into so many samples."""
        return (samples - self.sizes.span) // self.sizes.hop + 1


class PositionConv(nn.Module):
    """Convolution over 128 tokens; each tap of its weight is kept as a length and a direction."""

    def __init__(self, sizes: AudioSizes) -> None:
        super().__init__()
        kernel, groups = sizes.position_kernel, sizes.position_groups
        self.conv = weight_norm(nn.Conv1d(sizes.dim, sizes.dim, kernel, padding=kernel // 2, groups=groups), dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, tokens, dim] -> the same shape; an even kernel gives one token more, which is dropped."""
        return F.gelu(self.conv(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)

    def settle(self) -> None:
        """Multiply lengths and directions once and for all."""
        remove_parametrizations(self.conv, "weight")


class EncoderLayer(nn.Module):
    """Attention over the whole clip, then feed-forward; each is normalised afterwards."""

    def __init__(self, sizes: AudioSizes) -> None:
        super().__init__()
        dim, self.heads = sizes.dim, sizes.heads
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
        self.attention = nn.ModuleDict({name: nn.Linear(dim, dim) for name in names})
        self.layer_norm = nn.LayerNorm(dim, _EPS)
        self.feed_forward = nn.ModuleDict(
            {"intermediate_dense": nn.Linear(dim, sizes.ffn_dim), "output_dense": nn.Linear(sizes.ffn_dim, dim)}
        )
        self.final_layer_norm = nn.LayerNorm(dim, _EPS)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self.attention[name](x) for name in ("q_proj", "k_proj", "v_proj"))
        x = self.layer_norm(x + self.attention["out_proj"](attend(q, k, v, self.heads)))
        hidden = F.gelu(self.feed_forward["intermediate_dense"](x))
        return self.final_layer_norm(x + self.feed_forward["output_dense"](hidden))


def load_wav2vec(
    file: Path, sizes: AudioSizes, *, device: torch.device, dtype: torch.dtype = torch.float32
) -> Wav2Vec2:
    """From the published file, with or without its head for words; float32 as in training.

    Raises:
        PerformerError: the file is missing, damaged, or another model's.
    """
    with torch.device("meta"):
        model = Wav2Vec2(sizes)
    load_strictly(model, file, what="wav2vec2-base", device=device, dtype=dtype, rename=own_name)
    model.requires_grad_(False).eval().settle()
    return model


def own_name(published: str) -> str | None:
    """The name here for a tensor of the published file; None for what only speech recognition needs."""
    name = published.removeprefix("wav2vec2.")
    if _UNUSED.fullmatch(name):
        return None
    name = name.replace("conv.weight_g", "conv.parametrizations.weight.original0")
    return name.replace("conv.weight_v", "conv.parametrizations.weight.original1")


def normalised(samples: Tensor) -> Tensor:
    """Zero mean and unit variance over all that is given, [batch, n]; silence stays silence."""
    centred = samples - samples.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-7)


def stretched(x: Tensor, frames: int, stride: float | None = None) -> Tensor:
    """[batch, n, dim] -> [batch, frames, dim], linearly between two rows; `stride` as in `Wav2Vec2.forward`."""
    if stride is None:
        return F.interpolate(x.transpose(1, 2), size=frames, mode="linear", align_corners=True).transpose(1, 2)
    places = torch.arange(frames, dtype=torch.float64, device=x.device) * stride
    below, last = places.floor().long(), x.shape[1] - 1
    weight = (places - below).to(x.dtype)[:, None]
    above = (below + 1).clamp(max=last)
    return x.index_select(1, below.clamp(max=last)) * (1 - weight) + x.index_select(1, above) * weight


def _convolutions(sizes: AudioSizes) -> nn.ModuleList:
    channels = [1, *[sizes.conv_dim] * len(sizes.conv_kernels)]
    layers = nn.ModuleList()
    for index, (kernel, stride) in enumerate(zip(sizes.conv_kernels, sizes.conv_strides, strict=True)):
        layer = nn.ModuleDict({"conv": nn.Conv1d(channels[index], channels[index + 1], kernel, stride, bias=False)})
        if index == 0:  # one group a channel: statistics over the whole of what is given
            layer["layer_norm"] = nn.GroupNorm(sizes.conv_dim, sizes.conv_dim, _EPS)
        layers.append(layer)
    return layers
