"""Sounds to mouths: phones to sixteen visemes, and a row of visemes to smooth lip curves.

Every viseme pulls each curve towards a target with a strength of its own, strongest at its middle; the curve is the
weighted mean (dominance, after Cohen and Massaro). A strong pull is why lips do close on p whatever stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.training.speech import Phone

    Floats = npt.NDArray[np.float64]

LEAD_S = 0.03
"""Lips are this much ahead of the sound."""

# name: jaw, funnel, pucker, wide, closed, low, up, roll; then the strengths of jaw, rounding (funnel, pucker, wide),
# closed, and lips (low, up, roll)
_VISEMES: dict[str, tuple[tuple[float, ...], tuple[float, float, float, float]]] = {
    "rest": ((0.00, 0.00, 0.00, 0.00, 0.0, 0.00, 0.00, 0.0), (0.9, 0.8, 1.0, 1.0)),
    "p": ((0.05, 0.00, 0.05, 0.00, 1.0, 0.00, 0.00, 0.1), (1.6, 0.3, 7.0, 1.5)),
    "f": ((0.08, 0.00, 0.00, 0.05, 0.0, 0.00, 0.25, 0.9), (1.4, 0.3, 1.0, 5.0)),
    "th": ((0.15, 0.00, 0.00, 0.15, 0.0, 0.20, 0.05, 0.0), (0.9, 0.4, 1.0, 1.0)),
    "t": ((0.11, 0.00, 0.00, 0.20, 0.0, 0.20, 0.05, 0.0), (0.7, 0.3, 1.0, 0.8)),
    "k": ((0.16, 0.00, 0.00, 0.10, 0.0, 0.10, 0.00, 0.0), (0.5, 0.2, 1.0, 0.6)),
    "h": ((0.24, 0.00, 0.00, 0.00, 0.0, 0.00, 0.00, 0.0), (0.3, 0.1, 1.0, 0.3)),
    "ch": ((0.10, 0.50, 0.25, 0.00, 0.0, 0.20, 0.20, 0.0), (1.2, 1.6, 1.0, 1.3)),
    "s": ((0.05, 0.05, 0.00, 0.40, 0.0, 0.25, 0.15, 0.0), (1.8, 0.7, 1.0, 1.3)),
    "r": ((0.13, 0.35, 0.25, 0.00, 0.0, 0.05, 0.00, 0.0), (0.8, 1.2, 1.0, 0.7)),
    "w": ((0.08, 0.35, 0.85, 0.00, 0.0, 0.00, 0.00, 0.0), (1.3, 2.6, 1.0, 1.0)),
    "a": ((0.74, 0.00, 0.00, 0.10, 0.0, 0.15, 0.05, 0.0), (1.2, 0.8, 1.0, 1.0)),
    "e": ((0.45, 0.00, 0.00, 0.35, 0.0, 0.25, 0.15, 0.0), (1.1, 1.0, 1.0, 1.0)),
    "i": ((0.15, 0.00, 0.00, 0.65, 0.0, 0.25, 0.15, 0.0), (1.1, 1.3, 1.0, 1.0)),
    "o": ((0.44, 0.60, 0.30, 0.00, 0.0, 0.05, 0.05, 0.0), (1.1, 1.6, 1.0, 1.0)),
    "u": ((0.13, 0.40, 0.75, 0.00, 0.0, 0.00, 0.00, 0.0), (1.1, 1.9, 1.0, 1.0)),
    "schwa": ((0.20, 0.05, 0.00, 0.10, 0.0, 0.10, 0.00, 0.0), (0.6, 0.4, 1.0, 0.6)),
}

_IPA = {
    "p": "pbmɓ",
    "f": "fvʋɱ",
    "th": "θð",
    "t": "tdnlɾɫɗɖʈɭɳ",
    "k": "kɡgŋxɣqɢχɴʎɲ",
    "h": "hɦʔħʕʁʀ",
    "ch": "ʃʒɕʑʂʐ",
    "s": "szç",
    "r": "ɹrɻɽ",
    "w": "wβɥʍɸ",
    "a": "aɑɐʌɒ",
    "e": "eɛæ",
    "i": "iɪjʝɨ",
    "o": "oɔøœ",
    "u": "uʊyʏʉɯ",
    "schwa": "əɜɚɝɤɵɘ",
}
_CLASS_OF_SIGN = {sign: name for name, signs in _IPA.items() for sign in signs}
_VOWELS = frozenset(("a", "e", "i", "o", "u", "schwa"))
_ARPABET = {
    "p": "p b m em",
    "f": "f v",
    "th": "th dh",
    "t": "t d n l dx el en nx",
    "k": "k g ng",
    "h": "hh hv",
    "ch": "sh zh ch jh",
    "s": "s z",
    "r": "r",
    "w": "w",
    "a": "aa ah",
    "e": "ae eh",
    "i": "iy ih y ix",
    "o": "ao",
    "u": "uw uh",
    "schwa": "ax er axr",
    "rest": "pau sil ssil",
}
_CLASS_OF_ARPABET = {name: viseme for viseme, names in _ARPABET.items() for name in names.split()}
_ARPABET_GLIDES = {"ow": ("o", "u"), "oy": ("o", "i"), "ay": ("a", "i"), "ey": ("e", "i"), "aw": ("a", "u")}


def visemes_of_ipa(name: str) -> tuple[str, ...]:
    """The mouths of one IPA phone, one after the other: two for a diphthong, rest for a pause."""
    classes = [_CLASS_OF_SIGN[sign] for sign in name if sign in _CLASS_OF_SIGN]
    if not classes:
        return ("rest",)
    if classes[0] in _VOWELS:
        distinct = [c for i, c in enumerate(classes) if i == 0 or c != classes[i - 1]]
        return tuple(distinct[:2])
    return ("ch",) if "ch" in classes else ("s",) if classes[-1] == "s" else (classes[0],)


def visemes_of_arpabet(name: str) -> tuple[str, ...]:
    """The same for the names that flite prints; unknown ones rest.

    Raises:
        KeyError: a phone that no table knows.
    """
    return _ARPABET_GLIDES[name] if name in _ARPABET_GLIDES else (_CLASS_OF_ARPABET[name],)


@dataclass(frozen=True)
class Articulation:
    """How one speaker moves: gains on the curves, and how long a sound pulls."""

    jaw: float = 1.0
    rounding: float = 1.0
    lips: float = 1.0
    reach: float = 0.6
    """Half-width of a sound's pull, in its own durations."""


