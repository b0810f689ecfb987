"""The picture of turn-taking: turns ended too early over the mean delay, on the part fitted and the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.evaluation.turn_sentences import Part

if TYPE_CHECKING:
    from pathlib import Path

    Line = list[tuple[str, float, float]]
    """Milliseconds as a label, mean delay in seconds, share of turns ended too early."""

_LINES = (("silence", "#c2410c", "silence alone"), ("patience", "#0a6c74", "tone and words, by patience"))


def draw(curves: dict[Part, dict[str, Line]], path: Path) -> None:
    """Silence rules and ours as lines, the last of the parts in full colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(7, 4.5))
    FigureCanvasAgg(drawing)
    axes = drawing.subplots()
    last = [part for part in Part if part in curves][-1]
    for part, style, strength in ((last, "o-", 1.0), (Part.FITTED, ".--", 0.4)):
        for name, colour, label in _LINES:
            line = curves[part][name]
            delays, shares = [delay for _, delay, _ in line], [100 * early for _, _, early in line]
            title = label if part is last else f"{label} (fitted on)"
            axes.plot(delays, shares, style, color=colour, alpha=strength, label=title)
            if part is last:
                for (mark, _, _), x, y in zip(line, delays, shares, strict=True):
                    axes.annotate(f"{mark} ms", (x, y), fontsize=6, xytext=(4, 3), textcoords="offset points")
    axes.set_xlabel("mean delay after the true end, s")
    axes.set_ylabel("turns ended too early, %")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.2)
    axes.legend(fontsize=8)
    drawing.tight_layout()
    drawing.savefig(path, dpi=120)
