"""Mosaic: four pictures around a random point of a canvas of twice the side (Bochkovskiy 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightdet.arrays import FloatArray
from lightdet.data.augment.affine import filter_boxes
from lightdet.structures import Sample


def mosaic(samples: Sequence[Sample], side: int, rng: np.random.Generator, *, pad_value: int = 114) -> Sample:
    """Join four samples (each at most `side` a side) to one of ``2 * side`` a side; boxes are cut and filtered."""
    if len(samples) != 4:
        raise ValueError(f"a mosaic needs four samples, got {len(samples)}")
    canvas = np.full((2 * side, 2 * side, 3), pad_value, dtype=np.uint8)
    meet_x, meet_y = (int(rng.integers(side // 2, side * 3 // 2 + 1)) for _ in range(2))
    boxes: list[FloatArray] = []
    labels = []
    for place, sample in enumerate(samples):
        height, width = sample.image.shape[:2]
        # Corner of the picture on the canvas: its inner corner touches the meeting point.
        x = meet_x - width if place % 2 == 0 else meet_x
        y = meet_y - height if place < 2 else meet_y
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + width, 2 * side), min(y + height, 2 * side)
        if right <= left or bottom <= top:
            continue
        canvas[top:bottom, left:right] = sample.image[top - y : bottom - y, left - x : right - x]
        moved = sample.boxes + np.array([x, y, x, y], dtype=np.float32)
        limits = np.array([left, top, right, bottom], dtype=np.float32)
        clipped = np.clip(moved, limits[[0, 1, 0, 1]], limits[[2, 3, 2, 3]]).astype(np.float32)
        kept = filter_boxes(moved, clipped)
        boxes.append(clipped[kept])
        labels.append(sample.labels[kept])
    if not boxes:
        return Sample(canvas, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    return Sample(canvas, np.concatenate(boxes), np.concatenate(labels))
