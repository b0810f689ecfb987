"""What `make run` gives where there is no screen: a short conversation, kept as a film and a sheet of stills."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.contact_sheet import contact_sheet
from app.commands.converse import converse, latency_table
from app.commands.questions import speak_questions
from app.commands.terminal import Terminal
from core.errors import LiveTalkError
from core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

FILM = Path("livetalk-demo.mp4")
STILLS = 12
_TYPED = ("Hello, who are you?",)
_SPOKEN = ("What time is it?", "How do I connect a better model?")


def main() -> int:
    """Writes the film, its subtitles and the stills into the current folder. Returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    terminal = Terminal(sys.stdout, sys.stderr)
    terminal.say("There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set), so there is no window.")
    terminal.say(f"Instead, a short conversation with the built-in companion goes into {FILM}.")
    terminal.say()
    try:
        with tempfile.TemporaryDirectory(prefix="livetalk-") as folder:
            hold(terminal, Path(folder))
    except LiveTalkError as error:
        terminal.trouble(error)
        return 1
    except KeyboardInterrupt:
        terminal.interrupted()
        return 130
    return 0


def hold(terminal: Terminal, folder: Path) -> None:
    """The conversation itself; spoken questions are made in `folder`."""
    turns: Sequence[str | Path] = (*_TYPED, *speak_questions(_SPOKEN, folder))
    reports, saved = converse(Settings(), turns, FILM, terminal)
    sheet = contact_sheet(saved.path, STILLS)
    stills = FILM.with_suffix(".png")
    sheet.save(stills)
    terminal.say()
    for line in latency_table(reports):
        terminal.say(line)
    terminal.say()
    terminal.say(f"Saved {saved.path} ({saved.seconds:.1f} s), {saved.subtitles.name} and {stills.name}.")
    terminal.say("On a computer with a screen, make run opens the window.")


if __name__ == "__main__":
    sys.exit(main())
