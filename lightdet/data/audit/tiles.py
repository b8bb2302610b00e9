"""Would tiles help, and of which size: from the sizes of pictures and boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lightdet.arrays import FloatArray

SMALL = 8.0
"""Boxes whose median shorter side is below this, in input pixels, are smaller than a cell of the finest grid."""
WANTED = 16.0
"""The shorter side that they should have: two cells."""
LARGE_PICTURE = 1.5
"""Pictures are well above the input from this many times its side on."""
MOST_OF_TILE = 0.5
"""The largest boxes fill at most this share of a tile's side, so that an overlap can hold them."""
GAIN = 1.5
"""Tiles are proposed if they enlarge the boxes at least so much."""
USUAL_OVERLAP, MOST_OVERLAP = 0.2, 0.5
STEP = 32


@dataclass(frozen=True)
class TileProposal:
    """A proposal.

    Attributes:
        size, overlap: as in the configuration's ``tiles``.
        imgsz: side of the network's input.
        shorter_side: median of the boxes' shorter sides in pixels of the pictures.
        before, after: the same in input pixels, in whole pictures and in tiles.
    """

    size: int
    overlap: float
    imgsz: int
    shorter_side: float
    before: float
    after: float

    def as_dict(self) -> dict[str, float]:
        """Return plain values ready for JSON."""
        return {name: round(value, 2) for name, value in asdict(self).items()}

    def message(self) -> str:
        """Say what is wrong and what to do, in one line."""
        return (
            f"the median shorter side of a box is {self.before:.1f} pixels in whole pictures at --imgsz {self.imgsz}, "
            f"and {self.after:.1f} in tiles of {self.size}: lightdet train --imgsz {self.imgsz} … "
            f"tiles.size={self.size} tiles.overlap={self.overlap:g}"
        )


def propose_tiles(pictures: Sequence[tuple[tuple[int, int], FloatArray]], imgsz: int) -> TileProposal | None:
    """Return tiles for a data set whose boxes get too small in the network's input; None where they would not help.

    The largest tile is proposed in which the median box has sides of `WANTED` input pixels, as few tiles are fastest;
    but none smaller than the input (it would show no more), and none of whose side a large box (the 95th percentile of
    the longer sides) takes more than `MOST_OF_TILE`. The overlap holds such a box whole.

    Args:
        pictures: for each its ``(width, height)`` and boxes ``[N, 4]``, all in its pixels.
        imgsz: side of the network's input in pixels.
    """
    held = [(max(size), boxes) for size, boxes in pictures if len(boxes)]
    if not held:
        return None
    longer_sides = np.repeat([longer for longer, _ in held], [len(boxes) for _, boxes in held])
    sides = np.concatenate([boxes[:, 2:] - boxes[:, :2] for _, boxes in held]).astype(np.float64)
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    before, picture = float(np.median(shorter * imgsz / longer_sides)), float(np.median(longer_sides))
    median, large = float(np.median(shorter)), float(np.percentile(longer, 95))
    if not 0 < before < SMALL or picture < LARGE_PICTURE * imgsz:
        return None
    fitting = STEP * int(imgsz * median / WANTED // STEP)
    size = max(imgsz, fitting, STEP * math.ceil(large / MOST_OF_TILE / STEP))
    if size * GAIN > picture:
        return None
    overlap = min(MOST_OVERLAP, max(USUAL_OVERLAP, math.ceil(20 * large / size - 1e-9) / 20))
    return TileProposal(size, overlap, imgsz, median, before, median * imgsz / size)
