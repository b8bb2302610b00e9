"""Accuracy against cost: one dot per model, whiskers from its worst to its best run, its name beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lightdet.comparison.axes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    draw_axes,
    log_axis,
    straight_axis,
    x_place,
    y_place,
)
from lightdet.comparison.results import Model, Spread
from lightdet.evaluation.report.charts import COLORS
from lightdet.evaluation.report.markup import Content, Markup, tag

LETTER, LINE = 6.2, 13.0
"""Size of the letters, to keep names apart."""
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """A model: its cost, its accuracy in percent, and its number, which chooses the colour."""

    name: str
    x: float
    y: Spread
    kind: int


def cost_charts(
    models: Sequence[Model], accuracy: Callable[[Model], Spread | None], y_title: str
) -> list[tuple[str, Markup]]:
    """Return headings and charts: accuracy against parameters, operations and time; only those that exist.

    Args:
        models: in the order of their colours.
        accuracy: a share in 0-1; None where it is unknown.
        y_title: what the share is.
    """
    points: dict[str, list[Point]] = {"parameters, M": [], "GFLOPs": [], "ms per picture": []}
    for kind, model in enumerate(models):
        known = accuracy(model)
        if model.cost is None or known is None:
            continue
        share = Spread(tuple(100 * value for value in known.values))
        cost = model.cost
        points["parameters, M"].append(Point(model.name, cost.params / 1e6, share, kind))
        points["GFLOPs"].append(Point(model.name, cost.flops / 1e9, share, kind))
        if cost.latency_ms:
            points["ms per picture"].append(Point(model.name, cost.latency_ms["total"], share, kind))
    headings = {"parameters, M": "Accuracy against size", "GFLOPs": "Accuracy against operations"}
    return [
        (headings.get(title, "Accuracy against time"), scatter(drawn, title, y_title))
        for title, drawn in points.items()
        if drawn
    ]


def scatter(points: Sequence[Point], x_title: str, y_title: str) -> Markup:
    """Draw points; the cost (positive) on a logarithmic axis."""
    x = log_axis(x_title, [point.x for point in points])
    y = straight_axis(y_title, [value for point in points for value in point.y.values])
    dots: list[Content] = []
    taken: list[Box] = []
    places = [(x_place(x, point.x), y_place(y, point.y.median)) for point in points]
    taken += [(px - 6, py - 6, px + 6, py + 6) for px, py in places]
    for point, (px, py) in zip(points, places, strict=True):
        color = f"c{point.kind % COLORS}"
        parts: list[Content] = [tag("title", _told(point, x_title))]
        if len(point.y.values) > 1:
            ends = y_place(y, point.y.low), y_place(y, point.y.high)
            parts.append(tag("line", x1=px, x2=px, y1=ends[0], y2=ends[1], class_=f"line {color}"))
        parts.append(tag("circle", cx=px, cy=py, r=2.5, class_=f"dot {color}"))
        dots.append(tag("g", parts))
    names: list[Content] = []
    for point, (px, py) in zip(points, places, strict=True):
        box = _free_place(point.name, px, py, taken)
        end = min(max(px, box[0]), box[2]), min(max(py, box[1]), box[3])
        if math.dist(end, (px, py)) > LINE:
            names.append(tag("line", x1=px, y1=py, x2=round(end[0], 1), y2=round(end[1], 1), class_="leader"))
        base = (box[1] + box[3]) / 2 + 4
        names.append(tag("text", point.name, x=round(box[0], 1), y=round(base, 1), class_="name"))
    label = f"{y_title} against {x_title}"
    view = f"0 0 {WIDTH} {HEIGHT}"
    return tag("figure", tag("svg", draw_axes(x, y), dots, names, viewBox=view, role="img", aria_label=label))


def _told(point: Point, x_title: str) -> str:
    several = f" ({point.y.low:.1f}–{point.y.high:.1f})" if len(point.y.values) > 1 else ""
    return f"{point.name}: {point.y.median:.1f} %{several}, {x_title.partition(',')[0]} {point.x:.3g}"


def _free_place(name: str, px: float, py: float, taken: list[Box]) -> Box:
    """Where a name goes: near its dot, and clear of dots and other names if the chart has room."""
    width = LETTER * len(name)
    gap = 9.0
    right, left, middle = px + gap, px - gap - width, px - width / 2
    starts = [(right, 0.0), (left, 0.0)]
    for lines in range(1, int(HEIGHT / LINE)):
        for shift in (-lines * LINE, lines * LINE):
            starts += [(middle, shift), (right, shift), (left, shift)]
    boxes: list[Box] = []
    for start, shift in starts:
        inside = min(max(start, LEFT + 2.0), WIDTH - RIGHT - width)
        line = min(max(py + shift, TOP + LINE / 2), HEIGHT - BOTTOM - LINE / 2)
        boxes.append((inside, line - LINE / 2, inside + width, line + LINE / 2))
    free = next((box for box in boxes if not any(_touch(box, other) for other in taken)), boxes[0])
    taken.append(free)
    return free


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
