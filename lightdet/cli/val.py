"""``lightdet val``: how good a model is, in numbers and in a report to look at."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from lightdet.cli.common import ALL, Words, needed, skipped_lines
from lightdet.options.val import ValOptions

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.evaluation.report.summary import SummaryTable
    from lightdet.runs.validate import Outcome


def val(*overrides: Words, options: Annotated[ValOptions | None, ALL] = None) -> int:
    """Evaluate a detector or a classifier on a data set, or detections from elsewhere: metrics.json and report.html.

    The report goes to --output, else to a fresh folder: runs/val, runs/val-2, …
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.runs.validate import Validation

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120  # a log has room for whole class names
    validation = Validation(replace(needed(options, "--data"), overrides=overrides))
    with Bar("evaluate") as bar:
        outcome = validation.run(bar)
    _show(console, outcome)
    return 0 if outcome.against is None or outcome.against.verdict == "better" else 1


def _show(console: Console, outcome: Outcome) -> None:
    evaluation, summary = outcome.evaluation, outcome.summary
    for table in summary.tables:
        console.print(_drawn(table))
    lines = list(summary.lines)
    latency = evaluation.details.get("latency_ms")
    if latency:
        lines.append("median ms: " + ", ".join(f"{stage} {value:.1f}" for stage, value in latency.items()))
    lines += [f"{heading}: {fact}" for heading, fact in evaluation.facts.get("Decision", {}).items()]
    lines.append(f"report: {outcome.html}")
    lines += skipped_lines(evaluation.skipped, f" (all of them in {outcome.json})")
    for line in [*lines, *outcome.against_lines]:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _drawn(table: SummaryTable) -> Any:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    feet = table.foot or [""] * len(table.heads)
    drawn = Table(
        box=box.SIMPLE_HEAD,
        show_footer=bool(table.foot),
        padding=(0, 1),
        title=table.title or None,
        title_justify="left",
    )
    drawn.add_column(escape(table.heads[0]), feet[0], overflow="fold", min_width=10 if table.foot else None)
    for head, foot in zip(table.heads[1:], feet[1:], strict=True):
        drawn.add_column(escape(head), foot, justify="right", no_wrap=bool(table.foot))
    for row in table.rows:
        drawn.add_row(*map(escape, row))
    return drawn
