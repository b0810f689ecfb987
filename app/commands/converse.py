"""`livetalk converse`: a real-time conversation without a window, kept as a film."""

from __future__ import annotations

import queue
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.choices import chosen_settings, endpoint_key
from app.commands.drawn_by import about_picture
from app.commands.films import refuse_unwritable
from app.commands.talk import Talk
from app.commands.terminal import table
from core.audio.software import SoftwareSound
from core.errors import LiveTalkError, Problem
from core.media import CAPTURE_RATE
from core.offline import read_sound
from core.parts import product_parts
from core.session import Session
from core.settings import changed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from app.commands.talk import TurnReport
    from app.commands.terminal import Terminal
    from core.audio.device import SoundDevice
    from core.dialogue.connect import KeyOf
    from core.events import RecordingSaved, SessionEvent
    from core.session_parts import Parts
    from core.settings import Settings

_HEADINGS = (
    "seconds after the end of speech",
    "first text",
    "first audio",
    "first frame",
    "heard",
    "underruns",
    "dropped",
    "",
)
SWITCH_INTERVAL_S = 0.0005
"""The sound thread must not wait 5 ms for a busy renderer to let go of the interpreter."""


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0 when every turn was answered to its end, else 1."""
    if not options.turns:
        title, advice = "There is nothing to say.", "Give at least one --say TEXT or --audio FILE."
        raise LiveTalkError(Problem.UNEXPECTED, title, advice)
    refuse_unwritable(options.out)
    for said in options.turns:
        if isinstance(said, Path):
            read_sound(said, CAPTURE_RATE)
    settings = chosen_settings(options, terminal)
    reports, saved = converse(settings, options.turns, options.out, terminal)
    terminal.say()
    for line in (*latency_table(reports), *stages_table(reports)):
        terminal.say(line)
    terminal.say(f"Saved {saved.path} ({saved.seconds:.1f} s) and {saved.subtitles.name}")
    terminal.finish(
        {
            "turns": [asdict(report) for report in reports],
            "out": str(saved.path),
            "subtitles": str(saved.subtitles),
            "seconds": saved.seconds,
        }
    )
    return 0 if all(report.complete for report in reports) else 1


def converse(
    settings: Settings,
    turns: Sequence[str | Path],
    out: Path,
    terminal: Terminal,
    make_parts: Callable[[KeyOf, Callable[[Settings], SoundDevice]], Parts] = product_parts,
) -> tuple[list[TurnReport], RecordingSaved]:
    """Hold the conversation and keep it in `out`. The microphone is made of software and nothing echoes in it."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settings = changed(settings, "audio", echo="off", microphone_on=True, muted=False, volume=1.0)
    settings = changed(settings, "listening", hold_to_talk=False)
    sound = SoftwareSound(time.perf_counter)
    events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    parts = make_parts(endpoint_key, lambda _: sound)
    terminal.say("Preparing the avatar …")
    with Session(settings, events.put, parts, private=True, greet=False) as session:
        talk = Talk(session, sound, events, terminal.say, time.perf_counter)
        talk.begin()
        for line in about_picture(session.renderer.performer.result(0).spec, settings.avatar):
            terminal.say(line)
        talk.record(out)
        reports = [talk.turn(said) for said in turns]
        return reports, talk.finish_recording()


def latency_table(reports: Sequence[TurnReport]) -> list[str]:
    """Lines that say how soon each turn was answered, and how well."""
    return table([_HEADINGS, *_rows(reports)])


def stages_table(reports: Sequence[TurnReport]) -> list[str]:
    """Lines that say where the time went until the first picture with sound was shown; none where nothing was."""
    measured = [(number, report.stages) for number, report in enumerate(reports, 1) if report.stages]
    if not measured:
        return []
    names = list(measured[0][1])
    rows: list[tuple[str, ...]] = [("seconds each stage took", *(name.lower() for name in names), "together")]
    for number, stages in measured:
        figures = (*(stages[name] for name in names), sum(stages.values()))
        rows.append((f"turn {number}", *(f"{seconds:.2f}" for seconds in figures)))
    return ["", *table(rows)]


def _rows(reports: Sequence[TurnReport]) -> Iterator[tuple[str, ...]]:
    for number, report in enumerate(reports, 1):
        marks = report.marks
        yield (
            f"turn {number} ({'spoken' if report.spoken else 'typed'})",
            *(_seconds(marks[name]) for name in ("first_text", "first_audio", "first_frame_shown")),
            f"{report.heard_s:.1f} s",
            str(report.underruns),
            str(report.dropped_frames),
            "" if report.complete else "not complete",
        )


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
