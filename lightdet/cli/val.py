"""``lightdet val``: how good a model is, in numbers and in a report to look at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightdet.cli.common import (
    Agnostic,
    Batch,
    Data,
    DataRoot,
    Device,
    Imgsz,
    Json,
    OnError,
    OnErrorOption,
    OptionalOutput,
    OptionalPrecision,
    OptionalWeights,
    Overrides,
    Threads,
)

if TYPE_CHECKING:
    from rich.console import Console

    from lightdet.evaluation.report.summary import SummaryTable
    from lightdet.runs.validate import Outcome

SHOWN_SKIPPED = 20


def val(
    data: Data,
    overrides: Overrides = None,
    weights: OptionalWeights = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", metavar="FILE", help="Instead of --weights: detections as COCO JSON."),
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="Which split of the data set.")] = "val",
    data_root: DataRoot = None,
    imgsz: Imgsz = None,
    batch: Batch = None,
    device: Device = "auto",
    precision: OptionalPrecision = None,
    threads: Threads = None,
    agnostic: Agnostic = False,
    output: OptionalOutput = None,
    pictures: Annotated[
        int,
        typer.Option("--pictures", min=0, max=200, metavar="N", help="Worst misses and worst false alarms to show."),
    ] = 8,
    on_error: OnErrorOption = OnError.fail,
    json: Json = None,
) -> None:
    """Evaluate a detector or a classifier on a data set, or detections from elsewhere: metrics.json and report.html.

    The report goes to --output, else to a fresh folder: runs/val, runs/val-2, …
    """
    from rich.console import Console

    from lightdet.display.progress import Bar
    from lightdet.runs.validate import Validation, ValRequest

    request = ValRequest(
        data=data,
        weights=weights,
        predictions=predictions,
        split=split,
        data_root=data_root,
        imgsz=imgsz,
        batch=batch,
        device=device,
        precision=None if precision is None else precision.value,
        threads=threads,
        agnostic=agnostic or None,
        output=output,
        pictures=pictures,
        skip_bad=on_error is OnError.skip,
        overrides=overrides or (),
        json=json,
    )
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120  # a log has room for whole class names
    validation = Validation(request)
    with Bar("evaluate") as bar:
        outcome = validation.run(bar)
    _show(console, outcome)


def _show(console: Console, outcome: Outcome) -> None:
    evaluation, summary = outcome.evaluation, outcome.summary
    for table in summary.tables:
        console.print(_drawn(table))
    lines = list(summary.lines)
    latency = evaluation.details.get("latency_ms")
    if latency:
        lines.append("median ms: " + ", ".join(f"{stage} {value:.1f}" for stage, value in latency.items()))
    lines += [f"{heading}: {told}" for heading, told in evaluation.facts.get("Decision", {}).items()]
    lines.append(f"report: {outcome.html}")
    if evaluation.skipped:
        lines.append(f"skipped {len(evaluation.skipped)}:")
        lines += [f"  {reason}" for reason in evaluation.skipped[:SHOWN_SKIPPED]]
        more = len(evaluation.skipped) - SHOWN_SKIPPED
        lines += [f"  … and {more} more (all of them in {outcome.json})"] if more > 0 else []
    for line in lines:
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
