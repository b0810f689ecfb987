"""OpenCV's resampling, typed: its own stubs know neither what comes back nor that a second map may be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

BETWEEN = np.array([[-0.09375, 0.59375, 0.59375, -0.09375]], np.float32)
"""Weights of four pixels in a row for the point in their middle: OpenCV's cubic."""

SOFTENING = 0.06
"""Share of a continued picture's side beyond its edge over which what is mirrored loses all detail."""
SOFTEST = 2.0
"""Sixty-fourths of the side over which it is averaged in the end."""
Floats = npt.NDArray[np.floating[Any]]
Picture = TypeVar("Picture", bound=npt.NDArray[Any])

if TYPE_CHECKING:
    from core.media import Pixels


def sampled(picture: Picture, at: Floats, *, cubic: bool = False) -> Picture:
    """`picture` looked up at `at` [h, w, 2] px; beyond its border as at the border."""
    remap: Any = cv2.remap
    method = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    return remap(picture, at.astype(np.float32, copy=False), None, method, borderMode=cv2.BORDER_REPLICATE)


def paired(x: Floats, y: Floats) -> Floats:
    """Points [h, w, 2] of their coordinates [h, w]; both float32."""
    merge: Any = cv2.merge
    return merge((x, y))


def sampled_into(out: Pixels, picture: Pixels, at: Floats) -> None:
    """`sampled`, written into `out`."""
    remap: Any = cv2.remap
    remap(picture, at.astype(np.float32, copy=False), None, cv2.INTER_LINEAR, out, cv2.BORDER_REPLICATE)


def laid(
    picture: Picture, matrix: Floats, size: tuple[int, int], *, cubic: bool = False, edge: bool = False
) -> Picture:
    """`picture` under an affine map [2, 3] into `size` (width, height); outside it zero, or its `edge`."""
    warp: Any = cv2.warpAffine
    method = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    border = cv2.BORDER_REPLICATE if edge else cv2.BORDER_CONSTANT
    return warp(picture, matrix.astype(np.float32, copy=False), size, flags=method, borderMode=border)


def resized(picture: Picture, size: tuple[int, int], *, cubic: bool = False) -> Picture:
    """`picture` at `size` (width, height): averaged where it shrinks by itself, else interpolated."""
    resize: Any = cv2.resize
    shrinks = size[0] < picture.shape[1] and size[1] < picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    return resize(picture, size, interpolation=method)


def blurred(picture: Picture, sigma: float) -> Picture:
    """`picture` under a Gaussian of `sigma` px."""
    blur: Any = cv2.GaussianBlur
    return blur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def continued(picture: Pixels, pads: tuple[int, int, int, int]) -> Pixels:
    """`picture` [h, w, 3] with so many px more above, below, left and right: its mirror image, the softer the farther
    out, so that nothing is read into it that nobody has seen."""
    above, below, left, right = pads
    wide = np.pad(picture, ((above, below), (left, right), (0, 0)), mode="symmetric")
    height, width = wide.shape[:2]
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    out_y = np.maximum(np.maximum(above - y, y - (height - 1 - below)), 0)
    out_x = np.maximum(np.maximum(left - x, x - (width - 1 - right)), 0)
    share = np.clip(np.hypot(out_y, out_x) / (SOFTENING * max(height, width)), 0, 1)[..., None].astype(np.float32)
    soft = resized(blurred(_small(wide), SOFTEST), (width, height))
    return (wide + (soft - wide) * share + 0.5).astype(np.uint8)


def _small(picture: Pixels) -> npt.NDArray[np.float32]:
    side = 64 / max(picture.shape[:2])
    size = (max(1, round(side * picture.shape[1])), max(1, round(side * picture.shape[0])))
    return resized(picture, size).astype(np.float32)


def darken(picture: Pixels, shadow: Floats, depth: float) -> None:
    """Take `depth` times `shadow` [h, w] (0..2) of its light from `picture` [h, w, 3], in place."""
    scale: Any = cv2.convertScaleAbs
    multiply: Any = cv2.multiply
    subtract: Any = cv2.subtract
    share = cv2.cvtColor(scale(shadow, alpha=127), cv2.COLOR_GRAY2RGB)
    subtract(picture, multiply(picture, share, scale=depth / 127), picture)


def doubled(picture: Pixels) -> Pixels:
    """`picture` [h, w, 3] at half the step, [2h - 1, 2w - 1, 3]: every second pixel is one of its own.

    Looked up linearly it gives nearly what cubic interpolation of the picture gives, for an eighth of the time.
    """
    height, width = picture.shape[:2]
    wide = np.empty((height, 2 * width - 1, 3), np.uint8)
    wide[:, ::2] = picture
    wide[:, 1::2] = _between(picture, BETWEEN, (1, 0))[:, :-1]
    both = np.empty((2 * height - 1, 2 * width - 1, 3), np.uint8)
    both[::2] = wide
    both[1::2] = _between(wide, BETWEEN.T, (0, 1))[:-1]
    return both


def _between(picture: Pixels, weights: Floats, anchor: tuple[int, int]) -> Pixels:
    weigh: Any = cv2.filter2D
    return weigh(picture, -1, weights, anchor=anchor, borderType=cv2.BORDER_REPLICATE)


def longest(steps: Floats) -> float:
    """The largest absolute value in an array."""
    return float(cv2.norm(steps, cv2.NORM_INF))


def grey(picture: Pixels) -> Floats:
    """Brightness [h, w] in 0..255."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
