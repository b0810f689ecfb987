"""A contact sheet: stills of a film, evenly spaced, on one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = 4
_STILL = 256
_GAP = 4


def contact_sheet(film: Path, stills: int) -> Image.Image:
    """`stills` frames of `film` in the order of time, left to right and down."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        length = sum(1 for packet in container.demux(stream) if packet.size)
        container.seek(0)
        wanted = {round((number + 0.5) * length / stills) for number in range(stills)}
        chosen = [
            frame.to_image().resize((_STILL, _STILL))
            for index, frame in enumerate(container.decode(stream))
            if index in wanted
        ]
    rows = -(-len(chosen) // COLUMNS)
    step = _STILL + _GAP
    sheet = Image.new("RGB", (COLUMNS * step - _GAP, rows * step - _GAP))
    for index, still in enumerate(chosen):
        sheet.paste(still, (index % COLUMNS * step, index // COLUMNS * step))
    return sheet
