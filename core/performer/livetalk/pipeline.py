"""The two halves of the model at work on one device: sound to latents on one stream, latents to pixels on the other.

Nothing here waits for the device but the hand-over of finished pixels. Buffers are made once and serve one performance
after the other; calls whose shapes have settled are captured and replayed where the device can do that.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.errors import PerformerError, PerformerUnfit, Problem
from core.performer.device import DeviceFailure, OutOfMemory
from core.performer.diffusion.streaming import BlockStream
from core.performer.livetalk.audio_encoder import AudioStream
from core.performer.livetalk.frames import restart, to_pixels
from core.performer.livetalk.spec import PRESETS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy.typing as npt

    from core.media import Pixels, Samples
    from core.performer.device import Device, HostCopy, Mark
    from core.performer.livetalk.model import LiveTalkModel
    from core.performer.livetalk.spec import Preset


@dataclass(frozen=True, eq=False)
class Imagined:
    """A block's latents [1, frames, channels, h, w], which are there once `made` is reached."""

    latents: Tensor
    made: Mark


@dataclass(frozen=True, eq=False)
class Drawn:
    """A block's pixels on their way to the host (`core.performer.protocol.Frames`)."""

    imagined: Imagined
    """Held until the pixels have arrived: the device reads it while it draws."""
    finite: HostCopy
    parts: tuple[HostCopy, ...]
    preset: Preset

    @property
    def ready(self) -> bool:
        return self.finite.ready and all(part.ready for part in self.parts)

    def pieces(self) -> Iterator[Pixels]:
        """The frames of each latent.

        Raises:
            PerformerError: the latents were no numbers, and no picture can be made of them.
            PerformerUnfit: the device failed.
        """
        with in_words(self.preset):
            finite = bool(self.finite.wait())
        if not finite:
            raise PerformerError(
                Problem.PICTURE_RESTARTED,
                "The picture broke off and was begun again.",
                "The conversation goes on.",
                detail="latents are not finite",
            )
        for part in self.parts:
            with in_words(self.preset):
                pixels = part.wait()
            yield np.asarray(pixels, np.uint8)

    def wait(self) -> Pixels:
        return np.concatenate(list(self.pieces()))


