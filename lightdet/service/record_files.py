"""Records as files: CSV for spreadsheets, Parquet for programs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from lightdet.errors import UserError
from lightdet.files import atomic_path
from lightdet.missing import how_to_install
from lightdet.service import parquet
from lightdet.service.csv_rows import TABLES, csv_chunks

Rows = Literal["inspections", "detections", "corrections"]


def write_records(records: Iterable[Mapping[str, Any]], target: Path, rows: Rows) -> int:
    """Write records as CSV or Parquet, by the file's ending; returns how many inspections there were.

    Raises:
        UserError: another ending, the file cannot be written, or pyarrow is not there.
    """
    ending = target.suffix.lower()
    if ending not in (".csv", ".parquet"):
        raise UserError("name the file .csv or .parquet", path=target)
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UserError(f"Parquet needs a further package: {how_to_install('parquet')}")
    number = 0

    def counted() -> Iterator[Mapping[str, Any]]:
        nonlocal number
        for record in records:
            number += 1
            yield record

    with atomic_path(target) as temporary:
        if ending == ".csv":
            with temporary.open("wb") as file:
                file.writelines(_csv(counted(), rows))
        else:
            parquet.WRITERS[rows](counted(), temporary)
    return number


def _csv(records: Iterable[Mapping[str, Any]], rows: Rows) -> Iterator[bytes]:
    columns, rows_of = TABLES[rows]
    return csv_chunks(columns, rows_of(records))
