"""The heat of boxes that were reported, in a whole picture or in the tiles in which they were found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lightdet.arrays import FloatArray, Image
from lightdet.explaining.heat import Heat
from lightdet.geometry.boxes import box_area, clip_boxes
from lightdet.geometry.nms import overlap_areas
from lightdet.geometry.tiles import Tile
from lightdet.structures import Detections

if TYPE_CHECKING:
    from lightdet.explaining.detector import DetectorExplainer

SAME = 0.5
"""A box of a tile is a reported one, or a piece of it, if their part of the tile has at least this IoU."""


def reported_heat(
    explainer: DetectorExplainer, picture: Image, reported: Detections, tiles: Sequence[Tile]
) -> tuple[Heat, int]:
    """Return why boxes are reported, the largest value per pixel, and of how many of them evidence was found.

    A box that was joined from several tiles has its heat in each of them. Tiles without a reported box are passed over.

    Args:
        explainer: of the network that found them.
        picture: uint8 RGB ``[H, W, 3]``.
        reported: the boxes to explain.
        tiles: where they were found; the whole picture is one.

    Raises:
        NetworkError: the network's output is not a number.
    """
    values = np.zeros(picture.shape[:2], np.float32)
    explained: set[int] = set()
    for x, y, width, height in tiles:
        moved = reported.boxes - np.array([x, y] * 2, np.float32)
        inside = clip_boxes(moved, width, height)
        wanted = np.flatnonzero(box_area(inside) > 0)
        if not len(wanted):
            continue
        window = (slice(y, y + height), slice(x, x + width))
        look = explainer.look(np.ascontiguousarray(picture[window]))
        for number in wanted.tolist():
            found = _same(inside[number], int(reported.labels[number]), look.detections)
            if found is not None:
                values[window] = np.maximum(values[window], look.box(found).values)
                explained.add(number)
    return Heat(values), len(explained)


def _same(box: FloatArray, label: int, found: Detections) -> int | None:
    """Which detection is this box; None: none is."""
    shared = overlap_areas(box, found.boxes)
    overlap = shared / np.maximum(box_area(found.boxes) + box_area(box[None]) - shared, 1e-9)
    overlap[found.labels != label] = 0.0
    best = int(overlap.argmax()) if len(overlap) else 0
    return best if len(overlap) and overlap[best] >= SAME else None
