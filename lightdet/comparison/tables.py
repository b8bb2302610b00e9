"""Tables as values, and as Markdown, CSV and HTML; numbers of several runs as median with smallest and largest."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lightdet.comparison.results import Spread
from lightdet.evaluation.report.markup import Content, Markup, tag

Better = Literal["high", "low"]
Cell = Spread | str | None
MISSING = "–"


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        key: its name in CSV and JSON, where values are as measured.
        title: its heading in print.
        factor, digits: in print a value is multiplied and rounded.
        better: which values win; None if that does not apply.
    """

    key: str
    title: str
    factor: float = 1.0
    digits: int = 1
    better: Better | None = None

    def show(self, value: float) -> str:
        """Return the value as printed."""
        return f"{value * self.factor:.{self.digits}f}"

    def text(self, cell: Cell) -> str:
        """Return the whole cell as printed."""
        if cell is None:
            return MISSING
        if isinstance(cell, str):
            return cell
        return " ".join([self.show(cell.median), *self.reach(cell)])

    def reach(self, cell: Spread) -> list[str]:
        """Return what follows the number: smallest and largest of several runs, and the interval."""
        told = [f"({self.show(cell.low)}–{self.show(cell.high)})"] if len(cell.values) > 1 else []
        if cell.interval is not None:
            told.append(f"[{self.show(cell.interval[0])}–{self.show(cell.interval[1])}]")
        return told


@dataclass(frozen=True)
class Row:
    """A name and its cells, one per column."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        key: its file name without ending.
        title: with its number, if the paper gives one.
        head: what the rows are.
        note: a sentence below it, or nothing.
    """

    key: str
    title: str
    head: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""

    def best(self, index: int) -> str | None:
        """The best text of a column as printed; None if nothing can win, or all are equal."""
        column = self.columns[index]
        medians = [c.median for c in (row.cells[index] for row in self.rows) if isinstance(c, Spread)]
        if column.better is None or len({column.show(median) for median in medians}) < 2:
            return None
        return column.show(max(medians) if column.better == "high" else min(medians))

    def is_best(self, index: int, cell: Cell) -> bool:
        """Whether a cell is the column's best, including cells that print the same."""
        return isinstance(cell, Spread) and self.columns[index].show(cell.median) == self.best(index)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values ready for JSON."""
        rows = []
        for row in self.rows:
            cells = zip(self.columns, row.cells, strict=True)
            values = {column.key: cell.as_dict() if isinstance(cell, Spread) else cell for column, cell in cells}
            rows.append({"name": row.name, "values": values})
        return {"title": self.title, "columns": [column.key for column in self.columns], "rows": rows}


def markdown(table: Table, *, level: int = 2) -> str:
    """Return heading, table and note as Markdown; the best of each column is bold."""
    lines = [f"{'#' * level} {_plain(table.title)}", ""]
    lines.append(_line([table.head, *(column.title for column in table.columns)]))
    lines.append("| --- |" + " ---: |" * len(table.columns))
    for row in table.rows:
        texts = []
        for index, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
            text = column.text(cell)
            texts.append(f"**{text}**" if table.is_best(index, cell) else text)
        lines.append(_line([row.name, *texts]))
    return "\n".join([*lines, *(["", _plain(table.note)] if table.note else [])]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    return " ".join(text.split())


def csv_text(table: Table) -> str:
    """Return the table as CSV: a column per number, and more for extremes of runs and ends of intervals."""
    columns = list(zip(*(row.cells for row in table.rows), strict=True)) or [()] * len(table.columns)
    spreads = [[cell for cell in cells if isinstance(cell, Spread)] for cells in columns]
    several = [any(len(cell.values) > 1 for cell in cells) for cells in spreads]
    bounded = [any(cell.interval is not None for cell in cells) for cells in spreads]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = [table.head]
    for column, spread, bound in zip(table.columns, several, bounded, strict=True):
        head += [column.key, *([f"{column.key}_min", f"{column.key}_max"] if spread else [])]
        head += [f"{column.key}_low", f"{column.key}_high"] if bound else []
    writer.writerow(head)
    for row in table.rows:
        values: list[object] = [row.name]
        for cell, spread, bound in zip(row.cells, several, bounded, strict=True):
            values.append(cell.median if isinstance(cell, Spread) else cell)
            if spread:
                values += [cell.low, cell.high] if isinstance(cell, Spread) else [None, None]
            if bound:
                values += cell.interval if isinstance(cell, Spread) and cell.interval is not None else (None, None)
        writer.writerow(values)
    return text.getvalue()


def html(table: Table) -> Markup:
    """Return heading, table and note for the page."""
    head = [tag("th", table.head, scope="col"), [tag("th", c.title, scope="col") for c in table.columns]]
    rows = []
    for row in table.rows:
        cells = [
            _html_cell(column, cell, best=table.is_best(index, cell))
            for index, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True))
        ]
        rows.append(tag("tr", tag("th", row.name, scope="row"), cells))
    drawn = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows), class_="classes")
    note = tag("p", table.note, class_="soft") if table.note else None
    return tag("section", tag("h2", table.title), tag("div", drawn, class_="scroll"), note)


def _html_cell(column: Column, cell: Cell, *, best: bool) -> Markup:
    content: Content = column.text(cell)
    beside = column.reach(cell) if isinstance(cell, Spread) else []
    if isinstance(cell, Spread) and beside:
        shown = [beside[0].strip("()")] if cell.interval is None else beside
        content = [column.show(cell.median), [tag("small", text, class_="span") for text in shown]]
    title = None
    if isinstance(cell, Spread) and len(cell.values) > 1:
        title = ", ".join(column.show(value) for value in cell.values)
    return tag("td", content, class_="best" if best else None, title=title)
