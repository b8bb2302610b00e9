"""The detections in overlapping tiles, joined to objects of the whole picture; in numpy, as `lightdet.geometry.nms`.

N boxes, all ``[N, 4]`` x1, y1, x2, y2 in pixels.
"""

from __future__ import annotations

import numpy as np

from lightdet.arrays import BoolArray, FloatArray, IntArray
from lightdet.geometry.nms import nms, overlap_areas
from lightdet.geometry.tiles import Tile

COVERED = 0.6
"""A cut box with this share of its area inside another of its class adds nothing new."""
SAME_SPAN = 0.5
"""Two pieces are one object if their extents along the common border share this much of the shorter one."""
WEAKEST = 0.25
"""Boxes below this share of an object's score have no say in it."""

MERGE_VERSION = 2
"""Of `merge_tiles`. In the first, a box of any score took the place of better pieces inside it. A promise calibrated
with another version is none, so this counts up with every change of what `merge_tiles` returns."""

CANDIDATES = 10
"""The merging takes this many of the best boxes per box to return, to bound the work."""


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

    1. Boxes that are not cut by a tile border go through `nms`; a cut one mostly inside one of them of its class, with
       at least its score, is a part of it and goes.
    2. Cut boxes of one class that meet across a border with similar extents along it are pieces of an object
       larger than the overlap. From the best on, each is joined with those of at least a quarter of its score into the
       box around them, with its score. A piece that is left alone inside such a box of at least its score goes.
    3. A whole box takes in those, joined or alone, that lie mostly inside it, down from four times its score, and with
       them their score (a piece can score higher than the whole).
    4. `nms` again over all that is left.

    So what is returned from a score on depends on no box below a quarter of that score: neither scores nor places, nor
    what `max_detections` leaves out. Each class keeps its best score; only `max_detections`, and with `agnostic`
    boxes of other classes, can cost it that, and the best of all stays.

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
    if max_detections is not None:
        first = np.argsort(-scores, kind="stable")[: CANDIDATES * max_detections]
        boxes, scores, labels, cut = boxes[first], scores[first], labels[first], cut[first]
    kinds = np.zeros_like(labels) if agnostic else labels
    whole, pieces = np.flatnonzero(~cut.any(axis=1)), np.flatnonzero(cut.any(axis=1))
    whole = whole[nms(boxes[whole], scores[whole], kinds[whole], iou)]
    inside = _holders(boxes[pieces], kinds[pieces], scores[pieces], boxes[whole], kinds[whole], scores[whole])
    best, around = _join(boxes, scores, kinds, cut, pieces[inside < 0], margin)

    takers = _holders(around, kinds[best], WEAKEST * scores[best], boxes[whole], kinds[whole], scores[whole])
    whole_best = whole.copy()
    for taker, piece in zip(takers, best, strict=True):
        if taker >= 0 and scores[piece] > scores[whole_best[taker]]:
            whole_best[taker] = piece
    best, around = best[takers < 0], around[takers < 0]

    boxes, order = np.concatenate([around, boxes[whole]]), np.concatenate([best, whole_best])
    scores, labels, kinds = scores[order], labels[order], kinds[order]
    kept = nms(boxes, scores, kinds, iou, max_detections=max_detections)
    return boxes[kept], scores[kept], labels[kept]


def _join(
    boxes: FloatArray, scores: FloatArray, labels: IntArray, cut: BoolArray, pieces: IntArray, margin: float
) -> tuple[IntArray, FloatArray]:
    """Join the pieces of an object, as step 2 of `merge_tiles` says.

    Returns:
        int64 ``[M]``, the best piece of each object, and float32 ``[M, 4]``, the box around all of its pieces.
    """
    groups = [pieces[group] for group in _groups(boxes[pieces], scores[pieces], labels[pieces], cut[pieces], margin)]
    best = np.array([group[0] for group in groups], np.int64)
    around = np.array([[*boxes[g, :2].min(0), *boxes[g, 2:].max(0)] for g in groups], np.float32).reshape(-1, 4)
    several = np.array([len(group) > 1 for group in groups], np.bool_)
    joined = best[several]
    inside = _holders(around, labels[best], scores[best], around[several], labels[joined], scores[joined])
    left = several | (inside < 0)
    return best[left], around[left]


