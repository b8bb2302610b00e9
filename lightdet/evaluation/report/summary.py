"""An evaluation in a few lines and tables of text, for a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightdet.evaluation.metrics import Metrics
from lightdet.wording import counted


@dataclass(frozen=True)
class SummaryTable:
    """A table of text; the first column names the row, the others are numbers.

    Attributes:
        heads: of the columns.
        rows: cells by row.
        foot: a last row for all together; empty where there is none.
        title: above it.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    foot: Sequence[str] = ()
    title: str = ""


@dataclass(frozen=True)
class Summary:
    """The first line of an evaluation."""

    tables: Sequence[SummaryTable]
    lines: Sequence[str]


def summarize(metrics: Metrics) -> Summary:
    """Return precision, recall and average precision by class, and the number of pictures and boxes behind them."""
    known = metrics.boxes > 0
    shares = (metrics.precision, metrics.recall, metrics.f1) if known else (None, None, None)
    foot = ["all", str(metrics.images - metrics.background_images), str(metrics.boxes)]
    foot += [_number(value) for value in (*shares, metrics.map50, metrics.map50_95)]
    rows = []
    for each in metrics.per_class:
        values = (each.precision, each.recall, each.f1, each.ap50, each.ap50_95)
        rows.append([each.name, str(each.images), str(each.boxes), *map(_number, values)])
    heads = ("class", "pictures", "boxes", "precision", "recall", "F1", "AP@.5", "AP@.5:.95")
    lines = [f"{counted(metrics.images, 'picture')}, {counted(metrics.boxes, 'box')}"]
    if metrics.boxes:
        lines.append(f"precision, recall and F1 at confidence {metrics.threshold:g}, where F1 is best")
    if metrics.background_images:
        lines.append(
            f"{counted(metrics.background_images, 'picture')} without defects, "
            f"{metrics.background_alarms} of them with an alarm at that confidence"
        )
    return Summary([SummaryTable(heads, rows, foot)], lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
