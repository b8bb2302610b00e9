"""Crops of large pictures for training: how many, where, and which boxes are left in them.

A crop has a tile's size, so the network learns at the scale at which it is used. Half of a picture's crops show a
defect and half lie anywhere: an epoch of tiles as they are used would be nearly all background, and one of defects
alone would not teach what a sound surface looks like.
"""

from __future__ import annotations

import math

import numpy as np

from lightdet.arrays import FloatArray
from lightdet.geometry.tiles import Tile, plan_tiles
from lightdet.structures import Sample, Tiling

MAX_CROPS = 16
"""Most crops per picture and epoch: one of a hundred megapixels must not outweigh all the others."""
DEFECT_SHARE = 0.5
"""Share of the crops of a picture with boxes that show one of them, each box as likely as another."""
MIN_VISIBLE = 0.3
"""A cut box stays if the crop shows this share of what a crop of this size can show of it at most."""


def crop_count(size: tuple[int, int], tiles: Tiling) -> int:
    """How many crops of a picture of `size` (width, height) an epoch draws: as many as it has tiles, up to a bound."""
    if max(size) <= tiles.size:
        return 1
    return min(MAX_CROPS, len(plan_tiles(size, tiles.size, tiles.overlap)))


def draw_window(
    size: tuple[int, int], boxes: FloatArray, number: int, count: int, side: int, rng: np.random.Generator
) -> Tile:
    """Draw the place of a crop.

    The first half of a picture's crops hold a box, whole if it fits, at a random place in the crop (a box larger than
    the crop fills it); the others lie anywhere.

    Args:
        size: the picture's ``(width, height)``.
        boxes: float32 ``[N, 4]`` in its pixels.
        number: of the crop, from 0, of `count` crops of this picture.
        side: of a crop in pixels; along a shorter axis of the picture the crop is as long as the picture.
        rng: one draw for the box, one for each axis.
    """
    shows = len(boxes) > 0 and number < math.ceil(count * DEFECT_SHARE)
    box = boxes[rng.integers(len(boxes))] if shows else None
    width, height = min(side, size[0]), min(side, size[1])
    x, y = (
        _draw_start(length, span, None if box is None else (float(box[axis]), float(box[axis + 2])), rng)
        for axis, (length, span) in enumerate(zip(size, (width, height), strict=True))
    )
    return Tile(x, y, width, height)


def _draw_start(length: int, span: int, shown: tuple[float, float] | None, rng: np.random.Generator) -> int:
    """The first of `span` pixels on an axis of `length`, around what is `shown` (or within it, if that is longer)."""
    end = length - span
    if shown is None:
        return int(rng.integers(0, end + 1))
    first, last = sorted((shown[0], shown[1] - span))
    low = min(max(math.ceil(first), 0), end)
    high = min(max(math.floor(last), low), end)  # with less than a pixel between the two, `low` is the only one
    return int(rng.integers(low, high + 1))


def cut(sample: Sample, window: Tile) -> Sample:
    """Return the part of `sample` in `window`, sharing its pixels; boxes of which too little is left are dropped."""
    rows, columns = slice(window.y, window.y + window.height), slice(window.x, window.x + window.width)
    moved = sample.boxes - np.array([window.x, window.y] * 2, np.float32)
    sides = np.array([window.width, window.height], np.float32)
    clipped = np.clip(moved, 0, np.tile(sides, 2)).astype(np.float32)
    shown = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1)
    most = np.minimum(moved[:, 2:] - moved[:, :2], sides).prod(axis=1)
    kept = (shown > 0) & (shown >= MIN_VISIBLE * most)
    return Sample(sample.image[rows, columns], clipped[kept], sample.labels[kept])
