"""What a comparison shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table as Drawn

from lightdet.comparison.tables import Table
from lightdet.wording import counted, duration

if TYPE_CHECKING:
    from lightdet.runs.compare.run import Outcome
    from lightdet.runs.compare.trainings import Job, TrainingProgress

PRINTED = ("summary", "table1", "table2", "table3", "table4", "splits", "cost")


class CompareDisplay:
    """One line per step, and on a terminal the latest line of each training below it; a `Watcher`."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self.console = Console(file=file)
        if not self.console.is_terminal and "COLUMNS" not in os.environ:
            self.console.width = 120  # a log has room for whole names
        self._status: Status = self.console.status("")
        self._newest: dict[Job, str] = {}

    @contextmanager
    def working(self) -> Iterator[None]:
        """The lines that change, on a terminal alone."""
        if not self.console.is_terminal:
            yield
            return
        with self._status:
            yield

    def note(self, text: str) -> None:
        """One line, as it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def training_begins(self, job: Job, number: int, total: int, *, resumed: bool) -> None:
        """Say which one, and where its log is."""
        how = "continuing" if resumed else "training"
        self.note(f"[{number}/{total}] {how} {job.name}, {job.label} ({job.folder}/log.txt)")
        self._newest[job] = "starting"
        self._show()

    def training_says(self, job: Job, line: str) -> None:
        """Show the newest line of its log."""
        self._newest[job] = line
        self._show()

    def training_ends(self, job: Job, failure: str | None, reached: TrainingProgress | None) -> None:
        """Say how, and what was reached."""
        self._newest.pop(job, None)
        outcome = f"failed: {failure}" if failure else "done"
        if reached is not None and reached.history:
            last = reached.history[-1]
            outcome = f"{counted(reached.epoch, 'epoch')} in {duration(60 * last['minutes'])}"
            outcome += f", mAP@0.5 {last['map50']:.3f}" if last.get("map50") is not None else ""
            outcome += f", accuracy {last['val_accuracy']:.3f}" if last.get("val_accuracy") is not None else ""
        self.note(f"  {job.name}, {job.label}: {outcome}")
        self._show()

    def scoring(self, name: str, label: str) -> None:
        """Say whose turn it is."""
        self._say(f"scoring {name}{f', {label}' if label else ''}")

    def profiling(self, models: int) -> None:
        """Say that it is about time."""
        self._say(f"timing {models} model{'s' if models != 1 else ''} in turn")

    def end(self, outcome: Outcome) -> None:
        """Print the tables of the paper and where the files are."""
        shown = [table for table in outcome.written.printed if table.key in PRINTED]
        for table in shown:
            self.console.print(_drawn(table))
        for model in outcome.comparison.models:
            for label, reason in model.problems.items():
                self.note(f"failed or missing: {model.name}{f', {label}' if label else ''}: {reason}")
        for line in outcome.comparison.skipped[:20]:
            self.note(f"skipped: {line}")
        if len(outcome.comparison.skipped) > 20:
            self.note(f"… and {len(outcome.comparison.skipped) - 20} more (all of them on the page)")
        self.note(f"page: {outcome.written.html}; tables: {outcome.written.markdown}, {outcome.written.tables}/*.csv")

    def _say(self, text: str) -> None:
        self.note(text)
        self._status.update(escape(text))

    def _show(self) -> None:
        lines = [f"{job.name}, {job.label}: {line}" for job, line in self._newest.items()]
        self._status.update(escape("\n".join(lines)) or "…")


def _drawn(table: Table) -> Any:
    drawn = Drawn(box=box.SIMPLE_HEAD, title=escape(table.title), title_justify="left", padding=(0, 1))
    drawn.add_column(table.head, overflow="fold", min_width=10)
    for column in table.columns:
        drawn.add_column(escape(column.title), justify="right", overflow="fold")
    for row in table.rows:
        texts = []
        for index, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
            text = escape(column.text(cell))
            texts.append(f"[bold]{text}[/]" if table.is_best(index, cell) else text)
        drawn.add_row(escape(row.name), *texts)
    return drawn
