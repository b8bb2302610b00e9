"""Axes of any range, linear or logarithmic, for the charts of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from lightdet.evaluation.report.markup import Content, tag

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 40
TICKS = 5
MANY_DECADES = 2.5


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` (`low` < `high`; both positive where `log`)."""

    title: str
    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies: 0 at `low`, 1 at `high`."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return round values on the axis."""
        if self.log:
            few = math.log10(self.high / self.low) > MANY_DECADES
            steps = (1,) if few else (1, 2, 5)
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            round_ones = [s * 10.0**d for d in decades for s in steps if self.low <= s * 10.0**d <= self.high]
            if len(round_ones) > 1:
                return round_ones
        raw = (self.high - self.low) / TICKS
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(s * size for s in (1, 2, 5, 10) if s * size >= raw * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def straight_axis(title: str, values: Iterable[float], *, low: float | None = None, high: float | None = None) -> Axis:
    """An axis that covers all `values` with a little margin, and reaches to `low` and `high` if they are given."""
    known = list(values) or [0.0, 1.0]
    least, most = min(known), max(known)
    room = 0.08 * (most - least) or abs(most) * 0.1 or 0.5
    return Axis(title, least - room if low is None else low, most + room if high is None else max(high, most))


def log_axis(title: str, values: Iterable[float]) -> Axis:
    """A logarithmic axis that covers all `values` (positive) with room for names beside them."""
    known = list(values) or [1.0]
    least, most = min(known), max(known)
    room = max(1.25, (most / least) ** 0.12)
    return Axis(title, least / room, most * room, log=True)


def x_place(axis: Axis, value: float) -> float:
    """Where a value is in the picture, in its units from the left."""
    return round(LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT), 1)


def y_place(axis: Axis, value: float) -> float:
    """Where a value is in the picture, in its units from the top."""
    return round(HEIGHT - BOTTOM - axis.share(value) * (HEIGHT - TOP - BOTTOM), 1)


def draw_axes(x: Axis, y: Axis) -> list[Content]:
    """Return grid, numbers and titles as SVG."""
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    parts: list[Content] = [
        tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="grid"),
        tag("line", x1=left, x2=left, y1=top, y2=bottom, class_="grid"),
    ]
    for value in y.ticks():
        place = y_place(y, value)
        parts.append(tag("line", x1=left, x2=right, y1=place, y2=place, class_="grid"))
        parts.append(tag("text", f"{value:.4g}", x=left - 6, y=place + 4, text_anchor="end"))
    for value in x.ticks():
        place = x_place(x, value)
        parts.append(tag("line", x1=place, x2=place, y1=top, y2=bottom, class_="grid"))
        parts.append(tag("text", f"{value:.4g}", x=place, y=bottom + 16, text_anchor="middle"))
    middle = (top + bottom) / 2
    parts.append(tag("text", x.title, x=(left + right) / 2, y=HEIGHT - 6, text_anchor="middle", class_="title"))
    turned = f"rotate(-90 11 {middle})"
    parts.append(tag("text", y.title, x=11, y=middle, text_anchor="middle", transform=turned, class_="title"))
    return parts
