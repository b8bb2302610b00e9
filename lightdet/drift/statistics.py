"""A picture as a few numbers that need no labels: light, contrast, focus, noise, colour, and where the light is.

They are taken from a bounded number of pixels: every k-th one for light and colour, and patches in the picture's own
resolution for focus and noise, so that a large picture costs no more than a small one.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from lightdet.arrays import AnyArray, Image

SAMPLE_SIDE = 192
"""Longest side of the sample in pixels."""
PATCH, PATCHES = 48, 4
"""Side of a patch in pixels, and how many there are per row and column."""
RESOLUTION = {
    **{"brightness": 1.0, "contrast": 0.5, "highlights": 1.0, "shadows": 1.0, "focus": 0.2, "noise": 0.1},
    **{"red": 0.5, "blue": 0.5, "left to right": 0.5, "top to bottom": 0.5, "centre": 0.5},
}
"""By name, in the order of `picture_statistics`: values are rounded to it, so that a change too small to matter (by
another compression, say) is none even where all calibration pictures were alike."""
PICTURE_STATISTICS = tuple(RESOLUTION)
VERSION = 2
"""Raised with every change of what a statistic's name means: other values than those of a calibration are no change."""
_RIPPLE = np.array([1, -2, 1], np.float32)  # across and down: Immerkær's mask, blind to edges and slopes
_LEVELS = np.arange(1.0, 257.0)


def picture_statistics(image: Image) -> dict[str, float]:
    """Return the statistics of a picture, finite for every picture, rounded to `RESOLUTION`.

    - ``brightness``, ``contrast``: mean and standard deviation of the gray levels, in 0-255
    - ``highlights``, ``shadows``: gray levels that 1 % of the pixels exceed or stay below
    - ``focus``: how steep edges are for the contrast there is: decibels of mean squared gradient over variance
    - ``noise``: standard deviation of the noise in gray levels (Immerkær, Fast noise variance estimation, 1996)
    - ``red``, ``blue``: per cent of all light, less the third that each has in gray
    - ``left to right``, ``top to bottom``: per cent by which the second half is brighter than the whole
    - ``centre``: per cent by which the middle is brighter than the whole

    Args:
        image: uint8 RGB ``[H, W, 3]``.
    """
    every = max(1, -(-max(image.shape[:2]) // SAMPLE_SIDE))
    size = (-(-image.shape[1] // every), -(-image.shape[0] // every))
    sample = image if every == 1 else cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
    gray = cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(gray))
    shadows, highlights = _percentiles(gray)
    red, green, blue, _ = cv2.mean(sample)
    light = red + green + blue
    values = (mean, deviation, highlights, shadows, *_fine(gray if every == 1 else _patches(image)))
    colour = ((100 * each / light - 100 / 3) if light else 0.0 for each in (red, blue))
    named = zip(RESOLUTION.items(), (*values, *colour, *_layout(gray, mean)), strict=True)
    return {name: round(value / step) * step for (name, step), value in named}


def _percentiles(gray: AnyArray) -> tuple[float, float]:
    """The gray levels that 1 % and 99 % of the pixels do not reach, interpolated within a level."""
    counts = cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel()
    below = np.cumsum(counts) / gray.size
    low, high = np.interp((0.01, 0.99), below, _LEVELS)
    return float(low), float(high)


def _patches(image: Image) -> AnyArray:
    """Patches in the picture's own resolution on an even grid, gray, side by side: ``[192, 192]`` or less."""
    rows, columns = (_starts(side) for side in image.shape[:2])
    patch = [np.hstack([image[y : y + PATCH, x : x + PATCH] for x in columns]) for y in rows]
    return cv2.cvtColor(np.vstack(patch), cv2.COLOR_RGB2GRAY)


def _starts(side: int) -> list[int]:
    if side <= PATCH * PATCHES:
        return [0]
    return [round(number * (side - PATCH) / (PATCHES - 1)) for number in range(PATCHES)]


def _fine(gray: AnyArray) -> tuple[float, float]:
    """Focus and noise of a picture, or of patches."""
    if min(gray.shape) < 3:
        return 0.0, 0.0
    steep = sum(cv2.norm(one, other, cv2.NORM_L2SQR) / one.size for one, other in _neighbours(gray))
    spread = float(cv2.meanStdDev(gray)[1][0, 0]) ** 2
    ripple = cv2.sepFilter2D(gray, cv2.CV_16S, _RIPPLE, _RIPPLE)
    noise = cv2.norm(ripple, cv2.NORM_L1) / ripple.size * math.sqrt(math.pi / 2) / 6
    return 10 * math.log10((steep + 0.01) / (spread + 0.01)), noise


def _neighbours(gray: AnyArray) -> tuple[tuple[AnyArray, AnyArray], ...]:
    return (gray[:, 1:], gray[:, :-1]), (gray[1:], gray[:-1])


def _layout(gray: AnyArray, mean: float) -> tuple[float, float, float]:
    height, width = gray.shape
    right = cv2.mean(gray[:, width // 2 :])[0]
    lower = cv2.mean(gray[height // 2 :])[0]
    middle = cv2.mean(gray[height // 4 : -(-3 * height // 4), width // 4 : -(-3 * width // 4)])[0]
    return tuple(100 * (value - mean) / (mean + 1) for value in (right, lower, middle))  # type: ignore[return-value]
