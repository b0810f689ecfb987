"""Conditions: what a picture and a sound must be before a clip is made from them, and how a prompt is refined.

The recipe's first improvement: reference pictures that are bright, sharp and show one usable face, and prompts about
what moves (LiveTalk paper, section on curated multimodal conditions). The rules are plain: no language model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import msgspec
import numpy as np

from core.errors import LiveTalkError
from core.offline import read_sound
from core.performer.livetalk.picture import framed
from core.performer.livetalk.spec import LIVETALK_1_3B
from core.performer.portrait.identity import make_identity
from core.performer.portrait.imaging import grey, resized

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.portrait.landmarks import Face, FaceFinder

_FACE_PX = 256
"""Height at which sharpness is measured; smaller faces are not enlarged."""
_TYPICAL_CONTRAST, _LEAST_CONTRAST = 40.0, 8.0
_BURNT_FROM = 250.0


@dataclass(frozen=True)
class PictureRules:
    """Limits for a picture as the model is shown it; see the recipe for where they come from."""

    darkest: float
    brightest: float
    burnt: float
    sharpness: float
    face: float
    roll_deg: float


@dataclass(frozen=True)
class SoundRules:
    """The least that a sound must have."""

    seconds: float
    loudness_db: float


@dataclass(frozen=True)
class Motion:
    """A sentence about what moves, and the words that say it already (regular expressions)."""

    says: str
    unless: tuple[str, ...]


@dataclass(frozen=True)
class PromptRules:
    """How a prompt is refined."""

    strip: tuple[str, ...]
    motions: tuple[Motion, ...]


class ConditionRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that curation depends on."""

    DEFAULT = Path(__file__).parent / "recipes" / "conditions.toml"

    negative: str
    picture: PictureRules
    sound: SoundRules
    prompt: PromptRules

    @staticmethod
    def load(path: Path) -> ConditionRecipe:
        """Raises msgspec.ValidationError, which names the key, for a recipe that is not one."""
        return msgspec.toml.decode(path.read_bytes(), type=ConditionRecipe)


def refined(prompt: str, rules: PromptRules) -> str:
    """The description that was given, without what says that it is a picture or stands still, and what moves."""
    kept = prompt
    for pattern in rules.strip:
        kept = re.sub(rf"\b{pattern}" if pattern[0].isalpha() else pattern, " ", kept, flags=re.IGNORECASE)
    described = _tidy(kept)
    missing = [motion.says for motion in rules.motions if not _says(described, motion.unless)]
    return " ".join([*([described] if described else []), *missing])


def picture_faults(picture: Pixels, finder: FaceFinder, rules: PictureRules) -> list[str]:
    """Every reason not to use an RGB picture of any size, in words; none for a good one."""
    shown = as_shown(picture)
    try:
        identity = make_identity(shown, finder)
    except LiveTalkError as error:
        refusal = error.title.rpartition(": ")[2]
        faces = finder.find(shown)
        light = _light_faults(shown, faces[0], rules) if len(faces) == 1 else []
        return [*light, refusal]  # what lies in the dark may also seem covered
    face = finder.find(shown)[0]
    roll = abs(float(np.rad2deg(identity.pose.angles[2])))
    tilted = [f"the head is tilted by {roll:.0f} degrees."] if roll > rules.roll_deg else []
    return [*_light_faults(shown, face, rules), *_detail_faults(shown, face, rules), *tilted]


def as_shown(picture: Pixels) -> Pixels:
    """The square that the video model is shown of a picture."""
    pixels = framed(picture, LIVETALK_1_3B.height, LIVETALK_1_3B.width)
    return ((pixels.permute(1, 2, 0).numpy() + 1.0) * 127.5).round().clip(0, 255).astype(np.uint8)


def sound_faults(path: Path, rules: SoundRules) -> list[str]:
    """Every reason not to use a sound, in words."""
    rate = LIVETALK_1_3B.audio_rate
    try:
        sound = read_sound(path, rate)
    except LiveTalkError as error:
        return [error.title]
    faults: list[str] = []
    if len(sound) < rules.seconds * rate:
        faults.append(f"the sound lasts {len(sound) / rate:.1f} s; it needs {rules.seconds:.1f}.")
    loudness = 20 * float(np.log10(max(float(np.sqrt(np.square(sound).mean())), 1e-9)))
    if loudness < rules.loudness_db:
        faults.append(f"the sound is silent ({loudness:.0f} dB).")
    return faults


def sharpness(face: Pixels) -> float:
    """Spread of the finest detail of a face cut from a picture, against its contrast."""
    bright = grey(face)
    if bright.shape[0] > _FACE_PX:
        scale = _FACE_PX / bright.shape[0]
        bright = resized(bright, (max(1, round(bright.shape[1] * scale)), _FACE_PX))
    finest = float(np.asarray(cv2.Laplacian(bright, cv2.CV_32F)).std())
    return finest * _TYPICAL_CONTRAST / max(float(bright.std()), _LEAST_CONTRAST)


def _light_faults(shown: Pixels, face: Face, rules: PictureRules) -> list[str]:
    bright = grey(_cut(shown, face))
    mean, burnt = float(bright.mean()), float((bright > _BURNT_FROM).mean())
    faults: list[str] = []
    if mean < rules.darkest:
        faults.append(f"the face is too dark ({mean:.0f} of 255).")
    if mean > rules.brightest or burnt > rules.burnt:
        faults.append(f"the face is too bright ({mean:.0f} of 255, {burnt:.0%} of it burnt out).")
    return faults


def _detail_faults(shown: Pixels, face: Face, rules: PictureRules) -> list[str]:
    left, top, right, bottom = (float(value) for value in face.box)
    faults: list[str] = []
    if bottom - top < rules.face:
        faults.append(f"the face is {bottom - top:.0f} px high in 512; it needs {rules.face:.0f}.")
    if left < 0 or top < 0 or right > shown.shape[1] or bottom > shown.shape[0]:
        faults.append("the face is cut off by the edge.")
    if (sharp := sharpness(_cut(shown, face))) < rules.sharpness:
        faults.append(f"the face is blurred ({sharp:.1f}; it needs {rules.sharpness:.1f}).")
    return faults


def _cut(shown: Pixels, face: Face) -> Pixels:
    left, top, right, bottom = (round(float(value)) for value in face.box)
    return shown[max(0, top) : bottom, max(0, left) : right]


def _tidy(text: str) -> str:
    """Spaces, doubled and leading punctuation that was left behind, a capital, a full stop."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", text)
    text = re.sub(r"([,;:])(?:[,;:]\s*)+", r"\1 ", text)
    text = re.sub(r"[,;:]+\s*([.!?])", r"\1", text)
    text = re.sub(r"([.!?])(?:\s*[.,;:])+", r"\1", text).strip(" ,;:.")
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in "!?" else ".")


def _says(text: str, words: tuple[str, ...]) -> bool:
    return any(re.search(word, text, flags=re.IGNORECASE) for word in words)
