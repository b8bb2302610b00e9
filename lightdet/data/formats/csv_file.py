"""A CSV file as people and spreadsheets save it: commas, semicolons or tabs, in UTF-8."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from lightdet.data.faults import DataError
from lightdet.data.formats.label_file import read_bounded

MAX_CSV_BYTES = 256 << 20


def open_csv(path: Path) -> tuple[Any, str]:
    """Return the `csv.reader` of a file, and its delimiter: the one that is most frequent in the first line.

    Raises:
        DataError: the file is missing, unreadable, too large or no text.
    """
    try:
        text = read_bounded(path, MAX_CSV_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text; save it as CSV in UTF-8", "format", path=path) from None
    if "\0" in text:
        raise DataError("not a text file; is this the right file?", "format", path=path)
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), delimiter


def broken_row(error: csv.Error, path: Path, line: int) -> DataError:
    """Return the fault of a row that begins in this line and cannot be read."""
    message = f"not valid CSV in the row that begins here ({error}): is a quotation mark missing or too many?"
    return DataError(message, "format", path=path, line=line)
