"""The causal diffusion transformer, at any size; its parameter names are those of the released checkpoint.

One forward serves streaming and training: what differs is the `Memory` that self-attention asks for keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.performer.diffusion.attention import Kernel, Memory, attend, standard_kernel
from core.performer.diffusion.rope import Rope, Rotation
from core.performer.diffusion.sizes import FRAMES_PER_LATENT, Sizes


@dataclass(frozen=True, eq=False)
class TextKeys:
    """Keys and values of the text for every layer; they depend on nothing else, so they are made once a prompt."""

    layers: tuple[tuple[Tensor, Tensor], ...]

    def copy_(self, other: TextKeys) -> None:
        """Take the other's in place, so that whoever has captured these sees them."""
        for kept, given in zip(self.layers, other.layers, strict=True):
            for mine, theirs in zip(kept, given, strict=True):
                mine.copy_(theirs)


@dataclass(frozen=True, eq=False)
class Condition:
    """What a pass listens to: the text, and the audio terms [audio layers, batch, latent frames, dim]."""

    text: TextKeys
    audio: Tensor


@dataclass(frozen=True, eq=False)
class Moment:
    """What the timesteps say to every layer and to the head; made once for timesteps that come again."""

    layers: tuple[Tensor, ...]
    """For each layer [batch, frames, 6, dim]: shift, scale, gate of attention, then of the feed-forward."""
    head: Tensor
    """[batch, frames, 2, dim]: shift, scale."""


