"""What the figures stand for, as pictures: openings, head, blinks, spectra of the avatar beside those of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing

from core.evaluation.acting import ANGLES
from core.evaluation.people import FPS
from core.evaluation.recorded import CLOSED, LEAST_S
from core.evaluation.roll_out import WINDOW_S

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from core.evaluation.acting import Acted
    from core.evaluation.people import People
    from core.evaluation.recorded import Spoken

Floats = npt.NDArray[np.float64]
OURS, THEIRS = "#0a6c74", "#c2410c"
SHOWN_S = 8.0


def draw_lips(spoken: list[Spoken], path: Path) -> None:
    """Lip opening of the avatar and of the person, clip by clip; bands are p, b and m."""
    long = [one for one in spoken if one.clip.seconds >= LEAST_S]
    drawing, rows = _sheet(len(long))
    for axes, one in zip(rows, long, strict=True):
        frames = min(len(one.acted.gap), int(SHOWN_S * FPS))
        seconds = np.arange(frames) / FPS
        axes.plot(seconds + one.clip.late_ms / 1000, one.clip.gap[:frames], color=THEIRS, lw=1, label="person")
        axes.plot(seconds, one.acted.gap[:frames], color=OURS, lw=1.4, label="avatar")
        for begin, end in one.lips_meet:
            if end < SHOWN_S:
                axes.axvspan(begin, end, color="#888888", alpha=0.25, lw=0)
        axes.axhline(CLOSED, color="#888888", lw=0.6, ls=":")
        axes.set_title(f"{one.clip.name}   sync_r {one.sync.r:.2f} (person {one.clip.sync_r:.2f})", fontsize=8)
        axes.set_xlim(0, SHOWN_S)
    rows[0].legend(fontsize=7, loc="upper right")
    drawing.savefig(path, dpi=100)


def draw_minute(act: Acted, path: Path) -> None:
    """A minute of head, lids and lips."""
    drawing, rows = _sheet(5)
    seconds = np.arange(len(act.gap)) / act.fps
    for index, angle in enumerate(ANGLES):
        rows[index].plot(seconds, act.angles[:, index], color=OURS, lw=1)
        rows[index].set_title(f"{angle}, degrees", fontsize=8)
    rows[3].plot(seconds, act.lids.mean(1), color=OURS, lw=1)
    rows[3].set_title("lids", fontsize=8)
    rows[4].plot(seconds, act.gap, color=OURS, lw=0.8)
    rows[4].set_title("lip opening, face heights", fontsize=8)
    drawing.savefig(path, dpi=100)


def draw_spread(acts: list[Acted], people: People, path: Path) -> None:
    """Spread in windows of ten seconds along a performance, beside that of every person; and the spectra."""
    drawing = Drawing(figsize=(11, 7), layout="constrained")
    FigureCanvasAgg(drawing)
    above, below = drawing.subplots(2, 3)
    size = int(WINDOW_S * FPS)
    clips = people.speaking(WINDOW_S)
    for index, angle in enumerate(ANGLES):
        for act in acts:
            starts = range(0, len(act.angles) - size + 1, size)
            along = [act.angles[start : start + size, index].std() for start in starts]
            above[index].plot(np.array(starts) / FPS, along, ".-", color=OURS, lw=0.8)
        for clip in clips:
            own = [clip.angles[s : s + size, index].std() for s in range(0, len(clip.angles) - size + 1, size)]
            above[index].axhline(float(np.median(own)), color=THEIRS, lw=0.7, alpha=0.7)
        above[index].set_title(f"{angle}: SD in 10 s, degrees (lines: people)", fontsize=8)
        _spectrum(below[index], [act.angles[:, index] for act in acts], OURS)
        _spectrum(below[index], [clip.angles[:, index] for clip in clips], THEIRS)
        below[index].set_title(f"{angle}: power", fontsize=8)
    drawing.savefig(path, dpi=100)


def _spectrum(axes: Axes, angles: list[Floats], colour: str) -> None:
    size = int(WINDOW_S * FPS)
    pieces = np.array([a[s : s + size] for a in angles for s in range(0, len(a) - size + 1, size // 2)])
    power = (np.abs(np.fft.rfft((pieces - pieces.mean(1, keepdims=True)) * np.hanning(size), axis=1)) ** 2).mean(0)
    axes.loglog(np.fft.rfftfreq(size, 1 / FPS)[1:], power[1:], color=colour, lw=1)
    axes.grid(alpha=0.2)


def _sheet(rows: int) -> tuple[Drawing, list[Axes]]:
    drawing = Drawing(figsize=(11, 1.6 * rows), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing, list(np.atleast_1d(drawing.subplots(rows, 1)))
