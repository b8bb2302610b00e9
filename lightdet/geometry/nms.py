"""Non-maximum suppression, box voting and the merging of tiles, in numpy: exported models run without torch.

N boxes, all ``[N, 4]`` x1, y1, x2, y2 in pixels.
"""

from __future__ import annotations

import numpy as np

from lightdet.arrays import BoolArray, FloatArray, IntArray
from lightdet.geometry.tiles import Tile

COVERED = 0.6
"""A cut box with this share of its area inside another of its class adds nothing new."""
SAME_SPAN = 0.5
"""Two pieces are one object if their extents along the common border share this much of the shorter one."""

VOTER_IOU = 0.5
"""Boxes that overlap a kept one by more than this also count for its position, the more, the larger the overlap ..."""
VOTER_SCORE = 0.25
"""... if their score is more than this share of its own: boxes below have no weight."""

MERGE_VERSION = 2
"""Of `merge_tiles`. In the first, a box of any score took the place of better pieces inside it. A promise calibrated
with another version is none, so this counts up with every change of what `merge_tiles` returns."""

CANDIDATES = 10
"""The merging takes this many of the best boxes per box to return, to bound the work."""


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


def cut_sides(boxes: FloatArray, tile: Tile, size: tuple[int, int], margin: float) -> BoolArray:
    """Say where boxes end at a border of `tile` inside the picture, so that the object may continue beyond it.

    Args:
        boxes: ``[N, 4]`` in pixels of the picture of `size` (width, height).
        tile: where they were found.
        size: the picture's ``(width, height)``.
        margin: pixels from the border that still count as touching it.

    Returns:
        bool ``[N, 4]``: cut at the left, top, right, bottom.
    """
    right, bottom = tile.x + tile.width, tile.y + tile.height
    inner = np.array([tile.x > 0, tile.y > 0, right < size[0], bottom < size[1]])
    distances = np.abs(boxes - np.array([tile.x, tile.y, right, bottom], dtype=np.float32))
    return inner & (distances <= margin)


