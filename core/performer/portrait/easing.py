"""Easing: the way from the pose that was shown last to the one the model went on from.

Frames that were painted ahead may never be shown. The model remembers them all the same, so that its next frame stands
elsewhere than the last one anybody saw.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.performer.portrait.codec import CARRIAGE_CURVES, CURVES, LIP_CURVES

LEAST_FRAMES, MOST_FRAMES = 8, 16
"""After so many frames head and gaze are where the model has them: the more, the further they are off."""
LID_FRAMES = 4
LIP_FRAMES = 3
"""The lips have to be in step with the voice."""
_HASTE = math.radians(1.0)
"""Most that the way adds to a head's turn in a frame, as long as it takes no more than `MOST_FRAMES`."""
_STEEPEST = 1.5
"""Of the cubic that falls from 1 to 0, times its frames."""
_HEAD = [CURVES.index(name) for name in CARRIAGE_CURVES[:6]]
_GAZE = [CURVES.index(name) for name in ("gaze_x", "gaze_y")]
_SHORTER = {
    **dict.fromkeys(LIP_CURVES, LIP_FRAMES),
    **dict.fromkeys(("squint", "lid_right", "lid_left"), LID_FRAMES),
}
_KEPT = 64
"""Frames that are remembered; the player and the loudspeaker hold fewer."""


def _part(frames: int) -> Tensor:
    """How much of the way over `frames` lies behind, at each of `MOST_FRAMES`."""
    return (torch.arange(1, MOST_FRAMES + 1) / frames).clamp(max=1.0)


def _stays(frames: int) -> Tensor:
    """What is left of a distance: a cubic from 1 to 0, flat at both ends, [MOST_FRAMES]."""
    part = _part(frames)
    return (1 - part) ** 2 * (1 + 2 * part)


def _coasts(frames: int) -> Tensor:
    """Where a drift of 1 a frame gets to before it ends back at 0, flat: a cubic, [MOST_FRAMES]."""
    part = _part(frames)
    return frames * part * (1 - part) ** 2


_STAYS = torch.stack([_stays(_SHORTER.get(name, LEAST_FRAMES)) for name in CURVES], 1)


class Easing:
    """Between the curves of one performance and its painter. Renderer thread only.

    The head is heavy: how far it is off, and how fast it drifts, fade out beneath its own motion (inertialization, as
    in D. Bollo, GDC 2018). Everything else has no momentum and crosses over from how it was shown, so that lips and
    lids never pass what they were or will be; the gaze does so as slowly as the head turns.
    """

    def __init__(self) -> None:
        self._past = torch.empty(0, 3, len(CURVES))
        """What was painted, newest last: the model's curves, the shown ones, and how much these moved since the frame
        shown before."""
        self._unshown = 0
        self._from = torch.zeros(len(CURVES))
        self._stay = _STAYS
        self._off = torch.zeros(MOST_FRAMES, len(_HEAD))
        self._passed = MOST_FRAMES

    def rejoin(self, unshown: int) -> bool:
        """The newest `unshown` of the curves given out so far are not shown. Whether an older one is known."""
        self._unshown = unshown
        return unshown < len(self._past)

    def shown(self, before: Tensor, own: Tensor) -> Tensor:
        """Curves to show for the model's `own` [n, CURVES], which follow the two in `before` [2, CURVES]."""
        last = self._past[-1 - self._unshown] if self._unshown < len(self._past) else None
        if last is None:
            self._passed = MOST_FRAMES
        elif not torch.equal(last[0], before[-1]):
            self._begin(last, before)
        shown = self._eased(own)
        moved = shown.diff(dim=0, prepend=(shown if last is None else last[1:2])[:1])
        self._past = torch.cat((self._past, torch.stack((own, shown, moved), 1)))[-_KEPT:]
        self._unshown = 0
        return shown

    def _begin(self, last: Tensor, before: Tensor) -> None:
        """Ease from a remembered frame to where the model has gone meanwhile."""
        _, self._from, moved = last
        off = (self._from - before[-1])[_HEAD]
        drift = (moved - (before[-1] - before[-2]))[_HEAD]
        far = float(off[:3].norm())
        frames = min(max(LEAST_FRAMES, math.ceil(_STEEPEST * far / _HASTE)), MOST_FRAMES)
        self._stay = _STAYS.clone()
        self._stay[:, _GAZE] = _stays(frames)[:, None]
        self._off = _stays(frames)[:, None] * off + _coasts(frames)[:, None] * drift
        self._passed = 0

    def _eased(self, own: Tensor) -> Tensor:
        now = slice(self._passed, min(self._passed + len(own), MOST_FRAMES))
        self._passed = now.stop
        count = now.stop - now.start
        shown = own.clone()
        shown[:count] = torch.lerp(own[:count], self._from, self._stay[now])
        shown[:count, _HEAD] = own[:count, _HEAD] + self._off[now]
        return shown
