"""Non-maximum suppression and box voting, in numpy: exported models run without torch.

N boxes, all ``[N, 4]`` x1, y1, x2, y2 in pixels.
"""

from __future__ import annotations

import numpy as np

from lightdet.arrays import FloatArray, IntArray

VOTER_IOU = 0.5
"""Boxes that overlap a kept one by more than this also count for its position, the more, the larger the overlap ..."""
VOTER_SCORE = 0.25
"""... if their score is more than this share of its own: boxes below have no weight."""


def overlap_areas(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """Intersection of one box ``[4]`` with each of ``[N, 4]`` → ``[N]`` in square pixels."""
    width = np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0])
    height = np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1])
    areas: FloatArray = np.maximum(width, 0) * np.maximum(height, 0)
    return areas


def nms(
    boxes: FloatArray, scores: FloatArray, labels: IntArray, iou: float, *, max_detections: int | None = None
) -> IntArray:
    """Greedy suppression by class: keep the best, drop those of its class that overlap it by more than `iou`.

    Boxes of different classes never suppress each other. Equal scores: the earlier box wins. The work is at
    most kept x N, and `max_detections` bounds the kept.

    Returns:
        int64 ``[K]`` indices of the kept boxes, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    if iou >= 1.0:  # no two boxes overlap by more than 1
        return order[:max_detections].astype(np.int64)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    while len(order) and (max_detections is None or len(kept) < max_detections):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        shared = overlap_areas(boxes[best], boxes[rest])
        # shared > iou * union, without dividing: two boxes without area have no IoU and both stay.
        union = areas[best] + areas[rest] - shared
        order = rest[(shared <= iou * union) | (labels[rest] != labels[best])]
    return np.array(kept, dtype=np.int64)


def vote(boxes: FloatArray, scores: FloatArray, labels: IntArray, kept: IntArray, *, floor: float = 0.0) -> FloatArray:
    """Move each kept box to the weighted mean of the boxes that see the same object.

    Box voting (Gidaris & Komodakis 2015, "Object detection via a multi-region and semantic segmentation-aware CNN
    model", section 4.3), with weights that fall to 0 gradually: a box of the same class weighs
    ``(min(s, s_kept) - max(s_kept / 4, floor)) * (IoU - 1/2)``, nothing if a factor is negative. So a box that barely
    enters or leaves the candidates moves nothing. Scores do not change. For its effect see docs/recipe.md.

    Args:
        boxes: float32 ``[N, 4]``, all candidates.
        scores: float32 ``[N]``.
        labels: int64 ``[N]``.
        kept: int64 ``[K]``, from `nms`.
        floor: the score below which there are no candidates.

    Returns:
        float32 ``[K, 4]``.
    """
    moved: FloatArray = boxes[kept]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for row, index in enumerate(kept):
        least = max(VOTER_SCORE * scores[index], floor)
        others = np.flatnonzero((labels == labels[index]) & (scores > least))
        shared = overlap_areas(boxes[index], boxes[others])
        union = areas[index] + areas[others] - shared
        overlap = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
        voice = np.minimum(scores[others], scores[index]) - least
        weights = voice * np.maximum(overlap - VOTER_IOU, 0)
        if (total := weights.sum()) > 0:
            moved[row] = (weights / total) @ boxes[others]
    return moved
