"""Records as files: CSV for spreadsheets, Parquet for programs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from lightdet.errors import UserError
from lightdet.files import atomic_path
from lightdet.service.csv_rows import (
    DETECTION_COLUMNS,
    INSPECTION_COLUMNS,
    csv_chunks,
    detection_rows,
    inspection_rows,
)

Rows = Literal["inspections", "detections"]
_GROUP = 50_000
"""Rows of Parquet that are held at a time."""


def write_records(records: Iterable[Mapping[str, Any]], target: Path, rows: Rows) -> int:
    """Write records as CSV or Parquet, by the file's ending; returns how many inspections there were.

    Raises:
        UserError: another ending, the file cannot be written, or pyarrow is not there.
    """
    ending = target.suffix.lower()
    if ending not in (".csv", ".parquet"):
        raise UserError("name the file .csv or .parquet", path=target)
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UserError("Parquet needs a further package: pip install 'lightdet[parquet]'")
    number = 0

    def counted() -> Iterator[Mapping[str, Any]]:
        nonlocal number
        for record in records:
            number += 1
            yield record

    columns = INSPECTION_COLUMNS if rows == "inspections" else DETECTION_COLUMNS
    made: Callable[..., Iterator[tuple[object, ...]]] = inspection_rows if rows == "inspections" else detection_rows
    with atomic_path(target) as temporary:
        if ending == ".csv":
            with temporary.open("wb") as file:
                file.writelines(csv_chunks(columns, made(counted())))
        else:
            _write_parquet(columns, made(counted()), temporary)
    return number


_TYPES = {
    "defects": "int64", "width": "int64", "height": "int64", "bytes": "int64", "overridden": "int64", "defect": "int64",
    "best_score": "float64", "milliseconds": "float64", "score": "float64",
    "x1": "float64", "y1": "float64", "x2": "float64", "y2": "float64",
}  # fmt: skip


def _write_parquet(columns: tuple[str, ...], rows: Iterator[tuple[object, ...]], target: Path) -> None:
    import pyarrow  # noqa: PLC0415 - an extra
    from pyarrow import parquet  # noqa: PLC0415

    schema = pyarrow.schema([(name, pyarrow.type_for_alias(_TYPES.get(name, "string"))) for name in columns])
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in _in_groups(rows):
            values = {
                name: [_number(value) if name in _TYPES else value for value in column]
                for name, column in zip(columns, zip(*group, strict=True), strict=True)
            }
            writer.write_table(pyarrow.table(values, schema=schema))


def _number(value: object) -> object:
    """A cell that is empty in CSV is null here."""
    return None if value == "" else value


def _in_groups(rows: Iterator[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    while group := [row for _, row in zip(range(_GROUP), rows, strict=False)]:
        yield group
