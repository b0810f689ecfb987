"""The inside of a mouth: a dark cavity, a tongue, upper and lower teeth, in the portrait's light.

Drawn once for each portrait, in face heights, as three flat pictures (cavity, upper and lower jaw) that are laid
behind the lips by an affine map each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.performer.portrait.imaging import blurred, laid, resized

if TYPE_CHECKING:
    from core.media import Pixels
    from core.performer.portrait.imaging import Floats


WIDTH, HEIGHT = 0.40, 0.30
"""Size of the drawn inside, in face heights; the seam of the closed lips is at half its height."""
DOTS = 1100
"""Dots per face height at which it is drawn."""
SOFTNESS = 0.35
"""px over which it is averaged."""
ARCH = 0.142
"""Half the width of the row of teeth."""
UPPER_EDGE = 0.021
"""How far the upper teeth reach below the seam: they show as soon as the lips part."""
LOWER_EDGE = 0.005
"""Where the lower teeth begin, below the seam: mostly the lip hides them."""
UPPER_TEETH = (0.0245, 0.0195, 0.0215, 0.0190, 0.0165, 0.0150)
LOWER_TEETH = (0.0155, 0.0170, 0.0190, 0.0180, 0.0165, 0.0150)
"""Widths seen from the front, from the middle outward; the arch turns the outer ones away."""
ENAMEL = np.array([240.0, 229.0, 211.0], np.float32)
GUM = np.array([172.0, 92.0, 88.0], np.float32)
TONGUE = np.array([190.0, 98.0, 94.0], np.float32)
CAVITY = np.array([48.0, 19.0, 18.0], np.float32)
GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright each channel is seen (Rec. 601)."""


@dataclass(frozen=True, eq=False)
class MouthInside:
    """Pictures [h, w, 4]: RGB times cover, and cover, both 0..255; they cover `WIDTH` by `HEIGHT`."""

    upper: Pixels
    lower: Pixels
    cavity: Floats
    """[3] colour of the depth of the mouth."""


def draw_inside(light: Floats, face_height: float, colour: float = 1.0) -> MouthInside:
    """The inside of a mouth for a face of `face_height` px.

    Args:
        light: [3], the colour and strength that white enamel has in the portrait (0..1).
        colour: how much colour the portrait has: 0 for a grey photograph, 1 for one like life.
    """
    rows, columns = int(HEIGHT * DOTS), int(WIDTH * DOTS)
    x = (np.arange(columns, dtype=np.float32)[None] + 0.5) / DOTS - WIDTH / 2
    y = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) / DOTS - HEIGHT / 2
    upper = _over(_teeth(x, y, UPPER_TEETH, UPPER_EDGE, -1.0), _gum(x, y, UPPER_EDGE - 0.060, -1.0))
    lower = _over(_teeth(x, y, LOWER_TEETH, LOWER_EDGE, 1.0), _gum(x, y, LOWER_EDGE + 0.052, 1.0))
    lower = _over(lower, _tongue(x, y))
    tint = np.append(light, 255.0).astype(np.float32)
    cavity = _faded(np.append(CAVITY * light, 255.0)[None, None], colour)[0, 0, :3].astype(np.float32)
    upper, lower = (_shrunk(_faded(layer * tint, colour), face_height) for layer in (upper, lower))
    return MouthInside(upper, lower, cavity)


def _faded(layer: Floats, colour: float) -> Floats:
    """`layer` [h, w, 4] with so much of its colour left."""
    grey = (layer[..., :3] @ GREY)[..., None]
    return np.concatenate([grey + (layer[..., :3] - grey) * colour, layer[..., 3:]], axis=-1)


def light_of(eye_white: Floats | None, skin: Floats) -> Floats:
    """The light on the teeth, [3] in 0..1, from the whites of the eyes and the skin [3], both 0..255.

    Enamel is about as bright as the eye, and takes half of its cast, so that a picture in warm light has warm teeth.
    """
    level, cast = 0.55 + 0.45 * float(skin.mean()) / 255, np.ones(3, np.float32)
    if eye_white is not None:
        level = 0.25 * level + 0.75 * float(eye_white.mean()) / 188
        cast = eye_white / max(float(eye_white.mean()), 1.0)
    return (np.clip(0.5 + 0.5 * cast, 0.8, 1.2) * np.clip(level, 0.4, 1.0)).astype(np.float32)


def place(layer: Pixels, matrix: Floats, size: tuple[int, int]) -> Pixels:
    """`layer` laid into a picture of `size` (width, height); `matrix` [2, 3] takes face heights to px."""
    across, down = WIDTH / layer.shape[1], HEIGHT / layer.shape[0]
    to_layer = np.array([[across, 0, (across - WIDTH) / 2], [0, down, (down - HEIGHT) / 2], [0, 0, 1]])
    return laid(layer, matrix @ to_layer, size)


