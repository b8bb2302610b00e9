"""How a training went: its numbers by epoch as line charts, from the rows of results.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lightdet.arrays import AnyArray
from lightdet.evaluation.report.charts import Line, chart, ticks_for
from lightdet.evaluation.report.markup import Markup, tag

HIGHEST = 0.9
"""The axis of a share starts at this value at the latest, even if all values are near 1."""
FEW = 6
"""Up to this many epochs get a tick each."""


@dataclass(frozen=True)
class Curve:
    """One chart.

    Attributes:
        heading: above it.
        columns: names of the lines and the columns that hold them; those without a number are left out.
        title: of the value axis.
        is_share: the axis ends at 1 and begins near the smallest value; otherwise it begins at 0.
    """

    heading: str
    columns: Mapping[str, str]
    title: str
    is_share: bool = False


def history_charts(history: Sequence[Mapping[str, Any]], curves: Sequence[Curve]) -> Markup:
    """Draw the `curves` that have numbers; rows are records by epoch, blank where an epoch was not measured."""
    charts = []
    for curve in curves:
        lines = [
            line
            for kind, (name, column) in enumerate(curve.columns.items())
            if len((line := _line(history, name, column, kind)).x)
        ]
        if not lines:
            continue
        first, last = min(float(line.x.min()) for line in lines), max(float(line.x.max()) for line in lines)
        few = last - first <= FEW  # no half epochs
        x = tuple(np.arange(first, max(last, first + 1) + 1).tolist()) if few else ticks_for(first, last)
        low, high = min(float(line.y.min()) for line in lines), max(float(line.y.max()) for line in lines)
        y = ticks_for(min(low, HIGHEST), 1.0) if curve.is_share else ticks_for(min(0.0, low), high)
        drawing = chart(lines, x_title="epoch", y_title=curve.title, x_ticks=x, y_ticks=y)
        charts.append(tag("div", tag("h3", curve.heading), drawing))
    return tag("div", charts, class_="charts")


def _line(history: Sequence[Mapping[str, Any]], name: str, column: str, kind: int) -> Line:
    points = []
    for row in history:
        try:
            points.append((float(row["epoch"]), float(row[column])))
        except (KeyError, TypeError, ValueError):  # an epoch without validation
            continue
    array: AnyArray = np.array([point for point in points if np.isfinite(point).all()]).reshape(-1, 2)
    return Line(name, array[:, 0], array[:, 1], kind)
