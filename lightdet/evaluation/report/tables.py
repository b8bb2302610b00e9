"""The numbers of the page: headline tiles, classes, confusion matrix, facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lightdet.evaluation.confusion import Confusion
from lightdet.evaluation.metrics import Metrics
from lightdet.evaluation.report.markup import Content, Markup, tag


def number(value: float | None) -> str:
    """Three decimals, or a dash for a missing value."""
    return "–" if value is None else f"{value:.3f}"


def tiles(metrics: Metrics) -> Markup:
    """Return the headline numbers."""
    known = metrics.boxes > 0
    share = f"at threshold {metrics.threshold:g}"
    entries = [
        ("mAP@0.5", number(metrics.map50), "mean over classes"),
        ("mAP@0.5:0.95", number(metrics.map50_95), "mean over classes and overlaps"),
        ("mAP@0.75", number(metrics.map75), "boxes must fit closely"),
        ("Precision", number(metrics.precision if known else None), f"correct alarms of all alarms, {share}"),
        ("Recall", number(metrics.recall if known else None), f"found of all defects, {share}"),
        ("F1", number(metrics.f1 if known else None), f"best of all thresholds, {share}"),
    ]
    return tag(
        "div",
        [
            tag("div", tag("span", name), tag("b", value), tag("small", note), class_="tile")
            for name, value, note in entries
        ],
        class_="tiles",
    )


def class_table(metrics: Metrics) -> Markup:
    """Return one row per class; the bars show the numbers again, "best at" is the class's own best threshold."""
    heads = ("class", "pictures", "boxes", "AP@0.5", "AP@0.75", "AP@0.5:0.95", "precision", "recall", "F1", "best at")
    rows = []
    for each in metrics.per_class:
        values = (each.ap50, each.ap75, each.ap50_95, each.precision, each.recall, each.f1)
        cells = [tag("th", each.name, scope="row"), tag("td", str(each.images)), tag("td", str(each.boxes))]
        own = "–" if each.best_threshold is None else f"{each.best_threshold:.2g}"
        title = f"its own F1 is best at this confidence: {number(each.best_f1)}"
        rows.append(tag("tr", cells, [_bar(value) for value in values], tag("td", own, title=title)))
    known = metrics.boxes > 0
    means = (metrics.map50, metrics.map75, metrics.map50_95)
    shares = (metrics.precision, metrics.recall, metrics.f1) if known else (None, None, None)
    total = tag(
        "tr",
        tag("th", "all", scope="row"),
        tag("td", str(metrics.images - metrics.background_images)),
        tag("td", str(metrics.boxes)),
        [_bar(value) for value in (*means, *shares)],
        tag("td", f"{metrics.threshold:.2g}" if known else "–"),
    )
    head = tag("tr", [tag("th", text, scope="col") for text in heads])
    table = tag("table", tag("thead", head), tag("tbody", rows), tag("tfoot", total), class_="classes")
    return tag("div", table, class_="scroll")


def _bar(value: float | None) -> Markup:
    style = None if value is None else f"--v:{100 * value:.1f}%"
    return tag("td", number(value), class_="bar", style=style)


def confusion_table(confusion: Confusion, names: Sequence[str]) -> Markup:
    """Return counts on a background as dark as their share of the row."""
    shares = confusion.shares()
    columns = [*names, "missed"]
    rows = [*names, "nothing there"]
    head = tag(
        "tr",
        tag("td", tag("span", "is ↓  reported as →"), class_="corner"),
        [tag("th", tag("span", name), scope="col") for name in columns],
    )
    body = []
    for i, name in enumerate(rows):
        cells: list[Content] = []
        for j, column in enumerate(columns):
            count, share = int(confusion.counts[i, j]), float(shares[i, j])
            if i == j == len(names):
                cells.append(tag("td", "", class_="void"))
                continue
            kind = "cell good" if i == j else "cell bad"
            title = f"{name} reported as {column}: {count} ({share:.0%} of the row)"
            cells.append(tag("td", str(count) if count else "·", class_=kind, style=f"--s:{share:.3f}", title=title))
        body.append(tag("tr", tag("th", name, scope="row"), cells))
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), class_="confusion"), class_="scroll")


def size_table(metrics: Metrics) -> Markup:
    """Return mAP by size of the defects."""
    entries = (
        ("small, below 32² pixels", metrics.map_small),
        ("medium, up to 96²", metrics.map_medium),
        ("large", metrics.map_large),
    )
    rows = [tag("tr", tag("th", name, scope="row"), _bar(value)) for name, value in entries]
    head = tag("tr", tag("th", "defects", scope="col"), tag("th", "mAP@0.5:0.95", scope="col"))
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="classes small"), class_="scroll")


def fact_lists(facts: Mapping[str, Mapping[str, str]]) -> Markup:
    """Return groups of facts side by side."""
    groups = [
        tag("section", tag("h3", title), tag("dl", [(tag("dt", key), tag("dd", text)) for key, text in group.items()]))
        for title, group in facts.items()
    ]
    return tag("div", groups, class_="facts")
