"""The figures of LiveTalk's bench in words: a line for each way, the table of all, and what was aimed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.commands.terminal import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Figures = Mapping[str, Any]

_UNITS = {"_s": "s", "_ms": "ms", "_mb": "MB", "_tflop": "TFLOP"}
_WORDS = {
    "hear_ms": "audio",
    "steps_ms": "all steps",
    "step_ms": "each step",
    "clean_pass_ms": "clean pass",
    "draw_latent_ms": "decode, a latent",
    "copy_ms": "copy, a latent's frames",
    "block_ms": "a block, both halves side by side",
    "fps": "frames a second",
    "first_frame_cold_ms": "first frame, cold",
    "first_frame_warm_ms": "first frame, warm",
    "memory_mb": "memory, at most",
    "memory_counted_mb": "memory, as counted",
    "host_waits": "host waits for the device",
    "pass_tflop": "work of a pass",
    "block_tflop": "work of a block's passes",
    "draw_tflop": "work of its decoding",
    "tflops": "TFLOP/s in all",
    "share_of_peak": "share of the matrix peak",
}
_COLUMNS = 4
"""Ways beside each other in the table; more would not fit a terminal."""
_WIDEST = 24


def headline(figures: Figures) -> str:
    return (
        f"{figures['name']}: {figures['fps']:.1f} frames a second, first frame {figures['first_frame_warm_ms']:.0f} ms "
        f"warm and {figures['first_frame_cold_ms']:.0f} ms cold, {figures['memory_mb']:.0f} MB, "
        f"{100 * figures['share_of_peak']:.0f} % of the matrix peak, host waits: {figures['host_waits']}"
    )


def table_of(measured: Sequence[Figures]) -> list[str]:
    """A row for every figure, a column for every way, a few ways at a time."""
    lines: list[str] = []
    for start in range(0, len(measured), _COLUMNS):
        some = measured[start : start + _COLUMNS]
        rows = [("", *(str(figures["name"]) for figures in some))]
        rows += [(_label(name), *(_cell(figures[name]) for figures in some)) for name in some[0] if name != "name"]
        lines += ["", *table(rows)]
    return lines


def aims(measured: Sequence[Figures]) -> list[dict[str, Any]]:
    """What one H200 is to reach, and what was found: the best of the ways that an aim is about."""
    return [
        _fps(measured, "quality", 55.0),
        _fps(measured, "fast", 75.0),
        _fps(measured, "fastest", 80.0),
        _fps(measured, "fastest, attention in 8 bits", 100.0),
        _least(measured, "first frame, warm, at most 150 ms", "first_frame_warm_ms", 150.0, lambda _: True),
        _least(measured, "memory of quality at most 11000 MB", "memory_mb", 11_000.0, lambda name: name == "quality"),
        _least(measured, "memory of low at most 6000 MB", "memory_mb", 6_000.0, lambda name: name == "low"),
        _no_waits(measured),
    ]


def _fps(measured: Sequence[Figures], name: str, wanted: float) -> dict[str, Any]:
    """Compiled or not."""
    found = [figures["fps"] for figures in measured if figures["name"] in (name, f"{name}, compiled")]
    return {
        "aim": f"{name}, {wanted:.0f} frames a second",
        "found": f"{max(found):.1f}" if found else "not measured",
        "reached": bool(found) and max(found) >= wanted,
    }


def _least(
    measured: Sequence[Figures], aim: str, key: str, wanted: float, about: Callable[[str], bool]
) -> dict[str, Any]:
    found = [figures[key] for figures in measured if about(figures["name"])]
    return {
        "aim": aim,
        "found": f"{min(found):.0f}" if found else "not measured",
        "reached": bool(found) and min(found) <= wanted,
    }


def _no_waits(measured: Sequence[Figures]) -> dict[str, Any]:
    waits = {figures["name"]: figures["host_waits"] for figures in measured if figures["host_waits"] != "none"}
    found = "; ".join(f"{name}: {what}" for name, what in waits.items()) or "none in any way that was measured"
    return {"aim": "no wait for the device", "found": found, "reached": bool(measured) and not waits}


def _label(name: str) -> str:
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    words = _WORDS.get(name, name.rpartition("_")[0].replace("_", " "))
    return f"{words} ({unit})" if unit else words


def _cell(value: float | str) -> str:
    """Three digits that count; words as far as they fit."""
    if isinstance(value, str):
        return value if len(value) <= _WIDEST else f"{value[: _WIDEST - 1]}…"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
