"""``lightdet val`` with a classifier: what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from lightdet.classification.intervals import Estimate
    from lightdet.classification.metrics import ClassifyMetrics
    from lightdet.runs.validate_classes import ClassOutcome

SHOWN_SKIPPED = 20


def show_classes(console: Console, outcome: ClassOutcome) -> None:
    """Print the classes, the confusion, the headline numbers and where the report is."""
    from lightdet.classification.fit import judge_fit
    from lightdet.wording import counted

    evaluation, metrics = outcome.evaluation, outcome.evaluation.metrics
    console.print(_table(metrics))
    console.print(_confusion(metrics, evaluation.names))
    lines = [
        f"{counted(metrics.pictures, 'picture')}; in brackets: intervals of {metrics.confidence:.0%} confidence",
        f"accuracy {told(metrics.accuracy)}, balanced accuracy {told(metrics.balanced_accuracy)}, "
        f"AUC {told(metrics.macro['auc'])}",
    ]
    if evaluation.history:
        lines.append(f"training: {judge_fit(evaluation.history)}")
    lines.append("median ms: " + ", ".join(f"{s} {v:.1f}" for s, v in evaluation.details["latency_ms"].items()))
    lines += [f"{heading}: {told}" for heading, told in evaluation.facts.get("Decision", {}).items()]
    lines.append(f"report: {outcome.html}")
    if evaluation.skipped:
        lines.append(f"skipped {len(evaluation.skipped)}:")
        lines += [f"  {reason}" for reason in evaluation.skipped[:SHOWN_SKIPPED]]
        more = len(evaluation.skipped) - SHOWN_SKIPPED
        lines += [f"  … and {more} more (all of them in {outcome.json})"] if more > 0 else []
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def told(estimate: Estimate) -> str:
    """``0.953 (0.92-0.98)``."""
    if estimate.value is None:
        return "-"
    reach = "" if estimate.low is None else f" ({estimate.low:.2f}-{estimate.high:.2f})"
    return f"{estimate.value:.3f}{reach}"


def _stacked(estimate: Estimate) -> str:
    """The value, and its interval below it: a terminal is narrow."""
    return told(estimate).replace(" (", "\n(")


def _table(metrics: ClassifyMetrics) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_footer=True, padding=(0, 1))
    names = ("precision", "recall", "specificity", "f1", "auc")
    heads = ("precision", "recall", "specificity", "F1", "AUC")
    table.add_column("class", "mean", overflow="fold", min_width=10)
    table.add_column("pictures", str(metrics.pictures), justify="right")
    for head, name in zip(heads, names, strict=True):
        table.add_column(head, _stacked(metrics.macro[name]), justify="right", no_wrap=True)
    for scores in metrics.per_class:
        cells = [_stacked(getattr(scores, name)) for name in names]
        table.add_row(escape(scores.name), str(scores.pictures), *cells)
    return table


def _confusion(metrics: ClassifyMetrics, names: Any) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), title="is (rows), taken for (columns)", title_justify="left")
    table.add_column("")
    for name in names:
        table.add_column(escape(name), justify="right")
    for name, row in zip(names, metrics.confusion.tolist(), strict=True):
        table.add_row(escape(name), *(str(count) for count in row))
    return table
