"""Terminal: words and progress for people, and one JSON document as the last line for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.errors import LiveTalkError

_BAR = 24


class Terminal:
    """Where a command speaks. Lines for people go to `out`, moving progress and trouble to `err`.

    Args:
        as_json: `finish` prints its document.
        verbose: trouble is told with its technical line.
    """

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool = False, verbose: bool = False) -> None:
        self._out = out
        self._err = err
        self._as_json = as_json
        self._verbose = verbose
        self._moving = err.isatty()
        self._shown = ""

    def say(self, line: str = "") -> None:
        self._clear()
        print(line, file=self._out, flush=True)

    def progress(self, label: str, done: float, total: float, beside: str = "") -> None:
        """How far something is, with words `beside` it. On a terminal one line that moves; elsewhere every tenth."""
        share = min(1.0, done / total) if total else 1.0
        if self._moving:
            filled = round(_BAR * share)
            self._show(f"{label} [{'#' * filled}{'.' * (_BAR - filled)}] {share:4.0%} {beside}".rstrip())
        elif (line := f"{label} {int(share * 10) * 10} %") != self._shown:
            self._shown = line
            print(f"{line} {beside}".rstrip(), file=self._err, flush=True)

    def agrees(self, question: str) -> bool:
        """Whether the person says yes; where nobody sits at the terminal, nobody does."""
        self._clear()
        if not sys.stdin.isatty():
            return False
        print(f"{question} [y/N] ", end="", file=self._err, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def finish(self, document: Mapping[str, object]) -> None:
        """The result, for programs."""
        self._clear()
        if self._as_json:
            print(json.dumps(document, ensure_ascii=False), file=self._out, flush=True)

    def warn(self, error: LiveTalkError) -> None:
        """Trouble that the command can go on with."""
        self._clear()
        print(f"{error.title} {error.advice}", file=self._err)

    def trouble(self, error: LiveTalkError) -> None:
        self._clear()
        print(f"{error.title}\n{error.advice}", file=self._err)
        if self._verbose and error.detail:
            print(error.detail, file=self._err)
        self.finish({"error": {"problem": error.problem.value, "title": error.title, "advice": error.advice}})

    def interrupted(self) -> None:
        self._clear()
        print("Stopped.", file=self._err)

    def _show(self, line: str) -> None:
        print(f"\r\x1b[K{line}", end="", file=self._err, flush=True)
        self._shown = line

    def _clear(self) -> None:
        if self._moving and self._shown:
            print("\r\x1b[K", end="", file=self._err, flush=True)
        self._shown = ""


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the columns of `rows` below each other; the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
