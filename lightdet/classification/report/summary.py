"""A classifier's evaluation in a few lines and tables of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lightdet.classification.fit import judge_fit
from lightdet.classification.intervals import Estimate
from lightdet.classification.metrics import ClassifyMetrics
from lightdet.evaluation.report.summary import Summary, SummaryTable
from lightdet.wording import counted


def summarize_classes(
    metrics: ClassifyMetrics, names: Sequence[str], history: Sequence[Mapping[str, Any]] = ()
) -> Summary:
    """Return the scores by class with their intervals, the confusion matrix, and the headline numbers."""
    heads = ("class", "pictures", "precision", "recall", "specificity", "F1", "AUC")
    shown = ("precision", "recall", "specificity", "f1", "auc")
    scores = SummaryTable(
        heads,
        [[each.name, str(each.pictures), *(_stacked(getattr(each, n)) for n in shown)] for each in metrics.per_class],
        ["mean", str(metrics.pictures), *(_stacked(metrics.macro[n]) for n in shown)],
    )
    confusion = SummaryTable(
        ("", *names),
        [[name, *(str(count) for count in row)] for name, row in zip(names, metrics.confusion.tolist(), strict=True)],
        title="is (rows), classified as (columns)",
    )
    lines = [
        f"{counted(metrics.pictures, 'picture')}; in brackets: intervals of {metrics.confidence:.0%} confidence",
        f"accuracy {in_brackets(metrics.accuracy)}, balanced accuracy {in_brackets(metrics.balanced_accuracy)}, "
        f"AUC {in_brackets(metrics.macro['auc'])}",
    ]
    if history:
        lines.append(f"training: {judge_fit(history)}")
    return Summary([scores, confusion], lines)


def in_brackets(estimate: Estimate) -> str:
    """``0.953 (0.92-0.98)``."""
    if estimate.value is None:
        return "-"
    reach = "" if estimate.low is None else f" ({estimate.low:.2f}-{estimate.high:.2f})"
    return f"{estimate.value:.3f}{reach}"


def _stacked(estimate: Estimate) -> str:
    """The value, and its interval below it: a terminal is narrow."""
    return in_brackets(estimate).replace(" (", "\n(")
