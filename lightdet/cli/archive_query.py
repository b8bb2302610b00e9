"""``lightdet archive query``: what an archive's results say, as a table, as files, and as a contact sheet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Annotated, Any

from lightdet.cli.common import ALL
from lightdet.options.archive import QueryOptions

if TYPE_CHECKING:
    from lightdet.runs.archive.answers import Answer

SHOWN_ROWS = 50
SHOWN_BOXES = 4
NOT_IN_TABLE = ("sha256", "width", "height", "prefix", "model_sha256")
"""Columns that only files have, if the flags ask."""


def query(options: Annotated[QueryOptions, ALL]) -> None:
    """Ask the results of 'archive run', by flags or in SQL: which pictures have a defect, a decision, a reason.

    All flags must be met; the highest score comes first. SQL is DuckDB's, one SELECT over 'archive' (a row per picture
    and model) and 'boxes' (a row per detection). It reads these results and no other file.
    """
    from pathlib import Path

    from lightdet.errors import UserError
    from lightdet.runs.archive.answers import Answers
    from lightdet.runs.archive.query import question
    from lightdet.runs.archive.sheet import SHOWN, check_sheet, write_sheet

    sheet = None if options.sheet is None else Path(options.sheet)
    if sheet is not None:
        check_sheet(sheet)
    drawn = (options.limit or SHOWN) if sheet is not None else 0
    whole = options.csv is not None or options.json is not None
    limit = options.limit if whole else options.limit or max(SHOWN_ROWS + 1, drawn)
    with Answers(Path(options.folder)) as answers:
        answer = answers.select(*question(options, limit))
        if sheet is not None and "source" not in answer.columns:
            raise UserError("a contact sheet needs the column 'source' in the answer")
        kept, number = _take(answer, options, None if whole else max(SHOWN_ROWS + 1, drawn), max(SHOWN_ROWS, drawn))
    _show(answer.columns, kept, number, plain=options.sql is None)
    if sheet is not None:
        hits = [dict(zip(answer.columns, row, strict=True)) for row in kept[:drawn]]
        write_sheet(sheet, hits, f"Pictures from {Path(options.folder).name}")


def _take(answer: Answer, options: QueryOptions, most: int | None, kept: int) -> tuple[list[tuple[Any, ...]], int]:
    """Read the answer, up to `most` rows, into the files; return the first `kept` rows and how many were read."""
    from itertools import islice

    from lightdet.files import atomic_path
    from lightdet.service.csv_rows import csv_chunks

    first: list[tuple[Any, ...]] = []
    number = 0

    def counted() -> Iterator[tuple[Any, ...]]:
        nonlocal number
        for row in islice(answer.rows, most):
            number += 1
            if len(first) < kept:
                first.append(row)
            yield row

    with ExitStack() as open_files:
        rows = counted()
        if options.json is not None:
            target = open_files.enter_context(atomic_path(options.json))
            rows = _as_json(rows, answer.columns, open_files.enter_context(target.open("w", encoding="utf-8")))
        if options.csv is not None:
            target = open_files.enter_context(atomic_path(options.csv))
            file = open_files.enter_context(target.open("wb"))
            file.writelines(csv_chunks(answer.columns, (tuple(map(_cell, row)) for row in rows)))
        else:
            for _ in rows:
                pass
    return first, number


def _as_json(rows: Iterator[tuple[Any, ...]], columns: Sequence[str], file: IO[str]) -> Iterator[tuple[Any, ...]]:
    """Write rows as a list of objects while they pass."""
    between = "[\n"
    for row in rows:
        file.write(f"{between}{json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=str)}")
        between = ",\n"
        yield row
    file.write("[]\n" if between == "[\n" else "\n]\n")


def _cell(value: Any) -> object:
    """A value for CSV: lists as JSON."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value if isinstance(value, int | float | str) else "" if value is None else str(value)


def _show(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], number: int, *, plain: bool) -> None:
    """Print the first rows; a detector's boxes as names with scores."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not rows:
        console.print("no rows")
        return
    empty = {name for place, name in enumerate(columns) if all(row[place] is None for row in rows)} if plain else set()
    left = empty | (set(NOT_IN_TABLE) if plain else set())
    table = Table()
    shown = [place for place, name in enumerate(columns) if name not in left]
    for place in shown:
        numbers = all(isinstance(row[place], int | float) or row[place] is None for row in rows)
        table.add_column(escape(columns[place]), justify="right" if numbers else "left", overflow="fold")
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*(escape(_text(row[place])) for place in shown))
    console.print(table)
    if number > SHOWN_ROWS:
        console.print(f"the first {SHOWN_ROWS} rows; --csv and --json write all")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1 else f"{value:,.2f}"
    if isinstance(value, list) and all(
        isinstance(each, Mapping) and {"class", "score"} <= each.keys() for each in value
    ):
        more = f", {len(value) - SHOWN_BOXES} more" if len(value) > SHOWN_BOXES else ""
        return ", ".join(f"{each['class']} {each['score']:.2f}" for each in value[:SHOWN_BOXES]) + more
    return "" if value is None else f"{value}"