def _shrunk(layer: Floats, face_height: float) -> Pixels:
    """`layer` averaged to two dots a px, and so softly that laying it into the picture needs no more averaging."""
    soft = blurred(layer, float(np.hypot(0.8, SOFTNESS * DOTS / face_height)))
    share = min(1.0, 2 * face_height / DOTS)
    small = resized(soft, (round(share * layer.shape[1]), round(share * layer.shape[0])))
    return np.clip(small + 0.5, 0, 255).astype(np.uint8)


def _teeth(x: Floats, y: Floats, widths: tuple[float, ...], edge: float, outward: float) -> Floats:
    """A row of teeth that ends at `edge`; `outward` is -1 when the roots are above."""
    colour = np.zeros((y.shape[0], x.shape[1], 3), np.float32)
    cover = np.zeros(colour.shape[:2], np.float32)
    for side in (-1, 1):
        start = 0.0
        for k, width in enumerate(widths):
            middle = side * (start + width / 2)
            start += width
            length = 0.060 - 0.004 * k if outward < 0 else 0.050 - 0.002 * k
            lift = (0.0, 0.0025, 0.0005, 0.004, 0.006, 0.008)[k] * (1 if outward < 0 else 0.5)
            turned = 1.0 - 0.10 * k
            near = np.s_[:, np.abs(x[0] - middle) < width]
            shape, shading = _tooth(x[near] - middle, (y - edge) * outward - lift, width, length)
            paint = ENAMEL * turned * np.array([1.0, 1.0 - 0.012 * k, 1.0 - 0.03 * k], np.float32)
            colour[near] += (paint * shading[..., None] - colour[near]) * shape[..., None]
            cover[near] = np.maximum(cover[near], shape)
    return np.dstack([colour * cover[..., None], cover])


def _tooth(x: Floats, up: Floats, width: float, length: float) -> tuple[Floats, Floats]:
    """Shape and shading of a tooth: `x` from its middle, `up` from its cutting edge towards the root."""
    half = width / 2 * (0.995 - 0.14 * np.clip(up / length, 0, 1) ** 2)
    rounding = 0.30 * width
    inward = np.abs(x) - half + rounding
    down = rounding - up
    corner = np.hypot(np.maximum(inward, 0), np.maximum(down, 0)) - rounding
    outside = np.maximum(np.where(down > 0, corner, np.abs(x) - half), up - length)
    shape = np.clip(0.5 - outside * DOTS * 0.7, 0, 1).astype(np.float32)
    across = np.clip(np.abs(x) / half, 0, 1)
    side = 1 - 0.20 * across**5
    along = np.clip(up / length, 0, 1)
    root = 1 - 0.18 * along
    edge = 1 - 0.10 * np.exp(-((up / (0.12 * length)) ** 2))
    gleam = 0.05 * np.exp(-(((x + 0.18 * width) / (0.16 * width)) ** 2)) * np.exp(-(((along - 0.35) / 0.2) ** 2))
    return shape, (side * root * edge + gleam).astype(np.float32)


def _gum(x: Floats, y: Floats, edge: float, outward: float) -> Floats:
    beyond = (y - edge) * outward + 0.006
    cover = np.clip(beyond * DOTS * 0.3, 0, 1) * np.clip((ARCH - np.abs(x)) * DOTS * 0.1, 0, 1)
    shade = 1 - 0.5 * (np.abs(x) / ARCH) ** 2
    colour = GUM * np.broadcast_to(shade, cover.shape)[..., None]
    return np.dstack([colour * cover[..., None], cover]).astype(np.float32)


def _tongue(x: Floats, y: Floats) -> Floats:
    """A rounded back that rises behind the lower teeth."""
    across, along = x / 0.112, (y - 0.020) / 0.070
    radius = np.sqrt(np.abs(across) ** 2.4 + np.abs(along) ** 2.4)
    cover = np.clip((1 - radius) * 4, 0, 1)
    groove = 1 - 0.14 * np.exp(-((x / 0.010) ** 2))
    light = np.clip(0.46 + 0.62 * (along + 1) / 2, 0.3, 0.95) * (1 - 0.35 * np.abs(across) ** 2.5) * groove
    colour = TONGUE * light[..., None]
    return np.dstack([colour * cover[..., None], cover]).astype(np.float32)


def _over(front: Floats, back: Floats) -> Floats:
    return front + back * (1 - front[..., 3:])
