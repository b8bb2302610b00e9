"""Boxes around shapes: polygons, circles, ellipses, rotated rectangles and masks written as runs.

All in pixels counted from 0, as in `lightdet.structures`, or in any other unit of the sides. Every function raises
`ShapeError` for a shape that has no box.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Box = tuple[float, float, float, float]
MAX_POINTS = 100_000
"""Most points of one polygon."""
MAX_MASK_PIXELS = 178_000_000
"""Most pixels of a mask: those of the largest picture that is read."""


class ShapeError(ValueError):
    """A shape that cannot be read as a box; the text completes 'the polygon ...'."""


def polygon_box(xs: Sequence[float], ys: Sequence[float]) -> Box:
    """The box around a polygon of at least three points."""
    if len(xs) < 3:
        raise ShapeError(f"has {len(xs)} of at least 3 points")
    if len(xs) > MAX_POINTS:
        raise ShapeError(f"has {len(xs)} points, more than {MAX_POINTS}")
    if not all(map(math.isfinite, (*xs, *ys))):
        raise ShapeError("has a coordinate that is not a finite number")
    return min(xs), min(ys), max(xs), max(ys)


def ellipse_box(x: float, y: float, rx: float, ry: float, degrees: float = 0.0) -> Box:
    """The box around an ellipse with its centre at `x`, `y`, whose first axis is turned by `degrees`."""
    if not all(map(math.isfinite, (x, y, rx, ry, degrees))) or rx < 0 or ry < 0:
        raise ShapeError("needs a centre and radii that are not negative")
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width, half_height = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
    return x - half_width, y - half_height, x + half_width, y + half_height


def rotated_box(box: Box, degrees: float, pivot: tuple[float, float]) -> Box:
    """The box around a rectangle that is turned clockwise (as seen, y down) by `degrees` around `pivot`."""
    if not math.isfinite(degrees):
        raise ShapeError("has a rotation that is not a finite number")
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    (x1, y1, x2, y2), (px, py) = box, pivot
    corners = [(x - px, y - py) for x in (x1, x2) for y in (y1, y2)]
    xs = [px + x * cos - y * sin for x, y in corners]
    ys = [py + x * sin + y * cos for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def joined(boxes: Sequence[Box]) -> Box:
    """The box around several boxes."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def runs_box(runs: Iterable[int], length: int, lines: int) -> Box:
    """The box around the pixels of a mask written as runs of 0, 1, 0, ... along lines of `length` pixels.

    Returns:
        ``first along the line, first line, last along the line + 1, last line + 1``: x and y if the lines are rows,
        y and x if they are columns.
    """
    total = length * lines
    if length < 1 or lines < 1 or total > MAX_MASK_PIXELS:
        raise ShapeError(f"has {length} x {lines} pixels; from 1 to {MAX_MASK_PIXELS} are read")
    low, high, first, last, place = length, 0, lines, -1, 0
    for number, run in enumerate(runs):
        if run < 0 or place + run > total:
            raise ShapeError(f"has runs that do not fit into its {length} x {lines} pixels")
        if number % 2 and run:
            start, end = place, place + run - 1
            first, last = min(first, start // length), max(last, end // length)
            spans = start // length != end // length
            low = 0 if spans else min(low, start % length)
            high = length if spans else max(high, end % length + 1)
        place += run
    if place != total:
        raise ShapeError(f"has runs of {place} pixels instead of its {length} x {lines}")
    if last < 0:
        raise ShapeError("is empty")
    return low, first, high, last + 1
