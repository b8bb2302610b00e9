"""Two pictures in one: mixup (Zhang 2018) and copy-paste of boxes (after Ghiasi 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from lightdet.arrays import FloatArray
from lightdet.structures import Sample


def mixup(first: Sample, second: Sample, rng: np.random.Generator) -> Sample:
    """Average two samples of one size with a share drawn near one half; both keep their boxes."""
    share = float(rng.beta(32.0, 32.0))
    image = cv2.addWeighted(first.image, share, second.image, 1 - share, 0)
    return Sample(
        np.asarray(image, dtype=np.uint8),
        np.concatenate((first.boxes, second.boxes)),
        np.concatenate((first.labels, second.labels)),
    )


def copy_paste(target: Sample, source: Sample, rng: np.random.Generator, *, most: int = 3) -> Sample:
    """Paste up to `most` boxes of `source` (with their pixels) where `target` has none; sizes must be equal.

    A box is pasted only where it covers no other box, so no label loses its defect; and only if no other box of
    `source` overlaps it, so no defect comes along without its label.
    """
    if len(source.boxes) == 0:
        return target
    image = target.image.copy()
    height, width = image.shape[:2]
    boxes, labels = list(target.boxes), list(target.labels)
    for index in rng.permutation(len(source.boxes))[:most]:
        if _meets(source.boxes[index], np.delete(source.boxes, index, axis=0)):
            continue
        x1, y1 = np.floor(source.boxes[index, :2]).astype(int)
        x2, y2 = np.ceil(source.boxes[index, 2:]).astype(int)
        patch = source.image[max(y1, 0) : y2, max(x1, 0) : x2]
        rows, columns = patch.shape[:2]
        if rows == 0 or columns == 0 or rows > height // 2 or columns > width // 2:
            continue
        x, y = int(rng.integers(0, width - columns + 1)), int(rng.integers(0, height - rows + 1))
        if _meets((x, y, x + columns, y + rows), boxes):
            continue
        image[y : y + rows, x : x + columns] = patch
        shift = np.array([x - max(x1, 0), y - max(y1, 0)] * 2, dtype=np.float32)
        boxes.append((source.boxes[index] + shift).astype(np.float32))
        labels.append(source.labels[index])
    return Sample(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64))


def _meets(box: Sequence[float] | FloatArray, others: Iterable[FloatArray]) -> bool:
    """Whether `box` has area in common with any of the others (all x1, y1, x2, y2)."""
    return any(b[0] < box[2] and b[2] > box[0] and b[1] < box[3] and b[3] > box[1] for b in others)
