"""Figures of a conversation with the built-in companion: how soon it answers, spoken to and typed to."""

from __future__ import annotations

import itertools
import queue
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil

from app.commands.questions import speak_questions
from app.commands.talk import Talk
from core.audio.software import SoftwareSound
from core.parts import product_parts
from core.session import Session
from core.settings import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from app.commands.talk import TurnReport
    from app.commands.terminal import Terminal
    from core.events import SessionEvent
    from core.settings import Settings

_SETTLE_S = 5.0
"""While the companion's models load behind the first picture."""
_IDLE_S = 5.0
_QUESTIONS = (
    "Hello, how are you today?",
    "What is the capital of France?",
    "Tell me something about the sea.",
    "What time is it?",
    "Do you like music?",
    "What do people eat for breakfast?",
    "What did I ask you before?",
    "Can you tell me a short story?",
)


def measure_conversation(settings: Settings, turns: int, folder: Path, terminal: Terminal) -> dict[str, float]:
    """`turns` spoken and as many typed turns, in real time; the spoken questions are made in `folder`."""
    settings = changed(changed(settings, "audio", echo="off"), "dialogue", use_endpoint=False)
    questions = list(itertools.islice(itertools.cycle(_QUESTIONS), turns))
    script = [*speak_questions(questions, folder), *questions]
    sound = SoftwareSound(time.perf_counter)
    events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    process = psutil.Process()
    started = time.perf_counter()
    parts = product_parts(device=lambda _: sound)
    with Session(settings, events.put, parts, private=True, greet=False) as session:
        talk = Talk(session, sound, events, lambda _: None, time.perf_counter)
        talk.begin()
        living = time.perf_counter() - started
        idle = _idle_percent(talk, process)
        reports: list[TurnReport] = []
        for said in script:
            terminal.progress("Conversation", len(reports), len(script))
            reports.append(talk.turn(said))
        statistics = session.statistics()
    shown = statistics.shown + statistics.dropped
    return {
        "living_picture_after_s": living,
        "idle_percent_of_a_core": idle,
        **_response("spoken", [report for report in reports if report.spoken]),
        **_response("typed", [report for report in reports if not report.spoken]),
        "turns_not_complete": sum(not report.complete for report in reports),
        "late_percent": 100 * statistics.late / shown,
        "dropped": statistics.dropped,
        "underruns": statistics.underruns,
        "rss_mb": process.memory_info().rss / 1e6,
    }


def _idle_percent(talk: Talk, process: psutil.Process) -> float:
    """Processor time of the whole engine while nobody speaks, without a window."""
    _pass(talk, _SETTLE_S)
    process.cpu_percent()
    _pass(talk, _IDLE_S)
    return process.cpu_percent()


def _pass(talk: Talk, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        talk.look()


def _response(kind: str, reports: Sequence[TurnReport]) -> dict[str, float]:
    """Percentiles from the end of speech to the first sound and moving lips, and of each stage, in seconds."""
    figures: dict[str, float] = {}
    for name in ("first_text", "first_audio", "first_frame_shown"):
        figures |= _percentiles(f"{kind}_{name}", (report.marks[name] for report in reports))
    stages = dict.fromkeys(stage for report in reports for stage in report.stages)
    for stage in stages:
        name = f"{kind}_stage_{stage.lower().replace(' ', '_')}"
        figures |= _percentiles(name, (report.stages.get(stage) for report in reports))
    return figures


def _percentiles(name: str, values: Iterable[float | None]) -> dict[str, float]:
    known = [value for value in values if value is not None]
    if not known:
        return {}
    return {f"{name}_p50_s": float(np.percentile(known, 50)), f"{name}_p95_s": float(np.percentile(known, 95))}
