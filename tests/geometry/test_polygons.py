"""Polygons against an independent calculation: small ones painted pixel by pixel, and boxes clipped by half-planes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lightdet.geometry.polygons import areas_overlap, self_crossing, touches, within

Ring = list[tuple[int, int]]
SIDE = 12
coordinates = st.integers(0, SIDE)
boxes = st.tuples(coordinates, coordinates, coordinates, coordinates)


def array(ring: Ring) -> np.ndarray:
    return np.array(ring, np.int64)


@st.composite
def simple_polygons(draw: st.DrawFn) -> Ring:
    """Points in the order of their angle around a centre: such a polygon never crosses itself."""
    points = draw(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=8, unique=True))
    cx, cy = np.mean([x for x, _ in points]) + 0.013, np.mean([y for _, y in points]) + 0.0071
    ring = sorted(points, key=lambda p: float(np.arctan2(p[1] - cy, p[0] - cx)))
    assume(self_crossing(array(ring)) is None)
    return ring


def painted(ring: Ring, scale: int = 8) -> np.ndarray:
    """Sample points of the plane, none of them on the grid, and whether each lies in the polygon (even-odd rule)."""
    at = (np.arange(SIDE * scale) + 0.5) / scale + 1e-4
    xs, ys = np.meshgrid(at, at + 0.7e-4)
    inside = np.zeros(xs.shape, bool)
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        if ay == by:
            continue
        inside ^= ((ay > ys) != (by > ys)) & (xs < ax + (ys - ay) * (bx - ax) / (by - ay))
    return inside


def box_painted(box: tuple[int, int, int, int], scale: int = 8) -> np.ndarray:
    mask = np.zeros((SIDE * scale, SIDE * scale), bool)
    mask[box[1] * scale : box[3] * scale, box[0] * scale : box[2] * scale] = True
    return mask


def ordered(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])


def clipped_area(ring: Ring, box: tuple[int, int, int, int]) -> float:
    """The area that box and polygon share: Sutherland and Hodgman's clipping, then the shoelace formula."""
    points = [(float(x), float(y)) for x, y in ring]
    for axis, bound, sign in ((0, box[0], 1), (0, box[2], -1), (1, box[1], 1), (1, box[3], -1)):
        kept: list[tuple[float, float]] = []
        for p, q in zip(points, points[1:] + points[:1], strict=True):
            inside = [sign * (each[axis] - bound) >= 0 for each in (p, q)]
            if inside[0] != inside[1]:
                share = (bound - p[axis]) / (q[axis] - p[axis])
                crossing = [p[i] + share * (q[i] - p[i]) for i in (0, 1)]
                crossing[axis] = bound
                kept += [p] if inside[0] else []
                kept.append((crossing[0], crossing[1]))
            elif inside[0]:
                kept.append(p)
        points = kept
        if not points:
            return 0.0
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, points[1:] + points[:1], strict=True))) / 2


@given(simple_polygons(), boxes)
def test_touching_and_lying_inside_agree_with_clipping(ring: Ring, corners: tuple[int, int, int, int]) -> None:
    box = ordered(corners)
    assume(box[0] < box[2] and box[1] < box[3])
    area, shared = (box[2] - box[0]) * (box[3] - box[1]), clipped_area(ring, box)
    grid = np.array([box], np.int64)
    assert within(grid, array(ring))[0] == (abs(shared - area) < 1e-9)
    if shared > 1e-9:
        assert touches(grid, array(ring))[0]
    larger = (box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1)
    if clipped_area(ring, larger) < 1e-9:  # a whole unit away, or a corner at most
        assert not touches(grid, array(ring))[0]


@settings(max_examples=40)
@given(simple_polygons(), simple_polygons())
def test_areas_that_overlap_are_those_painted_on_each_other(first: Ring, second: Ring) -> None:
    both = painted(first) & painted(second)
    if both.any():
        assert areas_overlap(array(first), array(second))
    elif areas_overlap(array(first), array(second)):  # then it is a sliver between the samples
        assert (painted(first, 64) & painted(second, 64)).sum() < 64 * 64
    assert areas_overlap(array(first), array(second)) == areas_overlap(array(second), array(first))


@given(simple_polygons())
def test_a_polygon_overlaps_itself_and_contains_no_more_than_its_frame(ring: Ring) -> None:
    points = array(ring)
    assert areas_overlap(points, points)
    frame = np.array([[*points.min(0), *points.max(0)]], np.int64)
    assert touches(frame, points)[0]
    assert bool(within(frame, points)[0]) == (
        abs(clipped_area(ring, tuple(frame[0])) - np.prod(np.ptp(points, 0))) < 1e-9
    )


@given(st.integers(1, 11), simple_polygons())
def test_neighbours_with_a_common_border_do_not_overlap(cut: int, ring: Ring) -> None:
    left = array([(0, 0), (cut, 0), (cut, SIDE), (0, SIDE)])
    right = array([(cut, 0), (SIDE, 0), (SIDE, SIDE), (cut, SIDE)])
    assert not areas_overlap(left, right)
    wide = clipped_area(ring, (0, 0, cut, SIDE)), clipped_area(ring, (cut, 0, SIDE, SIDE))
    assert [areas_overlap(array(ring), side) for side in (left, right)] == [area > 1e-9 for area in wide]


@pytest.mark.parametrize(
    "ring",
    [
        [(0, 0), (4, 4), (4, 0), (0, 4)],  # a bow tie
        [(0, 0), (4, 0), (8, 0)],  # no area
        [(0, 0), (8, 0), (8, 8), (8, 2)],  # goes back on itself
        [(0, 0), (8, 0), (8, 8), (4, 0), (0, 8)],  # a corner on an edge
        [(0, 0), (4, 4), (8, 0), (8, 8), (4, 4), (0, 8)],  # a corner on a corner
    ],
)
def test_a_polygon_that_meets_itself_is_found(ring: Ring) -> None:
    for shift in range(len(ring)):
        turned = ring[shift:] + ring[:shift]
        assert self_crossing(array(turned)) is not None
        assert self_crossing(array(turned[::-1])) is not None


def test_a_concave_polygon_is_taken_as_it_is() -> None:
    ring = array([(0, 0), (10, 0), (10, 10), (8, 10), (8, 2), (2, 2), (2, 10), (0, 10)])  # an arch
    assert self_crossing(ring) is None
    grid = np.array([[3, 3, 7, 9], [2, 3, 7, 9], [0, 0, 10, 2], [0, 0, 10, 3], [0, 0, 0, 5]], np.int64)
    assert touches(grid, ring).tolist() == [False, True, True, True, True]
    assert within(grid, ring).tolist() == [False, False, True, False, False]
    assert not areas_overlap(ring, array([(2, 2), (8, 2), (8, 10), (2, 10)]))
    assert areas_overlap(ring, array([(2, 1), (8, 1), (8, 10), (2, 10)]))


def test_no_boxes_are_no_answers() -> None:
    none = np.zeros((0, 4), np.int64)
    ring = array([(0, 0), (4, 0), (0, 4)])
    assert touches(none, ring).shape == within(none, ring).shape == (0,)
