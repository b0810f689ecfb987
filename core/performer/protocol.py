"""Performer, PerformerSpec, Identity, Performance: the seam between the engine and the models that draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import MediaFormat, Pixels, SpeechBlock


@dataclass(frozen=True)
class PerformerSpec:
    """Geometry and needs of a performer; the one home of these numbers.

    Latent sizes follow section 2 of the paper's layout: a block is `block_latents` latent frames, each standing for
    `frames_per_latent` video frames, except that a causal video VAE gives fewer in the first block (`first_frames`).
    """

    name: str
    fps: int
    sample_rate: int
    width: int
    height: int
    first_frames: int
    block_frames: int
    block_latents: int
    frames_per_latent: int
    latent_channels: int
    latent_height: int
    latent_width: int
    patch: tuple[int, int, int]
    window_blocks: int
    sink_blocks: int
    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]
    lookahead: int = 0
    """Media samples of sound after the block that the performer would like to hear."""
    memory_mb: int = 0
    variant: str = ""
    """Which way of running it this is, and what draws in place of the model's own parts; for people."""
    moves_as_told: bool = True
    """Whether it follows the amount of motion that `Performer.direct` is told."""

    @classmethod
    def plain(cls, name: str, media: MediaFormat, side: int, frames: int) -> PerformerSpec:
        """Of a performer without a model: square pictures, blocks of `frames`, nothing latent."""
        return cls(
            name=name,
            fps=media.fps,
            sample_rate=media.sample_rate,
            width=side,
            height=side,
            first_frames=frames,
            block_frames=frames,
            block_latents=1,
            frames_per_latent=frames,
            latent_channels=1,
            latent_height=1,
            latent_width=1,
            patch=(1, 1, 1),
            window_blocks=1,
            sink_blocks=0,
            sigmas=(),
            timesteps=(),
        )

    @property
    def tokens_per_frame(self) -> int:
        return (self.latent_height // self.patch[1]) * (self.latent_width // self.patch[2])

    @property
    def samples_per_frame(self) -> int:
        return self.sample_rate // self.fps


@dataclass(frozen=True)
class Said:
    """What a person says of a picture in which the face is not to be found, or not only one.

    `face` is which of several, as `core.errors.SeveralFaces` counted them; `points` are the right and the left eye as
    the picture shows them, nose tip, and both corners of the mouth, in px; `anew` looks as if nothing had been said of
    the picture before.
    """

    face: int | None = None
    points: tuple[tuple[float, float], ...] = ()
    anew: bool = False

    def __bool__(self) -> bool:
        return self.face is not None or bool(self.points)


UNSAID = Said()


class Identity(Protocol):
    """Everything that depends on the portrait only; immutable, may be used by many performances."""

    @property
    def key(self) -> str:
        """Hash of the picture it was made from."""
        ...

    @property
    def picture(self) -> Pixels:
        """The portrait as it will be shown at rest, [h, w, 3]."""
        ...


class Frames(Protocol):
    """The frames of one block on their way to host memory, in consecutive pieces so that the first is seen sooner."""

    @property
    def ready(self) -> bool:
        """Whether asking for them would not wait for a device."""
        ...

    def pieces(self) -> Iterator[Pixels]:
        """uint8 [n, h, w, 3] each, once it has arrived; the caller owns them. What is not asked for is not drawn."""
        ...

    def wait(self) -> Pixels:
        """The whole block, [n, h, w, 3]."""
        ...


@dataclass(frozen=True, eq=False)
class LatentBlock:
    """One block imagined and not yet drawn; `latents` belong to the performance that made them and never leave the
    renderer thread."""

    index: int
    latents: Any  # a performer's own value: tensors for the models, arrays for the fakes
    speech: SpeechBlock


class Performance(Protocol):
    """A stream of one identity; owns all mutable state. Renderer thread only."""

    @property
    def next_frames(self) -> int:
        """How many frames the next block will have."""
        ...

    def imagine(self, block: SpeechBlock) -> LatentBlock:
        """The autoregressive half: audio features, the denoising steps, the clean pass into the cache."""
        ...

    def draw(self, latents: LatentBlock) -> Frames:
        """The decoding half; runs beside the next `imagine`."""
        ...

    def rejoin(self, unshown: int) -> bool:
        """Of the frames that were taken from its pieces, the newest `unshown` will never be shown: have those that are
        taken next go on from the one before. Counted anew each time, also what was told before. False where it cannot,
        and the picture has to cross over."""
        ...

    def rewind(self) -> None:
        """Forget the one block that was imagined and not yet drawn."""
        ...

    def close(self) -> None: ...


class Performer(Protocol):
    """A loaded model. `prepare` may be called from any thread; the rest from the renderer thread only."""

    @property
    def spec(self) -> PerformerSpec: ...

    def prepare(self, image: Pixels, said: Said = UNSAID) -> Identity:
        """Look at an RGB portrait of any size. What is `said` of one that can serve need not be said again.

        Raises:
            PerformerError: the picture cannot serve; the reason and what to do are in it.
        """
        ...

    def direct(self, style: str, motion_amount: float) -> None:
        """How performances that are opened from now on behave: style words, and how much they move, 0..1, which only
        those hear whose `spec.moves_as_told`."""
        ...

    def open(self, identity: Identity, seed: int) -> Performance: ...
