"""Figures beside their aims: as a table for people, and as plain values for machines."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

WIDTHS = (64, 9, 18, 10)


@dataclass(frozen=True)
class Figure:
    """One measured number. `least` and `most` are the aim; neither makes it a figure to know, not to judge."""

    name: str
    value: float
    least: float | None = None
    most: float | None = None
    people: float | None = None
    """The same of real people, measured in the same way where that can be done."""
    unit: str = ""

    @property
    def verdict(self) -> str:
        """ "ok" or "short" against the aim, nothing where there is none."""
        if self.least is None and self.most is None:
            return ""
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        return "ok" if low <= self.value <= high else "short"

    @property
    def aim(self) -> str:
        if self.least is not None and self.most is not None:
            return f"{self.least:.3g} to {self.most:.3g}"
        if self.least is not None:
            return f">= {self.least:.3g}"
        return "" if self.most is None else f"<= {self.most:.3g}"

    def plain(self) -> dict[str, Any]:
        aim = {"least": self.least, "most": self.most, "people": self.people, "unit": self.unit or None}
        given = {key: _rounded(value) for key, value in aim.items() if value is not None}
        return {"value": _rounded(self.value), **given, **({"verdict": self.verdict} if self.verdict else {})}


@dataclass(frozen=True)
class Look:
    """The figures of one look at the avatar, or why they could not be measured."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    missing: str = ""

    def plain(self) -> dict[str, Any]:
        if self.missing:
            return {"missing": self.missing}
        return {figure.name: figure.plain() for figure in self.figures}


def table(looks: list[Look]) -> str:
    """All figures below each other, and how many meet their aim."""
    lines = [_row("", "here", "aim", "people", "")]
    for look in looks:
        lines.append(f"\n{look.title}")
        if look.missing:
            lines.append(f"  not measured: {look.missing}")
        for figure in look.figures:
            people = "" if figure.people is None else _number(figure.people)
            name = f"  {figure.name}" + (f" ({figure.unit})" if figure.unit else "")
            lines.append(_row(name, _number(figure.value), figure.aim, people, figure.verdict))
    judged = [figure for look in looks for figure in look.figures if figure.verdict]
    well = sum(figure.verdict == "ok" for figure in judged)
    unseen = sum(bool(look.missing) for look in looks)
    lines.append(
        f"\n{well} of {len(judged)} figures meet their aim" + (f"; {unseen} looks not measured" * bool(unseen))
    )
    return "\n".join(lines)


def _row(name: str, *cells: str) -> str:
    widths = WIDTHS[1:]
    return (
        name.ljust(WIDTHS[0])
        + "".join(f"{cell:>{width}}" for cell, width in zip(cells[:3], widths, strict=True))
        + f"   {cells[3]}".rstrip()
    )


def _rounded(value: float | str) -> float | str | None:
    """Five places; nothing for what is no number, which JSON does not know."""
    if isinstance(value, str):
        return value
    return round(value, 5) if math.isfinite(value) else None


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    return f"{value:.1f}" if size >= 20 else f"{value:.2f}" if size >= 0.195 else f"{value:.4f}"