def lip_curves(phones: Sequence[Phone], frames: int, fps: int, how: Articulation) -> Floats:
    """The eight lip curves at the middle of every frame, [frames, 8]; `close` is 0..1, how shut the lips are held."""
    targets = np.array([_VISEMES[p.viseme][0] for p in phones])
    strengths = np.array([_strengths(p.viseme) for p in phones])
    start = np.array([p.start_s for p in phones])
    length = np.array([p.end_s for p in phones]) - start
    times = (np.arange(frames) + 0.5) / fps + LEAD_S
    distance = np.abs(times[:, None] - (start + length / 2)[None])
    held = np.maximum(0.0, distance - 0.25 * length)  # a long sound keeps its mouth
    pull = np.exp(-((held / (how.reach * np.minimum(length, 0.25) + 0.018)) ** 2)) + 1e-9  # [frames, phones]
    weighted = pull[:, :, None] * strengths[None]
    curves = (weighted * targets[None]).sum(1) / weighted.sum(1)
    curves[:, 4] = _smooth_step(curves[:, 4])
    gains = np.array([how.jaw, *[how.rounding] * 3, 1.0, *[how.lips] * 3])
    return curves * gains


def _strengths(viseme: str) -> tuple[float, ...]:
    jaw, rounding, closed, lips = _VISEMES[viseme][1]
    return (jaw, rounding, rounding, rounding, closed, lips, lips, lips)


def _smooth_step(x: Floats) -> Floats:
    x = np.clip((x - 0.3) / 0.45, 0.0, 1.0)
    return x * x * (3 - 2 * x)
