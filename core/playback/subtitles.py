"""SubtitleWriter: a WebVTT file (W3C WebVTT) that is whole after every line."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_CUE = 84


class SubtitleWriter:
    """Appends cues as they become known. Seconds count from the recording's beginning.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        try:
            self._file.write("WEBVTT\n\nNOTE The picture and the voice of the avatar are AI-generated.\n")
            self._file.flush()
        except OSError:
            with contextlib.suppress(OSError):  # closing tries to write once more
                self._file.close()
            raise

    def say(self, speaker: str, text: str, start_s: float, end_s: float) -> None:
        """Cues for `text`, cut at sentences and spread over the time by their length."""
        pieces = cue_texts(text)
        total = sum(len(piece) for piece in pieces)
        at = start_s
        for piece in pieces:
            until = at + (end_s - start_s) * len(piece) / total
            self._file.write(f"\n{_time(at)} --> {_time(max(until, at + 0.001))}\n<v {_escaped(speaker)}>")
            self._file.write(f"{_escaped(piece)}\n")
            at = until
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def cue_texts(text: str) -> list[str]:
    """`text` cut at sentences, and long sentences at clauses or words, into pieces a person can read at a glance."""
    pieces: list[str] = []
    for sentence in re.split(r"(?<=[.!?…])\s+", text.strip()):
        rest = sentence
        while len(rest) > _LONGEST_CUE:
            cut = max(rest.rfind(mark, 20, _LONGEST_CUE) for mark in (", ", "; ", ": ", " – "))
            cut = cut + 1 if cut > 0 else rest.rfind(" ", 1, _LONGEST_CUE)
            if cut <= 0:
                cut = _LONGEST_CUE
            pieces.append(rest[:cut].strip())
            rest = rest[cut:].strip()
        if rest:
            pieces.append(rest)
    return pieces


def _time(seconds: float) -> str:
    milliseconds = round(max(0.0, seconds) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
