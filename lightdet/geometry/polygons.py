"""Polygons and boxes on a grid of whole numbers, where touching and lying inside are exact.

Points are int64 ``[P, 2]`` (x, y), joined in their order, the last with the first. Boxes are int64 ``[N, 4]``, corners
x1, y1, x2, y2. Both include their border. Coordinates up to a hundred million are exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np

from lightdet.arrays import AnyArray, BoolArray


def touches(boxes: AnyArray, points: AnyArray) -> BoolArray:
    """Whether each box has a point in common with the polygon, bool ``[N]``; one on the border is enough."""
    return _meet_edge(boxes, points, inner=False) | _centre_inside(boxes, points)


def within(boxes: AnyArray, points: AnyArray) -> BoolArray:
    """Whether each box lies completely in the polygon, bool ``[N]``; it may touch the border.

    A box without area never does.
    """
    area = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return area & ~_meet_edge(boxes, points, inner=True) & _centre_inside(boxes, points)


def self_crossing(points: AnyArray) -> tuple[int, int] | None:
    """Return two edges of a polygon that cross, touch or lie on each other, numbered from 0; None if none do.

    Neighbours meet in their common point; they count only if the second goes back on the first. So a polygon without
    such edges has an area. No two consecutive points may be equal.
    """
    ring = [(int(x), int(y)) for x, y in points]
    edges = list(zip(ring, ring[1:] + ring[:1], strict=True))
    last = len(edges) - 1
    for (i, (a, b)), (j, (c, d)) in combinations(enumerate(edges), 2):
        if j == i + 1:
            bad = _goes_back(a, b, d)
        elif i == 0 and j == last:
            bad = _goes_back(c, d, b)
        else:
            bad = _segments_meet(a, b, c, d)
        if bad:
            return i, j
    return None


def areas_overlap(first: AnyArray, second: AnyArray) -> bool:
    """Whether the areas of two polygons that do not cross themselves overlap; a common border alone does not count.

    Between two neighbouring heights of corners the edges are straight lines. If no edge crosses another, their order
    there is the same at every height, so one line halfway tells it.
    """
    low, high = np.maximum(first.min(0), second.min(0)), np.minimum(first.max(0), second.max(0))
    if (low >= high).any():
        return False
    rings = [[(int(x), int(y)) for x, y in points] for points in (first, second)]
    ours, theirs = (list(zip(ring, ring[1:] + ring[:1], strict=True)) for ring in rings)
    if any(_cross(a, b, c, d) for a, b in ours for c, d in theirs):
        return True
    heights = sorted({y for ring in rings for _, y in ring})
    for below, above in pairwise(heights):
        spans = [_spans(edges, below + above) for edges in (ours, theirs)]
        if any(max(a, c) < min(b, d) for a, b in spans[0] for c, d in spans[1]):
            return True
    return False


Point = tuple[int, int]


def _meet_edge(boxes: AnyArray, points: AnyArray, *, inner: bool) -> BoolArray:
    """Whether each box (or only its inner part, without border) has a point in common with an edge, bool ``[N]``.

    Two convex shapes are apart if a line separates them: along x, along y, or along the edge itself.
    """
    a, b = points[None], np.roll(points, -1, axis=0)[None]  # [1, P, 2]
    x1, y1, x2, y2 = (boxes[:, None, index] for index in range(4))  # [N, 1]
    low, high = np.minimum(a, b), np.maximum(a, b)
    step = b - a
    corners = [(x, y) for x in (x1, x2) for y in (y1, y2)]
    sides = np.stack([step[..., 0] * (y - a[..., 1]) - step[..., 1] * (x - a[..., 0]) for x, y in corners])
    least, most = sides.min(0), sides.max(0)
    if inner:
        met = (low[..., 0] < x2) & (high[..., 0] > x1) & (low[..., 1] < y2) & (high[..., 1] > y1)
        met &= (least < 0) & (most > 0)
    else:
        met = (low[..., 0] <= x2) & (high[..., 0] >= x1) & (low[..., 1] <= y2) & (high[..., 1] >= y1)
        met &= (least <= 0) & (most >= 0)
    return np.asarray(met.any(axis=1))


def _centre_inside(boxes: AnyArray, points: AnyArray) -> BoolArray:
    """Whether the centre of each box lies inside, bool ``[N]``, by the edges to its right; doubled, to stay whole."""
    x, y = (boxes[:, 0] + boxes[:, 2])[:, None], (boxes[:, 1] + boxes[:, 3])[:, None]
    a, b = 2 * points[None], 2 * np.roll(points, -1, axis=0)[None]
    spanning = (a[..., 1] > y) != (b[..., 1] > y)
    step = b - a
    side = step[..., 0] * (y - a[..., 1]) - step[..., 1] * (x - a[..., 0])
    right = (side > 0) == (step[..., 1] > 0)
    return np.asarray((spanning & right).sum(axis=1) % 2 == 1)


def _turn(a: Point, b: Point, c: Point) -> int:
    """Twice the signed area of the triangle."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the inner parts of two segments cross in one point."""
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _segments_meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two segments have a point in common."""
    if _cross(a, b, c, d):
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(_turn(p, q, r) == 0 and _between(p, q, r) for p, q, r in ends)


def _between(a: Point, b: Point, c: Point) -> bool:
    """Whether `c`, on the line through `a` and `b`, lies between them."""
    return all(min(a[axis], b[axis]) <= c[axis] <= max(a[axis], b[axis]) for axis in (0, 1))


def _goes_back(a: Point, b: Point, c: Point) -> bool:
    """Whether the way from `b` to `c` lies on the way from `a` to `b`."""
    back = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return _turn(a, b, c) == 0 and back < 0


def _spans(edges: Iterable[tuple[Point, Point]], twice: int) -> list[tuple[Fraction, Fraction]]:
    """The stretches of a horizontal line, at half the height `twice`, in a polygon; it goes through no corner."""
    crossed = sorted(
        a[0] + Fraction((twice - 2 * a[1]) * (b[0] - a[0]), 2 * (b[1] - a[1]))
        for a, b in edges
        if (2 * a[1] < twice) != (2 * b[1] < twice)
    )
    return list(zip(crossed[::2], crossed[1::2], strict=True))
