"""Line charts as inline SVG; colours come from the page's style sheet, so they follow light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.evaluation.report.markup import Content, Markup, tag

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 10, 40
DASHES = (None, "7 3", "2 3", "9 3 2 3")
COLORS = 8
"""How many line colours the style sheet has. Every four lines the dashes change, so that like colours differ."""


@dataclass(frozen=True, eq=False)
class Line:
    """One line: `x` and `y` float ``[N]`` in 0-1; `kind` chooses colour and dashes, None is the bold main line."""

    name: str
    x: AnyArray
    y: AnyArray
    kind: int | None = None


def chart(
    lines: Sequence[Line], *, x_title: str, y_title: str, marker: tuple[float, str] | None = None, legend: bool = True
) -> Markup:
    """Draw lines over the unit square, the bold ones on top.

    Args:
        lines: what to draw.
        x_title: below.
        y_title: beside.
        marker: x and text of a vertical line.
        legend: list the lines below the picture.
    """
    ordered = sorted(lines, key=lambda line: line.kind is None)
    picture = tag(
        "svg",
        _axes(x_title, y_title),
        [_draw(line) for line in ordered],
        _marker(*marker) if marker else None,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=f"{y_title} against {x_title}",
    )
    key = [tag("li", _swatch(line.kind), line.name) for line in lines]
    return tag("figure", picture, tag("ul", key, class_="legend") if legend else None)


def style_of(kind: int | None) -> dict[str, str | None]:
    """Return the attributes of a line: class and dashes."""
    if kind is None:
        return {"class_": "line main", "stroke_dasharray": None}
    return {"class_": f"line c{kind % COLORS}", "stroke_dasharray": DASHES[kind // 4 % len(DASHES)]}


def _x(value: float) -> float:
    return round(LEFT + value * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float) -> float:
    return round(HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM), 1)


def _axes(x_title: str, y_title: str) -> list[Content]:
    parts: list[Content] = []
    for step in range(6):
        value = step / 5
        parts.append(tag("line", x1=_x(0), x2=_x(1), y1=_y(value), y2=_y(value), class_="grid"))
        parts.append(tag("line", x1=_x(value), x2=_x(value), y1=_y(0), y2=_y(1), class_="grid"))
        parts.append(tag("text", f"{value:g}", x=LEFT - 6, y=_y(value) + 4, text_anchor="end"))
        parts.append(tag("text", f"{value:g}", x=_x(value), y=HEIGHT - BOTTOM + 16, text_anchor="middle"))
    parts.append(tag("text", x_title, x=_x(0.5), y=HEIGHT - 6, text_anchor="middle", class_="title"))
    middle = f"rotate(-90 11 {_y(0.5)})"
    parts.append(tag("text", y_title, x=11, y=_y(0.5), text_anchor="middle", transform=middle, class_="title"))
    return parts


def _marker(value: float, text: str) -> list[Content]:
    left = value < 0.6
    return [
        tag("line", x1=_x(value), x2=_x(value), y1=_y(0), y2=_y(1), class_="marker"),
        tag(
            "text",
            text,
            x=_x(value) + (5 if left else -5),
            y=_y(0) - 6,
            text_anchor="start" if left else "end",
            class_="note",
        ),
    ]


def _draw(line: Line) -> Markup:
    points = " ".join(f"{_x(float(x))},{_y(float(y))}" for x, y in _thinned(line.x, line.y))
    shape = tag("polyline", points=points, **style_of(line.kind))
    # a wide invisible twin is easier to point at
    hover = tag("g", tag("title", line.name), shape, tag("polyline", points=points, class_="reach"))
    return hover


def _thinned(x: AnyArray, y: AnyArray) -> AnyArray:
    """Return ``[N, 2]`` without the inner points of level stretches."""
    level = np.zeros(len(y), bool)
    if len(y) > 2:
        level[1:-1] = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    return np.stack([x, y], axis=1)[~level]


def _swatch(kind: int | None) -> Markup:
    line = tag("line", x1=1, x2=25, y1=5, y2=5, **style_of(kind))
    return tag("svg", line, viewBox="0 0 26 10", class_="swatch", aria_hidden="true")
