"""A contact sheet: portraits in rows, mouths, lids and turns in columns, to be looked at by a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from core.errors import LiveTalkError
from core.performer.portrait.codec import CURVES, FACE_CURVES
from core.performer.portrait.identity import make_identity, read_picture
from core.performer.portrait.performer import motion_of, resting_curves
from core.performer.portrait.warp import PortraitPainter
from core.training.rig import PRESSED, lip_gap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    from torch import Tensor

    from core.media import Pixels
    from core.performer.portrait.landmarks import FaceFinder

MOMENTS: dict[str, dict[str, float]] = {
    "as it is": {},
    "p b m": {"jaw": 0.08, "pucker": 0.05, "roll": 0.1, "close": 1.0},
    "a": {"jaw": 0.62, "wide": 0.1, "low": 0.15, "up": 0.05},
    "e": {"jaw": 0.4, "wide": 0.35, "low": 0.25, "up": 0.15},
    "i": {"jaw": 0.17, "wide": 0.65, "low": 0.25, "up": 0.15},
    "o": {"jaw": 0.38, "funnel": 0.6, "pucker": 0.3, "low": 0.05, "up": 0.05},
    "u": {"jaw": 0.14, "funnel": 0.4, "pucker": 0.75},
    "f v": {"jaw": 0.1, "wide": 0.05, "up": 0.25, "roll": 0.9},
    "wide open": {"jaw": 1.0, "wide": 0.2, "low": 0.3, "up": 0.15},
    "smile": {"smile": 0.55, "squint": 0.3, "jaw": 0.1, "up": 0.1},
    "half a blink": {"lid_right": 0.5, "lid_left": 0.5},
    "a blink": {"lid_right": 1.0, "lid_left": 1.0},
    "left": {"yaw": 0.19, "jaw": 0.3, "gaze_x": -0.06},
    "right": {"yaw": -0.19, "jaw": 0.3, "gaze_x": 0.06},
    "up": {"pitch": -0.16, "gaze_y": -0.06, "brow_inner": 0.4, "brow_outer": 0.4},
    "tilted": {"pitch": 0.14, "roll_angle": 0.14, "brow_down": 0.4},
}
"""Curves of every moment; "close" at 1 is as much of that curve as shuts the lips."""
LABEL = 22
"""px of words under a picture."""


@dataclass(frozen=True, eq=False)
class Row:
    """One portrait's pictures, or why it was refused."""

    name: str
    pictures: list[Pixels]
    refusal: str = ""


def rows_of(paths: list[Path], finder: FaceFinder, basis: Tensor, done: Callable[[int], object]) -> list[Row]:
    """Every picture in every moment; `basis` is the codec's."""
    rows: list[Row] = []
    for path in paths:
        rows.append(_row(path, finder, basis))
        done(1)
    return rows


def drawn(rows: list[Row], side: int) -> Image.Image:
    """All rows below each other, `side` px a picture."""
    names = list(MOMENTS)
    sheet = Image.new("RGB", (side * len(names), (side + LABEL) * len(rows)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, row in enumerate(rows):
        top = number * (side + LABEL)
        for column, picture in enumerate(row.pictures):
            small = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * side, top))
            label = names[column] if not row.refusal else row.refusal
            pen.text((column * side + 4, top + side + 3), label if column else f"{row.name}: {label}", "black", font)
    return sheet


def posed(moment: dict[str, float], rest: Tensor, basis: Tensor) -> Tensor:
    """The curves [1, CURVES] of a moment of a portrait at `rest`."""
    curves = rest.clone()
    for name, value in moment.items():
        curves[CURVES.index(name)] += value
    if "close" in moment:
        curves[CURVES.index("close")] = _shutting(curves, basis) * moment["close"]
    return curves[None]


def _row(path: Path, finder: FaceFinder, basis: Tensor) -> Row:
    try:
        picture = read_picture(path)
        identity = make_identity(picture, finder)
    except LiveTalkError as error:
        return Row(path.stem, [_thumbnail(path)], error.title)
    rest = resting_curves(identity)
    painter = PortraitPainter(identity)
    curves = torch.cat([posed(moment, rest, basis) for moment in MOMENTS.values()])
    return Row(path.stem, list(painter.paint(motion_of(curves, identity, basis))))


def _thumbnail(path: Path) -> Pixels:
    square = np.full((512, 512, 3), 235, np.uint8)
    try:
        picture = Image.fromarray(read_picture(path))
    except LiveTalkError:
        return square
    picture.thumbnail((512, 512))
    square[: picture.height, : picture.width] = np.asarray(picture)
    return square


def _shutting(curves: Tensor, basis: Tensor) -> float:
    """How much of the `close` curve brings the lips together in a face of these curves."""
    gaps: npt.NDArray[np.float64] = lip_gap(basis.numpy().astype(np.float64))
    close = FACE_CURVES.index("close")
    face = curves[: len(FACE_CURVES)].numpy().astype(np.float64).copy()
    face[close] = 0.0
    return float((face @ gaps + PRESSED) / -gaps[close])
