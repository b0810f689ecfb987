"""Whether a long conversation stays in step and its memory stays what it was; in real time, minute by minute."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil

from app.commands.bench_step import InStep, Tape, in_step, levels_parts, silent_settings, watch
from app.commands.talk import Talk
from core.audio.software import SoftwareSound
from core.session import Session

if TYPE_CHECKING:
    from app.commands.terminal import Terminal
    from core.events import SessionEvent

ROUND_S = 18.0
"""One answer; with the second of silence after it, three make a minute."""
ROUNDS = 3


def measure_long(minutes: int, terminal: Terminal) -> dict[str, float]:
    """Sound, picture and memory over `minutes`, with the painting performer and a silent device paced by the clock.

    Milliseconds from sound to picture and resident memory of the first, the middle and the last minute, and what
    became of them: `drift_ms`, `rss_growth_mb`. Faults are pictures without their sound within a second.
    """
    tape = Tape()
    sound = SoftwareSound(time.perf_counter, tape.take)
    tape.began = time.perf_counter()
    events: queue.SimpleQueue[SessionEvent] = queue.SimpleQueue()
    steps: list[InStep] = []
    memory: list[float] = []
    process = psutil.Process()
    with Session(silent_settings(), events.put, levels_parts(sound, ROUND_S), private=True, greet=False) as session:
        talk = Talk(session, sound, events, terminal.say, time.perf_counter)
        talk.begin()
        for minute in range(minutes):
            found: list[InStep] = []
            for number in range(ROUNDS):
                seen = watch(session, talk, ROUND_S)
                found.append(in_step(tape, seen))
                tape.forget()
                terminal.progress("Long", ROUNDS * minute + number + 1, ROUNDS * minutes)
            steps.append(InStep([lag for step in found for lag in step.lags], sum(step.faults for step in found)))
            memory.append(process.memory_info().rss / 1e6)
        counts = session.statistics()
    middles = [float(np.median(step.lags)) if step.lags else float("nan") for step in steps]
    figures: dict[str, float] = {"minutes": minutes}
    for name, minute in (("first", 0), ("middle", minutes // 2), ("last", minutes - 1)):
        figures |= _minute(name, steps[minute], memory[minute])
    return figures | {
        "drift_ms": middles[-1] - middles[0],
        "rss_growth_mb": memory[-1] - memory[0],
        "faults": sum(step.faults for step in steps),
        "lag_worst_ms": max((lag for step in steps for lag in step.lags), key=abs, default=float("nan")),
        "late": counts.late,
        "dropped": counts.dropped,
        "underruns": counts.underruns,
    }


def _minute(name: str, step: InStep, rss_mb: float) -> dict[str, float]:
    figures = {f"{name}_minute_{figure}": value for figure, value in step.figures().items()}
    return figures | {f"{name}_minute_rss_mb": rss_mb}
