"""A strip of the shipped portraits while they speak: frames of the model's own motion at the sounds that show most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from core.media import SpeechBlock
from core.performer.portrait.mesh import OUTER_LIPS
from core.performer.portrait.performer import PortraitPerformance
from core.performer.portrait.warp import PortraitPainter
from core.training.rig import lip_gap
from core.training.speech import flite

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.evaluation.acting import Actor
    from core.media import Pixels
    from core.performer.portrait.face import FaceMotion
    from core.performer.portrait.identity import PortraitIdentity
    from core.training.speech import Utterance

    Floats = npt.NDArray[np.float64]

SENTENCE = "May I move a bit? You know, I love to sing the blues, and far beyond."
LEAD_S = 0.5
SEED = 6
SHOWN = (("p",), ("a",), ("w", "u", "o"), ("i", "e"))
"""Sounds in the order in which they are shown: closed lips, the widest mouth, the roundest, the broadest smile."""
CROP = 0.86
"""Share of the picture's side that is shown, from its middle."""


@dataclass(frozen=True, eq=False)
class Speaker:
    """A portrait and the voice of flite that it speaks with."""

    identity: PortraitIdentity
    voice: str


def strip(actor: Actor, speakers: list[Speaker], width: int) -> Image.Image:
    """All speakers in their moments, in two rows, `width` px wide."""
    pictures = [picture for speaker in speakers for picture in _moments(actor, speaker)]
    across = len(pictures) // 2
    side = width // across
    sheet = Image.new("RGB", (side * across, 2 * side))
    for number, picture in enumerate(pictures):
        edge = round((1 - CROP) / 2 * len(picture))
        face = Image.fromarray(picture[: len(picture) - 2 * edge, edge : len(picture) - edge])
        place = (number % across * side, number // across * side)
        sheet.paste(face.resize((side, side), Image.Resampling.LANCZOS), place)
    return sheet


def _moments(actor: Actor, speaker: Speaker) -> list[Pixels]:
    said = flite(SENTENCE, speaker.voice)
    motion = _motion(actor, speaker.identity, said)
    painter = PortraitPainter(speaker.identity)
    frames = [_best(said, motion, sounds, actor.spec.fps) for sounds in SHOWN]
    return [painter.paint(motion.part(frame, frame + 1))[0] for frame in frames]


def _motion(actor: Actor, identity: PortraitIdentity, said: Utterance) -> FaceMotion:
    """The portrait's motion over the sentence, from `LEAD_S` before it begins."""
    hearing = actor.spec.hearing
    lead = np.zeros(round(LEAD_S * hearing.sample_rate), np.float32)
    size = hearing.block_frames * hearing.frame
    sound = np.concatenate((lead, said.samples, np.zeros(size + hearing.ahead, np.float32)))
    performance = PortraitPerformance(actor.model, actor.spec, actor.speech, identity, "smiling", 1.0, SEED)
    latents = [
        performance.imagine(
            SpeechBlock(None, sound[at : at + size], sound[at + size : at + size + hearing.ahead])
        ).latents
        for at in range(0, len(lead) + len(said.samples) - size, size)
    ]
    return performance.motion(torch.cat(latents, dim=1))


def _best(said: Utterance, motion: FaceMotion, sounds: tuple[str, ...], fps: int) -> int:
    """The frame in which one of these sounds is seen most, with open eyes."""
    gap = lip_gap(motion.displacement.astype(np.float64))
    corners = motion.displacement[:, [OUTER_LIPS[0], OUTER_LIPS[10]], 0].astype(np.float64)
    width = corners[:, 1] - corners[:, 0]
    seen = {"p": -gap, "a": gap, "w": -width + gap, "i": width + 0.5 * gap}[sounds[0]]
    seen = np.where(motion.lids.max(1) > 0.15, -1.0, seen)
    frames = [
        frame
        for phone in said.phones
        if phone.viseme in sounds
        for frame in range(round((LEAD_S + phone.start_s) * fps), round((LEAD_S + phone.end_s) * fps) + 1)
        if frame < len(motion)
    ]
    return max(frames, key=lambda frame: float(seen[frame]))
