"""Easing: the way from the pose that was shown last to the one the model went on from.

Frames that were painted ahead may never be shown. The model remembers them all the same, so that its next frame stands
elsewhere than the last one anybody saw.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.performer.portrait.codec import CARRIAGE_CURVES, CURVES, LIP_CURVES

HEAD_FRAMES = 8
"""After so many frames head, gaze and brows are where the model has them."""
LID_FRAMES = 4
LIP_FRAMES = 3
"""The lips have to be in step with the voice."""
_HEAD = [CURVES.index(name) for name in CARRIAGE_CURVES[:6]]
_SHORTER = {
    **dict.fromkeys(LIP_CURVES, LIP_FRAMES),
    **dict.fromkeys(("squint", "lid_right", "lid_left"), LID_FRAMES),
}
_KEPT = 64
"""Frames that are remembered; the player and the loudspeaker hold fewer."""


def _decay(frames: int) -> tuple[Tensor, Tensor]:
    """Cubics over 1..`HEAD_FRAMES` that end flat at 0 after `frames`: one falls from 1 where it is flat, the other
    begins at 0 with slope 1 a frame. Two of [HEAD_FRAMES]."""
    part = (torch.arange(1, HEAD_FRAMES + 1) / frames).clamp(max=1.0)
    return (1 - part) ** 2 * (1 + 2 * part), frames * part * (1 - part) ** 2


_STAY = torch.stack([_decay(_SHORTER.get(name, HEAD_FRAMES))[0] for name in CURVES], 1)
_COAST = _decay(HEAD_FRAMES)[1][:, None]


class Easing:
    """Between the curves of one performance and its painter. Renderer thread only.

    The head is heavy: how far it is off, and how fast it drifts, fade out beneath its own motion (inertialization, as
    in D. Bollo, GDC 2018). Everything else has no momentum and crosses over from how it was shown, so that lips and
    lids never pass what they were or will be.
    """

    def __init__(self) -> None:
        self._past = torch.empty(0, 3, len(CURVES))
        """What was painted, newest last: the model's curves, the shown ones, and how much they moved since the frame
        shown before."""
        self._unshown = 0
        self._from = torch.zeros(len(CURVES))
        self._off = torch.zeros(HEAD_FRAMES, len(_HEAD))
        self._passed = HEAD_FRAMES

    def rejoin(self, unshown: int) -> bool:
        """The newest `unshown` of the curves given out so far are not shown. Whether an older one is known."""
        self._unshown = unshown
        return unshown < len(self._past)

    def shown(self, before: Tensor, own: Tensor) -> Tensor:
        """Curves to show for the model's `own` [n, CURVES], which follow the two in `before` [2, CURVES]."""
        last = self._past[-1 - self._unshown] if self._unshown < len(self._past) else None
        if last is None:
            self._passed = HEAD_FRAMES
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
        off = self._from - before[-1]
        drift = moved - (before[-1] - before[-2])
        self._off = _STAY[:, _HEAD] * off[_HEAD] + _COAST * drift[_HEAD]
        self._passed = 0

    def _eased(self, own: Tensor) -> Tensor:
        now = slice(self._passed, min(self._passed + len(own), HEAD_FRAMES))
        self._passed = now.stop
        count = now.stop - now.start
        shown = own.clone()
        shown[:count] = torch.lerp(own[:count], self._from, _STAY[now])
        shown[:count, _HEAD] = own[:count, _HEAD] + self._off[now]
        return shown