def merge_tiles(
    boxes: FloatArray,
    scores: FloatArray,
    labels: IntArray,
    cut: BoolArray,
    *,
    iou: float,
    margin: float,
    max_detections: int | None = None,
    agnostic: bool = False,
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Join the detections of overlapping tiles: each object once, complete if some tile saw it complete.

    1. Boxes that are not cut by a tile border go through `nms`.
    2. A cut box that lies mostly inside such a complete box of its class is a part of it: it goes, and the complete
       box takes its score if that is higher (a piece can score higher than the whole).
    3. Cut boxes of one class that meet across a border with similar extents along it are pieces of an object
       larger than the overlap: joined into the box around them, with the best piece's score.
    4. `nms` again over all that is left; pieces inside a joined box go as in 2.

    So each class keeps its best score, and boxes below a threshold cannot take a score above it away. Only
    `max_detections`, and with `agnostic` boxes of other classes, can cost a class its best; the best of all stays.

    Args:
        boxes: float32 ``[N, 4]`` of all tiles, in pixels of the picture.
        scores: float32 ``[N]``.
        labels: int64 ``[N]``.
        cut: bool ``[N, 4]``, from `cut_sides`.
        iou: threshold of the suppression.
        margin: pixels by which two pieces may miss each other.
        max_detections: most boxes to return.
        agnostic: all of this as if there were one class; a joined box has the class of its best piece.

    Returns:
        Boxes, scores and labels, best score first.
    """
    if max_detections is not None and len(scores) > CANDIDATES * max_detections:
        best = np.argsort(-scores, kind="stable")[: CANDIDATES * max_detections]
        boxes, scores, labels, cut = boxes[best], scores[best], labels[best], cut[best]
    kinds = np.zeros_like(labels) if agnostic else labels
    is_cut = cut.any(axis=1)
    whole = np.flatnonzero(~is_cut)
    whole = whole[nms(boxes[whole], scores[whole], kinds[whole], iou)]
    pieces = np.flatnonzero(is_cut)
    whole_best, pieces = _swallow(boxes, scores, kinds, pieces, boxes[whole], whole)
    groups = _groups(boxes[pieces], kinds[pieces], cut[pieces], margin)
    joined = [pieces[group] for group in groups if len(group) > 1]
    single = np.array([pieces[group[0]] for group in groups if len(group) == 1], dtype=np.int64)

    around = np.array([[*boxes[g, :2].min(0), *boxes[g, 2:].max(0)] for g in joined], np.float32).reshape(-1, 4)
    best_pieces = np.array([g[scores[g].argmax()] for g in joined], np.int64)
    best_pieces, single = _swallow(boxes, scores, kinds, single, around, best_pieces)
    boxes = np.concatenate([around, boxes[whole], boxes[single]])
    order = np.concatenate([best_pieces, whole_best, single])
    scores, labels, kinds = scores[order], labels[order], kinds[order]
    kept = nms(boxes, scores, kinds, iou, max_detections=max_detections)
    return boxes[kept], scores[kept], labels[kept]


def _swallow(
    boxes: FloatArray, scores: FloatArray, labels: IntArray, pieces: IntArray, around: FloatArray, best: IntArray
) -> tuple[IntArray, IntArray]:
    """Let boxes take in the pieces of their class that lie mostly inside them.

    Of several that hold a piece, the one with the best score takes it: boxes that might as well be below the lowest
    score change as little as possible.

    Args:
        boxes: float32 ``[N, 4]``.
        scores: float32 ``[N]``.
        labels: int64 ``[N]``.
        pieces: indices of the boxes that may be taken in.
        around: float32 ``[M, 4]``, the boxes that take in.
        best: int64 ``[M]``, for each of these the index of the box whose score and class it has.

    Returns:
        `best` afterwards, and the pieces that are left.
    """
    kinds, order = labels[best], np.argsort(-scores[best], kind="stable")
    now, left = best.copy(), np.ones(len(pieces), dtype=np.bool_)
    for row, index in enumerate(pieces):
        area = (boxes[index, 2] - boxes[index, 0]) * (boxes[index, 3] - boxes[index, 1])
        same = order[kinds[order] == labels[index]]
        holders = same[overlap_areas(boxes[index], around[same]) >= COVERED * area]
        if len(holders):
            left[row] = False
            if scores[index] > scores[now[holders[0]]]:
                now[holders[0]] = index
    return now, pieces[left]


def _groups(boxes: FloatArray, labels: IntArray, cut: BoolArray, margin: float) -> list[list[int]]:
    """Connected groups of pieces (indices into `boxes`): a union-find over pairs that belong together."""
    parent = list(range(len(boxes)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index in range(len(boxes)):
        mates = np.flatnonzero((labels == labels[index]) & _continues(boxes[index], cut[index], boxes, cut, margin))
        for mate in mates:
            parent[root(int(mate))] = root(index)
    groups: dict[int, list[int]] = {}
    for index in range(len(boxes)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _continues(box: FloatArray, cut: BoolArray, boxes: FloatArray, cuts: BoolArray, margin: float) -> BoolArray:
    """For each of `boxes`: does it continue where `box` ends (to the right or below), or show the same piece?

    Looking right and down only is enough: the pair is seen from its other side too.
    """
    found = np.zeros(len(boxes), dtype=np.bool_)
    for axis in (0, 1):  # 0: across a vertical border, 1: across a horizontal one
        if not cut[axis + 2]:
            continue
        across = 1 - axis
        meets = (boxes[:, axis] <= box[axis + 2] + margin) & (boxes[:, axis + 2] >= box[axis] - margin)
        goes_on = cuts[:, axis] & (boxes[:, axis + 2] >= box[axis + 2] - margin)
        found |= meets & goes_on & (_shared_span(box, boxes, across) >= SAME_SPAN)
    return found


def _shared_span(box: FloatArray, boxes: FloatArray, axis: int) -> FloatArray:
    """What share of the shorter extent along one axis (0: x, 1: y) do `box` and each of `boxes` have in common?"""
    low, high = boxes[:, axis], boxes[:, axis + 2]
    shared = np.minimum(box[axis + 2], high) - np.maximum(box[axis], low)
    shorter = np.minimum(box[axis + 2] - box[axis], high - low)
    share: FloatArray = np.maximum(shared, 0) / np.maximum(shorter, 1e-9)
    return share
