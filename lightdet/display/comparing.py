"""What a comparison shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.markup import escape
from rich.table import Table as Drawn

from lightdet.comparison.tables import Table
from lightdet.display.trainings import TrainingsDisplay

if TYPE_CHECKING:
    from lightdet.runs.compare.run import Outcome

PRINTED = ("summary", "table1", "table2", "table3", "table4", "splits", "cost")


class CompareDisplay(TrainingsDisplay):
    """Also the steps after the trainings, and the tables; a `lightdet.runs.compare.jobs.Watcher`."""

    def scoring(self, name: str, label: str) -> None:
        """Say whose turn it is."""
        self.say(f"scoring {name}{f', {label}' if label else ''}")

    def profiling(self, models: int) -> None:
        """Say that it is about time."""
        self.say(f"timing {models} model{'s' if models != 1 else ''} in turn")

    def end(self, outcome: Outcome) -> None:
        """Print the tables of the paper and where the files are."""
        shown = [table for table in outcome.written.printed if table.key in PRINTED]
        for table in shown:
            self.console.print(drawn(table))
        for model in outcome.comparison.models:
            for label, reason in model.problems.items():
                self.note(f"failed or missing: {model.name}{f', {label}' if label else ''}: {reason}")
        for line in outcome.comparison.skipped[:20]:
            self.note(f"skipped: {line}")
        if len(outcome.comparison.skipped) > 20:
            self.note(f"… and {len(outcome.comparison.skipped) - 20} more (all of them on the page)")
        self.note(f"page: {outcome.written.html}; tables: {outcome.written.markdown}, {outcome.written.tables}/*.csv")


def drawn(table: Table) -> Any:
    """A table for the terminal."""
    shown = Drawn(box=box.SIMPLE_HEAD, title=escape(table.title), title_justify="left", padding=(0, 1))
    shown.add_column(table.head, overflow="fold", min_width=10)
    for column in table.columns:
        shown.add_column(escape(column.title), justify="right", overflow="fold")
    for row in table.rows:
        texts = []
        for index, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
            text = escape(column.text(cell))
            texts.append(f"[bold]{text}[/]" if table.is_best(index, cell) else text)
        shown.add_row(escape(row.name), *texts)
    return shown
