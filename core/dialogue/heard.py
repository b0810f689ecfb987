"""How much of a reply's words the person heard, given how much of its sound they heard."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.media import MEDIA_RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LETTERS_PER_SECOND = 15.0
"""Ordinary speech in alphabetic scripts."""
_LETTERS_PER_IDEOGRAPH = 3.5


def heard_text(segments: Iterable[tuple[str, int]], heard_samples: int, *, complete: bool = True) -> tuple[str, str]:
    """Split a reply's words into what was heard and what was not; joined, the two are the whole text.

    Args:
        segments: the reply in order as (words, media samples). Words that came with samples lie over those samples.
            Words that came alone ran ahead of their sound: with the samples that came without words they form one
            stretch, over which they are spread evenly, an ideograph weighing as much as several letters.
        heard_samples: media samples that reached the loudspeaker.
        complete: False when more sound was still to come, so that no more words count as heard than can be spoken in
            the time.

    The cut is at the end of a whole word; the space after it belongs to the unheard part.
    """
    stretches = _stretches(segments, complete)
    text = "".join(stretch.words for stretch in stretches)
    before, left = 0, heard_samples
    for stretch in stretches:
        if left < stretch.samples or not stretch.samples or stretch.growing:
            before += _letters_within(stretch, left)
            break
        before += len(stretch.words)
        left -= stretch.samples
    cut = _word_end(text, before)
    return text[:cut], text[cut:]


def spoken_by(text: str, seconds: float) -> int:
    """How many characters of `text` ordinary speech has said after `seconds`, to the end of a whole word."""
    weights = [_LETTERS_PER_IDEOGRAPH if _stands_alone(letter) else 1.0 for letter in text]
    return _word_end(text, _count_within(weights, seconds * LETTERS_PER_SECOND))


@dataclass(frozen=True)
class _Stretch:
    """Words and the samples they are spread over; `growing` when more samples for the same words are to come."""

    words: str
    samples: int
    growing: bool = False


def _stretches(segments: Iterable[tuple[str, int]], complete: bool) -> list[_Stretch]:
    stretches: list[_Stretch] = []
    words, sound = "", 0
    for text, samples in segments:
        if text and samples:
            if sound:
                stretches.append(_Stretch(words, sound))
                words, sound = "", 0
            stretches.append(_Stretch(words + text, samples))
            words = ""
        else:
            words, sound = words + text, sound + samples
    if complete and stretches and not sound:
        stretches[-1] = _Stretch(stretches[-1].words + words, stretches[-1].samples)
    else:
        stretches.append(_Stretch(words, sound, growing=not complete))
    return stretches


def _letters_within(stretch: _Stretch, heard: int) -> int:
    """How many characters of the stretch are over after `heard` samples of it."""
    weights = [_LETTERS_PER_IDEOGRAPH if _stands_alone(letter) else 1.0 for letter in stretch.words]
    share = min(heard / stretch.samples, 1.0) if stretch.samples else 0.0
    reached = share * sum(weights)
    if stretch.growing:
        reached = min(reached, heard / MEDIA_RATE * LETTERS_PER_SECOND)
    return _count_within(weights, reached)


def _count_within(weights: Sequence[float], reached: float) -> int:
    total = 0.0
    for count, weight in enumerate(weights):
        total += weight
        if total > reached + 1e-6:
            return count
    return len(weights)


def _word_end(text: str, position: int) -> int:
    """The last end of a whole word at or before `position`, without the space after it."""
    cut = min(position, len(text))
    while 0 < cut < len(text) and not _may_cut(text[cut - 1], text[cut]):
        cut -= 1
    while cut < len(text) and cut > 0 and text[cut - 1].isspace():
        cut -= 1
    return cut


def _may_cut(before: str, after: str) -> bool:
    if before.isspace() or after.isspace():
        return True
    if _stands_alone(after) and unicodedata.category(after)[0] != "P":
        return True
    return _stands_alone(before) and unicodedata.category(after)[0] != "P"


def _stands_alone(letter: str) -> bool:
    """Whether the script has no spaces between words, so that each sign counts as one."""
    return unicodedata.east_asian_width(letter) in "WF"