class Pipeline:
    """Renderer thread only; one performance at a time.

    Raises:
        PerformerUnfit: the device has no room for it.
    """

    def __init__(self, model: LiveTalkModel, device: Device) -> None:
        self.model, self._device = model, device
        spec, preset = model.spec, model.preset
        plane = (spec.latent_height, spec.latent_width)
        nobody = torch.zeros(
            (1, spec.transformer.latent_channels, *plane), dtype=device.dtype, device=device.torch_device
        )
        with in_words(preset):
            self._blocks = BlockStream(
                model.transformer,
                spec.window,
                spec.schedule,
                nobody,
                next(iter(model.prompts.values())),
                0,
                steady=lambda call: device.steady(call, "imagine"),
                fp8_cache=preset.cache == "fp8",
            )
            self._frames = model.frames.open(*plane)
        self._audio = AudioStream(model.hearing, spec, device.to_device)
        self._steady_draw = device.steady(self._later, "draw")
        device.mark().reach()

    def begin(self, reference: npt.NDArray[np.float32], prompt: Tensor, seed: int) -> None:
        """A new performance: `reference` is the portrait's latent [channels, h, w], float32."""
        with in_words(self.model.preset), torch.inference_mode():
            with self._device.stream("imagine"):
                latent = self._device.to_device(np.ascontiguousarray(reference))[None]
                self._blocks.restart(latent.to(self._device.dtype), prompt, seed)
            with self._device.stream("draw"):
                restart(self._frames)
        self._audio = AudioStream(self.model.hearing, self.model.spec, self._device.to_device)

    @property
    def blocks(self) -> int:
        """How many blocks of this performance have been imagined."""
        return self._blocks.blocks

    def prompt(self, rows: Tensor) -> None:
        """Listen to another prompt from the next block on; what was imagined with the one before stays in memory."""
        with in_words(self.model.preset), self._device.stream("imagine"):
            self._blocks.prompt(rows)

    def imagine(self, samples: Samples, ahead: Samples) -> Imagined:
        """The next block's latents, queued; `ahead` is the sound after it as far as it is known."""
        with in_words(self.model.preset), self._device.stream("imagine"):
            latents = self.make(self.hear(samples, ahead))
            made = self._device.mark()
            self.remember()
        return Imagined(latents, made)

    def hear(self, samples: Samples, ahead: Samples) -> Tensor:
        """What the transformer hears of the next block, [1, 4 * latent frames, features]."""
        return self._audio.hear(samples, ahead).to(self._device.dtype)

    def make(self, features: Tensor) -> Tensor:
        """Latents from noise, [1, latent frames, channels, h, w]."""
        return self._blocks.make(features)

    def remember(self) -> None:
        """Put the block made last into the memory that later ones look at; once for each block."""
        self._blocks.remember()

    @torch.inference_mode()
    def rewind(self) -> None:
        """Forget the block imagined last; once for each block."""
        with self._device.stream("imagine"):
            self._blocks.rewind()
        self._audio.rewind()

    @torch.inference_mode()
    def draw(self, imagined: Imagined) -> Drawn:
        """A block's pixels, queued; each block is drawn once, in the order of imagining."""
        device, latents = self._device, imagined.latents
        with in_words(self.model.preset), device.stream("draw"):
            imagined.made.wait()
            finite = device.to_host(torch.isfinite(latents).all())
            parts = tuple(device.to_host(self.pixels(latent)) for latent in latents.split(1, dim=1))
        return Drawn(imagined, finite, parts, self.model.preset)

    def warm_up(self) -> None:
        """Run what a conversation will run until nothing of it is new to the device."""
        if not self._device.settling_calls:
            return
        spec = self.model.spec
        plane = (spec.transformer.latent_channels, spec.latent_height, spec.latent_width)
        self.begin(np.zeros(plane, np.float32), next(iter(self.model.prompts.values())), 0)
        for block in range(spec.window.slots + self._device.settling_calls + 1):
            silence = np.zeros(spec.frames_of(block) * spec.samples_per_frame, np.float32)
            self.draw(self.imagine(silence, np.zeros(spec.lookahead, np.float32))).wait()

    def pixels(self, latent: Tensor) -> Tensor:
        """The next latent [1, 1, channels, h, w] as uint8 [frames, height, width, 3].

        One at a time: the first frames are seen sooner, and a third of the memory is enough.
        """
        return self._steady_draw(latent) if self._frames.begun else to_pixels(self._frames.first(latent))

    def _later(self, latent: Tensor) -> Tensor:
        return to_pixels(self._frames.later(latent))


@contextmanager
def in_words(preset: Preset) -> Generator[None]:
    """Trouble of the device as a person can understand it."""
    try:
        yield
    except OutOfMemory as error:
        raise PerformerUnfit(
            Problem.GPU_UNSUITABLE, "The GPU has no memory left for LiveTalk 1.3B.", _instead(preset), detail=str(error)
        ) from error
    except DeviceFailure as error:
        raise PerformerUnfit(
            Problem.GPU_UNSUITABLE,
            "The GPU stopped working.",
            "Start LiveTalk again to use it, or choose Portrait, which needs none.",
            detail=str(error),
        ) from error


def lesser(preset: Preset) -> Preset | None:
    """The next preset that needs less memory; None where this is the least."""
    after = PRESETS[PRESETS.index(preset) + 1 :] if preset in PRESETS else ()
    return next((other for other in after if other.memory_mb < preset.memory_mb), None)


def _instead(preset: Preset) -> str:
    smaller = lesser(preset)
    if smaller is None:
        return "Close other programs that use the GPU, or choose Portrait, which needs none."
    return f"Close other programs that use it. The preset “{smaller.name}” needs {smaller.memory_mb / 1000:.0f} GB."
