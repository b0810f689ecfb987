"""`livetalk bench --performer livetalk`: how fast the model is here in every way to run it, within a given time.

Each part has a process of its own: a GPU that failed, a compiler that hangs or memory that ran out ends that part and
no other. What is known is in a file after every part. Needs no weights (`--weights random`) and imports little, so that
it runs on a bare machine with a GPU.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.commands import bench_livetalk_part
from app.commands.films import refuse_unwritable
from app.commands.livetalk_figures import aims, headline, table_of
from app.commands.livetalk_ways import MACHINE, chosen_ways
from core.performer.diffusion.installed import EIGHT_BIT_KERNEL, eight_bit_kernel_is_here

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from app.commands.livetalk_ways import Way
    from app.commands.terminal import Terminal

PART_LIMIT_S = 150.0
"""A part that takes longer has hung: a compiler needs most of a minute, the slowest way half of one."""
LEAST_S = 15.0
"""A part that has less left is not begun."""


@dataclass
class Report:
    """What is known so far, as it stands in the file."""

    path: Path
    weights: str
    size: str
    machine: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    reached: dict[str, float | str] = field(default_factory=lambda: dict[str, float | str]())
    measured: list[dict[str, Any]] = field(default_factory=lambda: list[dict[str, Any]]())
    failed: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    said: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    """The last words of the processes that failed."""
    seconds: float = 0.0
    finished: bool = False

    def document(self) -> dict[str, object]:
        return {
            "machine": self.machine,
            "reached_tflops": self.reached,
            "weights": self.weights,
            "size": self.size,
            "livetalk": self.measured,
            "failed": self.failed,
            "said": self.said,
            "aims": aims(self.measured) if self.size == "1.3b" else [],
            "seconds": self.seconds,
            "finished": self.finished,
        }

    def keep(self) -> None:
        """Write it whole or not at all."""
        written = self.path.with_name(f"{self.path.name}.part")
        written.write_text(json.dumps(self.document(), ensure_ascii=False, indent=1), "utf-8")
        written.replace(self.path)

    def take(self, part: str, answer: dict[str, Any]) -> None:
        """What a part answered."""
        if "machine" in answer:
            self.machine, self.reached = answer["machine"], answer["reached"]
        elif "measured" in answer:
            self.measured.append(answer["measured"])
        else:
            self.failed[part] = answer["failed"]
            if answer.get("said"):
                self.said[part] = answer["said"]


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Returns 0 when anything was measured; trouble is raised."""
    if options.part:
        return bench_livetalk_part.run(options, terminal)
    ways = chosen_ways(options)
    refuse_unwritable(options.out)
    terminal.say(f"At most {options.budget:g} minutes; {options.out} has every figure as it comes.")
    report = Report(options.out, options.weights, options.size)
    measure_all(report, ways, options, terminal)
    for line in table_of(report.measured) if report.measured else ():
        terminal.say(line)
    for name, reason in report.failed.items():
        terminal.say(f"{name} was not measured: {reason}")
    for aim in aims(report.measured) if report.size == "1.3b" else ():
        terminal.say(f"{'reached' if aim['reached'] else 'NOT reached'}: {aim['aim']}: {aim['found']}")
    terminal.finish(report.document())
    return 0 if report.measured else 1


def measure_all(report: Report, ways: Sequence[Way], options: argparse.Namespace, terminal: Terminal) -> None:
    """The machine, then every way, until there is no time left."""
    started = time.monotonic()
    parts = [MACHINE, *(way.name for way in ways)]
    for number, part in enumerate(parts):
        terminal.progress("LiveTalk", number, len(parts), part)
        left_s = 60.0 * options.budget - (time.monotonic() - started)
        report.take(part, _answer(part, options, left_s))
        report.seconds = time.monotonic() - started
        report.finished = part == parts[-1]
        report.keep()
        _tell(part, report, terminal)
    terminal.progress("LiveTalk", len(parts), len(parts))


def command(part: str, options: argparse.Namespace) -> list[str]:
    """What starts the program so that it measures this part and prints its answer."""
    itself = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "app"]
    asked = {"weights": options.weights, "size": options.size, "blocks": options.blocks, "part": part}
    return [*itself, "bench", "--performer=livetalk", *(f"--{name}={value}" for name, value in asked.items())]


def _answer(part: str, options: argparse.Namespace, left_s: float) -> dict[str, Any]:
    if "attention in 8 bits" in part and not eight_bit_kernel_is_here():
        return {"failed": f"{EIGHT_BIT_KERNEL} is not installed"}
    if left_s < LEAST_S:
        return {"failed": "there was no time left"}
    return ask(command(part, options), min(left_s, PART_LIMIT_S))


def ask(command: Sequence[str], limit_s: float) -> dict[str, Any]:
    """What a process answers with its last line; how it ended where it does not, or not in time."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True
    )
    try:
        said, complained = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"failed": f"it took longer than {limit_s:.0f} s", "said": _ended(process)[-4000:]}
    except BaseException:
        _ended(process)
        raise
    try:
        answer = json.loads(said.splitlines()[-1])
        assert isinstance(answer, dict)
        return answer  # pyright: ignore[reportUnknownVariableType]  # JSON
    except (IndexError, ValueError, AssertionError):
        lines = complained.strip().splitlines() or [f"exit status {process.returncode}"]
        return {"failed": lines[-1], "said": complained[-4000:]}


def _ended(process: subprocess.Popen[str]) -> str:
    """Kill it with all that it has started, compilers too; returns its complaints."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[1]


def _tell(part: str, report: Report, terminal: Terminal) -> None:
    if part in report.failed:
        terminal.say(f"{part}: {report.failed[part]}")
    elif part == MACHINE:
        for name, value in report.machine.items():
            terminal.say(f"{name:<12} {value}")
        for name, value in report.reached.items():
            figure = f"{value:.3g} TFLOP/s" if isinstance(value, float) else value
            terminal.say(f"  {name}: {figure}")
    else:
        terminal.say(headline(report.measured[-1]))
