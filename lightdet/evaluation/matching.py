"""Which detection matches which ground-truth box, at one IoU threshold.

The rule is COCO's: best score first, every detection takes the free box that it overlaps most, if the overlap
reaches the threshold. Because a detection never depends on a weaker one, one matching is valid for every confidence
threshold. Crowd regions take any number of detections, which then count neither as correct nor as wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightdet.arrays import AnyArray, BoolArray, FloatArray, IntArray
from lightdet.structures import Annotation, Detections

FREE = -1
"""In the index arrays of `Match`: nothing was matched."""


@dataclass(frozen=True, eq=False)
class Match:
    """One picture's matching.

    Attributes:
        truth: int64 ``[D]``, for every detection the index of its ground-truth box, or `FREE`.
        detection: int64 ``[G]``, for every ground-truth box the index of its detection, or `FREE`
            (always `FREE` for crowd regions).
        ignored: bool ``[D]``, the detection lies in a crowd region and does not count.
        crowd: bool ``[G]``, the box is a crowd region and does not count.
    """

    truth: IntArray
    detection: IntArray
    ignored: BoolArray
    crowd: BoolArray

    @property
    def false_alarms(self) -> BoolArray:
        """Bool ``[D]``: detections that count and match no box."""
        flags: BoolArray = (self.truth == FREE) & ~self.ignored
        return flags

    @property
    def missed(self) -> BoolArray:
        """Bool ``[G]``: boxes that count and that no detection matches."""
        flags: BoolArray = (self.detection == FREE) & ~self.crowd
        return flags


def crowd_flags(annotation: Annotation) -> BoolArray:
    """Bool ``[N]``: the crowd flag of each box, all false if the data set has none."""
    return np.zeros(len(annotation), bool) if annotation.crowd is None else annotation.crowd


def overlaps(boxes: FloatArray, truths: FloatArray, crowd: BoolArray | None = None) -> AnyArray:
    """IoU of every pair, ``[D, 4]`` and ``[G, 4]`` → float64 ``[D, G]``; empty boxes overlap nothing.

    Columns flagged in `crowd` hold intersection over the detection's own area instead, as COCO has it.
    """
    first, second = boxes.astype(np.float64), truths.astype(np.float64)
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])  # [D, G, 2]
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    area = np.prod(first[:, 2:] - first[:, :2], axis=1)[:, None]  # [D, 1]
    union = area + np.prod(second[:, 2:] - second[:, :2], axis=1)[None] - intersection
    if crowd is not None:
        union = np.where(crowd[None], area, union)
    shares: AnyArray = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return shares


def match(detections: Detections, annotation: Annotation, *, iou: float = 0.5, by_class: bool = True) -> Match:
    """Match one picture's detections with its boxes.

    Args:
        detections: best score first.
        annotation: of the same picture.
        iou: lowest overlap that counts, in (0, 1].
        by_class: match within each class; otherwise any class answers for any.
    """
    if not 0.0 < iou <= 1.0:
        raise ValueError(f"iou must lie in (0, 1], got {iou}")
    crowd = crowd_flags(annotation)
    table = overlaps(detections.boxes, annotation.boxes, crowd)
    if by_class:
        table = np.where(detections.labels[:, None] == annotation.labels[None], table, 0)
    truth, ignored = greedy(table, crowd, iou)
    detection = np.full(len(annotation), FREE, np.int64)
    found = np.flatnonzero(truth != FREE)
    detection[truth[found]] = found
    return Match(truth, detection, ignored, crowd)


def match_confusions(detections: Detections, annotation: Annotation, first: Match, *, iou: float = 0.5) -> IntArray:
    """Match what `first` (by class) left over, whatever the class: detections that found the defect but misnamed it.

    Returns:
        int64 ``[D]``, for every detection the index of the box of another class that it overlaps, or `FREE`.
    """
    rows, columns = np.flatnonzero(first.false_alarms), np.flatnonzero(first.missed)
    table = overlaps(detections.boxes[rows], annotation.boxes[columns])
    truth, _ = greedy(table, np.zeros(len(columns), bool), iou)
    other = np.full(len(detections), FREE, np.int64)
    other[rows[truth != FREE]] = columns[truth[truth != FREE]]
    return other


def greedy(table: AnyArray, crowd: BoolArray, iou: float) -> tuple[IntArray, BoolArray]:
    """Match rows (best score first) with columns: ``[D, G]`` overlaps → (truth ``[D]``, ignored ``[D]``)."""
    truth = np.full(len(table), FREE, np.int64)
    ignored = np.zeros(len(table), bool)
    # Slightly below the threshold, so that rounding does not lose a pair that meets it exactly.
    reached = table >= iou - 1e-9
    free = ~crowd
    for row in np.flatnonzero(reached.any(axis=1)):
        columns = np.flatnonzero(reached[row] & free)
        if len(columns):
            best = columns[np.argmax(table[row, columns])]
            truth[row] = best
            free[best] = False
        else:
            ignored[row] = bool((reached[row] & crowd).any())
    return truth, ignored
