"""Cut a large picture into overlapping tiles that cover it."""

from __future__ import annotations

import math
from typing import NamedTuple


class Tile(NamedTuple):
    """A window of a picture: its first pixel and its size."""

    x: int
    y: int
    width: int
    height: int


def overlap_pixels(tile: int, overlap: float) -> int:
    """Fewest pixels that neighbouring tiles share: `overlap` (a share of the side) rounded up, below `tile`."""
    return min(tile - 1, math.ceil(tile * overlap - 1e-9))


def plan_tiles(size: tuple[int, int], tile: int, overlap: float = 0.2) -> list[Tile]:
    """Return the tiles of a picture of `size` (width, height), row by row.

    Every pixel lies in a tile. Tiles are `tile` pixels per side, or the picture's own side if that is
    smaller; the first begins and the last ends at the picture's border. The tiles between are spread evenly,
    so neighbours share at least ``overlap_pixels(tile, overlap)`` pixels: a box with sides no longer than
    that is complete in some tile.

    Raises:
        ValueError: a size or tile below one pixel, an overlap outside [0, 1).
    """
    if min(size) < 1 or tile < 1:
        raise ValueError(f"size and tile must be at least one pixel, got {size} and {tile}")
    if not 0.0 <= overlap < 1.0:
        raise ValueError(f"overlap must lie in [0, 1), got {overlap}")
    step = tile - overlap_pixels(tile, overlap)
    columns, rows = (_starts(side, tile, step) for side in size)
    return [Tile(x, y, min(tile, size[0]), min(tile, size[1])) for y in rows for x in columns]


def _starts(length: int, tile: int, step: int) -> list[int]:
    """First pixels of the tiles along one axis, no two further apart than `step`."""
    if length <= tile:
        return [0]
    gaps = -(-(length - tile) // step)
    # Rounding down a multiple of a number no greater than `step` never makes a gap longer than `step`.
    return [index * (length - tile) // gaps for index in range(gaps + 1)]
