"""Whether another program's bare class numbers count from 0 in our order, judged by the boxes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from lightdet.evaluation.matching import crowd_flags, overlaps
from lightdet.structures import Annotation, Detections
from lightdet.wording import counted

ENOUGH = 3
"""This many detections on boxes, all of another class than the box, are no coincidence."""


def doubtful_numbers(
    numbers: Collection[int], predictions: Sequence[Detections], annotations: Sequence[Annotation]
) -> str:
    """Say why `numbers`, read as class indices from 0, seem to mean something else; empty if they do not.

    Args:
        numbers: the numbers that were read as indices.
        predictions: the resulting detections, for each picture.
        annotations: of the same pictures.
    """
    hits, right, below = _hits(predictions, annotations)
    classes = len(predictions[0].names) if predictions else 0
    if 0 not in numbers and classes > 1 and right <= below:
        found = f"{right} of {counted(hits, 'detection')} on a box have its class"
        seen = f": {found}, {below} if they count from 1" if hits else ""
        return f"no category_id is 0, so they may count from 1 as well as from 0{seen}"
    if hits >= ENOUGH and not right:
        return f"none of {counted(hits, 'detection')} on a box has its class, so the category_ids mean other classes"
    return ""


def _hits(predictions: Sequence[Detections], annotations: Sequence[Annotation]) -> tuple[int, int, int]:
    """Detections that lie on a box (IoU 0.5), those of its class, and those of the class after its."""
    hits = right = below = 0
    for found, truth in zip(predictions, annotations, strict=True):
        kept = ~crowd_flags(truth)
        if not len(found) or not kept.any():
            continue
        table = overlaps(found.boxes, truth.boxes[kept])
        on_box = table.max(axis=1) >= 0.5
        classes = truth.labels[kept][np.argmax(table, axis=1)][on_box]
        hits += int(on_box.sum())
        right += int((found.labels[on_box] == classes).sum())
        below += int((found.labels[on_box] - 1 == classes).sum())
    return hits, right, below
