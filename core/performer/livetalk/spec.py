"""LiveTalkSpec: every number of the model in one place, free of torch; code and tensors follow it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from core.media import MEDIA_RATE
from core.performer.diffusion.schedule import RELEASED, Schedule
from core.performer.diffusion.sizes import FRAMES_PER_LATENT, Sizes
from core.performer.diffusion.window import Window
from core.performer.protocol import PerformerSpec

if TYPE_CHECKING:
    from pathlib import Path

Rolling = Literal["release", "paper"]
"""How a window of 5 blocks with 3 sinks is counted: with the block being made, or without it."""
Positions = Literal["window", "stream"]
"""Where rotary positions begin: inside the window, so that a stream has no end, or with the stream, as released."""
Numbers = Literal["half", "fp8"]
"""`half` is whatever the device calculates in; `fp8` is e4m3 with scales."""
Decoder = Literal["wan", "small"]
SMALL_DECODER = "Small decoder (TAEHV)"
SMALL_DECODER_WORDS = (
    "Several times faster and lighter than the model's own; skin, hair and teeth look a little softer."
)
"""What a person is told who may choose it."""


@dataclass(frozen=True)
class AudioSizes:
    """wav2vec2: what its tensor shapes depend on."""

    dim: int = 768
    ffn_dim: int = 3072
    layers: int = 12
    heads: int = 12
    conv_dim: int = 512
    conv_kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    position_kernel: int = 128
    position_groups: int = 16

    @property
    def features(self) -> int:
        """Width of one video frame's features: the output, then every hidden state from before the first layer on."""
        return (self.layers + 2) * self.dim

    @property
    def hop(self) -> int:
        """Samples from one convolution frame to the next."""
        hop = 1
        for stride in self.conv_strides:
            hop *= stride
        return hop

    @property
    def span(self) -> int:
        """Samples that one convolution frame hears."""
        span, hop = 1, 1
        for kernel, stride in zip(self.conv_kernels, self.conv_strides, strict=True):
            span += (kernel - 1) * hop
            hop *= stride
        return span


@dataclass(frozen=True)
class TextSizes:
    """UMT5's encoder: what its tensor shapes depend on, and how many rows the transformer is shown."""

    vocabulary: int = 256_384
    dim: int = 4096
    attention_dim: int = 4096
    ffn_dim: int = 10_240
    layers: int = 24
    heads: int = 64
    buckets: int = 32
    max_distance: int = 128
    rows: int = 512


@dataclass(frozen=True)
class VaeSizes:
    """The Wan video VAE: what its tensor shapes depend on."""

    dim: int = 96
    latent_channels: int = 16
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    encoder_blocks: int = 2
    decoder_blocks: int = 3
    time_downsampling: tuple[bool, ...] = (False, True, True)
    """For each step down between two levels, whether time is halved too; the decoder goes the other way."""

    @property
    def spatial_factor(self) -> int:
        return 2 ** (len(self.multipliers) - 1)


@dataclass(frozen=True)
class Preset:
    """A way to run the same weights, and the GPU memory it needs at 512x512."""

    name: str
    linears: Numbers
    cache: Numbers
    decoder: Decoder
    memory_mb: int
    attention: Numbers = "half"
    """`fp8` where a kernel for it is installed, else `half` all the same."""

    @property
    def variant(self) -> str:
        """Its name, and what draws where that is not the model's own decoder."""
        return f"{self.name}, {SMALL_DECODER}" if self.decoder == "small" else self.name


QUALITY = Preset("quality", "half", "half", "wan", 11_000)
FAST = Preset("fast", "half", "half", "small", 9_000)
FASTEST = Preset("fastest", "fp8", "half", "small", 8_000, attention="fp8")
LOW = Preset("low", "fp8", "fp8", "small", 6_000, attention="fp8")
PRESETS = (QUALITY, FAST, FASTEST, LOW)
"""From the best picture to the least memory: what to fall back to comes later in the list."""


@dataclass(frozen=True)
class ModelFiles:
    """Where the pieces of one model lie; any names, anywhere."""

    transformer: Path
    vae: Path
    audio: Path
    """`model.safetensors` or `pytorch_model.bin` of wav2vec2."""
    text: Path | None
    """UMT5's weights; None where the prompts in use are cached."""
    tokenizer: Path | None
    """The folder with UMT5's `tokenizer.json`."""
    small_decoder: Path | None = None