def _holders(
    boxes: FloatArray, labels: IntArray, least: FloatArray, around: FloatArray, kinds: IntArray, scores: FloatArray
) -> IntArray:
    """In which box does each piece mostly lie? Where there are several, that with the best score.

    Args:
        boxes: float32 ``[P, 4]``, the pieces.
        labels: int64 ``[P]``, their classes.
        least: float32 ``[P]``, the score that a box needs to hold a piece.
        around: float32 ``[M, 4]``, the boxes that may hold them.
        kinds: int64 ``[M]``, their classes.
        scores: float32 ``[M]``.

    Returns:
        int64 ``[P]``, indices into `around`; -1: none.
    """
    found, order = np.full(len(boxes), -1, np.int64), np.argsort(-scores, kind="stable")
    for row, box in enumerate(boxes):
        same = order[(kinds[order] == labels[row]) & (scores[order] >= least[row])]
        area = (box[2] - box[0]) * (box[3] - box[1])
        holders = same[overlap_areas(box, around[same]) >= COVERED * area]
        found[row] = holders[0] if len(holders) else -1
    return found


def _groups(boxes: FloatArray, scores: FloatArray, labels: IntArray, cut: BoolArray, margin: float) -> list[list[int]]:
    """Pieces that belong together (indices into `boxes`), the best of each group first, the best group first."""
    near: list[set[int]] = [set() for _ in boxes]
    for index in range(len(boxes)):
        mates = np.flatnonzero((labels == labels[index]) & _continues(boxes[index], cut[index], boxes, cut, margin))
        near[index].update(mates.tolist())
        for mate in mates.tolist():
            near[mate].add(index)
    free, groups = np.ones(len(boxes), dtype=np.bool_), []
    for best in np.argsort(-scores, kind="stable").tolist():
        if not free[best]:
            continue
        group = [best]
        free[best] = False
        for member in group:  # it grows meanwhile
            more = [mate for mate in sorted(near[member]) if free[mate] and scores[mate] >= WEAKEST * scores[best]]
            free[more] = False
            group += more
        groups.append(group)
    return groups


def _continues(box: FloatArray, cut: BoolArray, boxes: FloatArray, cuts: BoolArray, margin: float) -> BoolArray:
    """For each of `boxes`: does it continue where `box` ends, or show all that `box` shows of an object there?

    For the first, looking right and down only is enough: the pair is seen from its other side too.
    """
    found = np.zeros(len(boxes), dtype=np.bool_)
    for axis in (0, 1):  # 0: across a vertical border, 1: across a horizontal one
        alike = _shared_span(box, boxes, 1 - axis) >= SAME_SPAN
        if cut[axis] or cut[axis + 2]:
            reaches_as_far = (boxes[:, axis] <= box[axis] + margin) & (boxes[:, axis + 2] >= box[axis + 2] - margin)
            found |= reaches_as_far & alike
        if not cut[axis + 2]:
            continue
        meets = (boxes[:, axis] <= box[axis + 2] + margin) & (boxes[:, axis + 2] >= box[axis] - margin)
        goes_on = cuts[:, axis] & (boxes[:, axis + 2] >= box[axis + 2] - margin)
        found |= meets & goes_on & alike
    return found


def _shared_span(box: FloatArray, boxes: FloatArray, axis: int) -> FloatArray:
    """What share of the shorter extent along one axis (0: x, 1: y) do `box` and each of `boxes` have in common?"""
    low, high = boxes[:, axis], boxes[:, axis + 2]
    shared = np.minimum(box[axis + 2], high) - np.maximum(box[axis], low)
    shorter = np.minimum(box[axis + 2] - box[axis], high - low)
    share: FloatArray = np.maximum(shared, 0) / np.maximum(shorter, 1e-9)
    return share
