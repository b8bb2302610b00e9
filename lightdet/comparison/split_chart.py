"""Classifiers on training, validation and test: one row per network, one dot per split, its interval as a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lightdet.comparison.axes import straight_axis
from lightdet.comparison.class_tables import measure, measure_of
from lightdet.comparison.results import Model, Spread
from lightdet.evaluation.report.charts import style_of
from lightdet.evaluation.report.markup import Content, Markup, tag

WIDTH, LETTER = 860, 6.6
RIGHT, TOP, BOTTOM = 24, 8, 44
LINE, GAP = 15.0, 14.0
"""Distance between the splits of a network, and between networks."""
LONGEST = 34
"""How many letters of a name are shown; the tables have the whole name."""


def split_chart(models: Sequence[Model], splits: Sequence[str]) -> Markup | None:
    """Draw the accuracy of every network on every split; None if nothing was scored."""
    rows = [
        (model, [measure(model, split, measure_of("accuracy")) for split in splits]) for model in models if model.runs
    ]
    known = [cell for _, cells in rows for cell in cells if cell is not None]
    if not known:
        return None
    lows = [100 * min(cell.low, *(cell.interval or (cell.low,))) for cell in known]
    axis = straight_axis("accuracy, %", lows, high=100.0)
    left = 16 + LETTER * max(len(_short(model.name)) for model, _ in rows)
    height = TOP + BOTTOM + sum(LINE * len(cells) + GAP for _, cells in rows)

    def place(share: float) -> float:
        return round(left + axis.share(100 * share) * (WIDTH - RIGHT - left), 1)

    parts: list[Content] = []
    for value in axis.ticks():
        x = place(value / 100)
        parts.append(tag("line", x1=x, x2=x, y1=TOP, y2=height - BOTTOM, class_="grid"))
        parts.append(tag("text", f"{value:.4g}", x=x, y=height - BOTTOM + 16, text_anchor="middle"))
    middle = (left + WIDTH - RIGHT) / 2
    parts.append(tag("text", axis.title, x=middle, y=height - 6, text_anchor="middle", class_="title"))
    top = TOP + GAP / 2
    for model, cells in rows:
        centre = top + LINE * len(cells) / 2
        parts.append(tag("text", _short(model.name), x=left - 10, y=centre + 4, text_anchor="end", class_="title"))
        for number, (split, cell) in enumerate(zip(splits, cells, strict=True)):
            if cell is not None:
                parts.append(_mark(model.name, split, cell, number, place, top + LINE * (number + 0.5)))
        top += LINE * len(cells) + GAP
        parts.append(tag("line", x1=left, x2=WIDTH - RIGHT, y1=top - GAP / 2, y2=top - GAP / 2, class_="grid"))
    told = f"accuracy of each network on {', '.join(splits)}"
    picture = tag("svg", parts, viewBox=f"0 0 {WIDTH} {round(height)}", role="img", aria_label=told)
    key = [tag("li", _swatch(number), split) for number, split in enumerate(splits)]
    return tag("figure", picture, tag("ul", key, class_="legend"))


def _mark(name: str, split: str, cell: Spread, number: int, place: Callable[[float], float], y: float) -> Markup:
    color = f"c{number}"
    low, high = cell.interval or (cell.low, cell.high)
    told = f"{name}, {split}: {100 * cell.median:.1f} %"
    if cell.interval is not None:
        told += f" [{100 * low:.1f}-{100 * high:.1f}]"
    if len(cell.values) > 1:
        told += f", runs {', '.join(f'{100 * value:.1f}' for value in cell.values)}"
    dots = [
        tag("circle", cx=place(value), cy=y, r=1.6, class_=f"run {color}")
        for value in cell.values
        if len(cell.values) > 1
    ]
    return tag(
        "g",
        tag("title", told),
        tag("line", x1=place(low), x2=place(high), y1=y, y2=y, class_=f"line {color}"),
        dots,
        tag("circle", cx=place(cell.median), cy=y, r=2.5, class_=f"dot {color}"),
    )


def _swatch(number: int) -> Markup:
    style = {**style_of(number), "stroke_dasharray": None}
    line = tag("line", x1=1, x2=25, y1=5, y2=5, **style)
    dot = tag("circle", cx=13, cy=5, r=1.6, class_=f"dot c{number}")
    return tag("svg", line, dot, viewBox="0 0 26 10", class_="swatch", aria_hidden="true")


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