@dataclass(frozen=True)
class LiveTalkSpec:
    """Sizes, geometry, schedule, memory of the past, and hearing of one model.

    `sigmas` and `timesteps` are those of section 3.1 of the checkpoint's description: exact sigmas, and the timesteps
    that the released bf16 really feeds. Video runs at `fps`; one of its frames is a whole number of samples both at
    the media rate and at the rate that wav2vec2 hears.
    """

    name: str
    transformer: Sizes
    audio: AudioSizes = field(default_factory=AudioSizes)
    text: TextSizes = field(default_factory=TextSizes)
    vae: VaeSizes = field(default_factory=VaeSizes)
    width: int = 512
    height: int = 512
    fps: int = 16
    sample_rate: int = MEDIA_RATE
    audio_rate: int = 16_000
    block_latents: int = 3
    window_blocks: int = 5
    sink_blocks: int = 3
    rolling: Rolling = "release"
    positions: Positions = "window"
    sigmas: tuple[float, ...] = RELEASED.sigmas
    timesteps: tuple[float, ...] = RELEASED.timesteps
    audio_window_frames: int = 81
    """Video frames whose sound is encoded together, the block and its look-ahead among them: a training clip."""
    audio_lookahead_frames: int = 4
    """Video frames of sound after the block that its features may hear."""

    def __post_init__(self) -> None:
        if self.fps < 1 or self.sample_rate % self.fps or self.audio_rate % self.fps:
            raise ValueError(f"{self.fps} frames a second do not divide {self.sample_rate} and {self.audio_rate}")
        if self.audio_window_frames < self.block_frames + self.audio_lookahead_frames:
            raise ValueError(f"a window of {self.audio_window_frames} frames does not hold a block and its look-ahead")
        if self.transformer.audio_dim != self.audio.features:
            raise ValueError(f"{self.audio.features} features for a model that hears {self.transformer.audio_dim}")
        if self.transformer.text_dim != self.text.dim:
            raise ValueError(f"text of width {self.text.dim} for a model that reads {self.transformer.text_dim}")
        if self.transformer.latent_channels != self.vae.latent_channels:
            raise ValueError(f"{self.vae.latent_channels} latent channels for {self.transformer.latent_channels}")

    @property
    def latent_height(self) -> int:
        return self.height // self.vae.spatial_factor

    @property
    def latent_width(self) -> int:
        return self.width // self.vae.spatial_factor

    @property
    def tokens_per_frame(self) -> int:
        return (self.latent_height // self.transformer.patch[1]) * (self.latent_width // self.transformer.patch[2])

    @property
    def first_frames(self) -> int:
        """Video frames of a stream's first block: its first latent is a single frame."""
        return FRAMES_PER_LATENT * (self.block_latents - 1) + 1

    @property
    def block_frames(self) -> int:
        return FRAMES_PER_LATENT * self.block_latents

    def frames_of(self, block: int) -> int:
        """Video frames of a block, counted from the beginning of the stream."""
        return self.first_frames if block == 0 else self.block_frames

    @property
    def samples_per_frame(self) -> int:
        """Media samples."""
        return self.sample_rate // self.fps

    @property
    def audio_samples_per_frame(self) -> int:
        """Samples at the rate that wav2vec2 hears: 1000, as in training."""
        return self.audio_rate // self.fps

    @property
    def lookahead(self) -> int:
        """Media samples of sound after a block that the performer would like to hear."""
        return self.audio_lookahead_frames * self.samples_per_frame

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.sigmas, self.timesteps)

    @property
    def window(self) -> Window:
        return Window(
            self.window_blocks,
            self.sink_blocks,
            self.block_latents,
            absolute=self.positions == "stream",
            counts_itself=self.rolling == "release",
        )

    def performer_spec(self, preset: Preset) -> PerformerSpec:
        """Geometry and needs for the engine."""
        return PerformerSpec(
            name=self.name,
            fps=self.fps,
            sample_rate=self.sample_rate,
            width=self.width,
            height=self.height,
            first_frames=self.first_frames,
            block_frames=self.block_frames,
            block_latents=self.block_latents,
            frames_per_latent=FRAMES_PER_LATENT,
            latent_channels=self.transformer.latent_channels,
            latent_height=self.latent_height,
            latent_width=self.latent_width,
            patch=self.transformer.patch,
            window_blocks=self.window_blocks,
            sink_blocks=self.sink_blocks,
            sigmas=self.sigmas,
            timesteps=self.timesteps,
            lookahead=self.lookahead,
            memory_mb=preset.memory_mb,
            variant=preset.variant,
            moves_as_told=False,
        )


def _wan(dim: int, ffn_dim: int, layers: int, heads: int) -> Sizes:
    """Sound is added before layer 2 and up to the middle one, by one projection each."""
    return Sizes(
        dim=dim,
        ffn_dim=ffn_dim,
        layers=layers,
        heads=heads,
        text_dim=TextSizes().dim,
        audio_dim=AudioSizes().features,
        audio_hidden=32,
        audio_layers=tuple(range(2, layers // 2 + 1)),
    )


LIVETALK_1_3B = LiveTalkSpec("livetalk-1.3b", _wan(dim=1536, ffn_dim=8960, layers=30, heads=12))
LIVETALK_14B = LiveTalkSpec("livetalk-14b", _wan(dim=5120, ffn_dim=13_824, layers=40, heads=40))
"""The teacher's size; no distilled weights of it are published."""

TINY = LiveTalkSpec(
    "livetalk-tiny",
    Sizes(
        dim=48,
        ffn_dim=96,
        layers=6,
        heads=2,
        text_dim=32,
        audio_dim=AudioSizes(dim=32, layers=2).features,
        audio_hidden=8,
        audio_layers=(2, 3),
    ),
    audio=AudioSizes(dim=32, ffn_dim=48, layers=2, heads=4, conv_dim=16),
    text=TextSizes(vocabulary=320, dim=32, attention_dim=32, ffn_dim=64, layers=2, heads=4, rows=16),
    vae=VaeSizes(dim=8),
    width=64,
    height=64,
)
"""The whole architecture in a size for tests and for machines without a GPU; its weights are random."""
