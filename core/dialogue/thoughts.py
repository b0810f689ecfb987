"""Thoughts: what a model thinks to itself among its words is not said."""

from __future__ import annotations

_BEGIN, _END = "<think>", "</think>"


class WithoutThoughts:
    """Lets streamed text through, but for what stands between ``<think>`` and ``</think>``; either may come in
    pieces."""

    def __init__(self) -> None:
        self._waiting = ""
        self._thinking = False

    def feed(self, text: str) -> str:
        """What may be said of what has come."""
        self._waiting += text
        said = ""
        while True:
            mark = _END if self._thinking else _BEGIN
            before, found, after = self._waiting.partition(mark)
            if not found:
                break
            said += "" if self._thinking else before
            self._thinking = not self._thinking
            self._waiting = after
        held = _beginning_of(mark, self._waiting)
        if not self._thinking:
            said += self._waiting[: len(self._waiting) - held]
        self._waiting = self._waiting[len(self._waiting) - held :]
        return said

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        rest, self._waiting = self._waiting, ""
        return "" if self._thinking else rest


def _beginning_of(mark: str, text: str) -> int:
    """How many letters at the end of `text` may be the beginning of `mark`."""
    return next((count for count in range(len(mark) - 1, 0, -1) if text.endswith(mark[:count])), 0)
