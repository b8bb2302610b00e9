"""One class per picture in a CSV file: a column with the path, one with the class, optionally one with the split."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightdet.data.faults import DataError
from lightdet.data.formats.csv_file import broken_row, open_csv
from lightdet.data.formats.folders import Entry, class_index, find_picture, mark_unclear, repeated
from lightdet.data.paths import FileFinder
from lightdet.data.split_words import is_split, no_split, split_cell

PATH_COLUMNS = ("path", "image", "file", "filename", "file_name", "filepath", "image_path", "image_id", "picture")
CLASS_COLUMNS = ("label", "class", "class_name", "category", "target")
SPLIT_COLUMNS = ("split", "subset", "set")


@dataclass(frozen=True)
class Row:
    """One line: the path and the class as written, and the split if it names one."""

    line: int
    path: str
    word: str
    split: str | None


def parse_class_csv(
    table: Path, folders: Sequence[Path], split: str, classes: Sequence[str], known: Sequence[str] = ()
) -> tuple[list[Entry], list[DataError]]:
    """Read the rows of `split` (all of them if no row names one); a row in none of the `known` splits is a fault.

    The first line names the columns: one of `PATH_COLUMNS`, one of `CLASS_COLUMNS`, in any order, others are
    ignored. Commas, semicolons or tabs; the class is a name, or an id counted from 0. Paths are relative to `folders`,
    then from the file's own folder.

    Returns:
        The entries in the file's order, and what is wrong with its rows.

    Raises:
        UserError: the file is missing, unreadable, no text or lacks a column.
    """
    finder = FileFinder([*folders, table.parent])
    entries, faults, first = [], [], dict[Path, Entry]()
    rows = list(read_rows(table))
    divided = any(row.split is not None for row in rows)
    unclear: dict[Path, DataError] = {}
    for row in rows:
        picture = None
        try:
            lost = no_split(row.split, known) if divided else None
            if lost is not None:
                raise DataError(f"'{row.path}' {lost}", "format")
            if divided and not is_split(row.split, split):
                continue
            if not row.path:
                raise DataError("the row has no path; fill it in or remove the row", "format")
            picture = find_picture(row.path, finder)
            if picture is None:
                message = f"there is no picture '{row.path}' in {finder.bases[0]}; correct or remove the row"
                raise DataError(message, "missing-picture")
            if not row.word:
                raise DataError(f"the row has no class ('{row.path}'); fill it in or remove the row", "format")
            entry = Entry(picture, class_index(row.word, classes), table, row.line)
            if picture in first:
                told = f"'{row.path}' is already in line {first[picture].line}"
                faults += repeated(told, first[picture], entry, classes)
                continue
            first[picture] = entry
            entries.append(entry)
        except DataError as error:
            faults.append(DataError(error.message, error.kind, path=table, line=row.line))
            if picture is not None:
                unclear[picture] = faults[-1]
    mark_unclear(entries, unclear)
    return entries, faults


def read_rows(table: Path) -> Iterator[Row]:
    """Yield the rows under the header, without blank ones.

    Raises:
        DataError: the file is missing, unreadable, no text or lacks a column.
    """
    reader, delimiter = open_csv(table)
    line = 1
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        path, word = (_column(names, wanted, table) for wanted in (PATH_COLUMNS, CLASS_COLUMNS))
        split = next((names.index(name) for name in SPLIT_COLUMNS if name in names), None)
        line = reader.line_num + 1
        for fields in reader:
            if any(field.strip() for field in fields):
                cells = [*(field.strip() for field in fields), *[""] * len(names)]
                if "\n" in cells[path] + cells[word]:
                    raise csv.Error("a cell continues on the next line")
                if any(field.strip() for field in fields[len(names) :]):
                    message = (
                        f"{len(fields)} cells, but the first line names {len(names)}; put a cell with "
                        f"'{delimiter}' in it into double quotes, or name the additional column"
                    )
                    raise DataError(message, "format", path=table, line=line)
                yield Row(
                    reader.line_num, cells[path], cells[word], None if split is None else split_cell(cells[split])
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise broken_row(error, table, line) from None


def _column(names: Sequence[str], wanted: Sequence[str], table: Path) -> int:
    for name in wanted:
        if names.count(name) > 1:
            message = f"the first line names the column '{name}' twice; remove one of them, or rename it"
            raise DataError(message, "format", path=table, line=1)
        if name in names:
            return names.index(name)
    shown = ", ".join(name for name in names if name) or "nothing"
    message = f"the first line must name the columns, one of them '{wanted[0]}' (or {', '.join(wanted[1:4])}); it has"
    raise DataError(f"{message} {shown[:200]}", "format", path=table, line=1)
