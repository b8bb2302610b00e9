"""The whole page: one self-contained file, readable in light and dark mode, on a phone and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from lightdet.evaluation.curves import Curves
from lightdet.evaluation.metrics import Metrics
from lightdet.evaluation.report.charts import Line, chart
from lightdet.evaluation.report.markup import Content, Markup, join, tag

MAX_LINES = 16
"""If there are more classes than this, only those with the lowest AP are drawn."""


def page(title: str, *content: Content, style: str = "") -> str:
    """Return a whole HTML document; its policy forbids it to load or run anything.

    Args:
        title: of the window.
        content: what it shows.
        style: the page's own style sheet, after the common one; never text from outside.
    """
    common = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(common + style)),
    )
    return str(join([Markup("<!DOCTYPE html>\n"), tag("html", head, tag("body", content), lang="en"), Markup("\n")]))


def curve_section(metrics: Metrics, names: Sequence[str]) -> Markup:
    """Return precision against recall, F1 against confidence, and all three measures of all classes together."""
    shown = _classes_to_draw(metrics)
    note = None
    if len(shown) < sum(each.boxes > 0 for each in metrics.per_class):
        note = tag("p", f"Of {len(names)} classes, the {len(shown)} with the lowest AP are drawn.", class_="soft")
    charts = [
        tag("div", tag("h3", heading), drawing)
        for heading, drawing in (
            ("Precision against recall, overlap 0.5", _pr_chart(metrics, names, shown)),
            ("F1 against confidence", _f1_chart(metrics.curves, names, shown, metrics.threshold)),
            ("All defects together against confidence", _pooled_chart(metrics.curves, metrics.threshold)),
        )
    ]
    return join([tag("div", charts, class_="charts"), note])


def _classes_to_draw(metrics: Metrics) -> list[int]:
    known = [label for label, each in enumerate(metrics.per_class) if each.boxes > 0]
    if len(known) > MAX_LINES:
        known = sorted(sorted(known, key=lambda label: metrics.per_class[label].ap50 or 0.0)[:MAX_LINES])
    return known


def _pr_chart(metrics: Metrics, names: Sequence[str], shown: Sequence[int]) -> Markup:
    recalls = np.linspace(0, 1, metrics.pr_curves.shape[1])
    known = [label for label, each in enumerate(metrics.per_class) if each.boxes > 0]
    lines = [Line("mean of the classes", recalls, metrics.pr_curves[known].mean(axis=0))] if known else []
    lines += [Line(names[label], recalls, metrics.pr_curves[label], kind) for kind, label in enumerate(shown)]
    return chart(lines, x_title="recall", y_title="precision")


def _f1_chart(curves: Curves, names: Sequence[str], shown: Sequence[int], threshold: float) -> Markup:
    grid = np.linspace(0, 1, 201)
    lines = [Line("all defects", grid, curves.overall.sample(grid)[2])]
    lines += [Line(names[k], grid, curves.by_class[k].sample(grid)[2], kind) for kind, k in enumerate(shown)]
    return chart(lines, x_title="confidence threshold", y_title="F1", marker=(threshold, f"best {threshold:g}"))


def _pooled_chart(curves: Curves, threshold: float) -> Markup:
    grid = np.linspace(0, 1, 201)
    precision, recall, f1 = curves.overall.sample(grid)
    # Where no detection is left, there is no precision to show.
    alive = grid <= (float(curves.overall.scores[0]) if len(curves.overall.scores) else -1.0)
    lines = [Line("F1", grid, f1), Line("precision", grid[alive], precision[alive], 0), Line("recall", grid, recall, 1)]
    return chart(lines, x_title="confidence threshold", y_title="share", marker=(threshold, f"best F1 {threshold:g}"))
