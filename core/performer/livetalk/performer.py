"""LiveTalkPerformer: a portrait comes to life as a stream of video that a diffusion model imagines, block by block."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from core.performer.livetalk.frames import to_pixels
from core.performer.livetalk.picture import framed, overhangs, refuse_too_small
from core.performer.livetalk.pipeline import Imagined, Pipeline, in_words
from core.performer.livetalk.prompts import SCENE, prompt_for
from core.performer.protocol import UNSAID, LatentBlock, Said

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from core.media import Pixels, SpeechBlock
    from core.performer.device import Device
    from core.performer.livetalk.model import LiveTalkModel
    from core.performer.livetalk.whereabouts import FacePlaces
    from core.performer.protocol import Frames, Identity


@dataclass(frozen=True, eq=False)
class LiveTalkIdentity:
    """A portrait as the video model sees it: its latent [channels, h, w], normalised, on the host."""

    key: str
    picture: Pixels
    latent: npt.NDArray[np.float32]


class LiveTalkPerformer:
    """`prepare` from any thread; the rest from the renderer thread.

    Args:
        model: the weights, on `device`.
        style: the manner that the prompt names; how much the head moves is the model's own choice.
        faces: says where the face is in pictures of another shape than the frame's; without it their middle is shown.

    Raises:
        PerformerUnfit: the device has no room for it.
    """

    def __init__(self, model: LiveTalkModel, device: Device, style: str = "", faces: FacePlaces | None = None) -> None:
        self._model, self._device, self._faces = model, device, faces
        self.spec = model.spec.performer_spec(model.preset)
        self._on_stage: LiveTalkIdentity | None = None
        self.direct(style, 0.5)
        self.pipeline = Pipeline(model, device)
        self.pipeline.warm_up()

    @torch.inference_mode()
    def prepare(self, image: Pixels, said: Said = UNSAID) -> LiveTalkIdentity:
        """The picture as far as it is seen, and its latent. Of a picture that is not square it is the part with the
        face: the largest, or the one that is `said`. A picture without a face, such as a drawing, serves too.

        Raises:
            PerformerError: the picture is too small.
            PerformerUnfit: the device has no room to look at it.
        """
        refuse_too_small(image)
        place = None
        if self._faces is not None and overhangs(image, self.spec.height, self.spec.width):
            place = self._faces.middle(image, said)
        pixels = framed(image, self.spec.height, self.spec.width, place)
        with in_words(self._model.preset):
            latent = self._model.vae.encode(pixels[None].to(self._device.torch_device))[0].cpu().numpy()
        key = hashlib.sha256(f"{image.shape} {place}".encode() + image.tobytes()).hexdigest()
        return LiveTalkIdentity(key, to_pixels(pixels[None, :, None]).numpy()[0], latent)

    def direct(self, style: str, motion_amount: float) -> None:
        """The manner of performances that are opened from now on, as far as its prompt was encoded ahead."""
        prompts = self._model.prompts
        self._prompt = prompts.get(prompt_for(style), prompts[SCENE])
        self._goes_on = True

    def open(self, identity: Identity, seed: int) -> LiveTalkPerformance:
        """A new performance; the one before must be closed: they share the device's memory.

        For the portrait that is on the stage, after `direct`, its stream goes on with the other prompt: a person who
        changes their manner does not begin anew.
        """
        if not isinstance(identity, LiveTalkIdentity):
            raise TypeError(f"the LiveTalk performer made no {type(identity).__name__}")
        if self._goes_on and identity is self._on_stage:
            self.pipeline.prompt(self._prompt)
        else:
            self.pipeline.begin(identity.latent, self._prompt, seed)
        self._on_stage, self._goes_on = identity, False
        return LiveTalkPerformance(self.pipeline)


class LiveTalkPerformance:
    """One portrait, imagined as it talks. Renderer thread only."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._imagined = self._drawn = pipeline.blocks

    @property
    def next_frames(self) -> int:
        return self._pipeline.model.spec.frames_of(self._imagined)

    def imagine(self, block: SpeechBlock) -> LatentBlock:
        """Queue the next block. For silence it is waited for: speech that comes meanwhile then finds a block that was
        not drawn yet and can be taken back."""
        imagined = self._pipeline.imagine(block.samples, block.ahead)
        if block.turn is None:
            imagined.made.reach()
        self._imagined += 1
        return LatentBlock(self._imagined - 1, imagined, block)

    def draw(self, latents: LatentBlock) -> Frames:
        """Frames of the block; blocks are drawn once, in the order they were imagined."""
        assert latents.index == self._drawn, f"block {latents.index} drawn when {self._drawn} was due"
        assert isinstance(latents.latents, Imagined)
        self._drawn += 1
        return self._pipeline.draw(latents.latents)

    def rejoin(self, unshown: int) -> bool:
        """What was imagined stays imagined: the cache holds the frames that nobody saw."""
        return False

    def rewind(self) -> None:
        """Forget the block that was imagined and not drawn; nothing happens when there is none."""
        if self._imagined > self._drawn:
            self._pipeline.rewind()
            self._imagined -= 1

    def close(self) -> None:
        """Its memory stays with the performer, for the next one."""
