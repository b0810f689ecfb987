"""Judge: asks the models whether somebody who paused has finished, and whether words into a reply were meant for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from core.listening.finished import LEAST_SURE, finished, is_sign_of_listening
from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.listening.finished import Words
    from core.media import Samples

STILLNESS = np.zeros(CAPTURE_RATE // 5, np.float32)
"""Both models are surer of an end that silence follows; nobody has to wait for silence that can be made."""


class Understand(Protocol):
    """The words of `speech`; returns early, with what it has, once `wanted` is false.

    Raises:
        LiveTalkError: there is no model to understand with.
    """

    def __call__(self, speech: AudioChunk, wanted: Callable[[], bool]) -> Words: ...


class Judge:
    """Belongs to one thread.

    Args:
        ending: the probability that a turn is over by its sound (`TurnEnding`); None without its model.
        understand: its words; None without a recogniser.
    """

    def __init__(self, ending: Callable[[Samples], float] | None, understand: Understand | None) -> None:
        self._ending = ending
        self._understand = understand

    def finished(self, speech: AudioChunk, wanted: Callable[[], bool] = lambda: True) -> float | None:
        """The probability that the turn which sounds like `speech` so far, with a little silence after it, is over;
        None when nobody can tell, or it is not wanted any more.

        Raises:
            LiveTalkError: there is no recogniser after all.
        """
        whole = AudioChunk(np.concatenate([speech.samples, STILLNESS]), speech.start)
        tone = self._ending(whole.samples) if self._ending and wanted() else None
        words = self._understand(whole, wanted) if self._understand and wanted() else None
        return finished(tone, words) if wanted() else None

    def is_sign(self, speech: AudioChunk, wanted: Callable[[], bool] = lambda: True) -> bool | None:
        """Whether what was said into a reply only shows that somebody listens; None when it has no words, or nobody
        can tell.

        Raises:
            LiveTalkError: there is no recogniser after all.
        """
        words = self._understand(speech, wanted) if self._understand else None
        if words is None or words.sure < LEAST_SURE or not words.text.strip():
            return None
        return is_sign_of_listening(words)
