"""Line charts as inline SVG; colours come from the page's style sheet, so they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.evaluation.report.markup import Content, Markup, tag

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 40
DASHES = (None, "7 3", "2 3", "9 3 2 3")
COLORS = 8
"""How many line colours the style sheet has. The dashes change every four lines, so that similar colours differ."""


@dataclass(frozen=True, eq=False)
class Line:
    """One line: `x` and `y` float ``[N]``; `kind` chooses colour and dashes, None is the bold main line."""

    name: str
    x: AnyArray
    y: AnyArray
    kind: int | None = None


Ticks = tuple[float, ...]
"""The values written along an axis, rising; the first and the last are its ends."""
UNIT: Ticks = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def chart(
    lines: Sequence[Line],
    *,
    x_title: str,
    y_title: str,
    marker: tuple[float, str] | None = None,
    legend: bool = True,
    x_ticks: Ticks = UNIT,
    y_ticks: Ticks = UNIT,
) -> Markup:
    """Draw lines, the bold ones on top.

    Args:
        lines: what to draw; within the ticks' ends.
        x_title: text below.
        y_title: text beside.
        marker: x and text of a vertical line.
        legend: list the lines below the picture.
        x_ticks, y_ticks: what the axes show; by default 0 to 1.
    """
    ordered = sorted(lines, key=lambda line: line.kind is None)
    picture = tag(
        "svg",
        _axes(x_title, y_title, x_ticks, y_ticks),
        [_draw(line, x_ticks, y_ticks) for line in ordered],
        _marker(_share(marker[0], x_ticks), marker[1]) if marker else None,
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


def ticks_for(low: float, high: float, count: int = 5) -> Ticks:
    """About `count` steps of 1, 2 or 5 times a power of ten that hold `low` to `high`.

    A range below a thousandth of its values is widened: every tick would show the same number.
    """
    extent = max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-9)
    power = 10.0 ** math.floor(math.log10(extent / count))
    step = next(factor * power for factor in (1, 2, 5, 10) if extent / (factor * power) <= count + 1e-9)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(float(f"{number * step:.10g}") for number in range(first, max(last, first + 1) + 1))


def _share(value: float, ticks: Ticks) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def _x(value: float) -> float:
    return round(LEFT + value * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float) -> float:
    return round(HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM), 1)


def _axes(x_title: str, y_title: str, x_ticks: Ticks, y_ticks: Ticks) -> list[Content]:
    parts: list[Content] = []
    for value in y_ticks:
        y = _y(_share(value, y_ticks))
        parts.append(tag("line", x1=_x(0), x2=_x(1), y1=y, y2=y, class_="grid"))
        parts.append(tag("text", f"{value:g}", x=LEFT - 6, y=y + 4, text_anchor="end"))
    for value in x_ticks:
        x = _x(_share(value, x_ticks))
        parts.append(tag("line", x1=x, x2=x, y1=_y(0), y2=_y(1), class_="grid"))
        parts.append(tag("text", f"{value:g}", x=x, y=HEIGHT - BOTTOM + 16, text_anchor="middle"))
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


def _draw(line: Line, x_ticks: Ticks, y_ticks: Ticks) -> Markup:
    shares = ((_share(float(x), x_ticks), _share(float(y), y_ticks)) for x, y in _thinned(line.x, line.y))
    places = [f"{_x(x)},{_y(y)}" for x, y in shares]
    points = " ".join(places if len(places) > 1 else 2 * places)  # a single point shows as its round cap
    shape = tag("polyline", points=points, **style_of(line.kind))
    # a wide invisible twin is easier to point at
    hover = tag("g", tag("title", line.name), shape, tag("polyline", points=points, class_="reach"))
    return hover


def _thinned(x: AnyArray, y: AnyArray) -> AnyArray:
    """Return ``[N, 2]`` without the inner points of horizontal stretches."""
    level = np.zeros(len(y), bool)
    if len(y) > 2:
        level[1:-1] = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    return np.stack([x, y], axis=1)[~level]


def _swatch(kind: int | None) -> Markup:
    line = tag("line", x1=1, x2=25, y1=5, y2=5, **style_of(kind))
    return tag("svg", line, viewBox="0 0 26 10", class_="swatch", aria_hidden="true")
