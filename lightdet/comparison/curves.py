"""Training curves: accuracy and losses over epochs, one line per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightdet.comparison.axes import HEIGHT, WIDTH, Axis, draw_axes, straight_axis, x_place, y_place
from lightdet.comparison.results import Model
from lightdet.evaluation.report.charts import style_of
from lightdet.evaluation.report.markup import Content, Markup, tag

NOT_LOSSES = frozenset(
    {"epoch", "minutes", "images_per_second", "lr", "precision", "recall", "map50", "map75", "map50_95"}
)
FIRST = ("loss", "box", "objectness", "classification")
WIDE = 20.0
"""Losses over a range wider than this factor are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Trace:
    """One run's number by epoch; `kind` is its model's number, which chooses the line."""

    model: str
    label: str
    kind: int
    points: tuple[tuple[float, float], ...]


def training_charts(models: Sequence[Model]) -> list[tuple[str, Markup]]:
    """Return headings and charts: mAP@0.5 and mAP@0.5:0.95 over epochs, then each loss; only those recorded."""
    wanted = [("mAP@0.5 over epochs", "map50", 100.0), ("mAP@0.5:0.95 over epochs", "map50_95", 100.0)]
    wanted += [(_heading(name), name, 1.0) for name in _losses(models)]
    return _charts(models, wanted)


def class_training_charts(models: Sequence[Model]) -> list[tuple[str, Markup]]:
    """Return headings and charts of classifiers: accuracy and AUC of the validation, both losses; those recorded."""
    wanted = [
        ("Validation accuracy over epochs", "val_accuracy", 100.0),
        ("Validation AUC over epochs", "val_auc", 100.0),
        ("Training loss over epochs", "loss", 1.0),
        ("Validation loss over epochs", "val_loss", 1.0),
    ]
    return _charts(models, wanted, from_zero=False)


def _charts(
    models: Sequence[Model], wanted: Sequence[tuple[str, str, float]], *, from_zero: bool = True
) -> list[tuple[str, Markup]]:
    charts = []
    for heading, key, factor in wanted:
        traces = _traces(models, key, factor)
        if traces:
            title = "%" if factor == 100.0 else "loss"
            drawing = curve_chart(traces, title, is_share=factor == 100.0, from_zero=from_zero)
            charts.append((heading, drawing))
    return charts


def _heading(loss: str) -> str:
    return "Loss over epochs" if loss == "loss" else f"Loss of the {loss.replace('_', ' ')}"


def _losses(models: Sequence[Model]) -> list[str]:
    found = {key for model in models for run in model.runs for row in run.history for key in row}
    known = found - NOT_LOSSES
    return [name for name in FIRST if name in known] + sorted(known - set(FIRST))


def _traces(models: Sequence[Model], key: str, factor: float) -> list[Trace]:
    traces = []
    for kind, model in enumerate(models):
        for run in model.runs:
            points = tuple((row["epoch"], factor * row[key]) for row in run.history if row.get(key) is not None)
            if points:
                traces.append(Trace(model.name, run.label, kind, points))
    return traces


def curve_chart(traces: Sequence[Trace], y_title: str, *, is_share: bool, from_zero: bool = True) -> Markup:
    """Draw lines; the legend names each model once. If all shares are high, the axis does not start at 0."""
    x = straight_axis("epoch", [0.0], low=0.0, high=max(point[0] for trace in traces for point in trace.points))
    values = [value for trace in traces for _, value in trace.points]
    if is_share and not from_zero:
        y = straight_axis(y_title, values, high=100.0)
    else:
        y = _value_axis(values, y_title, is_share)
    view = f"0 0 {WIDTH} {HEIGHT}"
    drawn = [_draw(trace, x, y) for trace in traces]
    picture = tag("svg", draw_axes(x, y), drawn, viewBox=view, role="img", aria_label=f"{y_title} over epochs")
    kinds = {trace.model: trace.kind for trace in traces}
    key = [tag("li", _swatch(kind), name) for name, kind in kinds.items()]
    return tag("figure", picture, tag("ul", key, class_="legend"))


def _value_axis(values: Sequence[float], title: str, is_share: bool) -> Axis:
    if is_share:
        return straight_axis(title, values, low=0.0)
    positive = [value for value in values if value > 0]
    if len(positive) == len(values) and max(values) > WIDE * min(values):
        return Axis(title, min(values) / 1.2, max(values) * 1.2, log=True)
    return straight_axis(title, values, low=min(0.0, *values) if len(values) > 1 else min(0.0, values[0]))


def _draw(trace: Trace, x: Axis, y: Axis) -> Markup:
    places = [(x_place(x, epoch), y_place(y, value)) for epoch, value in trace.points]
    name = f"{trace.model}, {trace.label}" if trace.label else trace.model
    content: list[Content] = [tag("title", name)]
    if len(places) == 1:  # a line of one point would not show
        content.append(tag("circle", cx=places[0][0], cy=places[0][1], r=2.5, class_=f"dot {_color(trace.kind)}"))
    else:
        points = " ".join(f"{px},{py}" for px, py in places)
        content.append(tag("polyline", points=points, **style_of(trace.kind)))
        content.append(tag("polyline", points=points, class_="reach"))
    return tag("g", content)


def _color(kind: int) -> str:
    return str(style_of(kind)["class_"]).removeprefix("line ")


def _swatch(kind: int) -> Markup:
    line = tag("line", x1=1, x2=25, y1=5, y2=5, **style_of(kind))
    return tag("svg", line, viewBox="0 0 26 10", class_="swatch", aria_hidden="true")
