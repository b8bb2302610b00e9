"""The rows of a training's results.csv."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

MAX_BYTES = 64 << 20


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of a training's results.csv; none if there is no such file, or it is not one of ours."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return []
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        return [row for row in rows if float(row["epoch"]) >= 1 and float(row["loss"]) == float(row["loss"])]
    except (OSError, UnicodeError, csv.Error, KeyError, TypeError, ValueError):
        return []
