"""The tables of a cross-validation, and its page."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from lightdet.comparison.tables import MISSING, Column, Row, Table, html
from lightdet.crossval.results import CrossResult, FoldSpread
from lightdet.evaluation.report.charts import Line, chart
from lightdet.evaluation.report.markup import Content, tag
from lightdet.evaluation.report.page import page
from lightdet.evaluation.report.tables import fact_lists, number
from lightdet.wording import watch_lines

MEANING = (
    "The threshold comes from the scores of models that were each trained without the pictures they judge; the model "
    "that gets it was trained on all of them, and is another one. So its rate is estimated, not guaranteed. "
    "A guarantee needs pictures that no training has seen: lightdet calibrate chooses the threshold on them, "
    "lightdet val tests this one."
)


ONE_CHART = ".charts.one { max-width: 34rem; }\n"


def tables(result: CrossResult) -> list[Table]:
    """The numbers over the folds, those of the classes, and what the folds can say about a rate."""
    shown = [
        _spread_table("figures", "Over the folds", "number", result.figures, result),
        _spread_table("classes", f"{result.class_title} by class", "class", result.by_class, result),
    ]
    return [*shown, _rate_table(result)] if result.asked is not None else shown


def _spread_table(key: str, title: str, head: str, rows: Sequence[FoldSpread], result: CrossResult) -> Table:
    labels = ("mean ± deviation", "smallest", "largest", "all together", *(fold.label for fold in result.folds))
    columns = tuple(Column(label, label) for label in labels)
    return Table(key, title, head, columns, tuple(Row(each.title, _cells(each)) for each in rows))


def _cells(spread: FoldSpread) -> tuple[str, ...]:
    deviation = "" if spread.deviation is None else f" ± {spread.deviation:.3f}"
    reach = (number(min(spread.known, default=None)), number(max(spread.known, default=None)))
    middle = f"{number(spread.mean)}{deviation}"
    return (middle, *reach, number(spread.together), *(number(value) for value in spread.values))


def _rate_table(result: CrossResult) -> Table:
    """What one fold alone could promise for its model, and what all together say for the model of all pictures."""
    columns = tuple(Column(title, title) for title in ("pictures", "bad", "lowest rate", "of which model", "how"))
    rows = [
        Row(fold.label, (str(fold.pictures), _whole(fold.bad), _percent(fold.lowest), "its own", "promise"))
        for fold in result.folds
    ]
    together = result.together
    if together is not None:
        lowest = _percent(together.lowest)
        rows.append(
            Row("all together", (str(together.pictures), _whole(together.bad), lowest, "of all pictures", "estimate"))
        )
    note = (
        "The lowest rate that can be asked for with so many pictures. Pictures that every threshold judges wrong, such "
        "as bad ones in which nothing is found, raise it."
    )
    return Table("rates", "What these pictures can say", "held out", columns, tuple(rows), note)


def _whole(value: int | None) -> str:
    return MISSING if value is None else str(value)


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1%}"


def crossval_page(result: CrossResult) -> str:
    """Return the whole page, one self-contained file."""
    title = f"Cross-validation on {result.name}"
    style = files("lightdet.comparison").joinpath("comparison.css").read_text(encoding="utf-8") + ONE_CHART
    first, *others = tables(result)
    content = [
        tag("header", tag("h1", title), [tag("p", note, class_="soft") for note in result.notes]),
        _listed("Failed or missing", [f"{label}: {reason}" for label, reason in result.problems.items()]),
        html(first),
        _calibration(result),
        [html(table) for table in others],
        _listed("Left out", result.skipped),
        tag("h2", "About this cross-validation"),
        fact_lists(result.facts),
    ]
    return page(title, *content, style=style)


def _listed(title: str, lines: Sequence[str]) -> list[Content]:
    return [tag("h2", f"{title} ({len(lines)})"), tag("ul", [tag("li", line) for line in lines])] if lines else []


def _calibration(result: CrossResult) -> list[Content]:
    """The threshold with its price, or why there is none."""
    if result.asked is None:
        return []
    heading = tag("h2", "Cross-calibration")
    if result.calibration is None:
        return [heading, tag("p", f"No threshold for {result.asked}: {result.why_not}")]
    lines = [f"Estimated: {result.calibration.statement}.", *evidence_lines(result)]
    return [heading, tag("ul", [tag("li", line) for line in lines]), tag("p", MEANING, class_="soft"), _curve(result)]


def evidence_lines(result: CrossResult) -> list[str]:
    """What the threshold, or each, rests on, and its price."""
    if result.calibration is None:
        return []
    counts = result.calibration.record["calibration_set"]["confusion"]
    price = (
        f"of the held-out pictures, {counts['bad']['OK']} of {sum(counts['bad'].values())} bad ones pass and "
        f"{counts['good']['NG']} of {sum(counts['good'].values())} good ones are rejected"
    )
    chosen = [
        f"threshold{'' if name == 'all' else f' of {name}'} {each['threshold']:.4f}: {each['errors']} of "
        f"{each['pictures']} held-out pictures wrong, so at most {each['bound']:.2%} if they were independent "
        "pictures of one model"
        for name, each in result.calibration.record["evidence"].items()
    ]
    changes = "the estimate is for pictures from the same line as these; calibrate again when that changes"
    return [*chosen, price, changes, *watch_lines(result.calibration.record.get("reference"))]


def _curve(result: CrossResult) -> Content:
    """What each threshold does, where one threshold is for all; a class has its own pictures."""
    calibration = result.calibration
    if calibration is None or len(calibration.record["evidence"]) > 1:
        return []
    thresholds, escapes, rejects = zip(*calibration.curve, strict=True)
    names = ("bad pictures that pass", "good pictures rejected")
    lines = [
        Line(name, np.array(thresholds), np.array(shares, np.float64), kind)
        for kind, (name, shares) in enumerate(zip(names, (escapes, rejects), strict=True))
        if None not in shares
    ]
    (chosen,) = calibration.record["evidence"].values()
    marker = (chosen["threshold"], f"threshold {chosen['threshold']:.4g}")
    drawing = chart(lines, x_title="threshold", y_title="share of held-out pictures", marker=marker)
    return tag("div", tag("div", tag("h3", "Held-out pictures, all folds together"), drawing), class_="charts one")
