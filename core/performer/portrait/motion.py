"""The motion model: sound, style and the portrait's rest to a stream of motion latents."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.performer.diffusion.schedule import Schedule
from core.performer.diffusion.sizes import Sizes
from core.performer.diffusion.streaming import BlockStream
from core.performer.diffusion.transformer import Transformer
from core.performer.diffusion.window import Window
from core.performer.portrait.audio import AudioEncoder, AudioState, Hearing, LogMel
from core.performer.portrait.codec import CURVES, FRAMES, LATENT, DecoderState, MotionCodec
from core.performer.portrait.shown import Gains, Showing
from core.performer.portrait.speech_encoder import SECONDS_BEFORE, SPEECH_FOLDER, SpeechEncoder
from core.settings import models_folder

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import SpeechBlock

STYLE_WORDS = ("calm", "lively", "smiling", "serious", "attentive")
STYLE_ROWS = 3
"""Rows of text that the model sees: one that is always there, and up to two style words."""


@dataclass(frozen=True)
class MotionSizes:
    """Everything that the shapes of the weights depend on; kept in the spec beside them."""

    dim: int = 128
    ffn_dim: int = 384
    layers: int = 6
    heads: int = 4
    text_dim: int = 64
    audio_width: int = 96
    audio_features: int = 64
    audio_kernels: tuple[int, ...] = (5, 3)
    audio_hidden: int = 128
    audio_layers: tuple[int, ...] = (0, 1, 2, 3)
    codec_hidden: int = 192
    speech_width: int = 0
    """Of the speech encoder's states; 0 for weights that listen to mel bands alone."""

    def transformer(self) -> Sizes:
        return Sizes(
            dim=self.dim,
            ffn_dim=self.ffn_dim,
            layers=self.layers,
            heads=self.heads,
            text_dim=self.text_dim,
            audio_dim=self.audio_features,
            audio_hidden=self.audio_hidden,
            audio_layers=self.audio_layers,
            latent_channels=LATENT[0],
        )


@dataclass(frozen=True)
class MotionSpec:
    """Geometry of the motion stream: what the weights were trained for."""

    sizes: MotionSizes = dataclasses.field(default_factory=MotionSizes)
    fps: int = 25
    sample_rate: int = 24_000
    block_latents: int = 3
    window_blocks: int = 5
    sink_blocks: int = 1
    frames_ahead: int = 2
    sigmas: tuple[float, ...] = (1.0, 0.85, 0.6, 0.3)
    gains: Gains = dataclasses.field(default_factory=Gains)
    version: int = 1

    @property
    def block_frames(self) -> int:
        return self.block_latents * FRAMES

    @property
    def timesteps(self) -> tuple[float, ...]:
        return tuple(1000.0 * sigma for sigma in self.sigmas)

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.sigmas, self.timesteps)

    @property
    def window(self) -> Window:
        return Window(self.window_blocks, self.sink_blocks, self.block_latents)

    @property
    def hearing(self) -> Hearing:
        before = AudioEncoder.context(self.sizes.audio_kernels) - self.frames_ahead
        long_before = SECONDS_BEFORE if self.sizes.speech_width else 0.0
        return Hearing(self.sample_rate, self.fps, self.block_frames, before, self.frames_ahead, long_before)


class MotionModel(nn.Module):
    """All weights of the embedded avatar."""

    def __init__(self, sizes: MotionSizes) -> None:
        super().__init__()
        self.listener = AudioEncoder(sizes.audio_width, sizes.audio_features, sizes.audio_kernels, sizes.speech_width)
        self.transformer = Transformer(sizes.transformer())
        self.codec = MotionCodec(sizes.codec_hidden)
        self.style = nn.Embedding(2 + len(STYLE_WORDS), sizes.text_dim)

    def text(self, rows: Tensor) -> Tensor:
        """Indices of style words [batch, STYLE_ROWS] -> [batch, STYLE_ROWS, text_dim]."""
        return self.style(rows)


def style_rows(style: str) -> list[int]:
    """The rows for a prompt: the words of it that are known, at most two; everything else says nothing.

    Row 0 of the table is always there, row 1 means "no word".
    """
    known = [2 + STYLE_WORDS.index(word) for word in style.lower().replace(",", " ").split() if word in STYLE_WORDS]
    chosen = known[: STYLE_ROWS - 1]
    return [0, *chosen, *[1] * (STYLE_ROWS - 1 - len(chosen))]


@dataclass(frozen=True, eq=False)
class _Before:
    """What `rewind` brings back."""

    audio: AudioState


class MotionStream:
    """One identity's motion, block by block. Renderer thread only.

    Args:
        rest: curves of the portrait at rest, [CURVES].
        speech: for weights that listen through one.
        amount: factor on the movement of head and brows; 1 is how people move.
    """

    def __init__(
        self,
        model: MotionModel,
        spec: MotionSpec,
        speech: SpeechEncoder | None,
        rest: Tensor,
        style: str,
        seed: int,
        amount: float = 1.0,
    ) -> None:
        self._model, self._hearing, self._speech = model, spec.hearing, speech
        self._mel = LogMel(spec.hearing)
        with torch.inference_mode():
            reference = model.codec.encode(rest.expand(1, FRAMES, len(CURVES)))[:, 0]  # [1, 16, 2, 2]
            text = model.text(torch.tensor([style_rows(style)]))
        self._blocks = BlockStream(model.transformer, spec.window, spec.schedule, reference, text, seed)
        self._audio = AudioState.silent(spec.hearing)
        self._before = _Before(self._audio)
        self._decoder = DecoderState.resting(reference)
        gains = dataclasses.replace(spec.gains, head=spec.gains.head * amount, brows=spec.gains.brows * amount)
        self._showing = Showing(rest, gains, spec.fps, seed)

    @torch.inference_mode()
    def imagine(self, block: SpeechBlock) -> Tensor:
        """Latents of the next block, [1, block latents, 16, 2, 2]."""
        self._before = _Before(self._audio)
        self._audio, window = self._audio.hear(block.samples, block.ahead, self._hearing)
        heard = torch.from_numpy(window)[None]
        mels = self._mel(heard[0, self._hearing.past - self._hearing.before :])[None]
        features = self._model.listener(mels, self._speech(heard) if self._speech else None)
        return self._blocks.imagine(features)

    def rewind(self) -> None:
        """Forget the block imagined last; once for each block."""
        self._blocks.rewind()
        self._audio = self._before.audio

    @torch.inference_mode()
    def curves(self, latents: Tensor) -> Tensor:
        """The curves of a block, [block frames, CURVES]; blocks are decoded once, in order."""
        self._decoder, curves = self._decoder.decode(self._model.codec, latents)
        return self._showing.curves(curves)


def open_speech(spec: MotionSpec, folder: Path | None = None) -> SpeechEncoder | None:
    """What these weights listen through, or nothing when they need nothing.

    Args:
        folder: where it lies; without it, where `make models` puts it.

    Raises:
        PerformerError: it is missing or damaged.
    """
    if not spec.sizes.speech_width:
        return None
    return SpeechEncoder(folder or models_folder() / SPEECH_FOLDER, spec.hearing)
