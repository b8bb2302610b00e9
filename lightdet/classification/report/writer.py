"""From a classifier's evaluation to its two files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightdet.arrays import FloatArray, Image
from lightdet.classification.fit import judge_fit
from lightdet.classification.metrics import METHODS, ClassifyMetrics
from lightdet.classification.report.sections import (
    class_table,
    confusion_table,
    curve_section,
    tiles,
    training_section,
    wrong_pictures,
)
from lightdet.evaluation.report.markup import Content, Markup, join, tag
from lightdet.evaluation.report.page import page
from lightdet.evaluation.report.tables import fact_lists
from lightdet.files import write_json, write_text
from lightdet.structures import ImageLabel
from lightdet.wording import counted

JSON_NAME, HTML_NAME = "metrics.json", "report.html"


@dataclass(frozen=True, eq=False)
class ClassifyEvaluation:
    """The content of a report.

    Attributes:
        title: heading of the page.
        metrics: the numbers.
        labels: the true classes.
        shares: the network's probabilities, float32 ``[N, C]``.
        names: class names by label.
        history: rows of the training's results.csv; empty if there is none.
        facts: for the end of the page, by group: data, model, settings, versions.
        details: for the JSON beside the metrics; plain values.
        skipped: what was left out, and why, one line each.
    """

    title: str
    metrics: ClassifyMetrics
    labels: Sequence[ImageLabel]
    shares: FloatArray
    names: Sequence[str]
    history: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    skipped: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics, what the training's curves show and the details as plain values ready for JSON."""
        return {
            "task": "classify",
            **self.metrics.as_dict(),
            "classes": list(self.names),
            "intervals": METHODS,
            "training": judge_fit(self.history) if self.history else None,
            **self.details,
            "skipped": list(self.skipped),
        }


def write_class_report(
    folder: Path, evaluation: ClassifyEvaluation, load: Callable[[Path], Image], *, pictures: int = 8
) -> tuple[Path, Path]:
    """Write ``metrics.json`` and ``report.html`` into `folder`, each whole or not at all.

    Args:
        folder: made where missing; the two files are replaced.
        evaluation: the content.
        load: reads a picture (uint8 RGB ``[H, W, 3]``).
        pictures: how many wrong ones to show.

    Returns:
        The paths of the page and of the JSON.

    Raises:
        UserError: the folder or a file cannot be written.
    """
    json_path, html_path = folder / JSON_NAME, folder / HTML_NAME
    write_json(json_path, evaluation.as_dict())
    write_text(html_path, page(evaluation.title, _content(evaluation, load, pictures)))
    return html_path, json_path


def _content(evaluation: ClassifyEvaluation, load: Callable[[Path], Image], pictures: int) -> Markup:
    metrics = evaluation.metrics
    right = round((metrics.accuracy.value or 0.0) * metrics.pictures)
    summary = (
        f"{counted(metrics.pictures, 'picture')} of {counted(len(evaluation.names), 'class')}; {right} of them were "
        f"classified correctly. Intervals hold the true value with {metrics.confidence:.0%} confidence."
    )
    training: list[Content] = [tag("h2", "How the training went")]
    if evaluation.history:
        training.append(training_section(evaluation.history, judge_fit(evaluation.history)))
    else:
        training.append(tag("p", "There is no results.csv beside the model, so its curves cannot be shown."))
    shown: list[Content] = []
    if pictures:
        shown = [
            tag("h2", "Wrong pictures"),
            tag("p", "The most confident mistakes first; probabilities after the names.", class_="soft"),
            wrong_pictures(evaluation.labels, evaluation.shares, evaluation.names, load, pictures),
        ]
    left_out: list[Content] = []
    if evaluation.skipped:
        left_out = [
            tag("h2", f"Left out ({len(evaluation.skipped)})"),
            tag("ul", [tag("li", line) for line in evaluation.skipped]),
        ]
    return join(
        [
            tag("header", tag("h1", evaluation.title), tag("p", summary, class_="soft")),
            tiles(metrics),
            tag("h2", "Classes"),
            class_table(metrics),
            tag("p", _CLASS_NOTE, class_="soft"),
            tag("h2", "Confusion matrix"),
            confusion_table(metrics.confusion, evaluation.names),
            tag("h2", "Curves"),
            curve_section(metrics),
            *training,
            *shown,
            *left_out,
            tag("h2", "About this evaluation"),
            fact_lists(evaluation.facts),
            tag("p", f"Numbers are scikit-learn's. {METHODS}", class_="soft"),
        ]
    )


_CLASS_NOTE = (
    "Each class against all others, a picture being taken for the class with the highest probability. Below each "
    "number its interval. Specificity: among the other classes' pictures, the share not reported as the class."
)