class RMSNorm(nn.Module):
    """Over the whole width, in float32, as the checkpoint's q and k want it."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        # weighted afterwards: the release rounds before that, and in bf16 its numbers follow from where it rounds
        return F.rms_norm(x, self.weight.shape, eps=self.eps) * self.weight


class Attention(nn.Module):
    """The projections of self- and cross-attention, by the checkpoint's names."""

    def __init__(self, sizes: Sizes, kernel: Kernel) -> None:
        super().__init__()
        self.heads, self.kernel = sizes.heads, kernel
        self.q, self.k, self.v, self.o = (nn.Linear(sizes.dim, sizes.dim) for _ in range(4))
        self.norm_q = RMSNorm(sizes.dim, sizes.eps)
        self.norm_k = RMSNorm(sizes.dim, sizes.eps)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values of the same tokens."""
        return self.norm_q(self.q(x)), *self.keys(x)

    def keys(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.norm_k(self.k(x)), self.v(x)

    def to_text(self, x: Tensor, keys: tuple[Tensor, Tensor]) -> Tensor:
        return self.o(attend(self.norm_q(self.q(x)), *keys, self.heads, kernel=self.kernel))


class Block(nn.Module):
    """Self-attention, text, feed-forward; shift, scale and gate come from each latent frame's timestep."""

    def __init__(self, sizes: Sizes, kernel: Kernel) -> None:
        super().__init__()
        self.eps = sizes.eps
        self.modulation = nn.Parameter(torch.randn(1, 6, sizes.dim) / sizes.dim**0.5)
        self.self_attn = Attention(sizes, kernel)
        self.cross_attn = Attention(sizes, kernel)
        self.norm3 = nn.LayerNorm(sizes.dim, eps=sizes.eps)
        self.ffn = nn.Sequential(
            nn.Linear(sizes.dim, sizes.ffn_dim), nn.GELU(approximate="tanh"), nn.Linear(sizes.ffn_dim, sizes.dim)
        )

    def forward(self, x: Tensor, moment: Tensor, layer: int, memory: Memory, text: tuple[Tensor, Tensor]) -> Tensor:
        q, k, v = self.ask(x, moment, memory.queries)
        keys, values = memory.extend(layer, k, v)
        seen = attend(q, keys, values, self.self_attn.heads, memory.mask, self.self_attn.kernel)
        del q, k, v, keys, values  # so that their memory serves the feed-forward
        return self.answer(x, moment, seen, text)

    def ask(self, x: Tensor, moment: Tensor, queries: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """What comes before self-attention: queries, rotated, and keys and values as they are."""
        q, k, v = self.self_attn.project(_modulated(x, moment[:, :, 0], moment[:, :, 1], self.eps))
        return queries.apply(q, self.self_attn.heads), k, v

    def answer(self, x: Tensor, moment: Tensor, seen: Tensor, text: tuple[Tensor, Tensor]) -> Tensor:
        """What comes after it: its gate, the text, the feed-forward."""
        _, _, gate1, shift2, scale2, gate2 = moment.unbind(2)
        x = _gated(x, gate1, self.self_attn.o(seen))
        x = x + self.cross_attn.to_text(self.norm3(x), text)
        return _gated(x, gate2, self.ffn(_modulated(x, shift2, scale2, self.eps)))

    def remember(self, x: Tensor, moment: Tensor, layer: int, memory: Memory) -> None:
        """Put the keys into the memory and stop there."""
        memory.extend(layer, *self.self_attn.keys(_modulated(x, moment[:, :, 0], moment[:, :, 1], self.eps)))


class Head(nn.Module):
    """Tokens back to patches."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.eps = sizes.eps
        self.modulation = nn.Parameter(torch.randn(1, 2, sizes.dim) / sizes.dim**0.5)
        self.head = nn.Linear(sizes.dim, sizes.latent_channels * sizes.patch_size)

    def forward(self, x: Tensor, moment: Tensor) -> Tensor:
        return self.head(_modulated(x, moment[:, :, 0], moment[:, :, 1], self.eps))


class AudioPack(nn.Module):
    """Four video frames of audio features become one vector a latent frame."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.proj = nn.Linear(FRAMES_PER_LATENT * sizes.audio_dim, sizes.audio_hidden)
        self.norm_out = nn.LayerNorm(sizes.audio_hidden)

    def forward(self, features: Tensor) -> Tensor:
        """[batch, 4 * latent frames, audio_dim] -> [batch, latent frames, audio_hidden]."""
        return self.norm_out(self.proj(features.unflatten(1, (-1, FRAMES_PER_LATENT)).flatten(2)))


class Transformer(nn.Module):
    """Flow (noise - clean) of a few latent frames, given what came before."""

    def __init__(self, sizes: Sizes, kernel: Kernel = standard_kernel) -> None:
        super().__init__()
        self.sizes = sizes
        dim = sizes.dim
        self.patch_embedding = nn.Conv3d(sizes.in_channels, dim, kernel_size=sizes.patch, stride=sizes.patch)
        self.text_embedding = nn.Sequential(
            nn.Linear(sizes.text_dim, dim), nn.GELU(approximate="tanh"), nn.Linear(dim, dim)
        )
        self.time_embedding = nn.Sequential(nn.Linear(sizes.freq_dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.blocks = nn.ModuleList(Block(sizes, kernel) for _ in range(sizes.layers))
        self.head = Head(sizes)
        self.audio_proj = AudioPack(sizes)
        self.audio_cond_projs = nn.ModuleList(nn.Linear(sizes.audio_hidden, dim) for _ in sizes.audio_layers)

    def forward(self, x: Tensor, timesteps: Tensor, condition: Condition, memory: Memory) -> Tensor:
        """Flow of `x`.

        Args:
            x: [batch, frames, in_channels, h, w]: noisy latent, reference latent, mask.
            timesteps: [batch, frames], 0 (clean) to 1000 (noise).

        Returns:
            [batch, frames, latent_channels, h, w].
        """
        return self.flow_at(self.moment(timesteps), x, condition, memory)

    def remember(self, x: Tensor, timesteps: Tensor, condition: Condition, memory: Memory) -> None:
        """The same pass for the sake of its keys: everything after the last layer's is left out."""
        self.remember_at(self.moment(timesteps), x, condition, memory)

    def moment(self, timesteps: Tensor) -> Moment:
        """What the timesteps [batch, frames] say to the layers."""
        features = timestep_features(timesteps, self.sizes.freq_dim).to(self.head.modulation.dtype)
        e = self.time_embedding(features)
        m = self.time_projection(e).unflatten(-1, (6, -1))
        layers = tuple(m + block.modulation for block in self.blocks)  # type: ignore[operator]  # ModuleList forgets the class
        return Moment(layers, e[:, :, None] + self.head.modulation)

    def flow_at(self, moment: Moment, x: Tensor, condition: Condition, memory: Memory) -> Tensor:
        """`forward` for timesteps that come again and again."""
        tokens = self._tokens(x)
        for layer, block in enumerate(self.blocks):
            tokens = self._listen(tokens, layer, condition.audio)
            tokens = block(tokens, moment.layers[layer], layer, memory, condition.text.layers[layer])
        return self._unpatch(self.head(tokens, moment.head), x.shape[-2:])

    def remember_at(self, moment: Moment, x: Tensor, condition: Condition, memory: Memory) -> None:
        """`remember` for timesteps that come again and again."""
        tokens = self._tokens(x)
        last = len(self.blocks) - 1
        for layer, block in enumerate(self.blocks):
            tokens = self._listen(tokens, layer, condition.audio)
            if layer < last:
                tokens = block(tokens, moment.layers[layer], layer, memory, condition.text.layers[layer])
            else:
                block.remember(tokens, moment.layers[layer], layer, memory)  # type: ignore[operator]  # as above

    def text_keys(self, text: Tensor) -> TextKeys:
        """[batch, rows, text_dim] -> keys and values for every layer. All rows count, empty ones too."""
        context = self.text_embedding(text)
        return TextKeys(tuple(block.cross_attn.keys(context) for block in self.blocks))  # type: ignore[operator, union-attr]  # as above

    def audio_terms(self, features: Tensor) -> Tensor:
        """[batch, 4 * frames, audio_dim] -> [audio layers, batch, frames, dim]; strictly local in time."""
        packed = self.audio_proj(features)
        return torch.stack([project(packed) for project in self.audio_cond_projs])

    def rope(self, latent_height: int, latent_width: int, device: torch.device | None = None) -> Rope:
        """Positions for this model's heads on a latent plane of that size."""
        _, rows, columns = self.sizes.patch
        return Rope(self.sizes.head_dim, latent_height // rows, latent_width // columns, device)

    def _tokens(self, x: Tensor) -> Tensor:
        """[batch, frames * rows * columns, dim], frame-major."""
        return self.patch_embedding(x.transpose(1, 2)).flatten(2).transpose(1, 2).contiguous()

    def _listen(self, tokens: Tensor, layer: int, audio: Tensor) -> Tensor:
        if layer not in self.sizes.audio_layers:
            return tokens
        term = audio[self.sizes.audio_layers.index(layer)]
        return (_by_frame(tokens, term) + term[:, :, None]).flatten(1, 2)

    def _unpatch(self, y: Tensor, plane: torch.Size) -> Tensor:
        """[b, tokens, dy * dx * c] -> [b, frames, c, h, w]; the channel runs fastest."""
        _, dy, dx = self.sizes.patch
        rows, columns = plane[0] // dy, plane[1] // dx
        y = y.unflatten(1, (-1, rows, columns)).unflatten(-1, (dy, dx, -1))  # b f r c dy dx ch
        return y.permute(0, 1, 6, 2, 4, 3, 5).flatten(5, 6).flatten(3, 4)


def timestep_features(timesteps: Tensor, width: int) -> Tensor:
    """Cosines, then sines, of width / 2 angles; made in float64. [batch, frames] -> [batch, frames, width]."""
    half = width // 2
    frequencies = 10_000.0 ** (-torch.arange(half, dtype=torch.float64, device=timesteps.device) / half)
    angles = timesteps.double()[..., None] * frequencies
    return torch.cat((angles.cos(), angles.sin()), dim=-1).float()


def _by_frame(x: Tensor, per_frame: Tensor) -> Tensor:
    """[batch, tokens, dim] -> [batch, frames, tokens of a frame, dim], for what is said frame by frame."""
    return x.unflatten(1, (per_frame.shape[1], -1))


def _modulated(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    normed = _by_frame(F.layer_norm(x, x.shape[-1:], eps=eps), shift)
    return (normed * (1 + scale[:, :, None]) + shift[:, :, None]).flatten(1, 2)


def _gated(x: Tensor, gate: Tensor, change: Tensor) -> Tensor:
    return x + (_by_frame(change, gate) * gate[:, :, None]).flatten(1, 2)
